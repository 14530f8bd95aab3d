"""Watches over native connections, over their endpoint, and over a conversation on a real link's tap."""

from __future__ import annotations

import random

import pytest

from surewire.core.events import Event
from surewire.core.trains import Address, Buffer, Train
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.crypto.checked import CheckedClient
from surewire.impair import LinkConfig
from surewire.lab.proof.conversation_check import ConversationCheck
from surewire.lab.proof.native_watch import watched_connections, watched_endpoint
from surewire.lab.proof.violations import CheckFailed, Findings
from surewire.lab.simulated.native_simulation import CLIENT, SERVER, NativeSimulation
from surewire.native.admission import AdmissionConfig
from surewire.native.config import NativeConfig
from surewire.native.connection import Connection
from surewire.native.endpoint import Endpoint

LINK = LinkConfig(delay=10 * NS_PER_MS, loss=0.1)
DATA = random.Random(1).randbytes(50_000)


def test_a_good_connection_passes() -> None:
    findings = Findings()
    kind = watched_connections(findings, clock=lambda: 0)
    run = NativeSimulation(DATA, LINK, seed=1, kind=kind).run()
    assert run.is_success and findings.kept == [] and isinstance(run.client, kind)


class Hoarder(Connection):
    """Keeps more than it may."""

    @property
    def held_bytes(self) -> int:
        return self.config.transport.receive_window + 1


class Sleeper(Connection):
    """Never wants to be woken."""

    def poll_timeout(self) -> int | None:
        return None


@pytest.mark.parametrize(("kind", "rule"), [(Hoarder, "memory"), (Sleeper, "timers")])
def test_a_bad_one_is_found(kind: type[Connection], rule: str) -> None:
    findings = Findings()
    watched = watched_connections(findings, clock=lambda: 0, kind=kind)
    NativeSimulation(DATA, LinkConfig(delay=10 * NS_PER_MS), seed=1, kind=watched).run(limit_s=2)
    assert rule in {violation.rule for violation in findings.kept}


class Crowded(Endpoint):
    """Lets in whoever comes, and never rests."""

    @property
    def half_open(self) -> int:
        return 5_000

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        raise ValueError("too much")

    def handle_timeout(self, *, now: int) -> None:
        pass

    def poll_transmit(self, *, now: int) -> Train | None:
        return None

    def poll_event(self) -> Event | None:
        return None


def test_an_endpoint_is_held_to_its_limits() -> None:
    findings, now = Findings(), NS_PER_S
    endpoint = Crowded(None, config=NativeConfig(), rng=random.Random(1), now=now)
    endpoint.connect(SERVER, security=CheckedClient(), now=now)
    watch = watched_endpoint("it", endpoint, AdmissionConfig(), findings, clock=lambda: now)
    watch.poll_timeout()
    assert [violation.rule for violation in findings.kept] == ["memory"]
    with pytest.raises(CheckFailed, match="exceptions"):
        watch.handle_datagrams(b"x", 1, CLIENT, now=now)
    with pytest.raises(CheckFailed, match="timers"):
        for _ in range(200):
            watch.handle_timeout(now=now)


def test_a_conversation_on_a_tap() -> None:
    check = ConversationCheck("native")
    run = NativeSimulation(DATA, LINK, seed=2, tap=check).run()
    assert run.is_success and check.findings.kept == [] and check.datagrams == run.network.datagrams
    check.on_sent(SERVER, CLIENT, b"\x40" + bytes(30), NS_PER_S)
    assert [violation.rule for violation in check.findings.kept] == ["opening"]
