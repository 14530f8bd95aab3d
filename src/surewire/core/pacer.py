"""Spreads transmissions over time: a token bucket filled at the pacing rate (RFC 9002 §7.7).

Tokens are bytes. They are spent when a quantum, about a millisecond of the rate but no more than a full train, has
been earned, so that datagrams leave in trains; the bucket holds what a driver that wakes late must be able to make
up for, and at least ten segments, so that a late wake-up never becomes a burst the path has to store.
"""

from __future__ import annotations

from surewire.core.units import NS_PER_MS, NS_PER_S

_LATENESS = 4 * NS_PER_MS  # a driver on a busy machine wakes this late; tokens older than it are lost
_MAX_QUANTUM = 65_536  # bytes: what one system call sends; to wait for more would only make bursts
_MIN_BURST_SEGMENTS = 10  # RFC 9002 §7.7 allows an initial burst of ten packets


class Pacer:
    """Says how many bytes may go out now, and when the next quantum may."""

    __slots__ = ("_segment", "_tokens", "_updated_at")

    def __init__(self, *, segment: int, now: int) -> None:
        self._segment = segment
        self._tokens = _MIN_BURST_SEGMENTS * segment * NS_PER_S  # byte-nanoseconds a second: exact in integers
        self._updated_at = now

    def set_segment(self, segment: int) -> None:
        """Reckon with segments of this many bytes from now on."""
        self._segment = segment

    def quantum(self, rate: int) -> int:
        """Bytes that may leave together at `rate` (bytes a second): about 1 ms, but 2 segments to a train."""
        earned, least = min(rate * NS_PER_MS // NS_PER_S, _MAX_QUANTUM), 2 * self._segment
        return earned if earned > least else least

    def allowance(self, rate: int, *, now: int, waiting: int | None = None) -> int:
        """Bytes that may be sent at `now`; 0 while less than a quantum, or less than the `waiting` bytes, is earned."""
        burst = max(rate * _LATENESS // NS_PER_S, _MIN_BURST_SEGMENTS * self._segment) * NS_PER_S
        earned = self._tokens + rate * (now - self._updated_at)
        self._tokens = earned if earned < burst else burst
        self._updated_at = now
        tokens = self._tokens // NS_PER_S
        if tokens >= self.quantum(rate):
            return tokens
        return tokens if waiting is not None and tokens >= waiting else 0

    def on_sent(self, nbytes: int) -> None:
        """Take the tokens of what was sent; they may become negative."""
        self._tokens -= nbytes * NS_PER_S

    def next_send_at(self, rate: int, *, waiting: int | None = None) -> int:
        """When a quantum, or the `waiting` bytes, will have been earned (ns), if the rate stays."""
        least = self.quantum(rate)
        if waiting is not None and waiting < least:
            least = waiting
        wanted = least * NS_PER_S - self._tokens
        return self._updated_at + max(-(-wanted // rate), 0)
