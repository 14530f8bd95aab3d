"""SHA-256 of a file, computed while the file is sent or received, on a thread of its own.

Reading and hashing pieces of this size leaves the interpreter to other threads, so on a machine with a core to spare
it costs the transfer nothing. What is hashed are the bytes of the file, read again; a receiver thereby also
checks what it has written.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence

from surewire.core.trains import Buffer
from surewire.drivers.files import FileSink
from surewire.errors import DestinationError, SurewireError

ReadInto = Callable[[int, Sequence[memoryview]], None]
"""Fills views, one after the other, from an offset of the file on."""

_PIECE = 1 << 20
_LUMP = 1 << 18  # new bytes that are worth waking the thread for


def sha256_of(read_into: ReadInto, size: int, *, is_wanted: Callable[[], bool]) -> bytes | None:
    """SHA-256 of the first `size` bytes; None as soon as it is not wanted any more, which is asked once a piece.

    Raises:
        SurewireError: what reading raises.
    """
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(min(_PIECE, size)))
    for offset in range(0, size, _PIECE):
        if not is_wanted():
            return None
        view = buffer[: size - offset]
        read_into(offset, [view])
        digest.update(view)
    return digest.digest()


class HashThread:
    """Hashes a file from its start, as far as it was allowed to."""

    def __init__(self, read_into: ReadInto) -> None:
        """Start the thread; end it with `digest` or `stop`."""
        self._read_into = read_into
        self._hash = hashlib.sha256()
        self._done = 0
        self._allowed = 0
        self._is_ending = False
        self._is_waiting = False
        self._error: SurewireError | None = None
        self._wakes = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="hash", daemon=True)
        self._thread.start()

    def allow(self, stop: int) -> None:
        """The first `stop` bytes are there; never fewer than before. One thread may call this."""
        self._allowed = stop
        # Looked at after `_allowed` was set, and set before that is looked at: one of the two sees the other.
        if self._is_waiting and stop - self._done >= _LUMP:
            with self._wakes:
                self._wakes.notify()

    def digest(self) -> bytes:
        """Wait until all that was allowed is hashed; return what it hashes to. Once, and nothing after it.

        Raises:
            SurewireError: what the file raised when it was read.
        """
        self._end()
        if self._error is not None:
            raise self._error.with_traceback(None)
        return self._hash.digest()

    def stop(self) -> None:
        """Throw away what is hashed and what is not; further calls do nothing."""
        self._allowed = 0
        self._end()

    def _end(self) -> None:
        with self._wakes:
            self._is_ending = True
            self._wakes.notify()
        self._thread.join()

    def _run(self) -> None:
        buffer = memoryview(bytearray(_PIECE))
        try:
            while (length := self._wait()) > 0:
                view = buffer[:length]
                self._read_into(self._done, [view])
                self._hash.update(view)
                self._done += length
        except SurewireError as error:
            self._error = error

    def _wait(self) -> int:
        """Wait for enough bytes, or for the end; how many to hash next, at most 0 when it is over."""
        if self._allowed - self._done < _LUMP:
            with self._wakes:
                self._is_waiting = True
                while self._allowed - self._done < _LUMP and not self._is_ending:
                    self._wakes.wait()
                self._is_waiting = False
        return min(self._allowed - self._done, _PIECE)


class HashedSink:
    """A `Sink` whose bytes are hashed, on a thread of their own, as they become whole from the start."""

    def __init__(self, sink: FileSink) -> None:
        """Take a sink with `is_hashed_elsewhere`. Ending it stays the caller's business, after `stop`."""
        self._sink = sink
        self._hashing = HashThread(sink.read_into)

    def write_at(self, offset: int, pieces: Sequence[Buffer]) -> None:
        """Store the pieces end to end from `offset`; no byte may come twice.

        Raises:
            DestinationError: they cannot be stored.
        """
        self._sink.write_at(offset, pieces)
        self._hashing.allow(self._sink.contiguous)

    def digest(self, size: int) -> bytes:
        """SHA-256 of bytes [0, size), which are all that was written; takes as long as the thread lags behind.

        Raises:
            DestinationError: there is a hole, or they cannot be read back.
        """
        if self._sink.contiguous != size:
            raise DestinationError(f"{self._sink.contiguous} of {size} bytes without a hole")
        return self._hashing.digest()

    def commit(self, size: int) -> None:
        """As `FileSink.commit`."""
        self._sink.commit(size)

    def stop(self) -> None:
        """End the thread, if it still runs."""
        self._hashing.stop()
