"""Which local address a peer talks to, for a socket bound to the wildcard address.

A host with several addresses must answer from the one it was asked at, or a NAT and a connected
peer drop the answer. The kernel tells that address with every datagram (IP_PKTINFO,
IPV6_PKTINFO) and takes it back with every send. On systems without the option the kernel chooses,
as it would without this module.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import NamedTuple

from surewire.drivers.udp_options import (
    IP_PKTINFO,
    ON_LINUX,
    ControlMessage,
    HostPort,
    RawSocket,
    granted,
    socket_address,
)

MAX_PEERS = 1024
"""Peers remembered, about 300 bytes each. Past that the one not heard for longest is forgotten."""

_PKTINFO4 = struct.Struct("=I4s4s")  # interface index, local address, destination in the IP header
_PKTINFO6 = struct.Struct("=16sI")  # destination, interface index


class _Origin(NamedTuple):
    host: str
    control: list[ControlMessage]


class Origins:
    """Remembers for each peer the local address its datagrams came to, and how to send from there."""

    def __init__(self, raw: RawSocket, *, wildcard: bool) -> None:
        self._family = raw.family
        self._known: dict[HostPort, _Origin] = {}
        self._probed: dict[HostPort, str] = {}
        self._last: tuple[HostPort, bytes] | None = None
        self.wildcard = wildcard
        if self._family == socket.AF_INET6:
            self._level, self._kind, wanted = socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, socket.IPV6_RECVPKTINFO
        else:
            self._level, self._kind, wanted = socket.IPPROTO_IP, IP_PKTINFO, IP_PKTINFO
        if wildcard and (ON_LINUX or self._family == socket.AF_INET6):
            granted(raw, self._level, wanted, 1)

    def learn(self, peer: HostPort, message: ControlMessage) -> None:
        """Take the address out of a control message of a read; other messages are ignored."""
        level, kind, data = message
        if level != self._level or kind != self._kind or (peer, data) == self._last:
            return
        origin = self._parse(data)
        if origin is None:
            return
        self._last = (peer, data)
        self._known.pop(peer, None)
        self._known[peer] = origin
        if len(self._known) > MAX_PEERS:
            del self._known[next(iter(self._known))]

    def control(self, peer: HostPort) -> list[ControlMessage]:
        """The control messages that make a send to `peer` leave from the right address; mostly none."""
        origin = self._known.get(peer)
        return origin.control if origin is not None else []

    def forget(self, peer: HostPort) -> bool:
        """Drop what is known of `peer` (the address left this host); False when nothing was known."""
        self._last = None
        return self._known.pop(peer, None) is not None

    def host(self, peer: HostPort) -> str | None:
        """The local host address towards `peer`, None when there is no route to it."""
        origin = self._known.get(peer)
        if origin is not None:
            return origin.host
        if peer not in self._probed:
            if len(self._probed) >= MAX_PEERS:
                self._probed.clear()
            found = self._probe(peer)
            if found is None:
                return None
            self._probed[peer] = found
        return self._probed[peer]

    def _parse(self, data: bytes) -> _Origin | None:
        if self._family == socket.AF_INET6:
            if len(data) < _PKTINFO6.size:
                return None
            address, interface = _PKTINFO6.unpack_from(data)
            if address[0] == 0xFF:  # multicast: no address to answer from
                return None
            link_local = address[0] == 0xFE and address[1] & 0xC0 == 0x80
            answer = _PKTINFO6.pack(address, interface if link_local else 0)
        else:
            if len(data) < _PKTINFO4.size:
                return None
            _, address, _ = _PKTINFO4.unpack_from(data)
            # The interface stays open: routes may be asymmetric.
            answer = _PKTINFO4.pack(0, address, bytes(4))
        return _Origin(socket.inet_ntop(self._family, address), [(self._level, self._kind, answer)])

    def _probe(self, peer: HostPort) -> str | None:
        """Ask the routing table by connecting a throw-away socket, which sends nothing."""
        with contextlib.suppress(OSError), socket.socket(self._family, socket.SOCK_DGRAM) as probe:
            probe.connect(socket_address(peer))
            return str(probe.getsockname()[0])
        return None
