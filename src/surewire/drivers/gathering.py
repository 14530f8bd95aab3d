"""How long what arrives may gather before it is read, so that a program does not wake up for each datagram.

A network card holds back its interrupts for the same reason (interrupt moderation). Where the kernel joins nothing
(UDP_GRO needs datagrams that come together, which a virtual device or a slow link does not give), waking up costs more
than the datagram itself.

Only while a bulk comes in and nothing has been asked of the peer for a while: an answer takes longer by less than a
hundredth, or by the rest of a pause that has begun. What the peer says of its own accord (events in quick succession, a
question beside a bulk) takes longer by a millisecond at most; so do the round trips that the peer measures. A bulk so
fast that a turn finds several anyway, or so slow that few would gather, is read as it comes. Deadlines of the protocol,
acknowledgments among them, are kept.

A sender that may have only so much under way (a small window on a short path) sends no more until what it sent is
read: to such a one a pause is all cost. It shows, as the pace without pauses, which is looked at again now and then, is
higher; then none are made for a while, each time for longer.
"""

from __future__ import annotations

from surewire.core.units import NS_PER_MS, NS_PER_US
from surewire.drivers.udp_options import UdpStats

_GATHERED = 8  # reads in one turn: waking up is then a small part
_WORTHWHILE = 2  # fewer are not worth a timer
_LONGEST = NS_PER_MS  # a small part of any round trip that is not of a local network
_LEAST = 150 * NS_PER_US  # a timer may be 50 us late: less would not be worth that
_BYTES = 64 << 10  # a third of the smallest buffer that sockets are given
_JUDGED = 32  # reads by which the pace is told
_SHARE = 128  # of the time since something was asked
_FALLEN = 5, 4  # a gap between reads so much longer than without pauses: they may be why
_LONGEST_DOUBT = 256  # times that the pace is told, until pauses are tried again
_TRUSTED = 64  # times that it is told with pauses, until it is told once without


class Gathering:
    """Judges the pace at which one socket is read."""

    __slots__ = ("_bytes", "_doubt", "_gap", "_judged_at", "_left", "_pause", "_reads", "_stats", "_trusted")

    def __init__(self, stats: UdpStats) -> None:
        """Watch these counters of the socket."""
        self._stats = stats
        self._reads = self._bytes = 0  # when the pace was told last,
        self._judged_at = 0  # which was at this time
        self._pause = 0  # what this pace allows, ns
        self._gap = 0  # between reads, before pauses were made, ns
        self._doubt = 1  # times without pauses that follow when they are found to slow the peer down,
        self._left = 0  # of which are left
        self._trusted = 0  # times that the pace was told with pauses, and was no lower

    def on_read(self, now: int) -> None:
        """A turn is over in which something was read."""
        stats = self._stats
        reads = stats.receive_calls - self._reads
        if reads < _JUDGED:
            return
        elapsed = max(now - self._judged_at, 1)
        if not self._pause:
            self._gap = elapsed // reads
            self._left = max(self._left - 1, 0)
        elif elapsed // reads * _FALLEN[1] > self._gap * _FALLEN[0]:
            self._left, self._doubt = self._doubt, min(4 * self._doubt, _LONGEST_DOUBT)
        else:
            self._doubt = 1
            self._trusted += 1
            self._left = int(self._trusted % _TRUSTED == 0)  # the peer may be faster by now, but for the pauses
        pause = min(
            (_GATHERED - 1) * elapsed // reads,
            _BYTES * elapsed // max(stats.bytes_received - self._bytes, 1),
            _LONGEST,
        )
        is_worthwhile = not self._left and pause >= max(_WORTHWHILE * elapsed // reads, _LEAST)
        self._pause = pause if is_worthwhile else 0
        self._reads, self._bytes, self._judged_at = stats.receive_calls, stats.bytes_received, now

    def pause(self, now: int, *, asked_at: int) -> int:
        """How long reading may wait from now on, ns; `asked_at`: when the peer was last sent what it may answer, ns."""
        pause = min(self._pause, (now - asked_at) // _SHARE)
        return pause if pause >= _LEAST else 0
