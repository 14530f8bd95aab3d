"""Carries out a `Plan`: an application of one side of a stream, with its moods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from surewire.core.state import State
from surewire.core.trains import Buffer
from surewire.lab.proof.fuzz_case import Plan


class PlannedSession(Protocol):
    """What a plan needs of a stream: a Streamer session has it."""

    @property
    def state(self) -> State: ...

    @property
    def room(self) -> int: ...

    @property
    def is_readable(self) -> bool: ...

    @property
    def has_ended(self) -> bool: ...

    def write(self, data: Buffer, *, now: int) -> int: ...

    def read(self) -> bytes: ...

    def flush(self, *, now: int) -> None: ...

    def finish(self, *, now: int) -> None: ...

    def abort(self, reason: str, *, now: int) -> None: ...


class Planned:
    """An application for a host's `on_turn`. Times here are the network's, the plan's count from `origin`."""

    def __init__(
        self, plan: Plan, session: PlannedSession, data: bytes, *, origin: int, wake_at: Callable[[int], None]
    ) -> None:
        """Ready to begin.

        Args:
            plan: what to do.
            session: what to do it with.
            data: what to write, at least as much as the plan says.
            origin: the network's time at the beginning.
            wake_at: lets the application have a turn at a time.
        """
        self.got = bytearray()
        self.written = 0
        self.is_finished = False
        self.ended_after: int | None = None  # bytes got when the session first said that nothing follows
        self._plan = plan
        self._session = session
        self._data = data
        self._origin = origin
        self._wake_at = wake_at
        self._index = 0
        self._done = 0  # of the present step's value; for a pause, when it ends
        self._read_at = 0  # when to read next
        self._has_flushed = False
        wake_at(origin + plan.give_up)

    def on_turn(self, now: int) -> bool:
        """Do what can be done now; True if a verb of the session was called."""
        self._note_end()
        if self._is_cut_off:
            return False
        has_acted = self._read(now)
        if now >= self._origin + self._plan.give_up and not self.is_finished:
            self._index = len(self._plan.steps)
            self._finish(now)
            has_acted = True
        while self._index < len(self._plan.steps) and not self._is_cut_off:
            verb, value = self._plan.steps[self._index]
            was = self._done
            is_over = self._step(verb, value, now)
            has_acted |= is_over or (verb in ("write", "read", "divert") and self._done != was)
            if not is_over:
                break
            self._index, self._done, self._has_flushed = self._index + 1, 0, False
        self._note_end()
        return has_acted

    def _note_end(self) -> None:
        if self.ended_after is None and self._session.has_ended:
            self.ended_after = len(self.got)

    @property
    def _is_cut_off(self) -> bool:
        """True when the session is over: nothing it could do would reach anybody."""
        return self._session.state is State.CLOSED

    def _step(self, verb: str, value: int, now: int) -> bool:
        """Do a step as far as possible; True when it is over."""
        session = self._session
        if verb == "write":
            if session.room and self._done < value:
                piece = memoryview(self._data)[self.written : self.written + value - self._done]
                taken = session.write(piece, now=now)
                self.written += taken
                self._done += taken
            return self._done >= value
        if verb == "read":
            return self._wait_for(value, now)
        if verb == "pause":
            if not self._done:
                self._done = now + value
                self._wake_at(self._done)
            return now >= self._done
        if verb == "flush":
            session.flush(now=now)
        elif verb == "finish":
            self._finish(now)
        else:
            session.abort("had enough", now=now)
        return True

    def _wait_for(self, count: int, now: int) -> bool:
        session = self._session
        if session.is_readable and not self._plan.reads:
            self.got += session.read()
        if not self._done:
            self._done = self._target(count)
        if len(self.got) >= self._done or session.has_ended:
            return True
        if not self._has_flushed:
            session.flush(now=now)
            self._has_flushed = True
        return False

    def _target(self, count: int) -> int:
        """Bytes read in all when this step and all "read" steps before it are done."""
        before = sum(value for verb, value in self._plan.steps[: self._index] if verb == "read")
        return before + count

    def _read(self, now: int) -> bool:
        plan, session = self._plan, self._session
        if not plan.reads or not session.is_readable:
            return False
        if plan.stall is not None and plan.stall[0] <= now - self._origin < plan.stall[1]:
            self._wake_at(self._origin + plan.stall[1])
            return False
        if now < self._read_at:
            self._wake_at(self._read_at)
            return False
        self.got += session.read()
        self._read_at = now + plan.read_every
        return True

    def _finish(self, now: int) -> None:
        self.is_finished = True
        self._session.finish(now=now)
