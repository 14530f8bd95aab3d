"""Whether the queue repeats itself every eight round trips of the empty path, as it does beside BBR.

BBR sends an eighth of its time at 1.25 of its bandwidth, an eighth at 0.75, and the rest evenly, each for one shortest
round trip. So beside it round trips are after eight of those what they were, and after four they are not. Queues of
senders that answer to losses grow for as long as nothing is lost: after four they are nearer than after eight.
"""

from __future__ import annotations

from collections import deque

PERIOD = 8
"""Round trips of the empty path."""

_PERIODS = (6, 7, 8, 9)  # ours may be off by an eighth, and be too long by a quarter, a queue's part
_SPAN = 24  # of them are compared with those before
_LEAST_CHANGE = 64  # part of a round trip: less is noise
_SAME_BASE = 16  # part of it by which the shortest round trip may move
_MOST_GAP = 8  # without a sample
_EMPTY = 8  # part of a round trip: less is no queue


class GainCycle:
    """Means of the round trips, one for each shortest round trip (`base`) of sending time."""

    def __init__(self) -> None:
        self._base = 0
        self._began_at = 0
        self._sum = self._samples = 0
        self._means: deque[int] = deque(maxlen=_SPAN + max(_PERIODS))

    def on_rtt(self, rtt: int, *, sent_at: int, base: int) -> None:
        """Take a round trip (ns) of what was sent at `sent_at`."""
        if _SAME_BASE * abs(base - self._base) > base:
            self._begin(base, sent_at)
        steps = (sent_at - self._began_at) // self._base
        if steps > _MOST_GAP:
            self._begin(base, sent_at)
        elif steps > 0:
            mean = self._sum // self._samples if self._samples else rtt
            self._means.extend([mean] * steps)
            self._began_at += steps * self._base
            self._sum = self._samples = 0
        self._sum += rtt
        self._samples += 1

    def _begin(self, base: int, at: int) -> None:
        self._base, self._began_at = base, at
        self._sum = self._samples = 0
        self._means.clear()

    @property
    def unlikeness(self) -> float:
        """How much the queue differs from what it was a period before, by how much from half of one; 1 if unknown."""
        means = list(self._means)
        if len(means) < _SPAN + max(_PERIODS):
            return 1.0
        least = self._base // _LEAST_CHANGE
        best = 1.0
        for period in _PERIODS:
            half = _change(means, period // 2, base=self._base)
            if half > least:  # a queue that hardly changes, or evenly, repeats nothing
                best = min(best, _change(means, period, base=self._base) / half)
        return best


def _change(means: list[int], lag: int, *, base: int) -> float:
    """Mean deviation of the differences between each of the last and what was `lag` before it.

    When the path is empty the other one has made room to look at it: that is no part of the cycle.
    """
    least = base + base // _EMPTY
    pairs = zip(means[-_SPAN - lag : -lag], means[-_SPAN:], strict=True)
    differences = [after - before for before, after in pairs if min(before, after) > least]
    if 2 * len(differences) < _SPAN:
        return float(base)
    mean = sum(differences) / len(differences)
    return sum(abs(difference - mean) for difference in differences) / len(differences)
