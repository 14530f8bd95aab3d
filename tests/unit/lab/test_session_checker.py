"""Each promise that `Watched` checks is broken once by a session made for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from surewire.core.events import Closed, Established, Event
from surewire.core.state import DUPLEX, SIMPLEX, State
from surewire.core.trains import Address, Buffer, Train
from surewire.errors import Aborted, SurewireError
from surewire.lab.proof.session_checker import Level, Limits, Watched, reachable
from surewire.lab.proof.violations import CheckFailed, Findings

HERE = ("127.0.0.1", 1)
S = 1_000_000_000


class Scripted:
    """A session that shows what a test sets."""

    def __init__(self) -> None:
        self.state = State.ESTABLISHED
        self.deadline: int | None = 10 * S
        self.trains: list[Train] = []
        self.events: list[Event] = []
        self.next_state: State | None = None
        self.error: Exception | None = None

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        self._act()

    def handle_timeout(self, *, now: int) -> None:
        self._act()

    def poll_transmit(self, *, now: int) -> Train | None:
        self._raise()
        return self.trains.pop() if self.trains else None

    def poll_timeout(self) -> int | None:
        self._raise()
        return self.deadline

    def poll_event(self) -> Event | None:
        self._raise()
        return self.events.pop(0) if self.events else None

    def _act(self) -> None:
        self._raise()
        if self.next_state is not None:
            self.state = self.next_state

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error


class Bench:
    """A scripted session under watch."""

    def __init__(self, *, may_rest: bool = False, max_trains: int = 20) -> None:
        self.session = Scripted()
        self.findings = Findings()
        self.level: Level = ("bytes", 0, 10)
        limits = Limits(
            transitions=DUPLEX,
            max_wait=lambda: 60 * S,
            may_rest=lambda: may_rest,
            levels=lambda: [self.level],
            max_rings=5,
            max_trains=max_trains,
        )
        self.watched = Watched("side", self.session, limits, self.findings)

    def datagram(self, now: int = 0) -> None:
        self.watched.handle_datagrams(b"x", 1, HERE, now=now)

    def drain(self, now: int = 0) -> None:
        while self.watched.poll_transmit(now=now) is not None:
            pass
        self.watched.poll_timeout()
        while self.watched.poll_event() is not None:
            pass

    @property
    def rules(self) -> list[str]:
        return [violation.rule for violation in self.findings.kept]


TRAIN = Train([b"x"], 1, 1, HERE)


def test_a_life_without_fault() -> None:
    bench = Bench()
    bench.session.events = [Established(HERE, True)]
    bench.datagram(S)
    bench.drain(S)
    bench.session.next_state = State.FIN_WAIT_1
    bench.watched.handle_timeout(now=10 * S)
    bench.session.trains = [TRAIN, TRAIN]
    bench.drain(10 * S)
    bench.session.next_state, bench.session.deadline = State.CLOSED, None
    bench.session.events, bench.session.trains = [Closed(None)], [TRAIN]  # a last word
    bench.datagram(11 * S)
    bench.drain(11 * S)
    bench.datagram(12 * S)
    bench.drain(12 * S)
    assert bench.findings.kept == []


def test_a_timer_too_far_off() -> None:
    bench = Bench()
    bench.session.deadline = 60 * S
    bench.drain()
    assert bench.rules == []
    bench.session.deadline = 60 * S + 1
    bench.drain()
    assert bench.rules == ["timers"]


def test_a_session_that_nothing_will_ever_wake() -> None:
    for may_rest, rules in ((True, []), (False, ["timers"])):
        bench = Bench(may_rest=may_rest)
        bench.session.deadline = None
        bench.drain()
        assert bench.rules == rules


def test_a_timer_that_is_due_again_and_again() -> None:
    bench = Bench()
    for now in range(10):
        bench.watched.handle_timeout(now=now)
        bench.drain(now)
    assert bench.rules == []
    for _ in range(4):
        bench.watched.handle_timeout(now=9)
        bench.drain(9)
    with pytest.raises(CheckFailed, match="due for the 6th time"):
        bench.watched.handle_timeout(now=9)
    assert bench.rules == ["timers"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (State.FIN_WAIT_1, State.ESTABLISHED),
        (State.TIME_WAIT, State.FIN_WAIT_1),
        (State.CLOSED, State.ESTABLISHED),
        (State.ESTABLISHED, State.LISTEN),
    ],
)
def test_a_state_that_goes_back(before: State, after: State) -> None:
    bench = Bench()
    bench.session.next_state = before
    bench.datagram()
    assert bench.rules == []
    bench.session.next_state = after
    bench.datagram()
    assert bench.rules == ["states"]


def test_what_is_reachable() -> None:
    simplex, duplex = reachable(SIMPLEX), reachable(DUPLEX)
    assert simplex[State.LISTEN] == {
        State.ESTABLISHED, State.FIN_WAIT_1, State.CLOSE_WAIT, State.TIME_WAIT, State.CLOSED
    }  # fmt: skip
    assert simplex[State.CLOSED] == duplex[State.CLOSED] == frozenset()
    assert State.CLOSING in duplex[State.ESTABLISHED] and State.ESTABLISHED not in duplex[State.ESTABLISHED]


def test_life_after_the_end() -> None:
    bench = Bench()
    bench.session.next_state, bench.session.events = State.CLOSED, [Established(HERE, True), Closed(None)]
    bench.datagram()
    bench.drain()
    assert bench.rules == ["closed"]  # the timer
    bench.session.deadline, bench.session.trains = None, [TRAIN]
    bench.drain()
    assert bench.rules == ["closed", "closed"]
    bench.session.events = [Established(HERE, True)]
    bench.drain()
    assert bench.rules == ["closed", "closed", "events"]


def test_an_end_nobody_is_told_of() -> None:
    bench = Bench()
    bench.session.next_state, bench.session.deadline = State.CLOSED, None
    bench.datagram()
    bench.drain()
    bench.drain()
    assert bench.rules == ["events"]


@pytest.mark.parametrize(("error", "rules"), [(None, ["events"]), (Aborted("x"), [])])
def test_an_end_without_a_beginning(error: SurewireError | None, rules: list[str]) -> None:
    bench = Bench()
    bench.session.next_state, bench.session.deadline = State.CLOSED, None
    bench.session.events = [Closed(error)]
    bench.datagram()
    bench.drain()
    assert bench.rules == rules


def test_sending_without_end() -> None:
    bench = Bench()
    bench.session.trains = [TRAIN] * 20
    bench.drain()
    assert bench.rules == []
    bench.session.trains = [TRAIN] * 21
    with pytest.raises(CheckFailed):
        bench.drain()
    assert bench.rules == ["trains"]


def test_too_much_memory() -> None:
    bench = Bench()
    bench.level = ("bytes", 10, 10)
    bench.drain()
    assert bench.rules == []
    bench.level = ("bytes", 11, 10)
    bench.drain()
    assert bench.rules == ["memory"]


def test_time_that_goes_back() -> None:
    bench = Bench()
    bench.datagram(5)
    bench.datagram(4)
    assert bench.rules == ["time"]


@pytest.mark.parametrize(
    "call",
    [
        lambda watched: watched.handle_datagrams(b"x", 1, HERE, now=1),
        lambda watched: watched.handle_timeout(now=1),
        lambda watched: watched.poll_transmit(now=1),
        lambda watched: watched.poll_timeout(),
        lambda watched: watched.poll_event(),
    ],
)
def test_an_exception_on_its_way_out(call: Callable[[Watched], object]) -> None:
    bench = Bench()
    bench.session.error = ZeroDivisionError("by zero")
    with pytest.raises(CheckFailed, match=r"ZeroDivisionError .*test_session_checker.py:\d+.*by zero"):
        call(bench.watched)
    assert bench.rules == ["exceptions"]
