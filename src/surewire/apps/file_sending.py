"""Sending one file over a stream: offer, bytes, digest, and the receiver's answer.

The answer may come at any time, a refusal even while most of the file is still to be sent. So the bytes are only
queued here, and this thread waits for the answer while the connection sends; another one hashes the file meanwhile, and
lets the digest follow. A short file is hashed at once.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Sequence
from typing import Protocol

from surewire.core.trains import Buffer
from surewire.drivers.file_hash import sha256_of
from surewire.drivers.files import FileSource
from surewire.errors import ConnectionLost, DigestMismatch, RemoteProtocolError, SurewireError, Unconfirmed
from surewire.native.statistics import ConnectionStats
from surewire.transfer import messages
from surewire.transfer.files import ScatterSource
from surewire.transfer.messages import Digest, Offer, Refusal, Stored

SHORT = 1 << 20
"""Bytes up to which a file is read and hashed at once: threads would take longer."""

_CLOSE_S = 5.0  # s; the receiver has stored the file, and only takes its leave


class SendingStream(Protocol):
    """What is needed of a `surewire.api.stream.Stream`."""

    def sendall(self, data: Buffer, /) -> None: ...

    def send_source(self, source: ScatterSource, offset: int, count: int, /) -> None: ...

    def recv(self, limit: int, /) -> bytes: ...

    def shutdown(self) -> None: ...

    def close(self, timeout: float | None = None) -> str: ...

    def abort(self, code: int, text: str, /) -> None: ...

    def stats(self) -> ConnectionStats: ...


class RefusedByReceiver(ConnectionLost):
    """The receiver does not take the file, or could not store it; `code` is one of `messages.REFUSALS`."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"the receiver: {refusal.text}")
        self.code = refusal.code


class TimedSource:
    """A source that knows how long reading it took."""

    def __init__(self, source: FileSource) -> None:
        self._source = source
        self.spent_ns = 0

    @property
    def size(self) -> int:
        return self._source.size

    def read_at(self, offset: int, length: int) -> bytes:
        started = time.perf_counter_ns()
        data = self._source.read_at(offset, length)
        self.spent_ns += time.perf_counter_ns() - started
        return data

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        started = time.perf_counter_ns()
        self._source.read_into(offset, views)
        self.spent_ns += time.perf_counter_ns() - started


class FileSending:
    """One file on its way; `run` does it all, the rest may be called from other threads meanwhile."""

    def __init__(self, stream: SendingStream, source: FileSource, offer: Offer) -> None:
        """Take a stream on which nothing was sent yet. Source and stream stay the caller's until `run` returns."""
        self._stream = stream
        self._file = source
        self._source = TimedSource(source)
        self._offer = offer
        self._head = messages.emit(offer)
        self._sha256: bytes | None = None
        self._error: SurewireError | None = None  # of the thread that hashes
        self._is_answered = False
        self.hashing_ns = 0
        """Time that the processor spent on hashing beside sending; for after the end."""
        self.finished_ns = 0
        """When the receiver had answered."""

    @property
    def reading_ns(self) -> int:
        """Time spent reading the file to send it."""
        return self._source.spent_ns

    def done(self, stats: ConnectionStats) -> int:
        """Bytes of the file that the receiver has."""
        return min(max(stats.acknowledged - len(self._head), 0), self._offer.size)

    def run(self) -> bytes:
        """Send it, and wait until the receiver has stored it; return the SHA-256 of both.

        Raises:
            RefusedByReceiver: it does not want the file, or could not store it.
            DigestMismatch: it has stored something else.
            SourceChanged: the file changed meanwhile.
            RemoteProtocolError: it answered something without meaning.
            ConnectionLost: the connection ended before the answer.
        """
        try:
            return self._send()
        except SurewireError:
            # Nothing may be read from the file any more, which the caller closes now.
            self._stream.abort(1, "the sender cannot go on")
            raise

    def _send(self) -> bytes:
        answer = self._send_short() if self._offer.size <= SHORT else self._send_long()
        self.finished_ns = time.monotonic_ns()
        if isinstance(answer, Refusal):
            self._stream.abort(0, "refused")
            if answer.code == messages.DIGEST_DIFFERS:
                raise DigestMismatch(f"the receiver: {answer.text}")
            raise RefusedByReceiver(answer)
        if answer.sha256 != self._sha256:
            raise DigestMismatch("the receiver says it has stored other bytes than those that were sent")
        try:
            self._stream.close(_CLOSE_S)
        except SurewireError:
            self._stream.abort(0, "")  # what matters has been confirmed
        return answer.sha256

    def _send_short(self) -> Stored | Refusal:
        content = self._source.read_at(0, self._offer.size)
        self._sha256 = hashlib.sha256(content).digest()
        self._stream.sendall(self._head + content + messages.emit(Digest(self._sha256)))
        self._stream.shutdown()
        return self._answer()

    def _send_long(self) -> Stored | Refusal:
        self._stream.sendall(self._head)
        self._stream.send_source(self._source, 0, self._offer.size)
        thread = threading.Thread(target=self._follow_with_digest, name="hash", daemon=True)
        thread.start()
        try:
            return self._answer()
        except SurewireError:
            if self._error is not None:
                raise self._error from None  # it tells more than that the connection was ended here
            raise
        finally:
            self._is_answered = True
            thread.join()

    def _follow_with_digest(self) -> None:
        started = time.thread_time_ns()
        try:
            self._sha256 = sha256_of(self._file.read_into, self._offer.size, is_wanted=lambda: not self._is_answered)
            self.hashing_ns = time.thread_time_ns() - started
            if self._sha256 is not None:
                self._stream.sendall(messages.emit(Digest(self._sha256)))
                self._stream.shutdown()
        except SurewireError as error:
            if not self._is_answered:
                self._error = error
                self._stream.abort(1, "the sender cannot read its file any more")

    def _answer(self) -> Stored | Refusal:
        answer = messages.read(self._stream)
        if answer is None:
            raise Unconfirmed("the receiver ended the connection without saying whether it has stored the file")
        if not isinstance(answer, Stored | Refusal):
            raise RemoteProtocolError("the receiver answered something that is no answer")
        return answer
