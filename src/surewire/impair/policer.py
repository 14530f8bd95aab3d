"""A token bucket: which datagrams are within a rate and a burst. It delays nothing.

Invariant: over any interval of t ns, datagrams of at most rate * t + burst pass (exactly: the level is kept in
bits times ns per second, a whole number).
"""

from __future__ import annotations

from surewire.impair.config import Policer

_BITS_PER_BYTE = 8
_NS_PER_S = 1_000_000_000


class TokenBucket:
    """The bucket of one `Policer`; full at first."""

    __slots__ = ("_capacity", "_level", "_rate", "_seen")

    def __init__(self, policer: Policer) -> None:
        self._rate = policer.rate
        self._capacity = policer.burst * _BITS_PER_BYTE * _NS_PER_S
        self._level = self._capacity
        self._seen = 0

    def takes(self, size: int, *, now: int) -> bool:
        """Whether `size` bytes pass at `now` (ns, not going back); if so, their tokens are gone."""
        level = min(self._level + self._rate * (now - self._seen), self._capacity)
        self._seen = now
        cost = size * _BITS_PER_BYTE * _NS_PER_S
        passes = cost <= level
        self._level = level - cost if passes else level
        return passes
