"""The queue as the round trips show it: their median above the path's own round trip, and how much of that is borne.

The path's own round trip (`base`) is the least median of a round; on a path with jitter each with what chance may have
taken from it, as the least of many would else be that of the luckiest. Not on others: there round trips vary by others'
queues, and who allowed for that would take them for the path. It falls at once, and rises only when the path was looked
at with less in flight (`look`), slowly then, since others may hold a queue; where round trips do not answer to the
window at all, the controller starts up anew and says what it found (`move`).

How long a queue may be depends on the rate: the faster a flow, the shorter. So of flows that share a queue, the
fastest yields first, whatever their round trips are, and they come to equal rates (Swift's flow scaling, Kumar et al.
2020, has the same idea).
"""

from __future__ import annotations

from math import isqrt

from surewire.core.congestion.bandwidth import RecentMost
from surewire.core.congestion.round_trip_step import RoundTripStep
from surewire.core.congestion.round_trips import Round
from surewire.core.units import NS_PER_MS, NS_PER_S

_REFERENCE_QUEUE = 10 * NS_PER_MS  # for a flow of this rate; it goes with the inverse square root of the rate
_REFERENCE_RATE = 2_500_000  # bytes a second
_LEAST_QUEUE = 4 * NS_PER_MS  # hosts that share processors are late by this much
_MOST_QUEUE = 30 * NS_PER_MS
_LEAST_PART = 16  # of the round trip: over long ones, gaps and bursts go around for long
_LOOK_EVERY = 10 * NS_PER_S  # without a sight of the empty path
_CHANCE = 4  # two standard deviations of a median of n even samples, in distances of the quartile and times sqrt(n)
_FEW_SAMPLES = 8
_JITTERY = 16  # parts of the round trip: a path where the noise of a round is one
_MOST_NOISE = 2  # times what is known: the jitter that is known is the least of many, and of trains half of it is seen


class QueueDelay:
    """`base`, `rtt` and `delay` in ns; `base` is 0 before the first round trip."""

    def __init__(self) -> None:
        self.base = 0
        self.rtt = 0  # of the last round
        self.delay = 0  # the part of it that is a queue's
        self.before = 0  # the same of the round before
        self.is_doubtful = False  # `base` is of the first answers, where round trips vary: fast ones come first
        self._base_at = 0
        self._fallen = 0  # what a round of few has just shown, if that is less; 0 if it has not
        self.step = RoundTripStep()
        self._longest = RecentMost()

    def on_first(self, rtt: int) -> None:
        """Go by this round trip until a round has ended."""
        self.base = self.rtt = rtt

    @property
    def is_known(self) -> bool:
        """True once a whole round has shown the round trip."""
        return self._base_at > 0

    def begin(self, rtt: int, *, now: int) -> None:
        """Take what the rounds of start-up have shown so far, noise allowed for."""
        self.base = rtt
        self._base_at = now

    def allowed(self, window: int, *, noise: int) -> int:
        """The longest queue (ns) to be borne by who has `window` bytes on the way."""
        rate = max(window * NS_PER_S // max(self.rtt, 1), 1)
        scaled = isqrt(_REFERENCE_QUEUE * _REFERENCE_QUEUE * _REFERENCE_RATE // rate)
        return max(min(scaled, self.base // 2, _MOST_QUEUE), self.base // _LEAST_PART, _LEAST_QUEUE) + noise

    def on_round(self, ended: Round, *, noise: int, now: int) -> None:
        """Take a round."""
        self.rtt = ended.rtt
        is_jittery = _JITTERY * noise >= self.base  # else round trips vary by others' queues, too: no reason for more
        most = ended.rtt + (_chance(ended, noise) if is_jittery else noise // 2)  # that the path's own may be
        if self.is_doubtful:  # nothing is queued now, or hardly anything
            self.base = min(max(most, self.base), 2 * self.base)
            self.is_doubtful = False
        if ended.rtt <= self.base + self.base // 64:  # and no noise: what is too low would be seen for ever
            self._base_at = now
        fallen, self._fallen = self._fallen, 0
        if ended.samples < _FEW_SAMPLES and most + noise < self.base:  # some that overtook others may be all of so few
            self._fallen = most
            most = max(most, fallen or self.base)
        self.base = min(self.base, most)
        self.before, self.delay = self.delay, max(ended.rtt - self.base, 0)
        self._longest.take(self.delay, now=now)

    def has_been_long(self, allowed: int) -> bool:
        """True when a queue of half of `allowed` (ns) was seen in the last seconds: then a short one is known for one.

        Who joins a queue that is full all the time takes it for the path, and its losses for the path's.
        """
        return 2 * self._longest.most >= allowed

    def is_look_due(self, now: int) -> bool:
        """True when the empty path was not seen for long, and half of a window would show it."""
        return now - self._base_at > _LOOK_EVERY and self.delay <= self.base

    def look(self, ended: Round, *, now: int) -> None:
        """Take a round with less in flight than the path holds."""
        self.base = min(ended.rtt, self.base * 9 // 8 + NS_PER_MS)
        self._base_at = now

    def move(self, rtt: int, *, now: int) -> None:
        """The path has another round trip now."""
        self.base, self._base_at = rtt, now


def _chance(ended: Round, noise: int) -> int:
    """By how much (ns) a round's median may be too low, as far as chance, and no queue, made its round trips vary."""
    shown = _CHANCE * (ended.rtt - ended.quartile) // isqrt(ended.samples)
    return min(max(shown, noise // 2), _MOST_NOISE * noise)
