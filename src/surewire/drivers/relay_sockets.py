"""What the relay asks of the system's sockets: addresses, large buffers, counts of drops.

No relaying happens here; `surewire.drivers.relay` does that.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import sys
from typing import Any, NamedTuple

from surewire.drivers.udp_options import ON_LINUX, SO_RCVBUFFORCE, SO_SNDBUFFORCE, granted

SocketAddress = tuple[Any, ...]
"""An address as the socket module gives and takes it."""

# Asked for; the system grants what its limit allows, and root (CAP_NET_ADMIN) all of it.
_SOCKET_BUFFER = 8 * 1024 * 1024
# Linux: getsockopt SO_MEMINFO gives nine 32-bit words, the last is the count of dropped datagrams.
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("9I")


class Endpoint(NamedTuple):
    """A resolved UDP address.

    Attributes:
        family: socket.AF_INET or socket.AF_INET6.
        address: what `socket.bind` and `socket.connect` take.
    """

    family: int
    address: SocketAddress

    @classmethod
    def resolve(cls, host: str, port: int) -> Endpoint:
        """The first address of a host name or a numeric address.

        Raises:
            OSError: the name does not resolve.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except UnicodeError as error:
            # A name that IDNA cannot encode, an empty label for one.
            raise OSError(f"not a host name: {error}") from error
        family, _, _, _, address = found[0]
        return cls(family, address)

    def __str__(self) -> str:
        host, port = self.address[:2]
        return f"[{host}]:{port}" if self.family == socket.AF_INET6 else f"{host}:{port}"


def open_bound(endpoint: Endpoint) -> socket.socket:
    """A non-blocking UDP socket that receives at `endpoint`.

    Raises:
        OSError: it cannot be opened or bound.
    """
    sock = _open(endpoint.family)
    try:
        sock.bind(endpoint.address)
    except OSError:
        sock.close()
        raise
    return sock


def open_connected(endpoint: Endpoint, *, source: str | None = None) -> socket.socket:
    """A non-blocking UDP socket on a free port that exchanges datagrams with `endpoint` only.

    Args:
        endpoint: the other end.
        source: a local address to send from; None for the one the system chooses.

    Raises:
        OSError: it cannot be opened, `source` is not of this host, or no route leads there.
    """
    sock = _open(endpoint.family)
    try:
        if source is not None:
            sock.bind((source, 0))
        sock.connect(endpoint.address)
    except OSError:
        sock.close()
        raise
    return sock


def add_drops(total: int | None, sock: socket.socket) -> int | None:
    """`total` plus what the system dropped at this socket's full receive buffer, as far as it tells."""
    if not sys.platform.startswith("linux"):
        return total
    try:
        words = _MEMINFO.unpack(sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))
    except (OSError, struct.error):
        # Kernels before 4.12 and some emulated ones do not know the option.
        return total
    return (total or 0) + int(words[-1])


def has_many_addresses(endpoint: Endpoint) -> bool:
    """Whether other source addresses lead to `endpoint`: to one on 127.x.x.x all of 127.0.0.0/8, on Linux."""
    return ON_LINUX and endpoint.family == socket.AF_INET and ipaddress.ip_address(endpoint.address[0]).is_loopback


class Waker:
    """Lets another thread, or a signal handler, wake a thread that waits in select()."""

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)

    def fileno(self) -> int:
        """What becomes readable."""
        return self._read.fileno()

    def wake(self) -> None:
        """Make it readable. Does nothing after `close`."""
        # A full pipe wakes as well as one more byte would, and a closed one has nobody to wake.
        with contextlib.suppress(OSError):
            self._write.send(b"\0")

    def clear(self) -> None:
        """Make it wait again."""
        with contextlib.suppress(BlockingIOError):
            self._read.recv(4096)

    def close(self) -> None:
        self._read.close()
        self._write.close()


def _open(family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    # Larger buffers only help; a system that refuses this size keeps its own.
    for forced, plain in ((SO_RCVBUFFORCE, socket.SO_RCVBUF), (SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        if not (ON_LINUX and granted(sock, socket.SOL_SOCKET, forced, _SOCKET_BUFFER)):
            granted(sock, socket.SOL_SOCKET, plain, _SOCKET_BUFFER)
    return sock
