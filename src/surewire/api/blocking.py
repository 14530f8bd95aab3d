"""`connect` and `listen`: native connections for programs that wait."""

from __future__ import annotations

import atexit
import os
import time
import weakref

from surewire.api.driving import EndpointDriver
from surewire.api.endpoints import open_endpoint
from surewire.api.keys import StrPath
from surewire.api.listener import Listener
from surewire.api.options import Address, client_of, native_config, server_of, split_address
from surewire.api.outcomes import raise_if_over
from surewire.api.stream import Stream
from surewire.core.congestion import Congestion
from surewire.drivers.udp import UdpSocket
from surewire.native.config import NativeConfig
from surewire.native.connection import Connection
from surewire.native.security import ClientSecurity, ServerSecurity

_ANY: tuple[str, int] = ("", 0)
_EXIT_WAIT_S = 3.0  # for the peers of all connections together


def connect(
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
) -> Stream:
    """Connect to a server; wait until the connection stands.

    How the server is known, one of:
        psk: by a key that both share: 32 bytes, or the name of a file with 64 hexadecimal digits.
        server_key: by its public key: 32 bytes, or hexadecimal digits.
        trust: by the fingerprint of its public key, which is remembered then.
        none of these: by what was remembered, in `known_servers` (a file; None: the user's own).
        plain: not at all, and nothing is encrypted. For measurements and links that one trusts.

    Args:
        address: host and port.
        timeout: seconds in which the connection has to stand; None: the configuration's.
        mtu: bytes of UDP payload of a full datagram, 1,200 to 65,507; None: it is searched for.
        offload: whether the kernel may cut and join datagrams, where it can.
        local: where to send from.
        congestion: how fast to send: the name of a controller, "model", "cubic" or another of
            `surewire.core.congestion.NAMES`, or a `Congestion` for one that takes values; None: the configuration's.
        max_rate: bytes of the stream a second that this side sends at most, repeats included; `Stream.max_rate`
            changes it later. None: the configuration's, which has no limit.
        config: settings of the connection, see `NativeConfig`.

    Raises:
        ConfigError: an argument is wrong, or a file cannot be read.
        UntrustedServer: the server has a key that nobody has vouched for.
        HandshakeFailed, HandshakeTimeout, Refused: no connection came about.
        OSError: the host is not known, or there is no route to it.
    """
    host, port = split_address(address)
    settings = native_config(config, mtu=mtu, timeout=timeout, congestion=congestion, max_rate=max_rate)
    client = client_of(
        host, port, psk=psk, server_key=server_key, trust=trust, known_servers=known_servers, plain=plain
    )
    socket = UdpSocket(split_address(local), remote=(host, port), offload=offload, dont_fragment=True)
    driver = _driver(socket, None, settings)
    try:
        stream = Stream(driver, _established(driver, client.security), server_key=client.shown_key())
    finally:
        driver.release()
    try:
        client.on_established()
    except BaseException:
        stream.abort()
        raise
    return stream


def _established(driver: EndpointDriver, security: ClientSecurity) -> Connection:
    """Open the driver's connection; wait until it stands. Raises like `connect`."""
    with driver.lock, driver:
        connection = driver.endpoint.connect(driver.socket.remote, security=security, now=driver.now())
        driver.push(connection)

    def is_open() -> bool | None:
        raise_if_over(connection, "connect")
        return connection.is_established or None

    try:
        driver.wait(is_open, connection)
    except BaseException:
        with driver.lock:
            driver.abort_all("the client gave up")
        raise
    return connection


def listen(
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
) -> Listener:
    """Let clients connect to an address.

    Args:
        address: host ("" for all of this machine) and port (0: any that is free).
        psk: a key that clients share with this server, see `connect`; only those are let in.
        server_key: without `psk`: the private key that clients know this server by: 32 bytes, or a file, which is made
            at first use. None: server.key in the user's configuration folder.
        plain: no key at all, nothing is encrypted, everybody is let in.
        mtu, offload, config: as for `connect`.
        congestion, max_rate: as for `connect`, of what this side sends on each of its connections.

    Raises:
        ConfigError: an argument is wrong, or a file cannot be read or made.
        OSError: the address is not this machine's, or taken.
    """
    server = server_of(psk=psk, server_key=server_key, plain=plain)
    settings = native_config(config, mtu=mtu, congestion=congestion, max_rate=max_rate)
    socket = UdpSocket(split_address(address), offload=offload, dont_fragment=True)
    driver = _driver(socket, server.security, settings)
    return Listener(driver, public_key=server.public_key)


def _driver(socket: UdpSocket, security: ServerSecurity | None, config: NativeConfig) -> EndpointDriver:
    try:
        endpoint = open_endpoint(socket, security, config)
        driver = EndpointDriver(endpoint, socket)
    except BaseException:
        socket.close()
        raise
    _drivers.add(driver)
    return driver


def _end_well() -> None:
    """The program ends: reset what it left open, and answer the peers of what it closed."""
    deadline = time.monotonic() + _EXIT_WAIT_S  # for all: while one is waited for, the others drive themselves
    for driver in list(_drivers):
        driver.end(max(deadline - time.monotonic(), 0))


def _disown() -> None:
    """This process has been forked from the one that has the connections."""
    for driver in list(_drivers):
        driver.disown()
    _drivers.clear()


_drivers: weakref.WeakSet[EndpointDriver] = weakref.WeakSet()
atexit.register(_end_well)
os.register_at_fork(after_in_child=_disown)
