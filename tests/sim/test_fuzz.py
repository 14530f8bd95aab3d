"""The fuzzer itself: some hundred cases pass, runs repeat, and sessions that break a promise are caught."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from surewire.core.state import State
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import Aborted
from surewire.impair import ClassroomConfig, LinkConfig, Rebinding
from surewire.lab.proof.fuzz import SAME_TRACE, SeedResult, Summary, campaign, check_case, rule_of, run_case, run_seed
from surewire.lab.proof.fuzz_case import FuzzCase, FuzzPath, Injection, Plan, RdpCase, StreamerCase
from surewire.lab.proof.fuzz_rdp import RdpRun
from surewire.lab.proof.fuzz_streamer import StreamerRun
from surewire.lab.proof.fuzz_trace import PacketWriter, describe_rdp, describe_streamer
from surewire.lab.proof.fuzz_world import ORIGIN, CaseResult
from surewire.lab.proof.minimize import minimize
from surewire.rdp.config import RdpConfig
from surewire.streamer.config import Pipelining, StreamerConfig
from surewire.streamer.session import StreamerSession
from surewire.transfer.files import MemorySink

MS, S = NS_PER_MS, NS_PER_S
BAD = LinkConfig(delay=20 * MS, loss=0.2, duplicate=0.1, corrupt=0.1, reorder=0.1)

FILE = RdpCase(seed=1, size=20_000, path=FuzzPath(up=BAD, down=BAD))
TALK = StreamerCase(
    seed=1,
    path=FuzzPath(up=BAD, down=BAD),
    plan1=Plan(
        steps=(("write", 5_000), ("flush", 0), ("pause", 50 * MS), ("write", 10), ("finish", 0)), give_up=60 * S
    ),
    plan2=Plan(steps=(("read", 100), ("write", 3_000), ("finish", 0)), reads=False, give_up=60 * S),
)


@pytest.mark.parametrize("start", range(0, 240, 40))
def test_no_case_fails(start: int) -> None:
    """A small part of what `surewire sim fuzz` does."""
    failed = [one for chunk in campaign(range(start, start + 40), jobs=1) for one in chunk if one.violations]
    assert [(one.seed, one.violations) for one in failed] == []


@pytest.mark.parametrize("case", [FILE, TALK])
def test_the_same_case_is_the_same_run(case: FuzzCase) -> None:
    first, second = run_case(case, traced=True), run_case(case, traced=True)
    assert first == second and first.trace is not None and first.outcome == "success" and not first.violations
    assert run_case(dataclasses.replace(case, seed=2), traced=True).trace != first.trace


def test_a_run_that_does_not_repeat_is_a_failure() -> None:
    seeds = iter((1, 2))

    def drifting(case: FuzzCase, *, traced: bool = False) -> CaseResult:
        return run_case(dataclasses.replace(case, seed=next(seeds)), traced=traced)

    assert rule_of(check_case(FILE, is_twice=True, run=drifting).violations) == SAME_TRACE


# What the cases can do


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"failing_write": 3}, "DestinationError / Reset"),
        ({"failing_commit": True}, "DestinationError / Reset"),
        ({"shrinking_read": 1}, "Reset / SourceChanged"),
        ({"sender_abort": 70 * MS, "size": 60_000}, "Aborted / Reset"),
        ({"receiver_abort": 100 * MS}, "Aborted / Reset"),
        ({"receiver_start": 3600 * S}, "HandshakeTimeout / never opened"),
        ({"refusals": (70 * MS,) * 10, "size": 60_000}, "IdleTimeout / Reset"),
        ({"path": FuzzPath(up=LinkConfig(mtu=500))}, "IdleTimeout"),
        ({"path": FuzzPath(rebinding=Rebinding(first=10 * MS, every=50 * MS, address=True))}, "success"),
        ({"store_delay": 10 * S}, "success"),
        ({"receiver_start": 5 * S}, "success"),
        ({"injections": (Injection(kind="mutant", first=MS, every=5 * MS, count=50),)}, "success"),
        ({"sender": RdpConfig(extensions=False)}, "success"),
        ({"size": 0}, "success"),
    ],
    ids=str,
)
def test_transfers_end_as_they_should(change: dict[str, object], outcome: str) -> None:
    link = LinkConfig(delay=20 * MS, rate=2_000_000)
    base = dataclasses.replace(FILE, path=FuzzPath(up=link, down=link))
    result = run_case(dataclasses.replace(base, **change))  # type: ignore[arg-type]
    assert (result.outcome, result.violations) == (outcome, ())


def test_features_tell_what_happened() -> None:
    rebinding = Rebinding(first=10 * MS)
    case = dataclasses.replace(
        FILE,
        path=dataclasses.replace(FILE.path, rebinding=rebinding),
        injections=(Injection(kind="replay", first=MS, every=5 * MS, count=50),),
    )
    found = set(run_case(case).features)
    assert {"lost", "duplicated", "corrupted", "reordered", "rebinding", "injection", "retransmission"} <= found
    assert not {"plain", "abort", "queue_dropped", "blacked_out"} & found
    talk = set(run_case(TALK).features)
    assert {"both write", "reads in turn", "selective-repeat", "damage seen"} <= talk
    assert "class room" not in talk


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [((("pause", 500 * MS), ("abort", 0)), "Aborted / IdleTimeout"), ((("read", 99_999), ("finish", 0)), "success")],
)
def test_streams_end_as_they_should(steps: tuple[tuple[str, int], ...], outcome: str) -> None:
    case = dataclasses.replace(TALK, path=FuzzPath(), plan2=Plan(steps=steps, give_up=60 * S))
    case = dataclasses.replace(case, plan1=Plan(steps=(("write", 500_000), ("finish", 0)), give_up=60 * S))
    if outcome != "success":
        case = dataclasses.replace(case, path=FuzzPath(up=LinkConfig(rate=100_000)))
    result = run_case(case)
    assert (result.outcome, result.violations) == (outcome, ())


def test_a_slow_reader_and_a_stalled_one() -> None:
    config = StreamerConfig(receive_buffer=2_000, send_buffer=4_000, peer_close_timeout=100 * S)
    plan = Plan(steps=(("write", 10_000), ("finish", 0)), give_up=90 * S, read_every=200 * MS, stall=(100 * MS, 10 * S))
    case = dataclasses.replace(TALK, path=FuzzPath(), config1=config, config2=config, plan1=plan, plan2=plan)
    result = run_case(case)
    assert (result.outcome, result.violations) == ("success", ()) and result.ended_at > 10 * S


def test_a_class_room() -> None:
    room = ClassroomConfig(loss=0.2, corruption=0.2, max_delay=100 * MS)
    result = run_case(dataclasses.replace(TALK, path=FuzzPath(classroom=room)))
    assert (result.outcome, result.violations) == ("success", ()) and "class room" in result.features


# What it catches


class Forgetful(StreamerSession):
    """Reads a byte too few once."""

    def read(self) -> bytes:
        data = super().read()
        return data[1:] if len(data) > 100 else data


class Deaf(StreamerSession):
    """Takes nothing in."""

    def handle_datagrams(self, buffer: object, stride: int, source: object, *, now: int) -> None:
        pass


class Restless(StreamerSession):
    """Wants to be woken now, whenever that is."""

    def poll_timeout(self) -> int | None:
        return 0


class Broken(StreamerSession):
    """Falls over at the first timeout."""

    def handle_timeout(self, *, now: int) -> None:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("kind", "rule"),
    [(Forgetful, "same bytes"), (Deaf, "success"), (Restless, "timers"), (Broken, "exceptions")],
)
def test_a_broken_session_is_caught(kind: type[StreamerSession], rule: str) -> None:
    patient = StreamerConfig(
        peer_close_timeout=1000 * S,
        last_ack_timeout=60 * S,
        transport=dataclasses.replace(StreamerConfig().transport, linger=60 * S, idle_timeout=120 * S),
    )
    link = LinkConfig(delay=20 * MS)
    case = dataclasses.replace(TALK, path=FuzzPath(up=link, down=link), config1=patient, config2=patient)
    assert rule_of(StreamerRun(case, kind=kind).run().violations) == rule


class Hasty(StreamerSession):
    """Says that the stream has ended when it knows where it ends; forgets it when more comes."""

    @property
    def has_ended(self) -> bool:
        return super().has_ended or (self.gaps > 0 and not self.is_readable)


class Boastful(StreamerSession):
    """Takes for acknowledged what it has sent, until it is over."""

    @property
    def unacknowledged(self) -> int:
        return 0 if self.outbound.scoreboard.una < self.outbound.scoreboard.next_offset else super().unacknowledged


class Patient(StreamerSession):
    """Has no timer while it waits for the peer alone."""

    def poll_timeout(self) -> int | None:
        return super().poll_timeout() if self.unacknowledged or self.state is not State.ESTABLISHED else None


class Hoarding(StreamerSession):
    """Keeps more than it may."""

    @property
    def held_bytes(self) -> int:
        return super().held_bytes + (16 << 20)


@pytest.mark.parametrize(
    ("kind", "rule"),
    [(Hasty, "true end"), (Boastful, "told delivered"), (Patient, "timers"), (Hoarding, "memory")],
)
def test_what_is_wrong_for_a_while_is_wrong(kind: type[StreamerSession], rule: str) -> None:
    """All of these sessions end well, with all bytes at the other side."""
    violations = StreamerRun(TALK, kind=kind).run().violations
    assert rule in {rule_of([violation]) for violation in violations}


class Late(MemorySink):
    """The file gets its name a moment after the receiver was told that it has it."""

    def __init__(self) -> None:
        self._looks = 0
        super().__init__()

    @property
    def committed(self) -> bytes | None:
        self._looks += 1
        return bytes(self.data) if self._looks > 1 else None

    @committed.setter
    def committed(self, value: bytes | None) -> None:
        pass


def test_success_must_be_one_at_that_time() -> None:
    run = RdpRun(dataclasses.replace(FILE, path=FuzzPath()), sink=Late())
    assert [rule_of([one]) for one in run.run().violations] == ["true success"]


class LosingSink(MemorySink):
    """Stores a byte too few."""

    def commit(self, size: int) -> None:
        super().commit(size - 1)


class LyingSink(MemorySink):
    """Says that it has stored the file."""

    def commit(self, size: int) -> None:
        pass


@pytest.mark.parametrize(("sink", "rule"), [(LosingSink(), "same file"), (LyingSink(), "true success")])
def test_a_broken_sink_is_caught(sink: MemorySink, rule: str) -> None:
    run = RdpRun(dataclasses.replace(FILE, path=FuzzPath()), sink=sink)
    assert rule in {rule_of([violation]) for violation in run.run().violations}


def test_a_conversation_without_end_is_cut_off() -> None:
    result = RdpRun(FILE, max_datagrams=10).run()
    assert rule_of(result.violations) == "final state" and "not over after" in result.violations[0]
    assert 10 < result.datagrams < 60


def test_a_failing_case_is_made_small() -> None:
    def rule(case: StreamerCase) -> str:
        return rule_of(StreamerRun(case, kind=Forgetful).run().violations)

    shrunk = minimize(TALK, lambda case: rule(case) == "same bytes", most_runs=100)
    assert rule(shrunk.case) == "same bytes"
    assert shrunk.case.path == FuzzPath(rebindings=shrunk.case.path.rebindings)
    written = [
        value for plan in (shrunk.case.plan1, shrunk.case.plan2) for verb, value in plan.steps if verb == "write"
    ]
    assert len(written) == 1 and written[0] < 5_000


# Campaigns


def test_whatever_is_raised_fails_the_seed() -> None:
    result = run_seed(5, "tcp")
    assert result.seed == 5 and "ConfigError" in result.violations[0] and "'tcp'" in result.violations[0]


def test_the_summary_counts() -> None:
    summary = Summary()
    good = CaseResult(outcome="success", violations=(), datagrams=10, ended_at=S, features=("lost",))
    bad = dataclasses.replace(good, outcome="not over", violations=("final state: x",))
    for seed, result in enumerate((good, bad, None)):
        summary.add(SeedResult(seed=seed, protocol="rdp", is_benign=result is good, result=result))
    assert (summary.failed, summary.cases["rdp"], summary.benign["rdp"], summary.datagrams) == (2, 3, 1, 20)
    assert summary.outcomes == {("rdp", "success"): 1, ("rdp", "not over"): 1, ("rdp", "died"): 1}
    assert summary.features == {("rdp", "lost"): 2}


@pytest.mark.parametrize(
    ("violations", "rule"),
    [((), ""), (("memory at 1.5 s: x: y",), "memory"), (("same file: 3 at 5", "b"), "same file")],
)
def test_rules(violations: Sequence[str], rule: str) -> None:
    assert rule_of(violations) == rule


# Traces


def test_the_packets_as_lines() -> None:
    lines: list[str] = []
    case = dataclasses.replace(FILE, path=FuzzPath(up=LinkConfig(delay=MS)), size=10)
    run_case(case, taps=[PacketWriter(lines.append, describe_rdp, origin=ORIGIN)])
    assert lines[0].startswith("   0.000000 192.168.1.100:8080 > 10.10.1.100:8080 SYN Sequence: ")
    assert lines[1].startswith("   0.001000     arrived 192.168.1.100:8080 > 10.10.1.100:8080 SYN ")
    assert any(" DAT Sequence: " in line and "Payload: 10" in line for line in lines)


def test_what_is_no_packet_has_a_line_too() -> None:
    assert describe_rdp(b"x" * 2000).startswith("2000 bytes that are no packet")
    assert describe_streamer(b"abc") == "3 bytes that are no packet: 616263"
    assert describe_streamer(bytes.fromhex("3302961 4c8abcd0000".replace(" ", ""))).startswith("SYN+NUMBERED+ACK ab cd")


@pytest.mark.parametrize("mode", Pipelining)
def test_every_mode(mode: Pipelining) -> None:
    config = StreamerConfig(pipelining=mode)
    result = run_case(dataclasses.replace(TALK, config1=config, config2=config))
    assert not result.violations and str(mode) in result.features


def test_an_abort_is_an_error_of_surewire() -> None:
    run = RdpRun(dataclasses.replace(FILE, sender_abort=1))
    assert run.run().outcome.startswith(Aborted.__name__)
