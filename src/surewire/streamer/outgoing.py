"""The bytes on their way out: what the application wrote, and how much of it may be cut into segments now.

Nagle's algorithm (RFC 896, RFC 9293 §3.7.4) lives here: bytes that fill a segment are released at once,
a rest that does not only when nothing is on its way, so that small writes gather while an acknowledgment
is awaited. Two things shorten the wait, as only the end of a burst of writes should cost an idle round
trip: an application that waits for the peer (`flush`) or has finished has nothing to add. And one
lengthens it: on an idle connection the rest waits a moment for the writes that usually follow.

Without it, each write is released when the one before has been sent, so segments never span two.
"""

from __future__ import annotations

from collections import deque

from surewire.core.scoreboard import Scoreboard
from surewire.core.stream_buffers import SendBuffer
from surewire.core.timers import Timer, TimerTable
from surewire.core.trains import Buffer
from surewire.streamer.config import StreamerConfig


class OutgoingStream:
    """What was written; it tells the scoreboard how far the stream may be sent."""

    __slots__ = ("_board", "_buffer", "_config", "_flushed", "_held", "_is_finished", "_segment", "_timers", "_writes")

    def __init__(self, board: Scoreboard, timers: TimerTable, config: StreamerConfig, *, segment: int) -> None:
        self._board = board
        self._timers = timers
        self._config = config
        self._segment = segment
        self._buffer = SendBuffer(config.send_buffer)
        self._flushed = 0  # offset up to which nothing is held back
        self._held = 0  # offset up to which bytes have waited for an acknowledgment already
        self._is_finished = False
        self._writes: deque[int] = deque()  # offsets at which writes end, when segments must not span two

    @property
    def room(self) -> int:
        """Bytes that `write` would take."""
        return 0 if self._is_finished else self._buffer.room

    @property
    def written(self) -> int:
        """Bytes ever written."""
        return self._buffer.written

    def write(self, data: Buffer) -> int:
        """Take what fits of `data`; return how many bytes that was."""
        taken = self._buffer.write(data)
        if taken and not self._config.nagle:
            self._writes.append(self._buffer.written)
        return taken

    def flush(self) -> None:
        """Hold nothing back of what was written so far."""
        self._flushed = self._buffer.written

    def finish(self) -> None:
        """Nothing more will be written."""
        self._is_finished = True
        self.flush()

    def get(self, start: int, stop: int) -> bytes:
        """The bytes at offsets [start, stop) of the stream."""
        return self._buffer.get(start, stop)

    def discard_acked(self) -> None:
        """Forget what was acknowledged."""
        self._buffer.discard_below(min(self._board.una, self._board.size))

    def release(self, *, is_idle: bool, now: int) -> None:
        """Tell the scoreboard how far the stream may be sent now; `is_idle`: nothing is on its way."""
        if self._config.nagle:
            self._release_segments(is_idle, now)
        elif self._writes and self._board.next_offset >= self._board.size:
            self._board.extend(self._writes.popleft())
        if self._is_finished and self._board.size == self._buffer.written:
            self._board.finish()

    def _release_segments(self, is_idle: bool, now: int) -> None:
        board, written = self._board, self._buffer.written
        if written == board.size:
            self._timers.cancel(Timer.COALESCE)
            return
        whole = written - (written - board.next_offset) % self._segment
        if not is_idle:
            self._held = written
        board.extend(max(board.size, whole, self._flushed, self._held if is_idle else 0))
        if written == board.size or not is_idle:
            self._timers.cancel(Timer.COALESCE)
        elif self._timers.deadline(Timer.COALESCE) is None:
            self._timers.arm(Timer.COALESCE, now + self._config.coalesce_delay)
