"""What a transfer needs of a file, so that sessions never touch one.

`Source` is read at any offset, because a lost piece is read again; `Sink` is written at any
offset, because pieces arrive in any order. Real files are in `surewire.drivers.files`; the
in-memory ones here serve the simulator and the tests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

Buffer = bytes | bytearray | memoryview


class Source(Protocol):
    """Bytes of a known size that can be read at any offset, the same each time."""

    @property
    def size(self) -> int:
        """Length in bytes, >= 0, fixed when the source was opened."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`.

        Raises:
            SourceChanged: the bytes are no longer there or cannot be read.
        """


class ScatterSource(Source, Protocol):
    """A source that puts its bytes where they are wanted, without a copy in between."""

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        """Fill the views, one after the other, with the bytes from `offset` on.

        Raises:
            SourceChanged: the bytes are no longer there or cannot be read.
        """


class OffsetSink(Protocol):
    """A place for bytes that arrive in any order."""

    def write_at(self, offset: int, pieces: Sequence[Buffer]) -> None:
        """Store the pieces end to end from `offset`. The pieces are not kept after return.

        Raises:
            DestinationError: they cannot be stored (disk full, for one).
        """


class Sink(OffsetSink, Protocol):
    """One that keeps what was written until told otherwise, and makes a file of it."""

    def digest(self, size: int) -> bytes:
        """SHA-256 of bytes [0, size), all of which have been written.

        Raises:
            DestinationError: they cannot be read back.
        """

    def commit(self, size: int) -> None:
        """Make bytes [0, size) durable under the final name, at once or not at all.

        Raises:
            DestinationError: the final name could not be given.
        """


class MemorySource:
    """A `Source` over bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def read_at(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        data = memoryview(self._data)
        for view in views:
            view[:] = data[offset : offset + len(view)]
            offset += len(view)


class MemorySink:
    """A `Sink` in memory; `committed` is None until `commit`, then the whole content."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.committed: bytes | None = None

    def write_at(self, offset: int, pieces: Sequence[Buffer]) -> None:
        joined = b"".join(pieces)
        stop = offset + len(joined)
        if stop > len(self.data):
            self.data.extend(bytes(stop - len(self.data)))
        self.data[offset:stop] = joined

    def digest(self, size: int) -> bytes:
        return hashlib.sha256(memoryview(self.data)[:size]).digest()

    def commit(self, size: int) -> None:
        self.committed = bytes(self.data[:size])
