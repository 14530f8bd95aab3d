"""How long what arrives may gather before it is read, so that a program does not wake up for each datagram.

A network card holds back its interrupts for the same reason (interrupt moderation). Where the kernel joins nothing
(UDP_GRO needs datagrams that come together, which a virtual device or a slow link does not give), waking up costs more
than the datagram itself: at 100 Mbit/s twice as much.

Only where nobody waits for it: while a bulk comes in and nothing has been asked of the peer for a while. What an answer
takes is prolonged by less than a hundredth, and by a millisecond at most; a bulk so fast that a turn finds several
anyway, or so slow that few would gather, is read as it comes. Deadlines of the protocol, acknowledgments among them,
are kept.
"""

from __future__ import annotations

from surewire.core.units import NS_PER_MS, NS_PER_US
from surewire.drivers.udp_options import UdpStats

_GATHERED = 8  # reads in one turn: waking up is then a small part
_WORTHWHILE = 2  # fewer are not worth a timer
_LONGEST = NS_PER_MS  # a small part of any round trip that is not of a local network
_LEAST = 150 * NS_PER_US  # a timer is as late as 50 us
_BYTES = 64 << 10  # a third of the smallest buffer that sockets are given
_JUDGED = 32  # reads by which the pace is told
_SHARE = 128  # of the time since something was asked


class Gathering:
    """Judges the pace at which one socket is read."""

    __slots__ = ("_bytes", "_judged_at", "_pause", "_reads", "_stats")

    def __init__(self, stats: UdpStats) -> None:
        """Watch these counters of the socket."""
        self._stats = stats
        self._reads = self._bytes = 0  # when the pace was told last,
        self._judged_at = 0  # which was at this time
        self._pause = 0  # what this pace allows, ns

    def on_read(self, now: int) -> None:
        """A turn is over in which something was read."""
        stats = self._stats
        reads = stats.receive_calls - self._reads
        if reads < _JUDGED:
            return
        elapsed = max(now - self._judged_at, 1)
        pause = min(
            (_GATHERED - 1) * elapsed // reads,
            _BYTES * elapsed // max(stats.bytes_received - self._bytes, 1),
            _LONGEST,
        )
        self._pause = pause if pause >= max(_WORTHWHILE * elapsed // reads, _LEAST) else 0
        self._reads, self._bytes, self._judged_at = stats.receive_calls, stats.bytes_received, now

    def pause(self, now: int, *, asked_at: int) -> int:
        """How long reading may wait from now on, ns; `asked_at`: when the peer was sent something to answer."""
        pause = min(self._pause, (now - asked_at) // _SHARE)
        return pause if pause >= _LEAST else 0
