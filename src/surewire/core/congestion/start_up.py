"""Start-up: the window doubles each round trip until the queue grows, the deliveries do not, or losses jump.

Three signs end it. The round trips grow (HyStart++, RFC 9406 §4.2, by the median of the last eight): the usual case,
before anything is lost. The deliveries stop growing by a quarter a round (BBR's plateau): no queue, or none to be seen.
A round loses far more than those before it: a policer, or a short queue. The window grows by what is acknowledged, made
up for by the loss known so far, so that a path that loses half of everything is found as fast as any other.
"""

from __future__ import annotations

from collections import deque
from math import sqrt

from surewire.core.congestion.base import AckSample
from surewire.core.congestion.loss_floor import MOST
from surewire.core.congestion.round_trips import Round, median
from surewire.core.units import NS_PER_MS, NS_PER_S

_N_RTT_SAMPLE = 8  # RFC 9406 §4.3, these four
_MIN_RTT_THRESH = 4 * NS_PER_MS
_MAX_RTT_THRESH = 16 * NS_PER_MS
_MIN_RTT_DIVISOR = 8
_RATE_ACKS = 9
_FEW_SEGMENTS = 16  # fewer say nothing of a share
_STALL = 6  # points: rounds without growth count three, those of few segments, where chance may be the reason, one
_LOSS_JUMP = 0.1
_LOSS_DEVIATIONS = 2.0
_LOSS_LIMIT = MOST + 0.05


class StartUp:
    """Judges the rounds of one start-up. `is_over_by` says why it is over, "" while it is not."""

    def __init__(self, *, loss: float = 0.0, segments: float = 0.0) -> None:
        """Begin; `loss` is the share that the path is known to lose, as seen on so many `segments`."""
        self.is_over_by = ""
        self.loss = loss
        self._recent: deque[int] = deque(maxlen=_N_RTT_SAMPLE)
        self._acks: deque[tuple[int, int]] = deque(maxlen=_RATE_ACKS)  # times, and bytes acknowledged up to them
        self._acked = 0
        self._most = 0  # bytes acknowledged in a round
        self._stalled = 0
        self._lost = loss * segments  # of rounds that grew, in segments
        self._sent = segments
        self.rounds: list[tuple[int, int]] = []  # round trips (ns), and of how many samples each is the median

    def on_rtt(self, rtt: int) -> None:
        """Take a round trip, ns."""
        self._recent.append(rtt)

    def growth(self, sample: AckSample, *, base: int, jitter: int) -> int:
        """By how many bytes the window grows for an acknowledgment; `base` is the round trip without a queue, ns."""
        self._acked += sample.acked
        if self._acks and self._acks[-1][0] == sample.now:
            self._acks.pop()  # of several at one time the last one counts
        self._acks.append((sample.now, self._acked))
        if len(self._recent) == _N_RTT_SAMPLE:
            threshold = min(max(base // _MIN_RTT_DIVISOR, _MIN_RTT_THRESH), _MAX_RTT_THRESH)
            if median(list(self._recent)) >= base + threshold + jitter * 3 // 2:
                self.is_over_by = "delay"
        return 0 if sample.rate.is_app_limited else int(sample.acked / (1 - min(self.loss, MOST)))

    @property
    def rate(self) -> int:
        """What the latest acknowledgments told of, bytes a second: while a queue grows that is what the path delivers.

        A window is sent in half a round trip, and its queue seen when the window is half of what the path takes; so a
        rate over the whole round trip would be too low.
        """
        if not self._acks:
            return 0
        (first_at, first), (last_at, last) = self._acks[0], self._acks[-1]
        return (last - first) * NS_PER_S // (last_at - first_at) if last_at > first_at else 0

    def on_round(self, ended: Round, *, segment: int) -> None:
        """Judge a round."""
        segments = ended.settled / segment
        if not segments or ended.is_app_limited:
            return
        mean = self._lost / self._sent if self._sent else 0.0
        if min(segments, self._sent) >= _FEW_SEGMENTS:
            deviation = sqrt(max(mean * (1 - mean), 0.01) * (1 / segments + 1 / self._sent))
            limit = _LOSS_LIMIT + sqrt(0.25 / segments)
            if ended.loss > min(mean + _LOSS_JUMP + _LOSS_DEVIATIONS * deviation, limit):
                self.is_over_by = "loss"
                return
        if ended.acked * 4 >= self._most * 5:
            self._most, self._stalled = ended.acked, 0
            # By what the rounds before this one said: this one's own losses may be the queue's.
            self.loss = max(mean - sqrt(mean * (1 - mean) / self._sent), 0.0) if self._sent >= _FEW_SEGMENTS else 0.0
            self._lost += ended.loss * segments
            self._sent += segments
            return
        self._stalled += 3 if segments >= 2 * _FEW_SEGMENTS else 1
        if self._stalled >= _STALL:
            self.is_over_by = "plateau"

    @property
    def share(self) -> float:
        """Share that was lost in the rounds that grew; theirs is the path's, as the queue was short."""
        return self._lost / self._sent if self._sent else 0.0

    @property
    def evidence(self) -> float:
        """Segments that `share` rests on."""
        return self._sent
