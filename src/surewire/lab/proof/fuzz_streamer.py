"""Runs one Streamer case of the fuzzer: a connection with everything watched that can be."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial

from surewire.core.events import Closed, Event
from surewire.impair import SEND_TIME
from surewire.lab.proof.fuzz_case import Plan, StreamerCase
from surewire.lab.proof.fuzz_expect import deadline_of, is_benign
from surewire.lab.proof.fuzz_plan import Planned
from surewire.lab.proof.fuzz_world import ORIGIN, CaseResult, Wiretap, World
from surewire.lab.proof.outcome_checker import SideEnd, StreamRecord, check_end, check_stream
from surewire.lab.proof.session_checker import Watched
from surewire.lab.proof.session_limits import streamer_limits
from surewire.lab.proof.streamer_wire_checker import StreamerWireChecker
from surewire.lab.proof.violations import Findings
from surewire.sim import Host, Tap
from surewire.streamer.config import StreamerConfig
from surewire.streamer.session import StreamerSession

CLIENT = ("192.168.1.100", 8000)
SERVER = ("10.10.1.100", 8001)


class _Side:
    """A session, its application and its host."""

    def __init__(
        self,
        name: str,
        plan: Plan,
        config: StreamerConfig,
        world: World,
        rng: random.Random,
        kind: type[StreamerSession],
        *,
        send_time: int,
        has_arrived: Callable[[], int],
    ) -> None:
        """`has_arrived` says how many bytes from the front have reached the other side, as the wire shows."""
        is_client = name == "side 1"
        self.name = name
        self.session = kind(
            SERVER if is_client else CLIENT, rng=random.Random(rng.random()), now=ORIGIN + plan.start, config=config
        )
        watched = Watched(
            name,
            self.session,
            streamer_limits(self.session),
            world.findings,
            clock=lambda: world.network.now,
        )
        self.data = rng.randbytes(sum(value for verb, value in plan.steps if verb == "write"))
        self.end: Closed | None = None
        self._findings = world.findings
        self._has_arrived = has_arrived
        self.host = Host(CLIENT if is_client else SERVER, watched, self._on_event, send_time=send_time)
        self.application = Planned(
            plan,
            self.session,
            self.data,
            origin=ORIGIN,
            wake_at=lambda at: world.call(self.host, at - ORIGIN, lambda now: None),
        )
        self.host.on_turn = self._on_turn

    @property
    def is_over(self) -> bool:
        return self.end is not None and not self.host.is_sending

    @property
    def outcome(self) -> str:
        if self.end is None:
            return "not over"
        if self.end.error is not None:
            return type(self.end.error).__name__
        return "success" if self.end.note is None else "success with a note"

    def side_end(self) -> SideEnd:
        """How it ended, for the judge."""
        end = self.end
        return SideEnd(
            name=self.name,
            closed=end is not None,
            error=None if end is None else end.error,
            is_qualified=end is not None and end.note is not None,
        )

    def _on_turn(self, now: int) -> bool:
        has_acted = self.application.on_turn(now)
        told, arrived = self.application.written - self.session.unacknowledged, self._has_arrived()
        if told > arrived:  # at that time: later they may arrive all the same
            self._findings.add("told delivered", f"{self.name} was told of {told} bytes, {arrived} have arrived", now)
        return has_acted

    def _on_event(self, event: Event, now: int) -> None:
        if not isinstance(event, Closed):
            return
        self.end = event
        written = self.application.written
        if event.error is None and self.application.is_finished and self._has_arrived() < written:
            what = f"{self.name} ended well when {self._has_arrived()} of its {written} bytes had arrived"
            self._findings.add("true success", what, now)


class StreamerRun:
    """A connection in virtual time, as the case says; serves one run."""

    def __init__(
        self,
        case: StreamerCase,
        *,
        traced: bool = False,
        taps: Sequence[Tap] = (),
        kind: type[StreamerSession] = StreamerSession,
    ) -> None:
        """Ready to run.

        Args:
            case: what to run.
            traced: keep a hash of every datagram.
            taps: told of every datagram beside the checker.
            kind: of both sessions.
        """
        rng = random.Random(case.seed)
        findings = Findings()
        # Nothing slows Streamer down but its socket. Where there is a bottleneck it has the one it is made for:
        # without, it fills any queue a hundred times over, which is documented, slow to run, and no failure.
        has_bottleneck = any(link.rate is not None for link in (case.path.up, case.path.down))
        send_time = SEND_TIME if case.path.classroom is not None or has_bottleneck else 0
        checker = StreamerWireChecker((CLIENT, SERVER), findings, lag=send_time)
        wiretap = Wiretap((checker, *taps), SERVER, keeps=(lambda datagram: True) if case.injections else None)
        self.case = case
        self.world = World(case.path, wiretap, findings, random.Random(rng.random()), traced=traced)
        self._sides = tuple(
            _Side(
                name,
                plan,
                config,
                self.world,
                rng,
                kind,
                send_time=send_time,
                has_arrived=partial(checker.arrived, other),
            )
            for name, plan, config, other in (
                ("side 1", case.plan1, case.config1, 1),
                ("side 2", case.plan2, case.config2, 0),
            )
        )
        hosts = (self._sides[0].host, self._sides[1].host)
        self.world.connect(*hosts)
        for side, plan in zip(self._sides, (case.plan1, case.plan2), strict=True):
            self.world.add(side.host, start=plan.start)
        for injection in case.injections:
            self.world.inject(injection, hosts, is_ready=lambda: True, is_over=self._is_over)

    def run(self) -> CaseResult:
        """Run the case and judge it."""
        world = self.world
        world.run(deadline_of(self.case), self._is_over)
        is_whole = True
        if not world.is_broken:
            for side in self._sides:
                for violation in check_end(side.side_end()):
                    world.findings.add(violation.rule, violation.what)
            one_way, other_way = (self._judge(self._sides[i], self._sides[1 - i]) for i in (0, 1))
            is_whole = one_way and other_way
        outcome = " / ".join(sorted({side.outcome for side in self._sides}))
        if not is_whole and outcome == "success":
            outcome = "success, not all read"
        if is_benign(self.case) and outcome != "success" and not world.findings.count:
            ends = [side.end for side in self._sides if side.end is not None]
            reasons = "; ".join(str(end.error or end.note) for end in ends if end.error or end.note)
            world.findings.add("success", f"nothing was in the way, and it ended with {outcome}: {reasons}")
        return world.result(outcome, self._features())

    def _judge(self, writer: _Side, reader: _Side) -> bool:
        """Check one direction; True when everything arrived and the end was seen."""
        session = reader.session
        held = session.read()
        record = StreamRecord(
            writer=writer.side_end(),
            reader=reader.side_end(),
            given=writer.data[: writer.application.written],
            is_finished=writer.application.is_finished,
            told_delivered=writer.application.written - writer.session.unacknowledged,
            read=bytes(reader.application.got),
            held=held,
            has_ended=session.has_ended,
            ended_after=reader.application.ended_after,
            reading_error=session.reading_error,
        )
        for violation in check_stream(record):
            self.world.findings.add(violation.rule, violation.what)
        return session.has_ended and len(record.read) + len(held) == len(record.given)

    def _is_over(self) -> bool:
        return self._sides[0].is_over and self._sides[1].is_over

    def _features(self) -> list[str]:
        case, stats = self.case, [side.session.stats for side in self._sides]
        plans = (case.plan1, case.plan2)
        found = {
            "empty": not any(side.data for side in self._sides),
            "both write": all(side.data for side in self._sides),
            "class room": case.path.classroom is not None,
            "abort": any(verb == "abort" for plan in plans for verb, _ in plan.steps),
            "late start": any(plan.start for plan in plans),
            "slow reader": any(plan.read_every or plan.stall for plan in plans),
            "reads in turn": any(not plan.reads for plan in plans),
            "gives up": any(
                side.application.written < len(side.data) and side.application.is_finished for side in self._sides
            ),
            "modes differ": case.config1.pipelining is not case.config2.pipelining,
            "retransmission": any(one.retransmissions for one in stats),
            "pings": any(one.pings for one in stats),
            "damage seen": any(one.damaged for one in stats),
            str(case.config1.pipelining): True,
        }
        return [name for name, is_so in found.items() if is_so]
