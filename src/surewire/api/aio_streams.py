"""A connection as asyncio programs know streams: a reader and a writer.

They have the methods of `asyncio.StreamReader` and `asyncio.StreamWriter` with the same meaning, and a few more. What
has arrived stays with the connection until it is read, so a reader that is slow slows the peer down. All waits can be
cancelled and lose nothing: bytes leave the reader's buffer only when a call returns them.

What differs: `wait_closed` returns when the peer has confirmed everything and raises when it did not; errors are
those of `surewire.errors`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import warnings
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from surewire.api.aio_driver import LoopDriver
from surewire.api.open_files import HasDescriptor, OpenSink, OpenSource, descriptor_of
from surewire.api.options import checked_rate
from surewire.api.outcomes import (
    as_bytes,
    delivered,
    has_ended,
    is_delivered,
    peer_end_wait,
    raise_if_lost,
    raise_if_over,
    stored,
)
from surewire.core.state import State
from surewire.core.trains import Buffer
from surewire.drivers.udp_options import HostPort, UdpStats
from surewire.errors import DestinationError, LocalProtocolError
from surewire.native.connection import Connection
from surewire.native.statistics import ConnectionStats
from surewire.wire.native_frames import GAVE_UP

T = TypeVar("T")

_CHUNK = 256 << 10
_LINE_LIMIT = 64 << 10


class Link:
    """What reader and writer have in common: a connection, and those who wait for it."""

    def __init__(self, driver: LoopDriver, connection: Connection, *, server_key: bytes | None = None) -> None:
        self.driver = driver
        self.connection = connection
        self.server_key = server_key
        self.is_closing = False
        self.is_writable = True  # neither the writing nor the stream was ended
        self.backlog: deque[Buffer] = deque()  # written, and not taken by the connection yet
        self.ends_after_backlog: Callable[[], None] | None = None
        self._waiting: list[tuple[asyncio.Future[None], Callable[[], bool]]] = []
        driver.watch(connection, self.on_change)

    def on_change(self) -> None:
        """Hand in what there is room for, and wake whoever may go on."""
        if self.backlog:
            self.hand_in()
        is_over = self.connection.is_closed or self.driver.is_over
        for future, may_go_on in self._waiting:
            if not future.done() and (is_over or self.is_closing or may_go_on()):
                future.set_result(None)

    def hand_in(self) -> None:
        """Write as much of the backlog as there is room for, then the end, if that is to follow."""
        connection, backlog = self.connection, self.backlog
        if connection.is_closed:
            backlog.clear()
        while backlog and connection.room:
            data = backlog[0]
            taken = connection.write(data, now=self.driver.now())
            if taken == len(data):
                backlog.popleft()
            else:
                backlog[0] = memoryview(data)[taken:]
            self.driver.push(connection)
        if not backlog and self.ends_after_backlog is not None:
            end, self.ends_after_backlog = self.ends_after_backlog, None
            end()
            self.driver.push(connection)
            self.driver.let_go(connection)

    async def until(self, ready: Callable[[], T | None], may_go_on: Callable[[], bool]) -> T:
        """Return what `ready` returns as soon as that is not None; it is asked again when `may_go_on` says so."""
        while (result := ready()) is None:
            self.driver.raise_if_failed()
            future = self.driver.loop.create_future()
            entry = (future, may_go_on)
            self._waiting.append(entry)
            try:
                await future
            finally:
                self._waiting.remove(entry)
        return result

    def __del__(self) -> None:
        if not (self.is_closing or self.connection.is_closed or self.driver.is_over):
            text = f"unclosed surewire connection to {self.connection.peer}"
            warnings.warn(text, ResourceWarning, source=self, stacklevel=2)
            self.driver.abandon(self.connection)

    def abort(self, code: int, text: str) -> None:
        if not self.connection.is_closed:
            self.connection.abort(code, text, now=self.driver.now())
            self.driver.push(self.connection)
        # Not before: a code or text that is refused leaves the stream as it was.
        self.is_closing = True
        self.is_writable = False
        self.backlog.clear()
        self.ends_after_backlog = None
        self.on_change()


class StreamReader:
    """The receiving half. Iterating asynchronously gives lines."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._buffer = bytearray()  # looked at for a separator, or part of an exact amount; not yet returned

    async def read(self, n: int = -1) -> bytes:
        """At most `n` bytes, at least one unless the stream has ended; all up to the end if `n` is negative.

        Raises:
            LocalProtocolError: after `close` of the writer.
            ConnectionLost: the connection is over, and what had arrived is handed out.
        """
        if n == 0:
            return b""
        if n < 0:
            while await self._fill(_CHUNK):
                pass
            return self._take(len(self._buffer))
        if self._buffer:
            return self._take(n)

        def take() -> bytes | None:
            return self._read(n) or (b"" if self._has_ended() else None)

        return await self._link.until(take, self._is_worth_looking)

    async def readexactly(self, n: int) -> bytes:
        """Exactly `n` bytes.

        Raises:
            asyncio.IncompleteReadError: the stream ended before; it has what there was.
            Otherwise like `read`.
        """
        if n < 0:
            raise ValueError("readexactly takes a number of bytes that is not negative")
        while len(self._buffer) < n:
            if not await self._fill(n - len(self._buffer)):
                partial = self._take(len(self._buffer))
                raise asyncio.IncompleteReadError(partial, n)
        return self._take(n)

    async def readline(self) -> bytes:
        """A line with its end; the rest of the stream if that has none; b"" at the end. Raises like `readuntil`."""
        try:
            return await self.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            return error.partial

    async def readuntil(self, separator: bytes = b"\n", *, limit: int = _LINE_LIMIT) -> bytes:
        """Everything up to and including the separator.

        Raises:
            asyncio.IncompleteReadError: the stream ended before; it has what there was.
            asyncio.LimitOverrunError: no separator within `limit` bytes; nothing was taken.
            Otherwise like `read`.
        """
        if not separator:
            raise ValueError("a separator has at least one byte")
        searched = 0
        while True:
            found = self._buffer.find(separator, searched)
            if found >= 0:
                if found > limit:
                    raise asyncio.LimitOverrunError("the separator is beyond the limit", found)
                return self._take(found + len(separator))
            searched = max(len(self._buffer) - len(separator) + 1, 0)
            if searched > limit:
                raise asyncio.LimitOverrunError("no separator within the limit", searched)
            if not await self._fill(_LINE_LIMIT):
                partial = self._take(len(self._buffer))
                raise asyncio.IncompleteReadError(partial, None)

    async def recvfile(self, file: int | HasDescriptor, count: int, offset: int = 0) -> int:
        """Store the next `count` bytes in an open regular file, each where it belongs, as soon as it comes.

        Args:
            file: a file object or a descriptor, open for writing; its position is not used and not moved.
            offset: where the first byte goes.

        Returns:
            How many bytes there were: fewer than `count` if the stream ended.

        Raises:
            ConfigError: it is no regular file, or not open for writing anywhere in it (as with mode "a").
            DestinationError: the bytes cannot be stored (disk full); the connection is reset.
            Otherwise like `read`. After a cancellation what is missing is still stored when it comes.
        """
        descriptor = descriptor_of(file)
        self._raise_unless_readable()
        link, connection = self._link, self._link.connection
        sink = OpenSink(descriptor, offset, count)
        ready = self._take(min(count, len(self._buffer)))
        try:
            sink.write_at(0, [ready])
            if count > len(ready):
                rest = OpenSink(descriptor, offset + len(ready), count - len(ready))
                connection.divert(rest, count - len(ready), now=link.driver.now())
                link.driver.push(connection)
        except DestinationError as error:  # of what had arrived already
            link.abort(GAVE_UP, str(error))
            raise

        def find_stored() -> int | None:
            self._raise_unless_readable()
            return stored(connection, count)

        def is_worth_looking() -> bool:
            return not connection.diverted_left or connection.has_ended

        return await link.until(find_stored, is_worth_looking)

    def at_eof(self) -> bool:
        """Whether everything up to the peer's end was returned."""
        return not self._buffer and self._link.connection.has_ended

    def __aiter__(self) -> StreamReader:
        return self

    async def __anext__(self) -> bytes:
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

    async def _fill(self, most: int) -> bool:
        """Let the buffer grow by at least a byte; False at the end of the stream."""

        def grow() -> bool | None:
            if data := self._read(most):
                self._buffer += data
                return True
            return False if self._has_ended() else None

        return await self._link.until(grow, self._is_worth_looking)

    def _read(self, most: int) -> bytes:
        link = self._link
        data = link.connection.read(most, now=link.driver.now())
        if data:
            link.driver.push(link.connection)  # there is room that the peer may have to be told of
        return data

    def _take(self, count: int) -> bytes:
        data = bytes(memoryview(self._buffer)[:count])
        del self._buffer[:count]
        return data

    def _is_worth_looking(self) -> bool:
        return self._link.connection.readable > 0 or self._link.connection.has_ended

    def _has_ended(self) -> bool:
        self._raise_unless_readable()
        return has_ended(self._link.connection, "read")

    def _raise_unless_readable(self) -> None:
        if self._link.is_closing:
            raise_if_lost(self._link.connection)
            raise LocalProtocolError("read on a closed stream")


class StreamWriter:
    """The sending half, and the end of both."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def write(self, data: Buffer) -> None:
        """Take all of `data`; it may be changed afterwards. Follow it by `drain`, which waits for room.

        Raises:
            LocalProtocolError: after `write_eof` or `close`.
            ConnectionLost: the connection is over.
        """
        link = self._link
        self._raise_unless_open("write")
        whole = data if isinstance(data, bytes) else bytes(as_bytes(data, "write"))
        if not whole:
            return
        link.backlog.append(whole)
        if len(link.backlog) == 1:
            link.hand_in()

    def writelines(self, data: Iterable[Buffer]) -> None:
        """`write` each of them."""
        for each in data:
            self.write(each)

    async def drain(self) -> None:
        """Wait until everything written is in the send buffer; raises like `write`."""
        link = self._link
        link.driver.flush()

        def is_drained() -> bool | None:
            link.driver.raise_if_failed()
            raise_if_lost(link.connection)
            return None if link.backlog else True

        await link.until(is_drained, lambda: not link.backlog)

    async def sendfile(self, file: int | HasDescriptor, offset: int = 0, count: int | None = None) -> int:
        """Send bytes of an open regular file, read as they are sent, and wait until the peer has acknowledged them.

        Args:
            file: a file object or a descriptor; its position is not used and not moved. It has to stay as it is until
                this returns, or the connection has ended; also after a cancellation.
            offset, count: which bytes; `count` None: up to the end of the file.

        Returns:
            How many were sent.

        Raises:
            ConfigError: it is no regular file, not open for reading, not that long, or its length is not known.
            SourceChanged: the file became shorter meanwhile; the connection is over.
            Otherwise like `write`.
        """
        source = OpenSource(descriptor_of(file), offset, count)
        await self.drain()
        if not source.size:
            return 0
        link, connection = self._link, self._link.connection
        self._raise_unless_open("sendfile")
        connection.send_source(source, 0, source.size, now=link.driver.now())
        stop = connection.written
        link.driver.push(connection)

        def is_acknowledged() -> bool | None:
            if connection.acknowledged >= stop:
                return True
            raise_if_over(connection, "sendfile")
            return None

        await link.until(is_acknowledged, lambda: connection.acknowledged >= stop)
        return source.size

    def can_write_eof(self) -> bool:
        """True: each direction ends by itself."""
        return True

    def write_eof(self) -> None:
        """Nothing more will be written; reading goes on."""
        link = self._link
        raise_if_lost(link.connection)
        self._end_with(lambda: link.connection.finish(now=link.driver.now()))

    def is_closing(self) -> bool:
        """Whether `close` or `abort` was called, or the connection is over."""
        return self._link.is_closing or self._link.connection.is_closed

    def close(self) -> None:
        """Send what is left and the end, and throw away what still comes. `wait_closed` tells how it ended."""
        link = self._link
        if link.is_closing:
            return
        link.is_closing = True
        self._end_with(lambda: link.connection.close(now=link.driver.now()))
        link.on_change()

    async def wait_closed(self) -> None:
        """After `close`: wait until the peer has acknowledged every byte and the end.

        A peer that has everything is given a second, or six probe timeouts, to end its own direction, so that its close
        is confirmed, too.

        Raises:
            Unconfirmed, ConnectionLost: it has not.
        """
        link, connection = self._link, self._link.connection
        if not self.is_closing():
            raise LocalProtocolError("wait_closed() before close()")

        def is_over() -> bool | None:
            return connection.is_closed or link.driver.is_over or None

        await link.until(lambda: delivered(connection), lambda: is_delivered(connection))
        try:
            async with asyncio.timeout(peer_end_wait(connection)):
                await link.until(is_over, lambda: connection.is_closed)
        except TimeoutError:
            if connection.state is State.TIME_WAIT:  # which is short, and nobody is there after the loop's end
                await link.until(is_over, lambda: connection.is_closed)

    def abort(self, code: int = 0, text: str = "ended by the application") -> None:
        """Reset the connection: the peer meets `Reset` with this code (>= 0) and text (<= 255 bytes of UTF-8)."""
        self._link.abort(code, text)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """ "peername" and "sockname" (host and port), "server_key" (bytes) and "fingerprint" of a server with a key."""
        link = self._link
        if name == "peername":
            return link.connection.peer
        if name == "sockname":
            return link.driver.socket.local_address(cast(HostPort, link.connection.peer))
        if name == "server_key" and link.server_key is not None:
            return link.server_key
        if name == "fingerprint" and link.server_key is not None:
            from surewire.crypto.fingerprints import fingerprint

            return fingerprint(link.server_key)
        return default

    @property
    def max_rate(self) -> int | None:
        """Bytes of the stream a second that this side sends at most, repeats included; None: no limit.

        Setting it takes effect when the loop comes round. ConfigError: it is no whole number above 0, nor None.
        """
        return self.stats().max_rate

    @max_rate.setter
    def max_rate(self, rate: int | None) -> None:
        link = self._link
        link.connection.limit_rate(checked_rate(rate), now=link.driver.now())
        link.driver.push(link.connection)

    def stats(self) -> ConnectionStats:
        """How the connection stands at this moment."""
        return self._link.connection.stats()

    def socket_stats(self) -> UdpStats:
        """What went through the socket, which the streams of one server share, see `UdpStats`."""
        return dataclasses.replace(self._link.driver.socket.stats)

    async def __aenter__(self) -> StreamWriter:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self.abort(GAVE_UP, f"ended by {type(error).__name__}")
        else:
            self.close()
            await self.wait_closed()

    def _raise_unless_open(self, verb: str) -> None:
        link = self._link
        link.driver.raise_if_failed()
        raise_if_lost(link.connection)
        if not link.is_writable:
            raise LocalProtocolError(f"{verb} on a closed stream")
        raise_if_over(link.connection, verb)

    def _end_with(self, end: Callable[[], None]) -> None:
        link = self._link
        link.is_writable = False
        link.ends_after_backlog = end
        link.driver.keep(link.connection, link)  # what is not handed in yet must not go with the last reference
        link.hand_in()
