"""Watches a session through the calls of its driver: `Watched` is an endpoint around an endpoint.

`Watch` is all of it but how datagrams come in, for sessions that take them in a way of their own.

Checked after each call, from outside, by what is public:

* a timer is never further off than stated, an open session that waits for the peer always has one, and a deadline that
  is due gives way when it is served: else a driver would ring it for ever (`CheckFailed` ends such a run);
* the state only moves on, along `core/state.py`'s tables; CLOSED is final: no timer, and what is sent in it was made
  before (a last word) and ends;
* the session says that it has closed once, and nothing after that; well only if it said before that it was open;
* one call never makes it send without end;
* memory stays within the limits its configuration states;
* no exception leaves it.

The application's verbs (`write`, `confirm`, `abort`, ...) are not among the driver's calls; what they lead to shows at
the next call.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from surewire.core.events import Closed, Established, Event
from surewire.core.state import State, Transitions
from surewire.core.trains import Address, Buffer, Train
from surewire.core.units import NS_PER_S
from surewire.lab.proof.violations import CheckFailed, Findings, Violation
from surewire.sim import Endpoint

Level = tuple[str, int, int]
"""What is kept, how much of it now, and how much it may be."""


class Session(Protocol):
    """What a driver calls whatever came, and the state that it leads to."""

    @property
    def state(self) -> State: ...

    def handle_timeout(self, *, now: int) -> None: ...

    def poll_transmit(self, *, now: int) -> Train | None: ...

    def poll_timeout(self) -> int | None: ...

    def poll_event(self) -> Event | None: ...


class SessionEndpoint(Endpoint, Session, Protocol):
    """An endpoint that shows its state."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a session is held to.

    Attributes:
        transitions: its table of states.
        max_wait: the longest a timer may be off, ns, asked anew after each call: it may grow with round trips.
        may_rest: states in which no timer need be armed: it is the application's or anybody's turn.
        levels: what it keeps in memory.
        max_rings: timeouts in a row at one time, without a datagram in between.
        max_trains: trains in a row without another call in between.
    """

    transitions: Transitions
    max_wait: Callable[[], int]
    may_rest: Callable[[], bool]
    levels: Callable[[], Iterable[Level]]
    max_rings: int = 100
    max_trains: int = 20_000


class Watch:
    """Passes every call on to `session` and checks what came of it."""

    def __init__(
        self,
        name: str,
        session: Session,
        limits: Limits,
        findings: Findings,
        *,
        clock: Callable[[], int] | None = None,
    ) -> None:
        """A watch over an open session.

        Args:
            name: of the session in what is found.
            session: what is watched.
            limits: what it is held to.
            findings: where to put what is found.
            clock: the time (ns), for an application that calls verbs between the driver's calls; without it the
                time of the latest of these counts.
        """
        self._name = name
        self._session = session
        self._limits = limits
        self._findings = findings
        self._clock = clock
        self._reachable = reachable(limits.transitions)
        self._state = session.state
        self._now = 0
        self._rings = 0  # timeouts served at one time, since a datagram came
        self._rung_at = -1  # that time
        self._trains = 0  # polled since the last other call
        self._has_said_open = False
        self._has_said_closed = False
        self._is_silent = False  # closed, and has had its last word

    def take(self, call: str, action: Callable[[], None], *, now: int) -> None:
        """Let the session take something that came: `action` makes the call, `call` is its name."""
        self._begin(now)
        self._rings = 0
        try:
            action()
        except Exception as error:
            raise self._escaped(call, error) from error
        self._check_state()

    def handle_timeout(self, *, now: int) -> None:
        """As the session's."""
        self._rings = self._rings + 1 if now == self._rung_at else 1
        self._rung_at = now
        self._begin(now)
        if self._rings > self._limits.max_rings:
            raise CheckFailed(
                self._add("timers", f"is due for the {self._rings}th time in a row, in state {self._state.name}")
            )
        try:
            self._session.handle_timeout(now=now)
        except Exception as error:
            raise self._escaped("handle_timeout", error) from error
        self._check_state()

    def poll_transmit(self, *, now: int) -> Train | None:
        """As the session's."""
        self._now = max(self._now, now)
        try:
            train = self._session.poll_transmit(now=now)
        except Exception as error:
            raise self._escaped("poll_transmit", error) from error
        self._check_state()
        if train is None:
            self._trains = 0
            self._is_silent = self._state is State.CLOSED
            return None
        self._trains += 1
        if self._is_silent:
            self._add("closed", f"sends {train.nbytes} bytes after its last word")
        if self._trains > self._limits.max_trains:
            raise CheckFailed(self._add("trains", f"has sent {self._trains} trains and does not stop"))
        return train

    def poll_timeout(self) -> int | None:
        """As the session's."""
        try:
            deadline = self._session.poll_timeout()
        except Exception as error:
            raise self._escaped("poll_timeout", error) from error
        if self._clock is not None:
            self._now = max(self._now, self._clock())
        self._check_state()
        self._check_deadline(deadline)
        for what, value, limit in self._limits.levels():
            if value > limit:
                self._add("memory", f"{what}: {value}, limit {limit}")
        return deadline

    def poll_event(self) -> Event | None:
        """As the session's."""
        try:
            event = self._session.poll_event()
        except Exception as error:
            raise self._escaped("poll_event", error) from error
        if event is not None and self._has_said_closed:
            self._add("events", f"{type(event).__name__} after Closed")
        self._has_said_open = self._has_said_open or isinstance(event, Established)
        if isinstance(event, Closed) and event.error is None and not self._has_said_open:
            self._add("events", "ended well and has never said that it was open")
        self._has_said_closed = self._has_said_closed or isinstance(event, Closed)
        if event is None and self._session.state is State.CLOSED and not self._has_said_closed:
            self._add("events", "is CLOSED and has never said so")
            self._has_said_closed = True
        return event

    def _begin(self, now: int) -> None:
        if now < self._now:
            self._add("time", f"was called at {now}, after {self._now}")
        self._now = now
        self._trains = 0

    def _check_state(self) -> None:
        state = self._session.state
        if state is not self._state:
            if state not in self._reachable[self._state]:
                self._add("states", f"went from {self._state.name} to {state.name}")
            self._state = state

    def _check_deadline(self, deadline: int | None) -> None:
        if deadline is None:
            if self._state is not State.CLOSED and not self._limits.may_rest():
                self._add("timers", f"nothing will ever wake it in state {self._state.name}")
        elif self._state is State.CLOSED:
            self._add("closed", "has a timer")
        elif deadline - self._now > self._limits.max_wait():
            self._add("timers", f"waits {(deadline - self._now) / NS_PER_S:.3f} s in state {self._state.name}")

    def _escaped(self, call: str, error: Exception) -> CheckFailed:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{where.filename.rpartition('/')[2]}:{where.lineno}"
        return CheckFailed(self._add("exceptions", f"{type(error).__name__} out of {call} ({place}): {error}"))

    def _add(self, rule: str, what: str) -> Violation:
        return self._findings.add(rule, f"{self._name} {what}", self._now)


class Watched(Watch):
    """A watched endpoint, to be driven in its place."""

    def __init__(
        self,
        name: str,
        endpoint: SessionEndpoint,
        limits: Limits,
        findings: Findings,
        *,
        clock: Callable[[], int] | None = None,
    ) -> None:
        """A watch over an open session: see `Watch`."""
        super().__init__(name, endpoint, limits, findings, clock=clock)
        self._endpoint = endpoint

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        """As the endpoint's."""
        self.take("handle_datagrams", lambda: self._endpoint.handle_datagrams(buffer, stride, source, now=now), now=now)


@cache
def _reachable_in(pairs: tuple[tuple[State, State], ...]) -> dict[State, frozenset[State]]:
    found: dict[State, frozenset[State]] = {}
    for start in State:
        reached: set[State] = set()
        pending = [] if start is State.CLOSED else [start]
        while pending:
            state = pending.pop()
            nexts = {target for source, target in pairs if source is state and target not in reached}
            reached |= nexts
            pending += [state for state in nexts if state is not State.CLOSED]
        found[start] = frozenset(reached)
    return found


def reachable(transitions: Transitions) -> dict[State, frozenset[State]]:
    """For each state those that one or more inputs lead to. CLOSED is final: an opened session is watched."""
    return _reachable_in(tuple((source, target) for (source, _), target in transitions.items()))
