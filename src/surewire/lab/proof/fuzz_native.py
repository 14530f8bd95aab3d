"""Runs one native case of the fuzzer: two endpoints and their connections, with everything watched that can be.

In checked mode the wire is read (`native_wire_checker`), and what an application is told to be delivered is held
against what has passed there. Sealed, it is held against what the other side says it has.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from surewire.core.events import Closed
from surewire.errors import Aborted, IdleTimeout, Unconfirmed
from surewire.lab.proof.fuzz_case import NativeCase, Plan, Talk
from surewire.lab.proof.fuzz_expect import deadline_of, is_benign
from surewire.lab.proof.fuzz_expect_native import good_outcomes
from surewire.lab.proof.fuzz_native_plan import NativeStream, PlannedNative
from surewire.lab.proof.fuzz_world import ORIGIN, CaseResult, Wiretap, World
from surewire.lab.proof.native_stream_rules import Half
from surewire.lab.proof.native_watch import watched_connections, watched_endpoint
from surewire.lab.proof.native_wire_checker import NativeWireChecker
from surewire.lab.proof.outcome_checker import SideEnd, StreamRecord, check_end, check_stream, first_difference
from surewire.lab.proof.violations import Findings
from surewire.lab.simulated.native_simulation import CLIENT, SERVER, securities
from surewire.native.config import NativeConfig
from surewire.native.connection import Connection
from surewire.native.endpoint import Endpoint
from surewire.native.opening import ServerOpening
from surewire.native.security import ServerSecurity
from surewire.sim import Host, Tap

_LONG_LIVED = 100  # datagrams under one key
_TOLD = (Aborted, IdleTimeout, Unconfirmed)
"""Errors of a side that has given up, and says so in a RESET."""


class _Talker:
    """One side of a connection: its application, and how it ended."""

    def __init__(
        self, name: str, plan: Plan, connection: Connection, data: bytes, world: World, wake_at: Callable[[int], None]
    ) -> None:
        self.name = name
        self.connection = connection
        self.data = data
        self.end: Closed | None = None
        self.peer: _Talker | None = None
        self.half: Half | None = None  # what the wire knows of this side; None where that cannot be read
        self.has_arrived: Callable[[], int] = lambda: 0  # bytes of this side's that have reached the other one
        self._findings = world.findings
        stream = NativeStream(connection, lambda: world.network.now)
        self.application = PlannedNative(plan, stream, data, origin=ORIGIN, wake_at=wake_at)

    def turn(self, now: int) -> bool:
        """Take the connection's events, and let the application act; True when it did."""
        while (event := self.connection.poll_event()) is not None:
            if isinstance(event, Closed):
                self._on_closed(event, now)
        has_acted = self.application.on_turn(now)
        told = self.connection.acknowledged
        if told and told > self.has_arrived():  # at that time: later they may arrive all the same
            what = f"{self.name} was told of {told} bytes, {self.has_arrived()} have arrived"
            self._findings.add("told delivered", what, now)
        return has_acted

    def _on_closed(self, event: Closed, now: int) -> None:
        self.end = event
        written = self.application.written
        if event.error is None and self.application.is_finished and written and self.has_arrived() < written:
            what = f"{self.name} ended well when {self.has_arrived()} of its {written} bytes had arrived"
            self._findings.add("true success", what, now)

    @property
    def outcome(self) -> str:
        """How it ended, in a word."""
        if self.end is None:
            return "not over"
        return "success" if self.end.error is None else type(self.end.error).__name__

    def side_end(self) -> SideEnd:
        """How it ended, for the judge."""
        error = None if self.end is None else self.end.error
        return SideEnd(name=self.name, closed=self.end is not None, error=error)


class _Side:
    """An endpoint on its host, and the applications of its connections."""

    def __init__(self, name: str, endpoint: Endpoint, case: NativeCase, world: World, *, is_client: bool) -> None:
        self.endpoint = endpoint
        self.talkers: list[_Talker] = []
        watched = watched_endpoint(name, endpoint, case.limits, world.findings, clock=lambda: world.network.now)
        self.host = Host(CLIENT if is_client else SERVER, watched, lambda event, now: None, on_turn=self._on_turn)
        self.on_accept: Callable[[Connection], None] = lambda connection: None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left of its connections, and nothing is to be sent."""
        is_empty = not self.endpoint.connections and not self.endpoint.half_open
        return is_empty and all(talker.end is not None for talker in self.talkers) and not self.host.is_sending

    def _on_turn(self, now: int) -> bool:
        while (accepted := self.endpoint.poll_accept()) is not None:
            self.on_accept(accepted)
        self.endpoint.take_changed()  # the few that there are have a turn each time
        has_acted = False
        for talker in self.talkers:
            if talker.turn(now):
                self.endpoint.touch(talker.connection)
                has_acted = True
        return has_acted


class NativeRun:
    """Connections in virtual time, as the case says; serves one run."""

    def __init__(
        self,
        case: NativeCase,
        *,
        traced: bool = False,
        taps: Sequence[Tap] = (),
        kind: type[Connection] = Connection,
    ) -> None:
        """Ready to run.

        Args:
            case: what to run.
            traced: keep a hash of every datagram.
            taps: told of every datagram beside the checker.
            kind: of all connections.
        """
        rng = random.Random(case.seed)
        findings = Findings()
        self.case = case
        self._checker = NativeWireChecker(SERVER, findings)
        wiretap = Wiretap((self._checker, *taps), SERVER, keeps=(lambda datagram: True) if case.injections else None)
        self.world = World(case.path, wiretap, findings, random.Random(rng.random()), traced=traced)
        self._client_security, server_security = securities(random.Random(rng.random()), sealed=case.is_sealed)
        self._data = [
            tuple(rng.randbytes(_bytes_of(plan)) for plan in (talk.client, talk.server)) for talk in case.talks
        ]
        self._opened = 0
        self._kind = watched_connections(findings, clock=lambda: self.world.network.now, kind=kind)
        self._client = self._side("client's endpoint", None, case.client, rng)
        self._server = self._side("server's endpoint", server_security, case.server, rng)
        self._server.on_accept = self._accept
        self._schedule()

    def _side(self, name: str, security: ServerSecurity | None, config: NativeConfig, rng: random.Random) -> _Side:
        endpoint = Endpoint(
            security,
            config=config,
            rng=random.Random(rng.random()),
            now=ORIGIN,
            limits=self.case.limits,
            kind=self._kind,
        )
        return _Side(name, endpoint, self.case, self.world, is_client=security is None)

    def _schedule(self) -> None:
        """Let both come up, and all happen that the case has in store."""
        case, world = self.case, self.world
        hosts = (self._client.host, self._server.host)
        world.connect(*hosts)
        world.add(hosts[1], start=case.server_start)
        world.add(hosts[0], start=0)
        for number, talk in enumerate(case.talks):
            world.call(hosts[0], talk.client.start, self._opener(number, talk))
        for at in case.refusals:
            world.call(hosts[0], at, lambda now: self._client.endpoint.handle_refused(now=now, source=SERVER))
        for injection in case.injections:
            world.inject(injection, hosts, is_ready=lambda: True, is_over=self._is_over)

    def run(self) -> CaseResult:
        """Run the case and judge it."""
        world = self.world
        world.run(deadline_of(self.case), self._is_over)
        outcomes: set[str] = set()
        is_whole = True
        for talker in self._client.talkers:
            outcomes.add(talker.outcome if talker.peer is None else self._outcome(talker, talker.peer))
            is_whole = (world.is_broken or self._judge_both(talker)) and is_whole
        if not world.is_broken:
            self._check_endings()
        outcome = ", ".join(sorted(outcomes)) or "nothing"
        if not is_whole and outcome == "success":
            outcome = "success, not all read"
        self._check_benign(outcome, outcomes)
        return world.result(outcome, self._features())

    def _check_benign(self, outcome: str, outcomes: set[str]) -> None:
        if self.world.findings.count or not is_benign(self.case) or outcomes <= good_outcomes(self.case):
            return
        talkers = [*self._client.talkers, *self._server.talkers]
        reasons = {str(one.end.error) for one in talkers if one.end is not None and one.end.error is not None}
        what = f"nothing was in the way, and it ended with {outcome}: {'; '.join(sorted(reasons))}"
        self.world.findings.add("success", what)

    # The connections.

    def _opener(self, number: int, talk: Talk) -> Callable[[int], None]:
        def open_it(now: int) -> None:
            self._opened += 1
            connection = self._client.endpoint.connect(SERVER, security=self._client_security, now=now)
            self._client.talkers.append(
                self._talker(f"client {number}", talk.client, connection, self._data[number][0], self._client.host)
            )

        return open_it

    def _accept(self, connection: Connection) -> None:
        """The server's application has a new connection: whose is it?"""
        opening = connection.opening
        assert isinstance(opening, ServerOpening)
        for client in self._client.talkers:
            if client.connection.connection_id != opening.client_id:
                continue
            if client.peer is not None:
                self._add("one connection", f"{client.name} was accepted twice", self.world.network.now)
                return
            index = int(client.name.split()[1])
            plan, data = self.case.talks[index].server, self._data[index][1]
            server = self._talker(f"server {index}", plan, connection, data, self._server.host)
            client.peer, server.peer = server, client
            self._server.talkers.append(server)
            self._listen(client, server)
            return
        self.world.findings.add(
            "one connection", "a connection was accepted that nobody opened", self.world.network.now
        )

    def _listen(self, client: _Talker, server: _Talker) -> None:
        """Find out how much of either side's bytes has reached the other one: from the wire, if it can be read."""
        halves = None if self.case.is_sealed else self._checker.halves(client.connection.connection_id)
        if halves is None:
            client.has_arrived = lambda: server.connection.stats().received
            server.has_arrived = lambda: client.connection.stats().received
            return
        of_client, of_server = client.half, server.half = halves
        client.has_arrived = lambda: of_server.contiguous
        server.has_arrived = lambda: of_client.contiguous

    def _talker(self, name: str, plan: Plan, connection: Connection, data: bytes, host: Host) -> _Talker:
        world = self.world
        return _Talker(
            name,
            plan,
            connection,
            data,
            world,
            wake_at=lambda at: world.call(host, at - ORIGIN, lambda now: None),
        )

    def _is_over(self) -> bool:
        return self._opened == len(self.case.talks) and self._client.is_over and self._server.is_over

    # The judgement.

    def _check_endings(self) -> None:
        """What each connection counted, and whether it told the peer that it gave up, against the wire."""
        for talker in (*self._client.talkers, *self._server.talkers):
            damaged = talker.connection.stats().damaged
            forged = self._checker.forged_to(talker.connection.connection_id)
            if damaged > forged and not self._has_short_lived_keys:
                self._add("genuine", f"{talker.name} took {damaged} datagrams for damaged, {forged} were")
            error = None if talker.end is None else talker.end.error
            if talker.half is not None and isinstance(error, _TOLD) and not talker.half.has_reset:
                self._add("farewell", f"{talker.name} ended with {type(error).__name__} and did not tell the peer")

    @property
    def _has_short_lived_keys(self) -> bool:
        """Whether a datagram may be overtaken by two changes of the key: then it is genuine, and cannot be opened."""
        ages = (self.case.client.update_keys_after, self.case.server.update_keys_after)
        return any(age is not None and age < _LONG_LIVED for age in ages)

    def _add(self, rule: str, what: str, at: int | None = None) -> None:
        self.world.findings.add(rule, what, at)

    def _outcome(self, client: _Talker, server: _Talker) -> str:
        return " / ".join(sorted({client.outcome, server.outcome}))

    def _judge_both(self, client: _Talker) -> bool:
        """Check both directions of a connection; True when everything arrived and both ends were seen."""
        findings, server = self.world.findings, client.peer
        for side in (client, server):
            if side is not None:
                for violation in check_end(side.side_end()):
                    findings.add(violation.rule, violation.what)
        if server is None:
            if client.side_end().claims_success:
                findings.add("true success", f"{client.name} ended well, and the server knows of nothing")
            return False
        return all([self._judge(client, server), self._judge(server, client)])

    def _judge(self, writer: _Talker, reader: _Talker) -> bool:
        """Check one direction; True when everything arrived and the end was seen."""
        connection, application = reader.connection, reader.application
        application.collect(is_last=True)
        given = writer.data[: writer.application.written]
        if application.has_closed:  # the rest was not wanted
            if not given.startswith(application.got):
                at = first_difference(given, bytes(application.got))
                self.world.findings.add("same bytes", f"{reader.name} read something else from byte {at} on")
            return False
        held = connection.read(1 << 30, now=self.world.network.now)
        record = StreamRecord(
            writer=writer.side_end(),
            reader=reader.side_end(),
            given=given,
            is_finished=writer.application.is_finished,
            told_delivered=writer.connection.acknowledged,
            read=bytes(application.got),
            held=held,
            has_ended=connection.has_ended,
            ended_after=application.ended_after,
            reading_error=connection.error,
        )
        for violation in check_stream(record):
            self.world.findings.add(violation.rule, violation.what)
        return connection.has_ended and len(record.read) + len(held) == len(given)

    def _features(self) -> list[str]:
        case = self.case
        talkers = [*self._client.talkers, *self._server.talkers]
        stats = [talker.connection.stats() for talker in talkers]
        verbs = {verb for talk in case.talks for plan in (talk.client, talk.server) for verb, _ in plan.steps}
        plans = [plan for talk in case.talks for plan in (talk.client, talk.server)]
        found = {
            "empty": not any(talker.data for talker in talkers),
            "sealed": case.is_sealed,
            "several connections": len(case.talks) > 1,
            "late start": case.server_start > 0,
            "slow reader": any(plan.read_every or plan.stall for plan in plans),
            "reads in turn": any(not plan.reads for plan in plans),
            "retry": self._server.endpoint.stats.retries > 0,
            "refused": self._server.endpoint.stats.refused > 0 or bool(case.refusals),
            "expired": self._server.endpoint.stats.expired > 0,
            "retransmission": any(one.retransmitted_bytes for one in stats),
            "damage seen": any(one.damaged for one in stats),
            "duplicates": any(one.duplicates for one in stats),
            "key update": any(one.key_updates for one in stats),
            "longer datagrams": any(one.path_mtu > 1_200 for one in stats),
            "address followed": any(talker.connection.peer != CLIENT for talker in self._server.talkers),
            "never opened": any(talker.peer is None for talker in self._client.talkers),
        }
        return [name for name, is_so in found.items() if is_so] + sorted(verbs & {"abort", "send", "divert", "close"})


def _bytes_of(plan: Plan) -> int:
    return sum(value for verb, value in plan.steps if verb in ("write", "send"))
