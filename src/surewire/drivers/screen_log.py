"""Text to the screen that never holds up its writer: a thread writes it out as fast as it is taken.

Meant for a few large chunks (joined lines, some 4 to 64 KiB), not for single lines. What the
screen (a terminal, a pipe, a file) has not taken yet waits in memory up to a limit, beyond it in an unlinked
temporary file, so a slow reader costs disk space, not memory or time. Only when that file cannot
be written does `write` wait for the reader.

Invariants: chunks leave in the order they came, whole; one that is in the spool is younger than
all in memory; when the reader has gone the log stops, remembers it, and the program goes on.
"""

from __future__ import annotations

import errno
import io
import os
import select
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import IO, Protocol

from surewire.errors import LocalProtocolError

MEMORY_LIMIT = 8 << 20

_BATCH_BYTES = 256 << 10
# How long the thread looks for more before it wants to be woken: at high rates it wakes by itself,
# two hundred times a second, and `write` need not.
_LINGER_S = 0.005


class BinaryFile(Protocol):
    """An open binary file: one with a descriptor, or one that takes all at once (io.BytesIO)."""

    def write(self, data: bytes, /) -> int | None: ...

    def flush(self) -> None: ...

    def fileno(self) -> int: ...


class ScreenLog:
    """Writes text to a descriptor from a thread of its own. One thread at a time may call it.

    The descriptor stays open and belongs to the caller, who must write nothing else to it before
    `close` has returned.
    """

    def __init__(
        self, target: int | BinaryFile = 1, *, memory_limit: int = MEMORY_LIMIT, spool_directory: str | None = None
    ) -> None:
        """Start the thread.

        Args:
            target: where the text goes.
            memory_limit: bytes waiting in memory at most, > 0; a larger chunk is taken when nothing waits.
            spool_directory: where the temporary file goes; None means TMPDIR if that is set, else
                /var/tmp (/tmp is often memory), else the system's default.
        """
        self._put = _writer(target)
        self._memory_limit = memory_limit
        self._spool = _Spool(spool_directory)
        self._chunks: deque[str | bytes] = deque()
        self._in_memory = 0
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._idle = False
        self._closing = False
        self.error: OSError | ValueError | None = None
        self._thread = threading.Thread(target=self._run, name="screen-log", daemon=True)
        self._thread.start()

    @property
    def broken(self) -> bool:
        """Whether writing failed, as when the reader went away; `error` says how. Text is dropped since."""
        return self.error is not None

    @property
    def backlog(self) -> int:
        """Bytes not yet written, in memory and in the spool (text in memory counts its characters)."""
        with self._lock:
            return self._in_memory + self._spool.size

    def write(self, text: str | bytes) -> None:
        """Queue `text`, which is written as UTF-8 (what UTF-8 cannot carry as backslash escapes).

        Returns at once unless the memory is full and the spool cannot be written (disk full): then
        it waits until the screen has taken enough.

        Raises:
            LocalProtocolError: the log is closed.
        """
        length = len(text)
        with self._lock:
            if self._closing:
                raise LocalProtocolError("write to a closed screen log")
            if not length:
                return
            while self.error is None and not self._accept(text, length):
                self._work.notify()
                self._room.wait()
            if self._idle:
                self._idle = False
                self._work.notify()

    def close(self, *, drain: bool = True) -> None:
        """Write out what waits, as long as that takes, and stop. Closing again does nothing.

        With `drain` false what waits is dropped and the method returns at once.
        """
        with self._lock:
            self._closing = True
            if not drain:
                self._drop_all()
            self._work.notify()
        if drain:
            self._thread.join()

    def __enter__(self) -> ScreenLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self, text: str | bytes, length: int) -> bool:
        """Put the chunk where it belongs; False when there is no place for it now."""
        if not self._spool.size and (self._in_memory + length <= self._memory_limit or not self._in_memory):
            self._chunks.append(text)
            self._in_memory += length
            return True
        return self._spool.append(_encoded(text))

    def _run(self) -> None:
        """The thread: write batch after batch until closed and drained, or broken."""
        try:
            while (batch := self._next_batch()) is not None:
                data, from_memory = batch
                rest = memoryview(data)
                while rest:
                    rest = rest[self._put(rest) :]
                with self._lock:
                    # Less than that is counted if it was dropped meanwhile.
                    self._in_memory = max(0, self._in_memory - from_memory)
                    self._room.notify()
        except (OSError, ValueError) as error:
            with self._lock:
                self.error = error
                self._drop_all()
        finally:
            self._spool.close()

    def _next_batch(self) -> tuple[bytes, int] | None:
        """Wait for chunks; return some joined and how much memory they count for, None to end."""
        with self._lock:
            patient = False
            while not self._chunks and not self._spool.size:
                if self._closing:
                    return None
                self._idle = patient
                self._work.wait(None if patient else _LINGER_S)
                patient = True
            self._idle = False
            if not self._chunks:
                return self._spool.take(_BATCH_BYTES), 0
            taken: list[str | bytes] = []
            length = 0
            while self._chunks and length < _BATCH_BYTES:
                taken.append(self._chunks.popleft())
                length += len(taken[-1])
        return b"".join(map(_encoded, taken)), length

    def _drop_all(self) -> None:
        self._chunks.clear()
        self._in_memory = 0
        self._spool.clear()
        self._room.notify()


class _Spool:
    """A queue of bytes in an unlinked temporary file that exists while it is needed."""

    def __init__(self, directory: str | None) -> None:
        self._directory = directory
        self._file: IO[bytes] | None = None
        self._start = 0
        self._stop = 0

    @property
    def size(self) -> int:
        return self._stop - self._start

    def append(self, data: bytes) -> bool:
        """Queue `data`; False, and nothing queued, when the disk does not take all of it."""
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(  # noqa: SIM115 (close() closes it)
                    dir=self._directory or _spool_directory(), buffering=0
                )
            done = 0
            while done < len(data):
                done += os.pwrite(self._file.fileno(), memoryview(data)[done:], self._stop + done)
        except OSError:
            return False
        self._stop += len(data)
        return True

    def take(self, limit: int) -> bytes:
        """Remove and return up to `limit` bytes from the front; empty, the disk space is given back."""
        if self._file is None or not self.size:
            return b""
        data = os.pread(self._file.fileno(), min(limit, self.size), self._start)
        if not data:
            raise OSError(errno.EIO, "the spool of the screen log was lost")
        self._start += len(data)
        if self._start == self._stop:
            self.clear()
        return data

    def clear(self) -> None:
        self._start = self._stop = 0
        if self._file is not None:
            self._file.truncate(0)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _encoded(text: str | bytes) -> bytes:
    return text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text


def _writer(target: int | BinaryFile) -> Callable[[memoryview], int]:
    """Return a function that writes some bytes and tells how many; it waits until it can."""
    if isinstance(target, int):
        descriptor = target
    else:
        target.flush()
        try:
            descriptor = target.fileno()
        except io.UnsupportedOperation:
            return partial(_put_whole, target)

    return partial(_put_some, descriptor)


def _put_whole(target: BinaryFile, data: memoryview) -> int:
    target.write(bytes(data))
    return len(data)


def _put_some(descriptor: int, data: memoryview) -> int:
    while True:
        try:
            return os.write(descriptor, data)
        except BlockingIOError:
            # A terminal or pipe that somebody else made non-blocking.
            poller = select.poll()
            poller.register(descriptor, select.POLLOUT)
            poller.poll()


def _spool_directory() -> str | None:
    if "TMPDIR" not in os.environ and os.access("/var/tmp", os.W_OK | os.X_OK):
        return "/var/tmp"
    return None
