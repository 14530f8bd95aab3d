"""Start-up: the window doubles each round trip until the queue grows, the deliveries do not, or losses jump.

While short trains pass that leave much faster than the window, it even quadruples (`leap`).

Three signs end it. The round trips grow (HyStart++, RFC 9406 §4.2, by the median of the last eight), or a long train
comes back slower than it left: the usual case, before anything is lost. The deliveries stop growing by a quarter a
round (BBR's plateau): no queue, or none to be seen. A round loses far more than those before it, and the window turns
out to be the reason (`start_up_loss`): a policer, or a short queue. The window grows by what is acknowledged, made up
for by the loss known so far, so that a path that loses half of everything is found as fast as any other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from surewire.core.congestion.ack_rate import AckRate
from surewire.core.congestion.base import AckSample
from surewire.core.congestion.leap import Leap
from surewire.core.congestion.loss_floor import MOST
from surewire.core.congestion.round_trips import Round, median
from surewire.core.congestion.start_up_loss import StartUpLoss
from surewire.core.units import NS_PER_MS, NS_PER_S

N_RTT_SAMPLE = 8  # RFC 9406 §4.3, these three
_MIN_RTT_THRESH = 4 * NS_PER_MS
_MAX_RTT_THRESH = 16 * NS_PER_MS
_MIN_RTT_DIVISOR = 16  # half of that: the jitter that is known is added
_LEAST_SAMPLES = 4  # round trips in a round that tells of the path's: of fewer each may have overtaken others
_FAST_DEVIATIONS = 4  # of jitter
_MOST_ROUNDS = 64  # that are remembered: who has little to say may never end start-up
_FEW_SEGMENTS = 32  # so few may arrive, or not, by chance
_DOUBT_GAIN = 103  # per cent
_STALL = 6  # points: rounds without growth count three, those of few segments one


class StartUp:
    """Judges the rounds of one start-up. `is_over_by` says why it is over, "" while it is not."""

    def __init__(self, *, loss: float = 0.0, segments: float = 0.0, is_sure: bool = False) -> None:
        """Begin; `loss` is the share that the path is known to lose, as seen on so many `segments`.

        `is_sure`: more than that is others' doing or the window's, without a doubt.
        """
        self.is_over_by = ""
        self.losses = StartUpLoss(share=loss, segments=segments, is_sure=is_sure)
        self.loss = loss  # that growth makes up for
        self.leap = Leap(is_over=is_sure)
        self._recent: deque[int] = deque(maxlen=N_RTT_SAMPLE)
        self._first: list[int] = []  # round trips of this round
        self._is_filling = False  # the last round filled a queue
        self._rate = AckRate()
        self._delivered = 0
        self._most = 0  # bytes acknowledged in a round
        self._stalled = 0
        self._rounds: deque[tuple[int, int]] = deque(
            maxlen=_MOST_ROUNDS
        )  # round trips that were the path's own (ns), and of how many

    def on_rtt(self, rtt: int, *, sent_at: int) -> None:
        """Take a round trip (ns) of what was sent at `sent_at`."""
        if len(self._first) < _LEAST_SAMPLES:
            self._first.append(rtt)
        self._recent.append(rtt)
        self.leap.on_rtt(rtt, sent_at=sent_at)

    def growth(self, sample: AckSample, *, window: int, base: int, jitter: int, segment: int) -> int:
        """By how many bytes the window grows for an acknowledgment; `base` is the round trip without a queue, ns.

        A flow that has only begun to speak is limited by the application by name, but uses its `window`: it is held
        when less than half of that is on the way (so Linux has it in slow start; RFC 9002 §7.8).
        """
        leap = self.leap.take(sent=sample.sent, now=sample.now, window=window, segment=segment, jitter=jitter)
        self._rate.on_ack(sample.acked, sent=sample.sent, now=sample.now, longest=base // 2, segment=segment)
        threshold = min(max(base // _MIN_RTT_DIVISOR, _MIN_RTT_THRESH), _MAX_RTT_THRESH)
        if self.latest_rtt >= base + threshold + jitter * 3 // 2 or self.leap.is_full:
            self.is_over_by = "delay"
        is_idle = sample.rate.is_app_limited and not sample.uses_half(window)
        if is_idle or self.losses.is_in_doubt:
            return 0
        is_near = self.leap.is_near and not self.leap.is_over
        return max(0 if is_near else int(sample.acked / (1 - min(self.loss, MOST))), leap - window)

    def on_round(self, ended: Round, *, window: int, segment: int) -> int:
        """Judge a round that ended with this window; the one (bytes) that is to be tried now, 0 to go on."""
        segments, losses = ended.settled / segment, self.losses
        self._delivered = max(self._delivered, ended.acked * NS_PER_S // ended.rtt, self._rate.value)
        if not segments or (ended.is_app_limited and 2 * ended.used < window):
            return 0
        if losses.is_in_doubt:
            window = losses.judge(ended, segments)
            if losses.is_congestion:
                self.is_over_by = "loss"
            self._most, self._stalled = ended.acked, 0
            return window
        if window := losses.doubt(ended, segments):
            self.leap.is_over = True
            if losses.is_congestion:
                self.is_over_by = "loss"
            return window
        if ended.acked * 4 >= self._most * 5:
            self._most, self._stalled = ended.acked, 0
            self.loss = losses.least_share  # before this round, as its own losses may be the queue's
            if not self._is_filling:
                losses.take(ended, segments)
            return 0
        self._stalled += 3 if segments >= _FEW_SEGMENTS else 1
        if self._stalled >= _STALL:
            self.is_over_by = "plateau"
        return 0

    @property
    def rate(self) -> int:
        """What the path takes, bytes a second, as far as it was seen; it loses its share of that."""
        share = min(self.losses.share, MOST)
        if self.leap.is_shared:
            return self.leap.rate  # what acknowledgments showed since is what a train takes of others' part
        # A whole train tells more than the last acknowledgments do, which busy hosts hold back.
        shown = self.leap.rate if self.leap.is_measured else 0
        return max(int(self._delivered / (1 - share)), self._rate.taken(loss=share), shown)

    @property
    def latest_rtt(self) -> int:
        """The median of the last round trips, ns; 0 while they are few."""
        return median(self._recent) if len(self._recent) == N_RTT_SAMPLE else 0

    @property
    def pacing_gain(self) -> int:
        """Per cent of a window that may leave in a round trip's time."""
        return _DOUBT_GAIN if self.losses.is_in_doubt else 100 * self.leap.gain

    def take_round_trips(self, ended: Round, *, jitter: int) -> None:
        """Remember a round for `least_round_trip`.

        Its lower quartile, since a round that fills a queue begins without one; its first round trips, if it fills one
        so fast that jitter (ns) is no reason for the difference.
        """
        rise = ended.quartile - median(self._first) if len(self._first) == _LEAST_SAMPLES else 0
        self._is_filling = rise > max(_FAST_DEVIATIONS * jitter, _MIN_RTT_THRESH // 2)
        self._rounds.append((ended.quartile - rise if self._is_filling else ended.quartile, ended.samples))
        self._first.clear()

    @property
    def is_told(self) -> bool:
        """True when there were enough round trips to tell of the path's."""
        return sum(samples for _, samples in self._rounds) >= _LEAST_SAMPLES

    def least_round_trip(self, *, jitter: int, noise: Callable[[int], int]) -> int:
        """The path's own round trip, ns, as the rounds so far tell of it by what is known of the jitter now.

        Each may be that much longer than what its round has told, and than what a median shows by chance (`noise` of so
        many samples).
        """
        told = [each for each in self._rounds if each[1] >= _LEAST_SAMPLES] or [self._rounds[-1]]
        return min(rtt + jitter + noise(samples) for rtt, samples in told)
