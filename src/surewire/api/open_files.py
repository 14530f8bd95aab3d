"""Files that the application has opened, to send from and to receive into at any offset.

They stay the application's: not closed here, and their positions are not moved. But a transfer can outlast the call
that began it (after a timeout, or a cancellation), and its caller then closes the file and opens another, which gets
the same number. So each transfer has a descriptor of its own, until nothing refers to it any more. (In the end, as
always when a descriptor is closed, the process loses its fcntl() record locks on that file.)

What a transfer needs beyond that, a name that stands for a whole file, is in `surewire.drivers.files`.
"""

from __future__ import annotations

import errno
import fcntl
import operator
import os
import stat
from collections.abc import Sequence
from typing import Protocol

from surewire.core.trains import Buffer
from surewire.errors import ConfigError, DestinationError, LocalProtocolError, SourceChanged
from surewire.transfer.files import Sink

_MAX_PIECES = os.sysconf("SC_IOV_MAX")
_LAST_OFFSET = (1 << 63) - 1


class HasDescriptor(Protocol):
    """A file object of the operating system."""

    def fileno(self) -> int: ...


def descriptor_of(file: int | HasDescriptor) -> int:
    """The descriptor of a regular file.

    Raises:
        ConfigError: it is something else, or closed.
    """
    try:
        descriptor = file if isinstance(file, int) else file.fileno()
        is_regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"not an open file: {error}") from error
    if not is_regular:
        raise ConfigError("only regular files can be read or written at any offset; use sendall and recv")
    return descriptor


class _Own:
    """A descriptor of one's own for a file that somebody else has opened."""

    _own = -1

    def __init__(self, descriptor: int, forbidden: int) -> None:
        """Duplicate it; `forbidden` is the one access (O_RDONLY or O_WRONLY) that will not do.

        Raises:
            ConfigError: it is closed, or open in the wrong way; or no descriptor is left.
        """
        try:
            flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
            self._own = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 0)
        except OSError as error:
            raise ConfigError(f"the file cannot be used: {error.strerror}") from error
        if flags & os.O_ACCMODE == forbidden:
            raise ConfigError(f"the file is not open for {'writing' if forbidden == os.O_RDONLY else 'reading'}")
        if forbidden == os.O_RDONLY and flags & os.O_APPEND:
            raise ConfigError("the file is open for appending, which puts every byte at its end")

    def __del__(self) -> None:
        if self._own >= 0:
            os.close(self._own)


class OpenSource(_Own):
    """Bytes [start, start + size) of an open file; offsets here count from `start`."""

    def __init__(self, descriptor: int, start: int, count: int | None) -> None:
        """Fix the size; `count` None: up to the present end of the file.

        Raises:
            ConfigError: the file has not as many bytes, or does not tell how many it has (some below /proc).
        """
        super().__init__(descriptor, os.O_WRONLY)
        there = os.fstat(self._own).st_size
        if not there and _has_content(self._own):
            raise ConfigError("the size of the file is not known beforehand; use sendall")
        self._start = start
        self.size = there - start if count is None else operator.index(count)
        if start < 0 or self.size < 0 or start + self.size > there:
            raise ConfigError(f"bytes {start} to {start + self.size} of a file of {there}")

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`.

        Raises:
            SourceChanged: the file has become shorter, or cannot be read.
        """
        data = bytearray(length)
        self.read_into(offset, [memoryview(data)])
        return bytes(data)

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        """Fill the views, one after the other, from `offset` on; raises like `read_at`."""
        length = sum(map(len, views))
        if offset < 0 or offset + length > self.size:
            raise LocalProtocolError(f"read of {length} bytes at {offset} in a source of {self.size} bytes")
        try:
            if len(views) > _MAX_PIECES or os.preadv(self._own, views, self._start + offset) < length:
                self._read_one_by_one(offset, views)
        except OSError as error:
            raise SourceChanged(f"the file can no longer be read: {error.strerror}") from error

    def _read_one_by_one(self, offset: int, views: Sequence[memoryview]) -> None:
        position = self._start + offset
        for view in views:
            done = 0
            while done < len(view):
                count = os.preadv(self._own, [view[done:]], position)
                if count == 0:
                    raise SourceChanged("the file became shorter while it was being sent")
                done += count
                position += count


class KeptError:
    """A sink whose first error is kept in `error`, instead of meeting the connection in the middle of its work."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.error: DestinationError | None = None

    def write_at(self, offset: int, pieces: Sequence[Buffer]) -> None:
        """Store the pieces, unless an earlier one could not be stored."""
        if self.error is None:
            try:
                self._sink.write_at(offset, pieces)
            except DestinationError as error:
                self.error = error

    def digest(self, size: int) -> bytes:
        """The sink's."""
        return self._sink.digest(size)

    def commit(self, size: int) -> None:
        """The sink's."""
        self._sink.commit(size)


class OpenSink(_Own):
    """Stores `count` bytes in an open file from offset `start` on."""

    def __init__(self, descriptor: int, start: int, count: int) -> None:
        """Nothing is written yet.

        Raises:
            ConfigError: bytes cannot be put there: out of range, or the file is not open for it.
        """
        if not 0 <= start <= start + operator.index(count) <= _LAST_OFFSET:
            raise ConfigError(f"there are no {count} bytes from {start} on in a file")
        super().__init__(descriptor, os.O_RDONLY)
        self._start = start

    def write_at(self, offset: int, pieces: Sequence[Buffer]) -> None:
        """Store the pieces end to end from `offset`.

        Raises:
            DestinationError: they cannot be stored (disk full).
        """
        # one write of joined pieces is three times as fast as one of many pieces, where the file is in memory
        data = memoryview(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        position = self._start + offset
        try:
            while data:
                count = os.pwrite(self._own, data, position)
                if count == 0:
                    raise OSError(errno.EIO, "the file system stores no more")
                data, position = data[count:], position + count
        except OSError as error:
            raise DestinationError(f"the file cannot be written: {error.strerror}") from error


def _has_content(descriptor: int) -> bool:
    try:
        return bool(os.pread(descriptor, 1, 0))
    except OSError:
        return False
