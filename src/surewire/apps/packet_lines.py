"""The packet log: a line for each packet, exactly as the assignment words it.

    HH:MM:SS.us event_type sip:spt dip:dpt packet_type seqno/ackno length/window

Local time of day with six-digit microseconds: when the packet was taken from the system, or made up for
sending just before it was handed over; packets that one system call moved share its instant. The number is
0 for a RST, which has none; so is the length of a SYN, FIN or RST.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import cast

from surewire.core.trains import Address
from surewire.core.units import NS_PER_S
from surewire.rdp.records import PacketRecord
from surewire.wire.segment import PacketType

HostPort = tuple[str, int]

_INTERRUPTED_NS = 50_000  # two readings of a clock that lie further apart had something else between them


def address_text(address: HostPort) -> str:
    """`ip:port`, with brackets around an IPv6 address."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _wall_offset() -> int:
    """Nanoseconds from the monotonic clock to the one on the wall, also when the process is interrupted in between."""
    best, offset = -1, 0
    for _ in range(3):
        before = time.monotonic_ns()
        wall = time.time_ns()
        apart = time.monotonic_ns() - before
        if best < 0 or apart < best:
            best, offset = apart, wall - before
        if best < _INTERRUPTED_NS:
            break
    return offset


class PacketLines:
    """Turns records into lines and hands them to `write` in blocks."""

    def __init__(self, write: Callable[[str], None], local_address: Callable[[HostPort], HostPort]) -> None:
        """Take where lines go, and what this host's address towards a peer is."""
        self._write = write
        self._local_address = local_address
        self._middles: dict[tuple[str, PacketType, Address], str] = {}
        self._second = -1
        self._clock = ""

    def add(self, records: list[PacketRecord]) -> None:
        """Write a line for each record."""
        if not records:
            return
        middles, lines = self._middles, []
        offset = _wall_offset()  # each time anew: the clock on the wall may be set
        stamped, stamp = -1, ""
        for event, kind, number, size, peer, at in records:
            if at != stamped:
                stamped, stamp = at, self._stamp(at + offset)
            middle = middles.get((event, kind, peer)) or self._middle(event, kind, peer)
            lines.append(f"{stamp}{middle}{number} {size}\n")
        self._write("".join(lines))

    def _stamp(self, now: int) -> str:
        second, rest = divmod(now, NS_PER_S)
        if second != self._second:
            self._second = second
            self._clock = time.strftime("%H:%M:%S", time.localtime(second))
        return f"{self._clock}.{rest // 1000:06d} "

    def _middle(self, event: str, kind: PacketType, peer: Address) -> str:
        there = cast(HostPort, peer)
        here, far = address_text(self._local_address(there)), address_text(there)
        source, destination = (here, far) if event in "sS" else (far, here)
        middle = f"{event} {source} {destination} {kind.value} "
        if len(self._middles) > 1000:  # strangers may come from many addresses
            self._middles.clear()
        self._middles[event, kind, peer] = middle
        return middle
