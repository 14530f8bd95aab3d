"""The bottleneck's bandwidth from rate samples: the windowed maximum of the rounds' upper quartiles.

A maximum of single samples (as BBR has it) takes the luckiest one: where some acknowledgments overtake
others, deliveries come in lumps, and the lumps show more than the path can carry. A quarter of a round's
samples must show a rate for it to count. Only while starting up, when the rate grows within each round,
single samples do.
"""

from __future__ import annotations

from collections import deque

from surewire.core.units import NS_PER_S

_EPOCH = 4 * NS_PER_S
_ROUNDS = 10  # the window of the maximum


class BandwidthFilter:
    """`bandwidth` in bytes a second; 0 before the first sample."""

    def __init__(self) -> None:
        self.bandwidth = 0
        self._round = 0
        self._samples: list[int] = []
        self._best = 0  # of them
        self._rates: deque[tuple[int, int]] = deque()  # (round, rate), rates falling

    def on_sample(self, rate: int, *, is_app_limited: bool) -> None:
        """Take a rate; the application's own pace only ever raises the bandwidth."""
        if rate and not (is_app_limited and rate < self.bandwidth):
            self._samples.append(rate)
            self._best = max(self._best, rate)

    def raise_to_best(self) -> None:
        """Believe the best single sample of this round."""
        if self._best:
            self._push(self._best)

    def on_round(self) -> None:
        """A round has ended: its upper quartile counts."""
        self._round += 1
        if self._samples:
            self._push(_upper_quartile(self._samples))
            self._samples.clear()
            self._best = 0

    def forget_best(self) -> None:
        """Go by this round's quartile alone: what single samples showed was for starting up."""
        if self._samples:
            self._rates.clear()
            self._push(_upper_quartile(self._samples))

    def _push(self, rate: int) -> None:
        rates = self._rates
        while rates and rates[-1][1] <= rate:
            rates.pop()
        rates.append((self._round, rate))
        while rates[0][0] <= self._round - _ROUNDS:
            rates.popleft()
        self.bandwidth = rates[0][1]


def _upper_quartile(samples: list[int]) -> int:
    return sorted(samples)[(len(samples) - 1) * 3 // 4]


class RecentMost:
    """The most of what was seen in the last four to eight seconds."""

    def __init__(self) -> None:
        self._present = self._before = 0  # of this epoch, and of the one before it
        self._epoch_end = 0

    def take(self, value: int, *, now: int) -> None:
        """See a value at `now` (ns)."""
        if now >= self._epoch_end:
            self._before, self._present = self._present if now < self._epoch_end + _EPOCH else 0, 0
            self._epoch_end = now + _EPOCH
        self._present = max(self._present, value)

    @property
    def most(self) -> int:
        return max(self._present, self._before)
