"""What the relay asks of the system's sockets: addresses, large buffers, counts of drops.

No relaying happens here; `surewire.drivers.relay` does that.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from typing import Any, NamedTuple

SocketAddress = tuple[Any, ...]
"""An address as the socket module gives and takes it."""

# Asked for; the system grants what its limit allows.
_SOCKET_BUFFER = 4 * 1024 * 1024
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


def open_connected(endpoint: Endpoint) -> socket.socket:
    """A non-blocking UDP socket on a free port that exchanges datagrams with `endpoint` only.

    Raises:
        OSError: it cannot be opened, or no route leads there.
    """
    sock = _open(endpoint.family)
    try:
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


def _open(family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        # Larger buffers only help; a system that refuses this size keeps its own.
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BUFFER)
    return sock
