"""A tap for real links: the wire checker of a protocol, which learns from the first datagram who talks to whom.

For `surewire router --check`, `surewire lab run --check` and `surewire.lab.link(tap=...)`. It checks what can be seen
between the two sides; that the right bytes came out at the end is the programs' own to show. One conversation a check:
a second client would be taken for the first one at another address.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from surewire.core.trains import Address
from surewire.errors import ConfigError
from surewire.lab.proof.native_wire_checker import NativeWireChecker
from surewire.lab.proof.rdp_wire_checker import RdpWireChecker
from surewire.lab.proof.streamer_wire_checker import StreamerWireChecker
from surewire.lab.proof.violations import Findings
from surewire.lab.wired.capture import Captured

PROTOCOLS = ("rdp", "streamer", "native")
"""What can be checked. Of the native transport in its sealed modes only the opening can."""

_UDP = 17
_UDP_HEADER = 8


class _Checker(Protocol):
    def on_sent(self, source: Address, destination: Address, datagram: bytes, now: int) -> None: ...

    def on_delivered(self, source: Address, destination: Address, datagram: bytes, now: int) -> None: ...


class ConversationCheck:
    """Holds every datagram against the rules of a protocol; `findings` has what broke them.

    The side that is sent the first datagram is the server: rdpr, a native server, or either side of Streamer.
    """

    def __init__(self, protocol: str) -> None:
        """Take one of `PROTOCOLS`.

        Raises:
            ConfigError: it is none of them.
        """
        if protocol not in PROTOCOLS:
            raise ConfigError(f"expected {', '.join(PROTOCOLS[:-1])} or {PROTOCOLS[-1]} to check, not {protocol!r}")
        self.findings = Findings()
        self.datagrams = 0  # looked at
        self._protocol = protocol
        self._checker: _Checker | None = None

    def on_sent(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        """A datagram is offered to the link."""
        self.datagrams += 1
        if self._checker is None:
            self._checker = self._begin(source, destination)
        self._checker.on_sent(source, destination, datagram, now)

    def _begin(self, client: Address, server: Address) -> _Checker:
        if self._protocol == "rdp":
            return RdpWireChecker(server, self.findings)
        if self._protocol == "native":
            return NativeWireChecker(server, self.findings)
        return StreamerWireChecker((client, server), self.findings)

    def on_delivered(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        """A datagram is about to be sent on, changed or not."""
        if self._checker is not None:
            self._checker.on_delivered(source, destination, datagram, now)

    def take_capture(self, packets: Iterable[Captured]) -> None:
        """Look at the UDP datagrams of a laboratory's capture; times are those of the capture, from its first packet.

        What was damaged on the wire and dropped by a kernel counts as arrived if its payload was whole.
        """
        began = None
        for captured in packets:
            began = captured.at if began is None else began
            datagram = _udp(captured.packet)
            if datagram is not None:
                handle = self.on_sent if captured.event == "offered" else self.on_delivered
                handle(*datagram, captured.at - began)


def _udp(packet: bytes) -> tuple[Address, Address, bytes] | None:
    """Source, destination and payload of an IPv4 packet with a whole UDP datagram; None for any other."""
    header = (packet[0] & 15) * 4 if packet else 0
    payload = header + _UDP_HEADER
    if len(packet) < payload or packet[0] >> 4 != 4 or packet[9] != _UDP or header < 20:
        return None
    hosts = (".".join(map(str, packet[at : at + 4])) for at in (12, 16))
    ports = (int.from_bytes(packet[header + at : header + at + 2], "big") for at in (0, 2))
    source, destination = zip(hosts, ports, strict=True)
    return source, destination, packet[payload:]
