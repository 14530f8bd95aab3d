"""Round by round: the round trips of each, and whether they show a queue.

A round's low round trip is not its smallest but one that an eighth of its samples undercut: on a path
where some packets overtake all others, the fast ones say nothing about the rest.
"""

from __future__ import annotations

from surewire.core.units import NS_PER_MS, NS_PER_S

_MIN_RTT_EPOCH = 5 * NS_PER_S  # the minimum spans one to two epochs
_ENOUGH_SAMPLES = 8  # RFC 9406 N_RTT_SAMPLE


class Rounds:
    """Round-trip samples by round, their windowed minimum `min_rtt` (ns), and `has_queue`."""

    def __init__(self) -> None:
        self.count = 0
        self.min_rtt = 0
        self.has_queue = False
        self._jitter = 0  # smallest variation any round ended with: what is there without a queue
        self._samples: list[int] = []
        self._epochs = (0, 0)  # minima of the last epoch and of this one
        self._epoch_end = 0

    def on_sample(self, rtt: int) -> None:
        """Take a round trip (ns, > 0)."""
        self._samples.append(rtt)
        if not self.count:
            self.min_rtt = min(self.min_rtt or rtt, rtt)

    def on_round(self, now: int, *, rttvar: int) -> None:
        """A round has ended, with this smoothed variation of the round trip (ns)."""
        self.count += 1
        self._jitter = min(self._jitter or rttvar, rttvar)
        if not self._samples:
            return
        low = self._low()
        if now >= self._epoch_end:
            self._epochs = (self._epochs[1], low)
            self._epoch_end = now + _MIN_RTT_EPOCH
        earlier, current = self._epochs
        self._epochs = (earlier, min(current, low))
        self.min_rtt = min(earlier or current, current, low)
        self.has_queue = len(self._samples) >= 3 and low > self.min_rtt * 5 // 4 + NS_PER_MS
        self._samples.clear()

    def is_queue_building(self) -> bool:
        """True when the round so far shows a growing queue (HyStart++, RFC 9406 §4.2), jitter allowed for."""
        if len(self._samples) < _ENOUGH_SAMPLES:
            return False
        threshold = min(max(self.min_rtt // 8, 4 * NS_PER_MS), 16 * NS_PER_MS)
        return self._low() >= self.min_rtt + threshold + self._jitter

    def _low(self) -> int:
        return low_quantile(self._samples)


def low_quantile(samples: list[int]) -> int:
    """The sample (of at least one) that an eighth of the others undercut."""
    return sorted(samples)[len(samples) // 8]
