"""The bytes on their way in: stored in order or straight at their place in a file, and limited.

What the application reads waits in memory. It can also have the next so many bytes put into a sink, as
they come and in any order; then nothing of them waits here, and the window costs no memory. So it is wider for them:
each byte that is lost k times keeps the position for k + 1 round trips at least, and in a window of thousands of
datagrams some are.

The peer may send up to `limit`: the window beyond what was read or stored for good, or the wide window up to the end
of what a sink takes. That edge never moves back (RFC 9293 §3.8.6).
"""

from __future__ import annotations

from collections.abc import Sequence

from surewire.core.config import TransportConfig
from surewire.core.reassembly import Reassembly
from surewire.core.stream_buffers import ReceiveBuffer
from surewire.core.trains import Buffer
from surewire.errors import LocalProtocolError
from surewire.transfer.files import OffsetSink

_SINK_WINDOWS = 8  # windows that a sink is worth: at 1 Gbit/s and 100 ms 16 MiB are 1.3 round trips, these are 10


class Incoming:
    """What arrived of the peer's stream."""

    __slots__ = ("_buffer", "_is_discarding", "_promised", "_sink", "_sink_start", "_sink_stop", "books", "window")

    def __init__(self, config: TransportConfig) -> None:
        self.books = Reassembly(config)
        self._buffer = ReceiveBuffer()
        self.window = config.receive_window  # bytes
        self._sink: OffsetSink | None = None
        self._sink_start = 0  # stream offsets whose bytes the sink takes
        self._sink_stop = 0
        self._is_discarding = False
        self._promised = 0  # the limit when what comes began to be thrown away

    @property
    def position(self) -> int:
        """Every byte below has arrived, the end mark counted as one byte."""
        return self.books.contiguous + self.books.is_complete

    @property
    def read_offset(self) -> int:
        """Stream offset of the next byte that `read` returns."""
        return self._buffer.read_offset

    @property
    def limit(self) -> int:
        """Stream offset up to which the peer may send."""
        position, sink_stop, window = self.books.contiguous, self._sink_stop, self.window
        limit = max(self._buffer.read_offset, min(position, sink_stop)) + window
        if self._is_discarding:
            return max(limit, self._promised)
        return limit if limit >= sink_stop else max(limit, min(position + _SINK_WINDOWS * window, sink_stop))

    @property
    def readable(self) -> int:
        """Bytes in order that `read` would return."""
        return max(self.books.contiguous - self._buffer.read_offset, 0) if not self.diverted_left else 0

    @property
    def diverted_left(self) -> int:
        """Bytes that the sink still waits for, up to the last hole."""
        return max(self._sink_stop - self.books.contiguous, 0) if self._sink is not None else 0

    @property
    def held(self) -> int:
        """Bytes of memory that arrivals take, holes included."""
        return len(self._buffer)

    def take(self, start: int, stop: int, pieces: Sequence[Buffer], *, is_last: bool) -> bool:
        """Take the pieces, which together are bytes [start, stop); `is_last`: the stream ends behind them.

        Returns:
            False when they were refused: beyond the limit, too many holes, or against what is known of the end.
            They must not be acknowledged then.

        Raises:
            DestinationError: the sink cannot store them.
        """
        books = self.books
        if stop > self.limit or (books.size is not None and stop > books.size):
            return False
        if is_last and not books.set_size(stop):
            return False
        if stop == start:
            return True
        new = books.accept(start, stop)
        if new is None:
            return False
        if new == [(start, stop)]:
            self._store(start, stop, pieces)
        elif new:
            whole = memoryview(b"".join(pieces))
            for low, high in new:
                self._store(low, high, [whole[low - start : high - start]])
        if self._is_discarding:
            self._buffer.discard(books.contiguous)
        elif self._sink is not None:
            self._let_sink_go()
        return True

    def _store(self, start: int, stop: int, pieces: Sequence[Buffer]) -> None:
        if self._is_discarding:
            return
        if self._sink is not None and start < self._sink_stop and stop > self._sink_start:
            if self._sink_start <= start and stop <= self._sink_stop:
                self._sink.write_at(start - self._sink_start, pieces)
                self._skip_stored()
                return
            whole = memoryview(b"".join(pieces))
            cut = self._sink_stop - start
            self._sink.write_at(start - self._sink_start, [whole[:cut]])
            self._skip_stored()
            self._buffer.store(start + cut, whole[cut:])
            return
        self._buffer.store(start, b"".join(pieces) if len(pieces) > 1 else pieces[0])

    def _skip_stored(self) -> None:
        """What the sink has in order, the application has read, so to speak."""
        self._buffer.discard(min(self.books.contiguous, self._sink_stop))

    def divert(self, sink: OffsetSink, length: int) -> None:
        """Let the sink have the next `length` bytes, those that have arrived already first.

        Raises:
            LocalProtocolError: an earlier sink still waits for bytes.
            DestinationError: the sink cannot store what has arrived.
        """
        if self.diverted_left:
            raise LocalProtocolError("an earlier sink still waits for bytes")
        start = self._buffer.read_offset
        stop = start + length
        for low, high in self.books.ranges(start, stop):
            sink.write_at(low - start, [self._buffer.peek(low, high)])
        self._sink, self._sink_start, self._sink_stop = sink, start, stop
        self._skip_stored()
        self._let_sink_go()

    def _let_sink_go(self) -> None:
        """A sink that has everything may hold a descriptor, and is of no use here any more."""
        if self.books.contiguous >= self._sink_stop:
            self._sink = None

    def discard(self) -> None:
        """Throw away what is there and what still comes."""
        self._promised = self.limit
        self._is_discarding = True
        self._sink = None
        self._buffer.discard(self.books.contiguous)

    def read(self, most: int) -> bytes:
        """At most `most` bytes in order; b"" when there are none now."""
        return self._buffer.read(self._buffer.read_offset + min(most, self.readable))

    def read_into(self, target: memoryview) -> int:
        """Fill `target` (of bytes) with bytes in order; return how many there were."""
        return self._buffer.read_into(target, self._buffer.read_offset + self.readable)
