"""Opening a UDP socket and asking the kernel for all it offers, and the counters of the driver.

Not the sending and receiving: that is `surewire.drivers.udp`. Every option here is a request: a
kernel that refuses one leaves the driver slower, never wrong, and `UdpStats` shows what was granted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from surewire.core.trains import Buffer

HostPort = tuple[str, int]
"""Host (numeric) and port. A link-local IPv6 host carries its interface as `fe80::1%2`."""

ControlMessage = tuple[int, int, bytes]

# The socket module of Python 3.11 does not name these Linux options.
SOL_UDP = 17
UDP_SEGMENT = 103
UDP_GRO = 104
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33
SO_RXQ_OVFL = 40
IP_PKTINFO = 8
IP_MTU_DISCOVER = 10
IPV6_MTU_DISCOVER = 23
PMTUDISC_PROBE = 3

ON_LINUX = sys.platform == "linux"

# Nor does it name this one of the systems that have it; IPV6_DONTFRAG it does.
_IP_DONTFRAG = {"darwin": 28, "freebsd": 67}

SEND_BUFFER = 4 << 20
"""Bytes asked for SO_SNDBUF: room for some sixty full trains between two turns of the loop."""

_OF_ADDRESSES = frozenset("0123456789abcdefABCDEF.:")
_SMALLEST_BUFFER = 64 << 10
_CONTROL_BYTES = (4, 4, 20)
"""Payloads of the control messages one read may carry: UDP_GRO, SO_RXQ_OVFL, IPV6_PKTINFO."""


class RawSocket(Protocol):
    """The part of `socket.socket` the driver uses, so that tests can hand in a failing one."""

    @property
    def family(self) -> int: ...

    def send(self, data: Buffer, flags: int = ..., /) -> int: ...

    def sendto(self, data: Buffer, address: tuple[Any, ...], /) -> int: ...

    def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[ControlMessage] = ...,
        flags: int = ...,
        address: tuple[Any, ...] | None = ...,
        /,
    ) -> int: ...

    def recvmsg_into(
        self, buffers: Iterable[bytearray | memoryview], ancbufsize: int = ..., flags: int = ..., /
    ) -> tuple[int, list[ControlMessage], int, Any]: ...

    def setsockopt(self, level: int, name: int, value: int, /) -> None: ...

    def getsockopt(self, level: int, name: int, /) -> int: ...

    def getsockname(self) -> Any: ...

    def getpeername(self) -> Any: ...

    def fileno(self) -> int: ...

    def close(self) -> None: ...


PASSING = frozenset(
    {
        errno.ECONNREFUSED,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EMSGSIZE,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOPROTOOPT,
        errno.EPERM,
        errno.EPROTO,
        getattr(errno, "ENONET", errno.ENETDOWN),
    }
)
"""What a network between the hosts, or a datagram too large for it, can cause: counted, not raised."""


@dataclass(slots=True)
class UdpStats:
    """What went through one socket; all counts start at 0 and never shrink.

    Attributes:
        datagrams_sent, bytes_sent: accepted by the kernel; bytes are UDP payload.
        send_calls: system calls that sent something; with segmentation far fewer than datagrams.
        trains_sent: trains handed to `send`, single datagrams included.
        datagrams_dropped: given up because of a passing network error, see `send_errors`.
        send_errors: such errors by name ("ENETUNREACH"), one for each failed call.
        would_block: times the socket took nothing more.
        offload_failures: batches the kernel refused to segment; they were resent one by one.
        datagrams_received, bytes_received, receive_calls: the same for the other direction.
        receive_errors: network errors that a read returned, by name, refusals excluded.
        refusals: ICMP port-unreachable answers to what a connected socket sent.
        kernel_drops: reads the kernel dropped because the receive buffer was full (a coalesced
            read counts once). Known only when a later datagram arrives; Linux only.
        receive_buffer, send_buffer: bytes granted, as the kernel reports them (Linux doubles them).
        segmentation, coalescing: whether UDP_SEGMENT and UDP_GRO are in use now.
        dont_fragment: whether datagrams are never fragmented, so that a size can be tried out.
    """

    datagrams_sent: int = 0
    bytes_sent: int = 0
    send_calls: int = 0
    trains_sent: int = 0
    datagrams_dropped: int = 0
    send_errors: Counter[str] = field(default_factory=Counter)
    would_block: int = 0
    offload_failures: int = 0
    datagrams_received: int = 0
    bytes_received: int = 0
    receive_calls: int = 0
    receive_errors: Counter[str] = field(default_factory=Counter)
    refusals: int = 0
    kernel_drops: int = 0
    receive_buffer: int = 0
    send_buffer: int = 0
    segmentation: bool = False
    coalescing: bool = False
    dont_fragment: bool = False


def open_socket(local: HostPort, remote: HostPort | None) -> socket.socket:
    """Return a non-blocking UDP socket bound to `local`, connected to `remote` if that is given.

    Names are resolved; one that has both an IPv4 and an IPv6 address means the IPv4 one, so that
    two hosts given the same name meet. Both ends must be of one family.

    Raises:
        OSError: a name is unknown, the address is not of this host, the port is taken.
    """
    here = _resolve(local, passive=True)
    there = _resolve(remote, passive=False) if remote is not None else {}
    families = [f for f in here if remote is None or f in there]
    if not families:
        raise OSError(errno.EAFNOSUPPORT, f"no common address family for {local[0]} and {remote and remote[0]}")
    family = socket.AF_INET if socket.AF_INET in families else families[0]
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(here[family])
        if remote is not None:
            opened.connect(there[family])
    except OSError:
        opened.close()
        raise
    return opened


def request_options(raw: RawSocket, stats: UdpStats, *, receive_buffer: int, offload: bool) -> None:
    """Ask for buffers, drop counting and (with `offload`) segmentation and coalescing; note what was granted."""
    stats.receive_buffer = _enlarge(raw, SO_RCVBUFFORCE, socket.SO_RCVBUF, receive_buffer)
    stats.send_buffer = _enlarge(raw, SO_SNDBUFFORCE, socket.SO_SNDBUF, SEND_BUFFER)
    if not ON_LINUX:
        return
    granted(raw, socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
    if offload:
        # A kernel without UDP_SEGMENT would ignore the control message and send the whole train as
        # one huge datagram, so the option is looked for before the first use.
        with contextlib.suppress(OSError):
            raw.getsockopt(SOL_UDP, UDP_SEGMENT)
            stats.segmentation = True
        stats.coalescing = granted(raw, SOL_UDP, UDP_GRO, 1)


def forbid_fragments(raw: RawSocket) -> bool:
    """Let no datagram be fragmented; tell whether the system does that.

    On Linux the kernel also stops believing what ICMP messages say of the path: only a datagram larger than the MTU of
    the local interface is refused (EMSGSIZE). Elsewhere it may refuse others as well.
    """
    is_ipv6 = raw.family == socket.AF_INET6
    level = socket.IPPROTO_IPV6 if is_ipv6 else socket.IPPROTO_IP
    if ON_LINUX:
        return granted(raw, level, IPV6_MTU_DISCOVER if is_ipv6 else IP_MTU_DISCOVER, PMTUDISC_PROBE)
    named = getattr(socket, "IPV6_DONTFRAG" if is_ipv6 else "IP_DONTFRAG", None)
    option = named if named is not None or is_ipv6 else _IP_DONTFRAG.get(sys.platform.rstrip("0123456789"))
    return option is not None and granted(raw, level, option, 1)


def granted(raw: RawSocket, level: int, name: int, value: int) -> bool:
    """Set an option that the driver can do without; tell whether the kernel took it."""
    try:
        raw.setsockopt(level, name, value)
    except OSError:
        return False
    return True


def control_space() -> int:
    """Bytes a read must set aside for control messages."""
    return sum(socket.CMSG_SPACE(n) for n in _CONTROL_BYTES)


def host_port(address: Any) -> HostPort:
    """Return the (host, port) of a socket address; an IPv6 scope moves into the host."""
    if len(address) == 4 and address[3]:
        return f"{address[0].partition('%')[0]}%{address[3]}", address[1]
    return address[0], address[1]


def socket_address(target: HostPort) -> tuple[Any, ...]:
    """Return what the socket calls want for `target`: `host_port` the other way round.

    Raises:
        OSError: the host names an interface that does not exist.
    """
    host, port = target
    if "%" not in host:
        return target
    host, _, scope = host.partition("%")
    return host, port, 0, int(scope) if scope.isdecimal() else socket.if_nametoindex(scope)


def error_name(code: int) -> str:
    """The errno's symbol, such as "ENETUNREACH"."""
    return errno.errorcode.get(code, os.strerror(code))


def _resolve(target: HostPort, *, passive: bool) -> dict[int, Any]:
    """Return the first socket address of each family."""
    flags = socket.AI_PASSIVE if passive else 0
    try:
        answers = socket.getaddrinfo(_encoded(target[0]) or None, target[1], type=socket.SOCK_DGRAM, flags=flags)
    except UnicodeError as error:  # a label of the name is empty, too long, or not of the net's alphabet
        raise OSError(errno.EINVAL, f"{target[0]} is no host name") from error
    found: dict[int, Any] = {}
    for family, _, _, _, address in answers:
        if family in (socket.AF_INET, socket.AF_INET6):
            found.setdefault(family, address)
    return found


def _encoded(host: str) -> str | bytes:
    """An address in digits as bytes: for text the tables of international names are loaded first, which takes 3 ms."""
    return host.encode() if set(host) <= _OF_ADDRESSES else host


def _enlarge(raw: RawSocket, forced: int, plain: int, nbytes: int) -> int:
    """Set a buffer size as near to `nbytes` as this process may; return what the kernel says it is."""
    if not (ON_LINUX and granted(raw, socket.SOL_SOCKET, forced, nbytes)):
        # Linux cuts a wish that is too large down by itself, others refuse it.
        while nbytes >= _SMALLEST_BUFFER and not granted(raw, socket.SOL_SOCKET, plain, nbytes):
            nbytes //= 2
    return raw.getsockopt(socket.SOL_SOCKET, plain)
