"""A path that has become wider: how that is seen, and how it is filled.

When the window was cut for a queue, as much arrived as the path delivers. Who then gets clearly more than that in two
rounds, while the window grows and the shortest round trips are those of the empty path, is on a wider one. Only a queue
tells so: a policer lets more pass now and then, and what was cut for a loss may have been cut for nothing. It may also
be that others have made room for a moment; who finds that out waits longer before the next time.

Then the window doubles each round trip, in trains as at the start: it is made twice as large at once, and from then on
each acknowledgment of that adds what it acknowledges. So a queue shows in the train before the window is too large. The
round trips are looked at as they come in, by the median of the last eight (RFC 9406 §4.3), as a step that is judged a
round later has made the next one before. When the queue is too long, the acknowledgments tell what the path delivers.
"""

from __future__ import annotations

from collections import deque
from math import sqrt

from surewire.core.congestion.ack_rate import AckRate
from surewire.core.congestion.base import AckSample
from surewire.core.congestion.round_trips import Round, median
from surewire.core.units import NS_PER_S

_MORE = 1.05  # times what arrived when the path was full
_DEVIATIONS = 1.5
_ROUNDS = 3  # of growth, before it is judged: its first steps are small
_SAMPLES = 8
_EMPTY_PART = 64  # of the round trip: so much may be queued for a moment
_GAIN = 1.5  # of the window: who finds less than that has taken for the path what others left for a moment
_LEAST_WAIT, _MOST_WAIT = 8 * NS_PER_S, 64 * NS_PER_S  # after that, and twice as long each time that it happens again


class WiderPath:
    """The signs of it."""

    def __init__(self) -> None:
        self._full = 0  # bytes a second that arrived when there was a queue last; 0 while unknown
        self._from = 0  # window of the first of the rounds without a queue
        self._before: Round | None = None
        self._wait = 0
        self._not_before = 0

    def begin(self) -> None:
        """The window was reduced."""
        self._from, self._before = 0, None

    def on_full(self, rate: int) -> None:
        """So much (bytes a second) arrived while there was a queue; 0: the path was full without one."""
        self._full = rate

    def on_filled(self, *, before: int, found: int, now: int) -> None:
        """A path that was taken for wider took a window of `before` (bytes) before, and of `found` now."""
        if found >= _GAIN * before:
            self._wait = 0
            return
        self._wait = min(max(2 * self._wait, _LEAST_WAIT), _MOST_WAIT)
        self._not_before = now + self._wait

    def is_seen(
        self,
        window: int,
        ended: Round,
        *,
        now: int,
        rounds: int,
        base: int,
        bearable: int,
        segments: float,
        loss: float,
        jitter: int,
    ) -> bool:
        """Judge a round in which the window could grow.

        Args:
            window: in force now, bytes.
            ended: the round.
            now: when it ended, ns.
            rounds: of growth before this one.
            base: round trip of the empty path, ns.
            bearable: the queue that is still none, ns.
            segments: of how many the round tells whether they were lost.
            loss: share that the path loses.
            jitter: of the round trips, ns.
        """
        if ended.rtt >= base + bearable or ended.least > base + base // _EMPTY_PART:
            self.begin()
            return False
        if now < self._not_before:
            return False
        before, self._before = self._before, ended
        self._from = self._from or window
        if before is None or rounds < _ROUNDS or 10 * window < 11 * self._from:
            return False
        rate = (before.acked + ended.acked) * NS_PER_S // max(before.took + ended.took, 1)
        chance = _DEVIATIONS * sqrt(loss / max(segments, 1.0)) + jitter / ended.rtt
        return 0 < self._full * (_MORE + chance) <= rate


class Widening:
    """The window doubles, until `is_over`. `rate`: the most that acknowledgments showed, bytes a second."""

    def __init__(self, window: int, *, now: int) -> None:
        """Begin at a `window` (bytes) that the path has taken."""
        self.is_over = False
        self.rate = 0
        self.began_with = window
        self._began_at = now
        self._recent: deque[int] = deque(maxlen=_SAMPLES)
        self._acks = AckRate()

    def on_rtt(self, rtt: int) -> None:
        """Take a round trip, ns."""
        self._recent.append(rtt)

    def growth(self, sample: AckSample, *, window: int, base: int, bearable: int, loss: float, segment: int) -> int:
        """By how many bytes the `window` grows for an acknowledgment.

        `base` is the round trip without a queue, a queue is too long above `bearable` (ns), `loss` is the path's. Not
        where less than half of it is on the way: the application, the peer's window or a slow host is the limit.
        """
        self._acks.on_ack(sample.acked, sent=sample.sent, now=sample.now, longest=base // 2, segment=segment)
        self.rate = max(self.rate, self._acks.taken(loss=loss))
        self.is_over = len(self._recent) == _SAMPLES and median(self._recent) > base + bearable
        is_answer = sample.now - self._began_at >= base
        is_idle = sample.rate.is_app_limited or not sample.uses_half(window)
        return sample.acked if is_answer and not self.is_over and not is_idle else 0

    def window(self, reached: int, *, base: int) -> int:
        """What the path takes (bytes) of the window that was `reached`."""
        return min(max(self.rate * base // NS_PER_S, self.began_with), reached)
