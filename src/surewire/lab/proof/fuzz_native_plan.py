"""Carries out a `Plan` on a native connection, which can do a little more than a Streamer session.

"send" lets bytes of a source follow, "divert" lets the next ones come into a sink, and "close" throws away what still
comes. Who gives up closes: otherwise the peer would wait for ever for room in a window that nobody reads from.
"""

from __future__ import annotations

from collections.abc import Callable

from surewire.core.state import State
from surewire.core.trains import Buffer
from surewire.lab.proof.fuzz_case import Plan
from surewire.lab.proof.fuzz_plan import Planned
from surewire.native.connection import Connection
from surewire.transfer.files import MemorySink, MemorySource

ABORT_CODE = 77
_MUCH = 1 << 30


class NativeStream:
    """A connection as a plan uses it."""

    def __init__(self, connection: Connection, clock: Callable[[], int]) -> None:
        """`clock` says the time, ns."""
        self.connection = connection
        self._clock = clock

    @property
    def state(self) -> State:
        """Of the connection."""
        return self.connection.state

    @property
    def room(self) -> int:
        """Bytes that `write` takes."""
        return self.connection.room

    @property
    def is_readable(self) -> bool:
        """Whether `read` returns something."""
        return self.connection.readable > 0

    @property
    def has_ended(self) -> bool:
        """Whether nothing follows what was read."""
        return self.connection.has_ended

    def write(self, data: Buffer, *, now: int) -> int:
        """Take bytes; returns how many."""
        return self.connection.write(data, now=now)

    def read(self) -> bytes:
        """All there is."""
        return self.connection.read(_MUCH, now=self._clock())

    def flush(self, *, now: int) -> None:
        """Nothing is ever held back."""

    def finish(self, *, now: int) -> None:
        """Nothing more will be written."""
        self.connection.finish(now=now)

    def abort(self, reason: str, *, now: int) -> None:
        """End it now, and tell the peer."""
        self.connection.abort(ABORT_CODE, reason, now=now)


class PlannedNative(Planned):
    """An application of one side of a native connection."""

    def __init__(
        self, plan: Plan, stream: NativeStream, data: bytes, *, origin: int, wake_at: Callable[[int], None]
    ) -> None:
        """As for `Planned`; `data` is also what "send" takes its bytes from."""
        super().__init__(plan, stream, data, origin=origin, wake_at=wake_at)
        self.has_closed = False  # what came after that was thrown away
        self._connection = stream.connection
        self._content = data
        self._sink: MemorySink | None = None
        self._wanted = 0  # bytes that the sink was to have

    def on_turn(self, now: int) -> bool:
        """Do what can be done now; True if a verb of the session was called."""
        self.collect()
        is_late = now >= self._origin + self._plan.give_up and not self.has_closed and not self._is_cut_off
        if is_late:
            self._note_end()
            self._close(now)
        return super().on_turn(now) or is_late

    def collect(self, *, is_last: bool = False) -> None:
        """Take over what the sink has, once it has all or (`is_last`) nothing more will come."""
        sink, connection = self._sink, self._connection
        if sink is None or (connection.diverted_left and not connection.has_ended and not is_last):
            return
        self.got += sink.data[: self._wanted - connection.diverted_left]
        self._sink = None

    def _step(self, verb: str, value: int, now: int) -> bool:
        if verb == "send":
            source = MemorySource(self._content)
            self._connection.send_source(source, self.written, value, now=now)
            self.written += value
            return True
        if verb == "divert":
            return self._divert(value, now)
        if verb == "close":
            self._close(now)
            return True
        return super()._step(verb, value, now)

    def _target(self, count: int) -> int:
        before = sum(value for verb, value in self._plan.steps[: self._index] if verb in ("read", "divert"))
        return before + count

    def _divert(self, value: int, now: int) -> bool:
        if not self._done and self._connection.diverted_left:
            return True  # the peer has ended without what an earlier sink was to have
        if not self._done:
            self._sink, self._wanted, self._done = MemorySink(), value, 1
            self._connection.divert(self._sink, value, now=now)
        self.collect()
        return self._sink is None

    def _close(self, now: int) -> None:
        self.collect(is_last=True)
        self.is_finished = self.has_closed = True
        self._index = len(self._plan.steps)
        self._connection.close(now=now)
