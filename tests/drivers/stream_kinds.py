"""One way to use a stream, whatever drives it, so that one suite tests both drivers.

The asyncio kind runs an event loop on a thread of its own and waits for each coroutine.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

import surewire
from surewire import aio
from surewire.api.listener import Listener
from surewire.api.stream import Stream
from surewire.errors import SurewireError
from surewire.native.statistics import ConnectionStats

T = TypeVar("T")

LONG = 30.0  # s; for what must happen, sooner or later
HOST = "127.0.0.1"


class AnyStream(Protocol):
    """The verbs that both kinds have. `timeout` is in seconds."""

    def sendall(self, data: Any) -> None: ...

    def recv(self, limit: int, timeout: float = ...) -> bytes: ...

    def recv_exactly(self, count: int) -> bytes: ...

    def sendfile(self, file: Any, offset: int = ..., count: int | None = ...) -> int: ...

    def recvfile(self, file: Any, count: int, offset: int = ...) -> int: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...

    def abort(self, code: int, text: str) -> None: ...

    def stats(self) -> ConnectionStats: ...

    def limit(self, rate: int | None) -> int | None:
        """Set `max_rate`; return what it is then."""

    @property
    def peer(self) -> tuple[str, int]: ...

    @property
    def address(self) -> tuple[str, int]: ...


class BlockingStream:
    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        stream.settimeout(LONG)
        self.sendall = stream.sendall
        self.recv_exactly = stream.recv_exactly
        self.sendfile = stream.sendfile
        self.recvfile = stream.recvfile
        self.finish = stream.shutdown
        self.abort = stream.abort
        self.stats = stream.stats
        self.peer = stream.peer
        self.address = stream.address

    def recv(self, limit: int, timeout: float = LONG) -> bytes:
        self.stream.settimeout(timeout)
        try:
            return self.stream.recv(limit)
        finally:
            self.stream.settimeout(LONG)

    def close(self) -> None:
        self.stream.close(LONG)

    def limit(self, rate: int | None) -> int | None:
        self.stream.max_rate = rate
        return self.stream.max_rate


class BlockingRoom:
    """Makes connected pairs, and cleans up after a test."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.listener: Listener = surewire.listen((HOST, 0), **options)
        self.streams: list[BlockingStream] = []

    @property
    def address(self) -> tuple[str, int]:
        return self.listener.address

    def connect(self, address: tuple[str, int] | None = None, **options: Any) -> BlockingStream:
        stream = surewire.connect(address or self.address, **{**self.options, **options})
        return self._kept(BlockingStream(stream))

    def accept(self) -> BlockingStream:
        return self._kept(BlockingStream(self.listener.accept(LONG)))

    def close(self) -> None:
        for each in self.streams:
            each.abort(0, "")
        self.listener.close()
        deadline = time.monotonic() + LONG
        while any(thread.name == "surewire-driver" for thread in threading.enumerate()):
            if time.monotonic() > deadline:
                raise AssertionError("a driver does not end")
            time.sleep(0.001)

    def _kept(self, stream: BlockingStream) -> BlockingStream:
        self.streams.append(stream)
        return stream


class AioStream:
    def __init__(self, run: Callable[..., Any], reader: aio.StreamReader, writer: aio.StreamWriter) -> None:
        self.run = run
        self.reader = reader
        self.writer = writer

    def sendall(self, data: Any) -> None:
        async def send() -> None:
            self.writer.write(data)
            await self.writer.drain()

        self.run(send())

    def recv(self, limit: int, timeout: float = LONG) -> bytes:
        data: bytes = self.run(asyncio.wait_for(self.reader.read(limit), timeout))
        return data

    def recv_exactly(self, count: int) -> bytes:
        data: bytes = self.run(self.reader.readexactly(count))
        return data

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        sent: int = self.run(self.writer.sendfile(file, offset, count))
        return sent

    def recvfile(self, file: Any, count: int, offset: int = 0) -> int:
        stored: int = self.run(self.reader.recvfile(file, count, offset))
        return stored

    def finish(self) -> None:
        self._call(self.writer.write_eof)

    def close(self) -> None:
        async def close() -> None:
            self.writer.close()
            await self.writer.wait_closed()

        self.run(close())

    def abort(self, code: int, text: str) -> None:
        self._call(lambda: self.writer.abort(code, text))

    def limit(self, rate: int | None) -> int | None:
        def change() -> int | None:
            self.writer.max_rate = rate
            return self.writer.max_rate

        limit: int | None = self._call(change)
        return limit

    def stats(self) -> ConnectionStats:
        found: ConnectionStats = self._call(self.writer.stats)
        return found

    @property
    def peer(self) -> tuple[str, int]:
        found: tuple[str, int] = self.writer.get_extra_info("peername")
        return found

    @property
    def address(self) -> tuple[str, int]:
        found: tuple[str, int] = self.writer.get_extra_info("sockname")
        return found

    def _call(self, function: Callable[[], Any]) -> Any:
        async def call() -> Any:
            return function()

        return self.run(call())


class AioRoom:
    """The same on an event loop of its own."""

    def __init__(self, *, loop: asyncio.AbstractEventLoop | None = None, **options: Any) -> None:
        self.options = options
        self.loop = loop or asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="room", daemon=True)
        self.thread.start()
        self.streams: list[AioStream] = []
        self.accepted: asyncio.Queue[AioStream] = asyncio.Queue()
        self.leave = asyncio.Event()
        self.server: aio.Server = self.run(aio.serve(self._hand_over, (HOST, 0), **options))

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        return future.result(LONG)

    @property
    def address(self) -> tuple[str, int]:
        return self.server.address

    def connect(self, address: tuple[str, int] | None = None, **options: Any) -> AioStream:
        reader, writer = self.run(aio.connect(address or self.address, **{**self.options, **options}))
        stream = AioStream(self.run, reader, writer)
        self.streams.append(stream)
        return stream

    def accept(self) -> AioStream:
        return self.run(self.accepted.get())

    async def _hand_over(self, reader: aio.StreamReader, writer: aio.StreamWriter) -> None:
        stream = AioStream(self.run, reader, writer)
        self.streams.append(stream)
        await self.accepted.put(stream)
        await self.leave.wait()

    async def _close(self) -> None:
        for each in self.streams:
            each.writer.abort(0, "")
        self.leave.set()
        self.server.close()
        await self.server.wait_closed()
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)

    def close(self) -> None:
        self.run(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(LONG)
        self.loop.close()


def ends_with(error: type[BaseException], call: Callable[[], object]) -> BaseException:
    """The error that a call must end with, sooner or later: repeat it until it does."""
    while True:
        try:
            call()
        except SurewireError as found:
            if not isinstance(found, error):
                raise
            return found
