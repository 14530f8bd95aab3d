"""The bytes of a stream in memory: what is not acknowledged yet, and what is not read yet.

Files need neither (`transfer/files.py`). Both buffers are one piece of memory whose front is cut off
as the stream moves on; offsets are the stream's. Which bytes arrived is `reassembly`'s business: the
receive buffer trusts it and only stores.
"""

from __future__ import annotations

from surewire.core.trains import Buffer
from surewire.errors import LocalProtocolError


class SendBuffer:
    """What the application wrote, until it is acknowledged. Holds at most `limit` bytes."""

    __slots__ = ("_bytes", "_limit", "_start")

    def __init__(self, limit: int) -> None:
        self._bytes = bytearray()
        self._start = 0  # stream offset of the first byte held
        self._limit = limit

    @property
    def written(self) -> int:
        """Bytes ever written: the stream offset behind the last one."""
        return self._start + len(self._bytes)

    @property
    def room(self) -> int:
        """Bytes that `write` would take."""
        return self._limit - len(self._bytes)

    def write(self, data: Buffer) -> int:
        """Copy what fits of `data`; return how many bytes that was."""
        taken = min(len(data), self.room)
        self._bytes += data if taken == len(data) else memoryview(data)[:taken]
        return taken

    def get(self, start: int, stop: int) -> bytes:
        """The bytes at stream offsets [start, stop).

        Raises:
            LocalProtocolError: some are not held (any more): a slice with a negative index would be other bytes.
        """
        if not self._start <= start <= stop <= self.written:
            raise LocalProtocolError(f"bytes [{start}, {stop}) are not in the send buffer")
        return bytes(self._bytes[start - self._start : stop - self._start])

    def discard_below(self, offset: int) -> None:
        """Forget what was acknowledged: everything below `offset`."""
        if offset > self._start:
            del self._bytes[: offset - self._start]
            self._start = offset


class ReceiveBuffer:
    """What arrived, until the application reads it, holes and all."""

    __slots__ = ("_bytes", "_start")

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._start = 0  # stream offset of the first byte not read

    def __len__(self) -> int:
        """Bytes held, those of holes included."""
        return len(self._bytes)

    @property
    def read_offset(self) -> int:
        """Stream offset of the next byte that `read` returns."""
        return self._start

    def store(self, start: int, data: Buffer) -> None:
        """Keep `data` at stream offset `start`; what was read already is dropped."""
        skipped = max(self._start - start, 0)
        low = start + skipped - self._start
        high = start + len(data) - self._start
        if high <= low:
            return
        if low == len(self._bytes):
            self._bytes += memoryview(data)[skipped:] if skipped else data
            return
        if high > len(self._bytes):
            self._bytes.extend(bytes(high - len(self._bytes)))
        self._bytes[low:high] = memoryview(data)[skipped:]

    def read_into(self, target: memoryview, stop: int) -> int:
        """Fill `target` (of bytes) with what lies below stream offset `stop`; return how much that was."""
        count = min(stop - self._start, len(target))
        with memoryview(self._bytes) as view:
            target[:count] = view[:count]
        del self._bytes[:count]
        self._start += count
        return count

    def peek(self, start: int, stop: int) -> bytes:
        """The bytes [start, stop), which must have arrived and not been read."""
        with memoryview(self._bytes) as view:
            return bytes(view[start - self._start : stop - self._start])

    def discard(self, stop: int) -> None:
        """Drop everything below stream offset `stop`, received or not."""
        if stop > self._start:
            del self._bytes[: stop - self._start]
            self._start = stop

    def read(self, stop: int) -> bytes:
        """Take out everything below stream offset `stop`, up to which all must have arrived."""
        count = stop - self._start
        with memoryview(self._bytes) as view:
            data = bytes(view[:count])
        del self._bytes[:count]
        self._start = stop
        return data
