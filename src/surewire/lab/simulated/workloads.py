"""Applications over a stream, to be run by a simulator: steps, and workloads made of them.

An application is one step or several put together (`Write`, `Read`, `Finish`, in a `Script` or `Together`), so a new
workload is a few lines. A step does all it can when it has a turn and never blocks; where a real application
would block in send() or recv(), it waits for its next turn. Steps take no time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from surewire.core.trains import Buffer
from surewire.sim import Endpoint

TESTER_PIECE = 12_345
"""Bytes that a large write of the assignment's tester exceeds: it grows until it is longer than this."""


class StreamSession(Endpoint, Protocol):
    """What an application uses of a session, beside what the network drives."""

    @property
    def room(self) -> int: ...

    @property
    def is_readable(self) -> bool: ...

    @property
    def has_ended(self) -> bool: ...

    @property
    def unacknowledged(self) -> int: ...

    def write(self, data: Buffer, *, now: int) -> int: ...

    def read(self) -> bytes: ...

    def flush(self, *, now: int) -> None: ...

    def finish(self, *, now: int) -> None: ...


class Step(Protocol):
    """A part of an application, or all of it."""

    done_at: int | None  # when it ended, ns on the network's clock; None before

    def on_turn(self, session: StreamSession, now: int) -> bool:
        """Do what can be done now; True if it called a verb of the session. Not called when done."""
        ...


class Write:
    """Write pieces one after the other; while the session has no room, wait, as a blocking send() does.

    A session that has closed has no room any more, so the rest is never written.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        """`pieces` is read as they are written, so it may be a generator of any length."""
        self.done_at: int | None = None
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def on_turn(self, session: StreamSession, now: int) -> bool:
        has_written = False
        while self._rest or self._next():
            if not session.room:
                return has_written
            self._rest = self._rest[session.write(self._rest, now=now) :]
            has_written = True
        self.done_at = now
        return has_written

    def _next(self) -> bool:
        for piece in self._pieces:
            if piece:
                self._rest = memoryview(piece)
                return True
        return False


class Read:
    """Read `count` bytes, or to the peer's end; while there is nothing, wait, as a blocking recv() does.

    A read takes all there is, so `data` is longer than `count` if the peer sent more by then, and shorter if the
    peer ended before.
    """

    def __init__(self, count: int | None = None) -> None:
        self.done_at: int | None = None
        self.data = bytearray()
        self._count = count
        self._is_waiting = False

    def on_turn(self, session: StreamSession, now: int) -> bool:
        has_read = session.is_readable
        if has_read:
            self.data += session.read()
            self._is_waiting = False
        if session.has_ended or (self._count is not None and len(self.data) >= self._count):
            self.done_at = now
        elif not self._is_waiting:
            # Once a wait: what another step writes later is not for this wait to push out.
            session.flush(now=now)
            self._is_waiting = True
            return True
        return has_read


class Finish:
    """Say that nothing more will be written."""

    def __init__(self) -> None:
        self.done_at: int | None = None

    def on_turn(self, session: StreamSession, now: int) -> bool:
        session.finish(now=now)
        self.done_at = now
        return True


class AwaitAcknowledgment:
    """Wait until the peer has acknowledged everything that was written."""

    def __init__(self) -> None:
        self.done_at: int | None = None

    def on_turn(self, session: StreamSession, now: int) -> bool:
        if session.unacknowledged == 0:
            self.done_at = now
        return False


class Script:
    """Steps one after the other, as an application with one thread does them."""

    def __init__(self, *steps: Step) -> None:
        self.done_at: int | None = None
        self._steps = iter(steps)
        self._step = next(self._steps, None)

    def on_turn(self, session: StreamSession, now: int) -> bool:
        has_acted = False
        while self._step is not None:
            has_acted |= self._step.on_turn(session, now)
            if self._step.done_at is None:
                return has_acted
            self._step = next(self._steps, None)
        self.done_at = now
        return has_acted


class Together:
    """Steps at the same time, as an application with a thread for each does them."""

    def __init__(self, *steps: Step) -> None:
        self.done_at: int | None = None
        self._steps = steps

    def on_turn(self, session: StreamSession, now: int) -> bool:
        has_acted = False
        for step in self._steps:
            if step.done_at is None:
                has_acted |= step.on_turn(session, now)
        if all(step.done_at is not None for step in self._steps):
            self.done_at = now
        return has_acted


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What one side does.

    Attributes:
        application: the step that is all of it; serves one run.
        reads: the steps of it that read, in order.
        expected: what these must have read in the end, together.
    """

    application: Step
    reads: Sequence[Read]
    expected: bytes


def number_exchange(numbers: int) -> tuple[Workload, Workload]:
    """The assignment's tester: host 2 sends numbers one by one, then host 1 sends them in large pieces."""
    singles = [b"%d " % number for number in range(numbers)]
    expected = b"".join(singles)
    read1, read2 = Read(len(expected)), Read(len(expected))
    return (
        Workload(application=Script(read1, Write(_large(singles)), Finish()), reads=[read1], expected=expected),
        Workload(application=Script(Write(singles), read2, Finish()), reads=[read2], expected=expected),
    )


def ping_pong(rounds: int, size: int = 1) -> tuple[Workload, Workload]:
    """Host 1 sends `size` bytes, host 2 answers as many, `rounds` times (both > 0)."""
    message = bytes(i % 256 for i in range(size))
    reads1, reads2 = ([Read(size) for _ in range(rounds)] for _ in range(2))
    steps1 = [step for read in reads1 for step in (Write([message]), read)]
    steps2 = [step for read in reads2 for step in (read, Write([message]))]
    return (
        Workload(application=Script(*steps1, Finish()), reads=reads1, expected=message * rounds),
        Workload(application=Script(*steps2, Finish()), reads=reads2, expected=message * rounds),
    )


def bulk(data1: bytes, data2: bytes, *, piece: int = TESTER_PIECE) -> tuple[Workload, Workload]:
    """Both hosts send at once, host 1 `data1` and host 2 `data2`, in pieces of `piece` bytes, and read to the end.

    One way only is an empty `data1` or `data2`: that side finishes at once.
    """
    return _bulk_side(data1, data2, piece), _bulk_side(data2, data1, piece)


def _bulk_side(data: bytes, expected: bytes, piece: int) -> Workload:
    pieces = (data[start : start + piece] for start in range(0, len(data), piece))
    read = Read()
    application = Together(Script(Write(pieces), Finish()), read)
    return Workload(application=application, reads=[read], expected=expected)


def _large(singles: Sequence[bytes]) -> Iterator[bytes]:
    """The pieces joined to writes that are just longer than `TESTER_PIECE`; what remains makes the last."""
    piece = bytearray()
    for single in singles:
        piece += single
        if len(piece) > TESTER_PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)
