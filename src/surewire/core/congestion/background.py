"""A controller that takes what nobody else wants, by delay, after LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus-06).

Once a round trip the window follows the delay that is seen in the queue (`background_delay`): it grows by the draft's
GAIN of a segment below the target, shrinks by what is too much above it, and is halved where the delay is twice the
target, as it is when others fill the queue. Beside that, and other than in the draft:

* The decrease is the queue's excess in proportion to the round trip, not to the target, which is shorter here: it
  takes away what is too much, if that is ours. A queue of twice the target for three rounds is others': then half.
* Where a queue was empty for eight rounds, the window grows by 1.3 every second round until it is not: what others
  leave is taken up in some seconds, at any rate. CUBIC leaves no queue of half a round trip empty for so long.
* The window is a rate: it leaves evenly, with a little headroom, as bursts would fill short queues at others' cost.
  Below two segments the rate goes on falling to a quarter, so that slow links are yielded as well.
* Loss is not congestion by itself, but what is more than is lost in quiet is (`background_loss`): it halves the window,
  which then comes back without leaps if no delay was to be seen at the time.
* Slowdowns are shorter and rarer (`background_slowdown`).

What it cannot: where a queue is shorter than the target, it shares with CUBIC instead of yielding; CUBIC takes what it
is left no faster than its own curve rises; a path that has become longer passes for a queue for up to forty seconds;
jitter of half a round trip hides the path, and it keeps to a small share; two of it share only roughly.
"""

from __future__ import annotations

from collections.abc import Sequence

from surewire.core.congestion.background_delay import StandingDelay
from surewire.core.congestion.background_loss import ExcessLoss
from surewire.core.congestion.background_slowdown import Slowdown
from surewire.core.congestion.base import AckSample, PhaseOutcome, check_start
from surewire.core.congestion.recovery_period import minimum_window, window_is_used
from surewire.core.rtt import RttEstimator
from surewire.core.units import NS_PER_MS, NS_PER_S

_INITIAL_SEGMENTS = 4
_LEAST_SEGMENTS = 0.5  # of rate; the window itself stays at two
_START_GROWTH = 1.4  # where the queue is empty, every second round: the delay shows a round late
_RESUME_GROWTH = 2.0  # after a slowdown, to where it was
_CLEAR_GROWTH = 1.3
_CLEAR_ROUNDS = 8
_CLEAR_ROUNDS_OF_LOSS = 2  # losses are told of a round late
_FULL_ROUNDS = 3  # an overshoot of ours lasts for two
_GAIN_DELAY = 60 * NS_PER_MS  # draft §4.1 TARGET, as it enters GAIN (§4.2)
_MOST_GAIN_DIVISOR = 16
_QUIET_SHARE = 0.55  # of that window: what is lost below it is not our doing
_QUIET_SEGMENTS = 8  # a round trip: and below these, where no queue is seen
_NEAR_TOO_MUCH = (0.45, 1.1)  # of the window at which loss was in excess: no leaps there
_HEADROOM = 1.1  # of what may be in flight over the window: the rate holds back, as a full window would send in bursts
_SILENCE = NS_PER_S  # after that much of it, start again; eight round trips if that is more
_SILENCE_ROUND_TRIPS = 8


class Background:
    """Yields to everything."""

    bandwidth = 0  # no figure of its own

    def __init__(self, *, segment: int, initial_rtt: int = 150 * NS_PER_MS) -> None:
        """Start for segments of this many bytes, guessing the round trip (ns) until it is known.

        Raises:
            ConfigError: one of them is not positive.
        """
        check_start(segment, initial_rtt)
        self._segment = segment
        self._window = float(_INITIAL_SEGMENTS * segment)
        self._rtt = RttEstimator(initial_rtt)
        self._delay = StandingDelay()
        self._loss = ExcessLoss(segment=segment)
        self._slowdown = Slowdown()
        self._is_starting = True
        self._is_settling = False  # the round that runs shows what was sent before the window changed
        self._is_used = False  # the window, in this round
        self._too_much = 0.0  # the window at which loss was in excess; 0: none known
        self._heard_at = 0

    @property
    def cwnd(self) -> int:
        return max(int(_HEADROOM * self._window), minimum_window(self._segment))

    @property
    def pacing_rate(self) -> int:
        return max(int(self._window * NS_PER_S / max(self._rtt.smoothed_rtt, 1)), 1)

    @property
    def phase(self) -> int:
        return self._loss.phase

    def on_rtt(self, rtt: int, *, rttvar: int, sent_at: int) -> None:
        """Take a round trip."""
        self._rtt.on_sample(rtt, ack_delay=0)
        self._delay.on_rtt(rtt)

    def on_ack(self, sample: AckSample) -> None:
        """Count, and judge the round if it has ended."""
        if sample.now - self._heard_at > max(_SILENCE, _SILENCE_ROUND_TRIPS * self._rtt.smoothed_rtt):
            self._start_again()
        self._heard_at = sample.now
        self._loss.count(sample.outcomes)
        self._is_used = self._is_used or window_is_used(sample, self.cwnd)
        if sample.rate.round_start:
            is_judged = self._delay.on_round(sample.now, rttvar=self._rtt.rttvar)
            self._loss.on_round(is_clear=self._delay.clear_rounds >= _CLEAR_ROUNDS_OF_LOSS)
            if is_judged:
                self._on_round(sample.now)
            self._is_used = False
        if sample.lost:
            self.on_lost(sample.lost, now=sample.now)

    def _start_again(self) -> None:
        """Nobody knows what the path has become since it was heard of last."""
        self._set_window(min(self._window, _INITIAL_SEGMENTS * self._segment))
        self._is_starting = True
        self._slowdown.cancel()

    def _on_round(self, now: int) -> None:
        """Follow the delay of the round that has ended."""
        queue = self._delay
        if self._loss.was_chance:
            self._too_much = 0.0
        if self._slowdown.on_round(now):
            self._mark()
            return
        if self._is_settling:
            self._is_settling = False
            self._mark()
        elif queue.delay > queue.target:
            self._shrink()
        elif self._is_used:
            self._grow()
        if self._slowdown.is_due(now, base=queue.base):
            window = self._window
            self._set_window(self._slowdown.begin(window, now=now, least=minimum_window(self._segment)))

    def _shrink(self) -> None:
        """By the queue that is too much, as if it were ours; where it stays, it is others'."""
        queue = self._delay
        self._is_starting = False
        self._slowdown.cancel()
        share = (queue.base + queue.target) / (queue.base + queue.delay)
        self._is_settling = queue.full_rounds < _FULL_ROUNDS
        self._set_window(self._window * (share if self._is_settling else min(share, 0.5)))

    def _grow(self) -> None:
        """By what the queue allows; at least to two segments, which are next to nothing while nobody queues."""
        if not self._delay.is_empty:
            self._is_starting = False
            self._slowdown.cancel()
        window = max(self._window, float(minimum_window(self._segment)))
        growth = self._growth(window)
        self._is_settling = growth > 1
        self._set_window(max(window + self._gain * self._segment, window * growth))

    def _growth(self, window: float) -> float:
        """The factor by which the window may grow at once; 1 where only the linear growth is left."""
        low, high = _NEAR_TOO_MUCH
        if not self._delay.is_empty:
            return 1.0
        if self._is_starting:
            return _START_GROWTH
        if window < self._slowdown.resume:
            return min(_RESUME_GROWTH, self._slowdown.resume / window)
        if self._delay.clear_rounds < _CLEAR_ROUNDS or low * self._too_much < window < high * self._too_much:
            return 1.0
        return _CLEAR_GROWTH

    @property
    def _gain(self) -> float:
        """Segments a round trip (draft §4.2): the shorter the path, the fewer."""
        divisor = -(-2 * _GAIN_DELAY // max(self._delay.base, 1))
        return 1 / min(max(divisor, 1), _MOST_GAIN_DIVISOR)

    def _set_window(self, window: float) -> None:
        self._window = max(window, _LEAST_SEGMENTS * self._segment)
        self._mark()

    def _mark(self) -> None:
        """Say whether what is sent from now on meets a queue of our making."""
        is_small = (
            self._window <= max(_QUIET_SHARE * self._too_much, _QUIET_SEGMENTS * self._segment)
            and not self._is_settling
        )
        self._loss.begin(is_quiet=is_small or self._slowdown.is_quiet)

    def on_lost(self, outcomes: Sequence[PhaseOutcome], *, now: int) -> None:
        """Halve the window if it is more than is always lost, once for all that was sent before."""
        self._loss.count(outcomes)
        if not self._loss.is_excess:
            return
        self._too_much = 0.0 if self._delay.is_long else self._window
        self._is_starting = False
        self._is_settling = True
        self._delay.clear_rounds = 0
        self._slowdown.cancel()
        self._loss.begin(is_quiet=False, is_reaction=True)
        self._set_window(self._window / 2)

    def on_segment(self, segment: int) -> None:
        """Reckon with segments of this length from now on."""
        self._segment = segment
        self._loss.on_segment(segment)
