"""The bytes on their way in: put in order, kept until they are read, and limited."""

from __future__ import annotations

from surewire.core.reassembly import Reassembly
from surewire.core.stream_buffers import ReceiveBuffer
from surewire.streamer.config import Pipelining, StreamerConfig


class IncomingStream:
    """What arrived of the peer's stream."""

    __slots__ = ("_buffer", "_keeps_order", "_limit", "books")

    def __init__(self, config: StreamerConfig) -> None:
        self.books = Reassembly(config.transport)
        self._buffer = ReceiveBuffer()
        self._limit = config.receive_buffer
        self._keeps_order = config.pipelining is Pipelining.GO_BACK_N

    @property
    def unread(self) -> int:
        """Bytes in order that the application has not read."""
        return self.books.contiguous - self._buffer.read_offset

    @property
    def held(self) -> int:
        """Bytes of memory that arrivals take, holes included."""
        return len(self._buffer)

    @property
    def is_full(self) -> bool:
        """True when the peer should send no more for now. What is on its way is still taken."""
        return self.unread >= self._limit

    def take(self, start: int, payload: bytes, *, is_last: bool) -> bool:
        """Take `payload` at offset `start`; `is_last`: the stream ends behind it.

        Returns:
            False when it was refused: beyond what may be kept, out of order where that is not kept, or
            against what the peer said about the end. It must not be acknowledged then.
        """
        books, stop = self.books, start + len(payload)
        if self._keeps_order and start > books.contiguous:
            return False
        if stop > self._buffer.read_offset + self._limit + books.window:
            return False
        if payload and not books.is_acceptable(start, stop):
            return False
        if is_last and not books.set_size(stop):
            return False
        if not payload:
            return True
        new = books.accept(start, stop)
        if new is None:
            return False
        if new:
            self._buffer.store(start, payload)
        return True

    def read(self) -> bytes:
        """Everything in order that has not been read."""
        return self._buffer.read(self.books.contiguous)
