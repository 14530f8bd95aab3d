"""The fuzzer's native cases: some pass here, runs repeat, and connections that break a promise are caught."""

from __future__ import annotations

import dataclasses

import pytest

from surewire.core.state import State
from surewire.core.trains import Address, Train
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import LinkConfig, Rebinding
from surewire.lab.proof.fuzz import campaign, run_case
from surewire.lab.proof.fuzz_case import FuzzPath, Injection, NativeCase, Plan, Talk, as_json, from_json
from surewire.lab.proof.fuzz_native import NativeRun
from surewire.lab.proof.fuzz_trace import PacketWriter, describe_native
from surewire.lab.proof.fuzz_world import ORIGIN
from surewire.native.admission import AdmissionConfig
from surewire.native.config import NativeConfig
from surewire.native.connection import Connection
from surewire.wire.native_repairs import emit_repair
from surewire.wire.slots import Slots

MS, S = NS_PER_MS, NS_PER_S
GOOD = LinkConfig(delay=10 * MS, rate=10_000_000)
BAD = LinkConfig(delay=20 * MS, loss=0.15, duplicate=0.1, corrupt=0.05, reorder=0.1)
UPLOAD = Talk(
    client=Plan(steps=(("send", 40_000), ("write", 3_000), ("finish", 0)), give_up=60 * S),
    server=Plan(steps=(("divert", 40_000), ("write", 5_000), ("finish", 0)), give_up=60 * S),
)
QUESTIONS = Talk(
    client=Plan(
        steps=(("write", 100), ("divert", 2_000), ("write", 1), ("read", 1), ("finish", 0)), reads=False, give_up=60 * S
    ),
    server=Plan(
        steps=(("read", 100), ("send", 2_000), ("read", 1), ("write", 1), ("finish", 0)), reads=False, give_up=60 * S
    ),
)
CASE = NativeCase(seed=1, path=FuzzPath(up=GOOD, down=GOOD), talks=(UPLOAD, QUESTIONS))
ROUGH = dataclasses.replace(CASE, path=FuzzPath(up=BAD, down=BAD), talks=(UPLOAD, UPLOAD))


@pytest.mark.parametrize("start", (540, 570))
def test_no_case_fails(start: int) -> None:
    """A small part of what `surewire sim fuzz --protocol native` does."""
    found = campaign(range(start, start + 30), protocol="native", jobs=1)
    assert [(one.seed, one.violations) for chunk in found for one in chunk if one.violations] == []


@pytest.mark.parametrize(
    "case", [CASE, ROUGH, dataclasses.replace(ROUGH, is_sealed=True)], ids=["good", "bad", "sealed"]
)
def test_the_same_case_is_the_same_run(case: NativeCase) -> None:
    if case.is_sealed:
        pytest.importorskip("cryptography")
    first, second = run_case(case, traced=True), run_case(case, traced=True)
    assert first == second and first.trace is not None and first.outcome == "success" and not first.violations
    assert run_case(dataclasses.replace(case, seed=2), traced=True).trace != first.trace


def test_a_case_survives_the_file() -> None:
    case = dataclasses.replace(
        ROUGH, client=NativeConfig(connection_id_prefix=b"\xff\x01", wait_at_end=(MS, S)), refusals=(1, 2)
    )
    assert from_json(as_json(case)) == case


def with_first(steps: tuple[tuple[str, int], ...], **values: object) -> NativeCase:
    """The upload, with other steps of the client's."""
    client = dataclasses.replace(UPLOAD.client, steps=steps, **values)  # type: ignore[arg-type]
    return dataclasses.replace(CASE, talks=(dataclasses.replace(UPLOAD, client=client),))


@pytest.mark.parametrize(
    ("case", "outcome"),
    [
        (with_first((("write", 40_000), ("abort", 0))), "Aborted"),
        (with_first((("write", 9_000), ("pause", S), ("abort", 0))), "Aborted / Reset"),
        (with_first((("write", 99_000), ("close", 0))), "success, not all read"),
        (with_first((("pause", 50 * MS), ("finish", 0)), start=3 * S), "success"),
        (dataclasses.replace(CASE, server_start=5 * S), "success"),
        (dataclasses.replace(CASE, server_start=3600 * S), "HandshakeTimeout"),
        (dataclasses.replace(CASE, refusals=(MS, 2 * MS, 3 * MS)), "Refused"),
        (dataclasses.replace(CASE, limits=AdmissionConfig(always_validate=True)), "success"),
        (dataclasses.replace(CASE, limits=AdmissionConfig(max_connections=1)), "Refused, success"),
        (dataclasses.replace(CASE, client=NativeConfig(update_keys_after=3)), "success"),
        (dataclasses.replace(CASE, path=FuzzPath(up=LinkConfig(mtu=1_100), down=GOOD)), "HandshakeTimeout"),
        (dataclasses.replace(CASE, path=FuzzPath(up=GOOD, down=GOOD, rebinding=Rebinding(first=30 * MS))), "success"),
        (
            dataclasses.replace(CASE, injections=(Injection(kind="mutant", first=MS, every=5 * MS, count=50),)),
            "success",
        ),
        (
            dataclasses.replace(
                CASE,
                injections=(Injection(kind="replay", first=MS, every=5 * MS, count=50, spoofed=False),),
                limits=AdmissionConfig(handshake_timeout=S),
            ),
            "success",
        ),
    ],
    ids=[
        "abort", "late abort", "close", "late", "server late", "no server", "refused", "cookie", "full", "keys",
        "narrow", "rebinding", "mutants", "replays",
    ],
)  # fmt: skip
def test_conversations_end_as_they_should(case: NativeCase, outcome: str) -> None:
    result = run_case(case)
    assert (result.outcome, result.violations) == (outcome, ())


def test_features_tell_what_happened() -> None:
    path = dataclasses.replace(ROUGH.path, rebinding=Rebinding(first=50 * MS))
    case = dataclasses.replace(ROUGH, path=path, client=NativeConfig(update_keys_after=3))
    found = set(run_case(case).features)
    assert {"several connections", "retransmission", "damage seen", "key update", "divert", "send", "lost"} <= found
    assert "address followed" in found and not {"sealed", "never opened", "retry", "abort"} & found


def test_datagrams_are_written_as_lines() -> None:
    lines: list[str] = []
    run_case(CASE, taps=[PacketWriter(lines.append, describe_native, origin=ORIGIN)])
    text = "\n".join(lines)
    for word in ("HELLO ", "WELCOME ", "DATA 0+", "DATA_END ", "ACK ", "Ping()", "Done()", " arrived "):
        assert word in text
    assert describe_native(b"\x80broken").endswith("damaged (7 bytes)")
    assert describe_native(b"\x40").startswith("1 bytes that are no packet")
    summed = b"\x40" + bytes(12) + emit_repair(2, 30, 1, bytes(40))
    assert "REPAIR 30 up to 2 back, halved 1 times, 40 bytes" in describe_native(summed + bytes(4))
    assert "sealed or damaged" in describe_native(b"\x40" + bytes(12) + b"\xff" * 9)
    assert "PathChallenge" in describe_native(b"\x40" + bytes(12) + b"\x0c" + bytes(8) + bytes(4))


# What it catches


class Forgetful(Connection):
    """Loses a byte of what it is asked to read."""

    def read(self, most: int, *, now: int) -> bytes:
        data = super().read(most, now=now)
        return data[1:] if len(data) > 100 else data


class Deaf(Connection):
    """Takes nothing in once it is open."""

    def handle_datagrams(self, slots: Slots, first: int, stop: int, source: Address, *, now: int) -> None:
        pass


class Restless(Connection):
    """Wants to be woken now, whenever that is."""

    def poll_timeout(self) -> int | None:
        return 0


class Broken(Connection):
    """Falls over at the first timeout."""

    def handle_timeout(self, *, now: int) -> None:
        raise KeyError("oops")


class Boastful(Connection):
    """Says that everything it was given has been delivered."""

    @property
    def acknowledged(self) -> int:
        return self.written


class Stuttering(Connection):
    """Sends each of its datagrams twice."""

    _again: Train | None = None

    def poll_transmit(self, *, now: int) -> Train | None:
        if self._again is not None:
            again, self._again = self._again, None
            return again
        train = super().poll_transmit(now=now)
        if train is not None and self.state is State.ESTABLISHED:
            self._again = train._replace(buffers=[b"".join(train.buffers)])
        return train


class Spendthrift(Connection):
    """Takes for a window what nobody allowed."""

    def poll_transmit(self, *, now: int) -> Train | None:
        self._sending.outbound.rules.max_offset = 1 << 30
        return super().poll_transmit(now=now)


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        (Forgetful, "same bytes"),
        (Deaf, "success"),
        (Restless, "timers"),
        (Broken, "exceptions"),
        (Boastful, "told delivered"),
        (Stuttering, "packet numbers"),
        (Spendthrift, "window"),
    ],
)
def test_a_connection_that_breaks_a_promise_is_caught(kind: type[Connection], rule: str) -> None:
    small = NativeConfig(transport=dataclasses.replace(NativeConfig().transport, receive_window=2_000))
    write = Talk(
        client=Plan(steps=(("write", 40_000), ("finish", 0)), give_up=60 * S),
        server=Plan(steps=(("finish", 0),), read_every=50 * MS, give_up=60 * S),
    )
    case = dataclasses.replace(CASE, talks=(write,), server=small)
    if kind is Deaf:
        transport = dataclasses.replace(NativeConfig().transport, idle_timeout=120 * S, handshake_timeout=120 * S)
        patient = NativeConfig(transport=transport)
        case = dataclasses.replace(
            CASE, client=patient, server=patient, limits=AdmissionConfig(handshake_timeout=60 * S)
        )
    result = NativeRun(case, kind=kind).run()
    assert rule in {violation.partition(":")[0].partition(" at ")[0] for violation in result.violations}


def test_a_change_of_address_on_a_very_long_path_ends_the_conversation_one_way_or_the_other() -> None:
    """A round trip of 6 s: the answer to a challenge comes when nobody waits for it any more. It went on for hours."""
    down, nat = LinkConfig(delay=3 * NS_PER_S), Rebinding(first=5 * NS_PER_MS, every=NS_PER_S)
    path = FuzzPath(up=LinkConfig(delay=50 * NS_PER_MS, rate=50_000), down=down, rebinding=nat)
    plans = Plan(give_up=10 * NS_PER_S)
    result = run_case(NativeCase(seed=1, path=path, talks=(Talk(client=plans, server=plans),)))
    assert result.violations == () and result.ended_at < 600 * NS_PER_S
