"""`aio.connect` and `aio.serve`: native connections on an asyncio event loop, shaped like asyncio's streams."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from types import TracebackType

from surewire.api.aio_driver import LoopDriver
from surewire.api.aio_streams import Link, StreamReader, StreamWriter
from surewire.api.endpoints import open_endpoint
from surewire.api.keys import StrPath
from surewire.api.options import Address, client_of, native_config, server_of, split_address
from surewire.api.options import Server as ServerOptions
from surewire.api.outcomes import raise_if_over
from surewire.core.congestion import Congestion
from surewire.drivers.udp import UdpSocket
from surewire.drivers.udp_options import HostPort, host_port
from surewire.native.config import NativeConfig
from surewire.native.connection import Connection
from surewire.wire.native_frames import GAVE_UP

__all__ = ["Server", "StreamReader", "StreamWriter", "connect", "serve"]

Handler = Callable[[StreamReader, StreamWriter], Awaitable[None]]

_ANY: tuple[str, int] = ("", 0)


async def connect(
    address: Address,
    *,
    psk: bytes | StrPath | None = None,
    server_key: bytes | str | None = None,
    trust: str | None = None,
    known_servers: StrPath | None = None,
    plain: bool = False,
    timeout: float | None = 10.0,
    mtu: int | None = None,
    offload: bool = True,
    local: Address = _ANY,
    congestion: Congestion | str | None = None,
    max_rate: int | None = None,
    config: NativeConfig | None = None,
) -> tuple[StreamReader, StreamWriter]:
    """Connect to a server; wait until the connection stands. Arguments and errors are those of `surewire.connect`."""
    host, port = split_address(address)
    settings = native_config(config, mtu=mtu, timeout=timeout, congestion=congestion, max_rate=max_rate)
    client = client_of(
        host, port, psk=psk, server_key=server_key, trust=trust, known_servers=known_servers, plain=plain
    )
    remote = await _resolved(host, port)
    udp = UdpSocket(split_address(local), remote=remote, offload=offload, dont_fragment=True)
    driver = _driver(udp, None, settings)
    try:
        connection = driver.endpoint.connect(udp.remote, security=client.security, now=driver.now())
        link = Link(driver, connection)
        driver.push(connection)
        driver.flush()

        def is_open() -> bool | None:
            raise_if_over(connection, "connect")
            return connection.is_established or None

        await link.until(is_open, lambda: connection.is_established)
        client.on_established()
    except BaseException:
        driver.abort_all("the client gave up")
        driver.flush()
        raise
    finally:
        driver.release()
    link.server_key = client.shown_key()
    return StreamReader(link), StreamWriter(link)


async def serve(
    handler: Handler,
    address: Address,
    *,
    psk: bytes | StrPath | None = None,
    server_key: bytes | StrPath | None = None,
    plain: bool = False,
    mtu: int | None = None,
    offload: bool = True,
    congestion: Congestion | str | None = None,
    max_rate: int | None = None,
    config: NativeConfig | None = None,
) -> Server:
    """Let clients connect, and run `handler(reader, writer)` as a task for each of them.

    When it returns the connection is closed, if it has not been; when it raises the connection is reset, and the loop's
    exception handler is told. Arguments and errors are those of `surewire.listen`.
    """
    options = server_of(psk=psk, server_key=server_key, plain=plain)
    settings = native_config(config, mtu=mtu, congestion=congestion, max_rate=max_rate)
    host, port = split_address(address)
    local = await _resolved(host, port) if host else (host, port)
    return Server(handler, UdpSocket(local, offload=offload, dont_fragment=True), options, settings)


class Server:
    """Where clients connect to. As an asynchronous context manager it closes and waits for its handlers."""

    def __init__(self, handler: Handler, udp: UdpSocket, options: ServerOptions, config: NativeConfig) -> None:
        """Listen on a socket; `serve` makes servers."""
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()
        self._links: set[Link] = set()
        self._closed = asyncio.Event()
        self.public_key = options.public_key
        """The key that clients know this server by; None where they share one with it, or there is none."""
        self._driver = _driver(udp, options, config, on_accept=self._welcome)

    @property
    def address(self) -> HostPort:
        """Local host and port; the port is the true one when 0 was asked for."""
        return self._driver.socket.address

    @property
    def fingerprint(self) -> str | None:
        """`public_key` in the form that people read out."""
        from surewire.crypto.fingerprints import fingerprint

        return None if self.public_key is None else fingerprint(self.public_key)

    def is_serving(self) -> bool:
        """Whether clients are let in."""
        return not self._closed.is_set()

    def close(self) -> None:
        """Let nobody in any more; handlers go on."""
        if not self._closed.is_set():
            self._closed.set()
            self._driver.endpoint.close_listening(now=self._driver.now())
            self._driver.release()

    def abort_clients(self) -> None:
        """Reset all connections; handlers meet `Aborted`."""
        for link in list(self._links):
            link.abort(GAVE_UP, "the server closes")

    async def wait_closed(self) -> None:
        """After `close`: wait until all handlers have returned and their connections are over."""
        await self._closed.wait()
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def serve_forever(self) -> None:
        """Wait until cancelled, then close; handlers go on."""
        try:
            await self._closed.wait()
        finally:
            self.close()

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is not None:
            self.abort_clients()
        await self.wait_closed()

    def _welcome(self, connection: Connection) -> None:
        link = Link(self._driver, connection)
        if self._closed.is_set():
            link.abort(GAVE_UP, "the server closes")
            return
        self._links.add(link)
        task = self._driver.loop.create_task(self._run(link))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, link: Link) -> None:
        writer = StreamWriter(link)
        try:
            await self._handler(StreamReader(link), writer)
            if not writer.is_closing():
                writer.close()
                await writer.wait_closed()
        except Exception as error:
            link.abort(GAVE_UP, f"ended by {type(error).__name__}")
            self._driver.loop.call_exception_handler(
                {"message": f"the handler for {link.connection.peer} failed", "exception": error}
            )
        except BaseException as error:  # cancelled, or the program ends
            link.abort(GAVE_UP, f"ended by {type(error).__name__}")
            raise
        finally:
            self._links.discard(link)


async def _resolved(host: str, port: int) -> HostPort:
    """The numeric address of a name, an IPv4 one if it has both, without holding up the loop."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    found.sort(key=lambda each: each[0] != socket.AF_INET)
    return host_port(found[0][4])


def _driver(
    udp: UdpSocket,
    server: ServerOptions | None,
    config: NativeConfig,
    *,
    on_accept: Callable[[Connection], None] | None = None,
) -> LoopDriver:
    try:
        security = None if server is None else server.security
        endpoint = open_endpoint(udp, security, config)
        return LoopDriver(endpoint, udp, on_accept=on_accept)
    except BaseException:
        udp.close()
        raise
