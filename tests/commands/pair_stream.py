"""Two ends of an ordered stream over a socket pair, with the verbs of a `surewire.api.stream.Stream`.

For conversations over a stream without the transport below it. `abort` breaks the other end, as a reset does.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from surewire.core.trains import Buffer
from surewire.drivers.udp_options import UdpStats
from surewire.errors import Aborted, DestinationError, Reset, SurewireError
from surewire.native.statistics import ConnectionStats
from surewire.transfer.files import ScatterSource, Sink

PATIENCE_S = 20
_PIECE = 60_000


class PairStream:
    """One end."""

    def __init__(self, sock: socket.socket, shared: dict[str, str]) -> None:
        self._socket = sock
        self._shared = shared  # why the stream was aborted, if it was
        self._queue: list[Callable[[], None]] = []
        self._writing = threading.Condition()
        self._writer: threading.Thread | None = None
        self._failure: SurewireError | None = None
        self.received = 0
        self.closed: str | None = None
        self.peer = ("127.0.0.1", 9)
        sock.settimeout(PATIENCE_S)

    def settimeout(self, seconds: float | None) -> None:
        self._socket.settimeout(PATIENCE_S if seconds is None else seconds)

    # What is sent is queued, as in the transport, and written by a thread.

    def sendall(self, data: Buffer) -> None:
        self._check()
        self._enqueue(lambda: self._socket.sendall(data))

    def send_source(self, source: ScatterSource, offset: int, count: int) -> None:
        self._check()

        def write() -> None:
            for start in range(offset, offset + count, _PIECE):
                piece = bytearray(min(_PIECE, offset + count - start))
                source.read_into(start, [memoryview(piece)])
                self._socket.sendall(piece)

        self._enqueue(write)

    def shutdown(self) -> None:
        self._check()
        self._enqueue(lambda: self._socket.shutdown(socket.SHUT_WR))

    def _enqueue(self, job: Callable[[], None]) -> None:
        with self._writing:
            self._queue.append(job)
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, daemon=True)
                self._writer.start()

    def _write(self) -> None:
        while True:
            with self._writing:
                if not self._queue:
                    self._writer = None
                    self._writing.notify_all()
                    return
                job = self._queue.pop(0)
            try:
                job()
            except OSError:
                pass  # the other end has gone, which reading will tell
            except SurewireError as error:
                self._failure = self._failure or error
                self.abort(1, "bytes to send are no longer there")

    # Receiving.

    def recv(self, limit: int) -> bytes:
        self._check()
        try:
            data = self._socket.recv(limit)
        except ConnectionError as error:
            raise Reset(self._shared.get("text", "broken")) from error
        self._check(at_end=not data)
        self.received += len(data)
        return data

    def receive_into(self, sink: Sink, count: int) -> int:
        done = 0
        failure: DestinationError | None = None
        while done < count and (data := self.recv(min(_PIECE, count - done))):
            try:
                sink.write_at(done, [data[:7], data[7:]])
            except DestinationError as error:
                failure = error
                break
            done += len(data)
        if failure is not None:
            raise failure
        return done

    # The end.

    def close(self, timeout: float | None = None) -> str:
        self.closed = "closed"
        self.shutdown()
        with contextlib.suppress(OSError):
            while self._socket.recv(1 << 16):
                pass
        with self._writing:
            self._writing.wait_for(lambda: self._writer is None, PATIENCE_S)
        self._check()
        return "confirmed"

    def abort(self, code: int, text: str) -> None:
        self.closed = "aborted"
        self._shared.setdefault("text", text)
        self._shared.setdefault("by", str(id(self)))
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def stats(self) -> ConnectionStats:
        nothing = ConnectionStats(*[0] * len(ConnectionStats._fields))  # type: ignore[arg-type]
        return nothing._replace(received=self.received)

    def socket_stats(self) -> UdpStats:
        return UdpStats()

    def free(self) -> None:
        self._socket.close()

    def _check(self, *, at_end: bool = True) -> None:
        if at_end and self._failure is not None:
            raise self._failure
        if at_end and "text" in self._shared:
            if self._shared["by"] == str(id(self)):
                raise Aborted(self._shared["text"])
            raise Reset(self._shared["text"])


@contextlib.contextmanager
def pair() -> Iterator[tuple[PairStream, PairStream]]:
    """Both ends."""
    one, other = socket.socketpair()
    shared: dict[str, str] = {}
    with one, other:
        yield PairStream(one, shared), PairStream(other, shared)
