"""Receiving one file over a stream: from its offer to the answer that says it is stored.

Every byte goes to its place in a temporary file as it comes; hashing follows on a thread of its own. The file gets its
name when the sender's digest is right and everything is on the disk. Whatever goes wrong before, the temporary file is
removed, and the sender is told why in words that name nothing of this machine.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import NamedTuple, Protocol

from surewire.core.trains import Buffer
from surewire.drivers.file_hash import HashedSink
from surewire.drivers.files import FileSink
from surewire.errors import (
    DestinationError,
    DigestMismatch,
    IdleTimeout,
    RemoteProtocolError,
    SurewireError,
    TransferError,
)
from surewire.native.statistics import ConnectionStats
from surewire.transfer import messages, names
from surewire.transfer.files import Sink
from surewire.transfer.messages import Digest, Offer, Refusal, Stored

OFFER_S = 10.0
"""Seconds in which a sender has to say what it wants."""

_SHORT = 1 << 20  # bytes up to which a thread that hashes would take longer
_LEAVE_S = 5.0  # s; how long a sender that was refused may take to end


class ReceivingStream(Protocol):
    """What is needed of a `surewire.api.stream.Stream`."""

    def recv(self, limit: int, /) -> bytes: ...

    def receive_into(self, sink: Sink, count: int, /) -> int: ...

    def sendall(self, data: Buffer, /) -> None: ...

    def settimeout(self, seconds: float | None, /) -> None: ...

    def close(self, timeout: float | None = None) -> str: ...

    def abort(self, code: int, text: str, /) -> None: ...

    def stats(self) -> ConnectionStats: ...


class Received(NamedTuple):
    """A file that is stored."""

    name: str
    path: str
    size: int
    sha256: bytes
    seconds: float  # from the offer until it was stored
    note: str | None  # what still went wrong after that


class RefusedHere(TransferError):
    """This side does not take the file; the sender has been told."""

    def __init__(self, code: str, text: str, *, reason: str | None = None) -> None:
        super().__init__(reason or text)
        self.refusal = Refusal(code, text)


class FileReceiving:
    """One file on its way here; `run` does it all, the rest may be asked from other threads meanwhile."""

    def __init__(self, stream: ReceivingStream, folder: str, *, overwrite: bool) -> None:
        """Take a stream from which nothing was read yet, and the folder where the file is to be."""
        self._stream = stream
        self._folder = folder
        self._overwrite = overwrite
        self._before = 0  # bytes of the stream before the file's
        self.offer: Offer | None = None
        """What is being sent, once it is known."""
        self.started_ns = time.monotonic_ns()
        """When that was known; until then, when this began."""
        self.is_storing = False
        """Everything has come: nothing more is awaited from the sender."""

    def done(self, stats: ConnectionStats) -> int:
        """Bytes of the file that are here without a hole."""
        return min(max(stats.received - self._before, 0), self.offer.size if self.offer is not None else 0)

    def run(self) -> Received:
        """Receive it and store it.

        Raises:
            RefusedHere: it is not wanted, or could not be stored; the sender knows.
            DigestMismatch: other bytes came than were sent.
            RemoteProtocolError: what came is no file transfer.
            ConnectionLost: the connection ended before everything was here.
        """
        try:
            offer = self._read_offer()
            with self._open(offer) as sink:
                try:
                    return self._receive(offer, sink)
                finally:
                    sink.discard()
        except RefusedHere as refused:
            self._refuse(refused.refusal)
            raise
        except DigestMismatch:
            self._refuse(Refusal(messages.DIGEST_DIFFERS, "other bytes have arrived than were sent; nothing is stored"))
            raise
        except RemoteProtocolError as error:
            self._refuse(Refusal(messages.PROTOCOL, str(error)))
            raise
        except SurewireError:
            self._stream.abort(1, "the receiver cannot go on")
            raise

    def _read_offer(self) -> Offer:
        opening = _Opening(self._stream)
        try:
            message = messages.read(opening)
        except TimeoutError:
            raise IdleTimeout(f"somebody connected and offered nothing within {OFFER_S:g} s") from None
        except messages.UnsupportedOffer as error:
            raise RefusedHere(messages.UNSUPPORTED, str(error)) from None
        self._stream.settimeout(None)
        if message is None:
            raise RemoteProtocolError("somebody connected and offered nothing")
        if not isinstance(message, Offer):
            raise RemoteProtocolError("the sender began with something else than an offer")
        self._before = opening.count
        self.started_ns = time.monotonic_ns()
        self.offer = message
        return message

    def _open(self, offer: Offer) -> FileSink:
        """The place for the file, or a refusal."""
        reason = names.why_not(offer.name)
        if reason is not None:
            raise RefusedHere(messages.BAD_NAME, f"a file cannot be stored under that name: {reason}")
        path = os.path.join(self._folder, offer.name)
        if not self._overwrite and os.path.lexists(path):
            raise RefusedHere(messages.EXISTS, "there is a file of that name already", reason=f"{path} exists")
        try:
            sink = FileSink(path, follow=False, overwrite=self._overwrite, is_hashed_elsewhere=offer.size > _SHORT)
            free = _free_bytes(self._folder)
        except DestinationError as error:
            raise RefusedHere(
                messages.CANNOT_STORE, "a file of that name cannot be stored", reason=str(error)
            ) from error
        if offer.size > free:
            raise RefusedHere(messages.NO_ROOM, f"{offer.size} bytes do not fit: {free} are free")
        sink.set_attributes(mode=offer.mode, mtime_ns=offer.mtime_ns)
        return sink

    def _receive(self, offer: Offer, sink: FileSink) -> Received:
        if offer.size <= _SHORT:
            return self._store(offer, sink, sink)
        hashed = HashedSink(sink)
        try:
            return self._store(offer, sink, hashed)
        finally:
            hashed.stop()

    def _store(self, offer: Offer, sink: FileSink, place: Sink) -> Received:
        try:
            if offer.size and self._stream.receive_into(place, offer.size) < offer.size:
                raise RemoteProtocolError("the sender ended before the end of the file")
            message = messages.read(self._stream)
            if not isinstance(message, Digest):
                raise RemoteProtocolError("the sender did not say what the file hashes to")
            if place.digest(offer.size) != message.sha256:
                raise DigestMismatch("the received bytes do not hash to what was sent; the file is not stored")
            self.is_storing = True
            sink.commit(offer.size)
        except DestinationError as error:
            raise RefusedHere(
                messages.CANNOT_STORE, "the file cannot be stored: the disk failed or is full", reason=str(error)
            ) from error
        seconds = (time.monotonic_ns() - self.started_ns) / 1e9
        note = self._confirm(message.sha256)
        return Received(offer.name, os.path.join(self._folder, offer.name), offer.size, message.sha256, seconds, note)

    def _confirm(self, sha256: bytes) -> str | None:
        """Tell the sender; return what went wrong with that."""
        try:
            self._stream.sendall(messages.emit(Stored(sha256)))
            self._stream.close()
        except SurewireError as error:
            return f"the sender may not know: {error}"
        return None

    def _refuse(self, refusal: Refusal) -> None:
        """Tell the sender, which then ends the connection; what it still sends is dropped."""
        with contextlib.suppress(SurewireError, TimeoutError):  # it is gone: then there is nobody to tell
            self._stream.sendall(messages.emit(refusal))
            self._stream.close(_LEAVE_S)


class _Opening:
    """The bytes of the offer: counted, and awaited for so long and no longer, however they drip."""

    def __init__(self, stream: ReceivingStream) -> None:
        self._stream = stream
        self._deadline = time.monotonic() + OFFER_S
        self.count = 0

    def recv(self, limit: int) -> bytes:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._stream.settimeout(left)
        data = self._stream.recv(limit)
        self.count += len(data)
        return data


def _free_bytes(folder: str) -> int:
    """Bytes that this user may still store in `folder`."""
    try:
        found = os.statvfs(folder)
    except OSError as error:
        raise DestinationError(f"cannot write into {folder}: {error.strerror}") from error
    return found.f_bavail * found.f_frsize
