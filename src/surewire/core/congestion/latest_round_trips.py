"""The latest round trips of a start: whether a queue grows, drains, or neither."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from surewire.core.congestion.round_trips import median
from surewire.core.units import NS_PER_MS

_RECENT = 8
_FIRST = 4  # that say what they were at first
_LEAST_CHANGE, _MOST_CHANGE = 2 * NS_PER_MS, 8 * NS_PER_MS  # half of what ends start-up
_CHANGE_DIVISOR = 32


class LatestRoundTrips:
    """Medians of the last eight (ns), as single ones may have overtaken others; `least` is the least of them."""

    __slots__ = ("_at_first", "_recent", "least")

    def __init__(self) -> None:
        self._recent: deque[int] = deque(maxlen=_RECENT)
        self.least = 0
        self._at_first = 0

    def add(self, rtt: int) -> None:
        """Take a round trip (ns)."""
        self._recent.append(rtt)
        middle = median(self._recent)
        if len(self._recent) <= _FIRST:
            self.least = self._at_first = middle
        self.least = min(self.least, middle)

    @property
    def unevenness(self) -> int:
        """By how much (ns) they are beside growing evenly, as they do while a queue is filled; two are known."""
        steps = [later - earlier for earlier, later in pairwise(self._recent)]
        usual = median(steps)
        return sum(abs(step - usual) for step in steps) // len(steps)

    def have_grown(self, jitter: int) -> bool:
        """True when they are longer than they have been; `jitter` (ns) is what they vary by in any case."""
        if len(self._recent) < _FIRST:
            return False
        return median(self._recent) >= self.least + self._telling(jitter)

    def have_fallen(self, jitter: int) -> bool:
        """True when they are shorter than at first: there was a queue, and it was not ours."""
        return self.least + self._telling(jitter) <= self._at_first

    def _telling(self, jitter: int) -> int:
        """By how much (ns) round trips must differ for a queue's sake."""
        return min(max(self.least // _CHANGE_DIVISOR, _LEAST_CHANGE), _MOST_CHANGE) + jitter * 3 // 2
