"""Round by round: the round trips, and whether they show a queue.

Round trips are judged by their median, of at least sixteen samples if they come within four rounds: where
some packets overtake all others, or delays vary, single fast ones say nothing about the path that the rest
take. The propagation time is the windowed minimum of these medians.
"""

from __future__ import annotations

from surewire.core.units import NS_PER_MS, NS_PER_S

LATENESS = 5 * NS_PER_MS
"""How late (ns) a host may be that shares its processors: such a wait is no queue."""

_MIN_RTT_EPOCH = 5 * NS_PER_S  # the minimum spans one to two epochs
_ENOUGH_SAMPLES = 16
_ENOUGH_ROUNDS = 4
_EARLY_SAMPLES = 8  # RFC 9406 N_RTT_SAMPLE


class Rounds:
    """Round-trip samples by round, the windowed minimum of their medians `min_rtt` (ns), and `has_queue`."""

    def __init__(self) -> None:
        self.count = 0
        self.queue_rounds = 0  # judged in a row that showed a queue
        self.min_rtt = 0  # the path's round trip without a queue (ns), as far as it is known; 0 before the first sample
        self.jitter = 0  # smallest variation any round ended with: what is there without a queue
        self._samples: list[int] = []
        self._gathered_rounds = 0
        self._epochs = (0, 0)  # minima of the last epoch and of this one
        self._epoch_end = 0

    @property
    def has_queue(self) -> bool:
        """True when the round judged last showed a queue."""
        return self.queue_rounds > 0

    def on_sample(self, rtt: int) -> None:
        """Take a round trip (ns, > 0)."""
        self._samples.append(rtt)
        if not self._epochs[1]:
            self.min_rtt = median_rtt(self._samples)

    def on_round(self, now: int, *, rttvar: int) -> None:
        """A round has ended, with this smoothed variation of the round trip (ns)."""
        self.count += 1
        self.jitter = min(self.jitter or rttvar, rttvar)
        self._gathered_rounds += 1
        if not self._samples or (len(self._samples) < _ENOUGH_SAMPLES and self._gathered_rounds < _ENOUGH_ROUNDS):
            return
        rtt = median_rtt(self._samples)
        self._samples.clear()
        self._gathered_rounds = 0
        if now >= self._epoch_end:
            self._epochs = (self._epochs[1], rtt)
            self._epoch_end = now + _MIN_RTT_EPOCH
        self._epochs = (self._epochs[0], min(self._epochs[1], rtt))
        self.min_rtt = min(self._epochs[0] or rtt, self._epochs[1])
        has_queue = rtt > self.min_rtt * 5 // 4 + LATENESS
        self.queue_rounds = self.queue_rounds + 1 if has_queue else 0

    def on_path_seen(self, rtt: int, now: int) -> None:
        """The round trip without a queue has been looked at: it is `rtt` (ns), whatever was thought before."""
        self._epochs = (rtt, rtt)
        self.min_rtt = rtt
        self._epoch_end = now + _MIN_RTT_EPOCH
        self._samples.clear()
        self._gathered_rounds = self.queue_rounds = 0

    def is_queue_building(self) -> bool:
        """True when the samples so far show a growing queue (HyStart++, RFC 9406 §4.2), jitter allowed for."""
        if len(self._samples) < _EARLY_SAMPLES:
            return False
        threshold = min(max(self.min_rtt // 8, 4 * NS_PER_MS), 16 * NS_PER_MS)
        return median_rtt(self._samples[-_EARLY_SAMPLES:]) >= self.min_rtt + threshold + self.jitter


def median_rtt(samples: list[int]) -> int:
    """The median of at least one sample (the lower one of two)."""
    return sorted(samples)[(len(samples) - 1) // 2]
