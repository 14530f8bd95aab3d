"""The path seen round trip by round trip, since the window was changed last.

A round begins when a datagram leaves and ends when it, or one sent after it, is acknowledged: its bytes carry the
controller's `phase`. After a change of the window what was sent before says nothing of it any more, and where round
trips vary the first answers to come are the fast ones; so a round is begun only when they have passed.

A loss is known later than an arrival, by the more, the more the round trips vary. Where that matters a round tells of
the losses of the one before it, and the first one after a change tells of none.

A peer that lets no round trip be measured is judged all the same: a round lasts a round trip or longer, so the shortest
of four stands for one. Not where the application had nothing to send: those last for as long as there is nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import isqrt
from typing import NamedTuple

from surewire.core.congestion.base import AckSample, PhaseOutcome

ENOUGH_SEGMENTS = 48
"""Of a round that tells by itself what share of them is lost."""

_ENOUGH_SAMPLES = 16
_FEW_DIFFERENCES = 4
_MOST_SAMPLES = 1024  # that are kept: a peer may answer as often as it likes, and never end a round
_KNOWN_SAMPLES = 8  # from here on their variation is known
_ENOUGH_ROUNDS = 4
_SETTLING_DEVIATIONS = 3  # mean deviations of the round trip after which the first answers are typical ones
_LATE_DEVIATIONS = 24  # of the round trip: three of them are the eighth by which losses are known later than arrivals
_SHORTER_PART = 32  # of the steps at most go down while a queue grows; of jitter's half do
_NOISE = 4  # two standard deviations of a median of n even samples, in mean deviations and times sqrt(n)


class Round(NamedTuple):
    """What one round showed, or some that were taken together.

    Attributes:
        rtt: median of the round trips, ns.
        quartile: the lower quartile of them, ns; the median if they are few.
        latest_rtt: the last one of them.
        samples: how many there were.
        least: the least of them, ns.
        acked: bytes that arrived in it.
        took: how long it took, from the acknowledgment that began it to the one that ended it, ns.
        settled: bytes of which it is known whether they were lost; 0 when there are none yet.
        loss: share of them that was, 0..1.
        used: most bytes that were in flight when an acknowledgment came, those that it settled included.
        is_app_limited: the application had nothing more to send for a while.
    """

    rtt: int
    quartile: int
    latest_rtt: int
    samples: int
    least: int
    acked: int
    took: int
    settled: int
    loss: float
    used: int
    is_app_limited: bool


class RoundTrips:
    """Gathers rounds. `phase` is the mark that bytes sent now carry."""

    def __init__(self) -> None:
        self.phase = 0
        self._since = 0  # bytes with a lower mark were sent before the last change
        self._round = 0  # the round ends when bytes with this mark, or a higher one, are settled
        self._is_settling = False
        self._seen_at: int | None = None  # when the first bytes sent after the change were acknowledged
        self._began_at = 0  # when the round did
        self._rtt = 0  # of the last one measured: where some datagrams overtake others, the first answer comes too soon
        self._jitter = _Jitter()
        self._rtts: deque[int] = deque(maxlen=_MOST_SAMPLES)
        self._outcomes: dict[int, list[int]] = {}  # by mark: bytes acknowledged, and lost
        self._acked = self._used = 0
        self._is_app_limited = False
        self._lasted: list[int] = []  # each of the rounds that are taken together, ns

    @property
    def jitter(self) -> int:
        """What round trips vary by in any case, ns: the smallest mean deviation that any round showed."""
        return self._jitter.value

    @property
    def steady_jitter(self) -> int:
        """The same without what a queue adds that grows by more than that from one datagram to the next."""
        return self._jitter.steady

    def begin(self) -> None:
        """The window has been changed: what was sent before does not count any more."""
        self.phase += 1
        self._since = self._round = self.phase
        self._is_settling = True
        self._seen_at = None
        self._outcomes.clear()
        self._clear()

    def _clear(self) -> None:
        self._rtts.clear()
        self._lasted.clear()
        self._acked = self._used = 0
        self._is_app_limited = False

    def noise(self, samples: int) -> int:
        """By how much the median of so many round trips (> 0) may be off, ns, as far as it is not a queue's doing."""
        return _NOISE * self.jitter // max(isqrt(samples), 1)

    def on_rtt(self, rtt: int, *, rttvar: int, sent_at: int) -> None:
        """Take a round trip, the smoothed mean deviation, and when it was that the datagram left (ns)."""
        self._jitter.on_rtt(rtt, rttvar, sent_at)
        self._rtts.append(rtt)

    def on_lost(self, outcomes: Sequence[PhaseOutcome]) -> None:
        """Take losses."""
        for outcome in outcomes:
            if outcome.phase >= self._since:
                self._outcomes.setdefault(outcome.phase, [0, 0])[1] += outcome.lost

    def on_ack(self, sample: AckSample, *, tolerance: int) -> Round | None:
        """Take an acknowledgment; the round, if it has ended. `tolerance` is what noise may be at most, ns."""
        newest = -1
        for phase, acked, _ in sample.outcomes:
            newest = max(newest, phase)
            if phase >= self._since:
                self._acked += acked
                self._outcomes.setdefault(phase, [0, 0])[0] += acked
        self._used = max(self._used, sample.bytes_in_flight + sample.acked)
        self._is_app_limited |= sample.rate.is_app_limited
        if self._is_settling:
            self._settle(newest, sample.now)
            return None
        if newest < self._round or sample.now - self._began_at < self._rtt - self._rtt // 16:
            return None
        is_measured = self._next_round(sample.now)
        samples = len(self._rtts)
        is_clear = samples >= _ENOUGH_SAMPLES or len(self._lasted) >= _ENOUGH_ROUNDS or self.noise(samples) <= tolerance
        if not samples or not is_clear:
            return None
        rtt = median(self._rtts)
        if is_measured:
            self._rtt = rtt
        acked, lost = self._take_outcomes(before=self._round - self._lag(rtt))
        settled = acked + lost
        loss = lost / settled if settled else 0.0
        quartile = sorted(self._rtts)[(samples - 1) // 4] if samples >= _ENOUGH_SAMPLES else rtt
        ended = Round(
            rtt=rtt,
            quartile=quartile,
            latest_rtt=self._rtts[-1],
            samples=samples,
            least=min(self._rtts),
            acked=self._acked,
            took=sum(self._lasted),
            settled=settled,
            loss=loss,
            used=self._used,
            is_app_limited=self._is_app_limited,
        )
        self._clear()
        return ended

    def _next_round(self, now: int) -> bool:
        """Begin the next one; False if none of late has a round trip, and how long they lasted is to stand for it."""
        self._lasted.append(now - self._began_at)
        self._began_at = now
        self.phase += 1
        self._round = self.phase
        self._jitter.on_round()
        if self._rtts or len(self._lasted) < _ENOUGH_ROUNDS:
            return True
        if self._is_app_limited:
            self._outcomes.clear()
            self._clear()
        else:
            self._rtts.append(max(min(self._lasted), 1))
        return False

    def _lag(self, rtt: int) -> int:
        """Rounds after which losses are known that arrivals tell of now."""
        return 0 if _LATE_DEVIATIONS * self.jitter <= rtt else 2

    def _take_outcomes(self, *, before: int) -> tuple[int, int]:
        """What is known of bytes with a mark below `before`; what comes to be known of them later does not count."""
        acked = lost = 0
        for phase in [phase for phase in self._outcomes if phase < before]:
            these = self._outcomes.pop(phase)
            acked, lost = acked + these[0], lost + these[1]
        if before < self._round:
            self._since = max(self._since, before)
        return acked, lost

    def _settle(self, newest: int, now: int) -> None:
        if self._seen_at is None and newest >= self._since:
            self._seen_at = now
        if self._seen_at is not None and now >= self._seen_at + _SETTLING_DEVIATIONS * self.jitter:
            self._is_settling = False
            self.phase += 1
            self._round = self.phase
            self._began_at = now
        self._outcomes.clear()
        self._clear()


class _Jitter:
    """The mean deviation as differences of successive round trips show it: a queue that grows adds hardly to them.

    The smallest of any round counts; before enough of them are known, RFC 9002's variation, if it is less. `steady` is
    the same without what a growing queue adds: little on a fast link, milliseconds on a slow one.
    """

    __slots__ = ("_is_known", "_rttvar", "_seen", "steady", "value")

    def __init__(self) -> None:
        self.value = self.steady = 0
        self._rttvar = 0
        self._seen: deque[tuple[int, int]] = deque(maxlen=_MOST_SAMPLES)  # when each was sent, and its round trip
        self._is_known = False

    def on_rtt(self, rtt: int, rttvar: int, sent_at: int) -> None:
        self._seen.append((sent_at, rtt))
        self._rttvar = rttvar

    def on_round(self) -> None:
        seen = self._seen
        if len(seen) <= _FEW_DIFFERENCES:
            if not self._is_known:
                self.value = self.steady = self._rttvar
            return
        steps, own = _steps(seen)
        found, steady = _mean_deviation(steps), _mean_deviation(own)
        if len(seen) <= _KNOWN_SAMPLES:
            if not self._is_known:
                self.value, self.steady = min(found, self._rttvar), min(steady, self._rttvar)
            return
        self.value = min(self.value, found) if self._is_known else found
        self.steady = min(self.steady, steady, self.value) if self._is_known else min(steady, self.value)
        self._is_known = True
        seen.clear()


def _steps(seen: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Differences (ns) of successive round trips, each with when it was sent; and what is no growing queue's of them.

    As they were sent: of those that come in the order of their round trips each is near the next. Where hardly any is
    shorter than the one before, a queue grows: then what it grows by from one to the next is no part of them, nor what
    it did in a pause that is as long as all the rest. Those that left at once show nothing of that.
    """
    ordered = sorted(seen)
    pairs = list(pairwise(ordered))
    steps = [after[1] - before[1] for before, after in pairs]
    pause = (ordered[-1][0] - ordered[0][0]) // 2
    grown = [step for step, (before, after) in zip(steps, pairs, strict=True) if 0 < after[0] - before[0] <= pause]
    if len(grown) < _FEW_DIFFERENCES or _SHORTER_PART * sum(step < 0 for step in grown) > len(grown):
        return steps, steps
    usual = median(grown)
    return steps, [step - usual for step in grown]


def _mean_deviation(steps: Sequence[int]) -> int:
    """That of the round trips with these differences: 0.71 to 0.75 for even, triangular, or normal distributions."""
    return 3 * sum(map(abs, steps)) // (4 * len(steps))


def median(values: Iterable[int]) -> int:
    """The median of at least one value (the lower one of two)."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2]
