"""The network of one fuzzer's case: links, NAT, strangers, a wire that is watched, and a run that always ends.

What kind of sessions the hosts have, and when they are done, is told from outside.
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

from surewire.core.trains import Address
from surewire.core.units import NS_PER_S
from surewire.impair import ClassroomLink, Link, LinkStats
from surewire.lab.proof.fuzz_case import FuzzPath, Injection
from surewire.lab.proof.violations import CheckFailed, Findings
from surewire.sim import Host, Network, Tap

ORIGIN = NS_PER_S
"""The network's time at the beginning; not 0, so that a duration taken for a time shows."""

STRANGER = ("203.0.113.66", 6666)

MAX_DATAGRAMS = 60_000
"""Of one run: few cases need a hundredth of it. More is a conversation that does not end."""

_MAX_TURNS = 2_000  # of a stranger, those in which it only waits included
_NONSENSE = (b"Sequence: ", b"Payload: 9999999", b"Acknowledgment: -1", b"Window: 9", b"\xff" * 300)
_SIZES = (0, 1, 5, 30, 200, 1024, 1472, 9000)


@dataclass(frozen=True, kw_only=True)
class CaseResult:
    """What came of a case.

    Attributes:
        outcome: how both sides ended, in a word or two: "success", or errors by name.
        violations: one line each; none if all is well.
        datagrams: sent by both hosts.
        ended_at: ns since the beginning.
        features: what happened in the run that does not happen in every one.
        trace: hash of every datagram, if that was asked for.
    """

    outcome: str
    violations: tuple[str, ...]
    datagrams: int
    ended_at: int
    features: tuple[str, ...] = ()
    trace: str | None = None


class Wiretap:
    """Several taps as one; keeps what may be replayed to each side when `keeps`."""

    def __init__(self, taps: Sequence[Tap], server: Address, *, keeps: Callable[[bytes], bool] | None) -> None:
        self.overheard: dict[bool, list[bytes]] = {True: [], False: []}  # by whether it went to the server
        self._taps = taps
        self._server = server
        self._keeps = keeps

    def on_sent(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        """Pass it on."""
        if self._keeps is not None and self._keeps(datagram):
            self.overheard[destination == self._server].append(datagram)
        for tap in self._taps:
            tap.on_sent(source, destination, datagram, now)

    def on_delivered(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        """Pass it on."""
        for tap in self._taps:
            tap.on_delivered(source, destination, datagram, now)


class World:
    """A client and a server on a path; `rng` is of everything random about it."""

    def __init__(
        self,
        path: FuzzPath,
        wiretap: Wiretap,
        findings: Findings,
        rng: random.Random,
        *,
        traced: bool = False,
        max_datagrams: int = MAX_DATAGRAMS,
    ) -> None:
        self.network = Network(start=ORIGIN, traced=traced, tap=wiretap)
        self.findings = findings
        self.rebound = 0  # times the client got another address
        self.injected = 0
        self.is_broken = False  # the run was ended by a violation: what it came to means nothing
        self._path = path
        self._wiretap = wiretap
        self._rng = rng
        self._is_traced = traced
        self._max_datagrams = max_datagrams
        self._present: set[int] = set()
        self.links = tuple(
            Link(config, random.Random(rng.random()))
            if path.classroom is None
            else ClassroomLink(path.classroom, random.Random(rng.random()))
            for config in (path.up, path.down)
        )

    def add(self, host: Host, *, start: int) -> None:
        """Let a host come up `start` ns after the beginning."""

        def come() -> None:
            self._present.add(id(host))
            self.network.add(host)

        self.network.at(ORIGIN + start, come)

    def connect(self, client: Host, server: Host) -> None:
        """Put the path between the two, its NAT and its strangers included."""
        for link, (source, destination) in zip(self.links, ((client, server), (server, client)), strict=True):
            link.begin(now=ORIGIN)
            self.network.connect(source, destination, link)
        rebinding = self._path.rebinding
        if rebinding is not None:
            for turn in range(self._path.rebindings if rebinding.every else 1):
                self.network.at(
                    ORIGIN + rebinding.first + turn * (rebinding.every or 0),
                    lambda turn=turn: self._rebind(client, turn, has_new_host=rebinding.address),  # type: ignore[misc]
                )

    def inject(
        self,
        injection: Injection,
        hosts: tuple[Host, Host],
        *,
        is_ready: Callable[[], bool],
        is_over: Callable[[], bool],
    ) -> None:
        """Let a stranger begin; it waits while the sides are not ready, and ends when they are over.

        Args:
            injection: what it does.
            hosts: client and server.
            is_ready: whether forgeries may come: before a session knows its peer, nothing proves anything.
            is_over: whether both sides have ended.
        """
        left, turns = injection.count, _MAX_TURNS

        def turn() -> None:
            nonlocal left, turns
            turns -= 1
            if id(hosts[injection.at_server]) in self._present and is_ready():
                left -= 1
                self._inject_one(injection, hosts)
            if left and turns and not is_over():
                self.network.at(self.network.now + injection.every, turn)

        self.network.at(ORIGIN + injection.first, turn)

    def call(self, host: Host, at: int, action: Callable[[int], None]) -> None:
        """Let the host's application do something `at` ns after the beginning, if it is there by then."""

        def act() -> None:
            if id(host) in self._present:
                action(self.network.now)
                self.network.service(host)

        self.network.at(ORIGIN + at, act)

    def run(self, deadline: int, is_over: Callable[[], bool]) -> None:
        """Run until both sides are over, at most to `deadline` (ns since the beginning)."""
        network = self.network
        try:
            network.run(until=ORIGIN + deadline, stop=lambda: is_over() or network.datagrams > self._max_datagrams)
        except CheckFailed:
            self.is_broken = True  # why stands among the findings
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
            self.findings.add("exceptions", f"{type(error).__name__} ({where}): {error}", network.now)
            self.is_broken = True
        if network.datagrams > self._max_datagrams:
            self.is_broken = True
            self.findings.add("final state", f"not over after {network.datagrams} datagrams", network.now)

    def result(self, outcome: str, features: Sequence[str]) -> CaseResult:
        """What came of the run, `features` beside those of the path."""
        network = self.network
        return CaseResult(
            outcome=outcome,
            violations=tuple(map(str, self.findings.kept)),
            datagrams=network.datagrams,
            ended_at=network.now - ORIGIN,
            features=(*features, *self._features()),
            trace=network.trace_hash if self._is_traced else None,
        )

    def _features(self) -> list[str]:
        """What the path and its strangers did."""
        found = [name for name, count in (("rebinding", self.rebound), ("injection", self.injected)) if count]
        common = {"offered", "offered_bytes", "delivered", "delivered_bytes", "peak_queue_bytes"}
        for each in fields(LinkStats):
            if each.name not in common and any(getattr(link.stats, each.name) for link in self.links):
                found.append(each.name)
        return found

    def _rebind(self, client: Host, turn: int, *, has_new_host: bool) -> None:
        if id(client) not in self._present:
            return
        self.rebound += 1
        host = f"198.51.100.{turn + 1}" if has_new_host else "192.168.1.100"
        self.network.rebind(client, (host, 40_000 + turn))

    def _inject_one(self, injection: Injection, hosts: tuple[Host, Host]) -> None:
        destination, other = hosts[injection.at_server], hosts[not injection.at_server]
        datagram = self._forge(injection)
        source = other.address if injection.spoofed else STRANGER
        self.injected += 1
        # The wire's observer has to know of it, too: a replay brings a side what it may have missed.
        self._wiretap.on_delivered(source, destination.address, datagram, self.network.now)
        self.network.inject(datagram, source=source, destination=destination)

    def _forge(self, injection: Injection) -> bytes:
        rng = self._rng
        if injection.kind == "garbage":
            return rng.randbytes(rng.choice(_SIZES))
        if injection.kind == "header":
            kind = rng.choice((b"DAT", b"SYN", b"ACK", b"FIN", b"NAK", b""))
            return b"Magic: CSC361\nType: %b\n%b\n\n" % (kind, rng.choice(_NONSENSE))
        packet = bytearray(rng.choice(self._wiretap.overheard[injection.at_server] or [b"?"]))
        if injection.kind == "mutant":
            for _ in range(rng.randint(1, 8)):
                packet[rng.randrange(len(packet))] = rng.choice(b"0123456789\n: ABCxyz\x00\xff")
        return bytes(packet)
