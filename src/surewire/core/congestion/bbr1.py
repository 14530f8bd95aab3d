"""BBR as it was first published (draft-cardwell-iccrg-bbr-congestion-control-00), to compare with and to teach.

It sends at the highest delivery rate of the last ten round trips and keeps two bandwidth-delay products in flight,
whatever is lost. What follows from that, and what `model` is measured against:

* Loss up to a fifth costs little more than itself: after a phase at 1.25 of the bandwidth, 1.25 (1 - p) of it arrive.
  Beyond that each ten round trips find less than the ten before, and the rate decays.
* In a short queue it takes more than its share from senders that yield to loss, which it drives out by causing it.

Left out: packet conservation in the first round trip of a recovery, which only matters to short flows; and the random
phase to begin the cycle with, for want of a source of randomness: the time chooses it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import Enum, auto

from surewire.core.congestion.base import AckSample, PhaseOutcome, check_start
from surewire.core.units import NS_PER_MS, NS_PER_S

# All sections are the draft's. Gains are per cent.
_HIGH_GAIN = 289  # §4.1.1.1: 2 / ln 2, the least that doubles the rate each round trip
_DRAIN_GAIN = 35  # §4.3.3: its inverse
_CYCLE = (125, 75, 100, 100, 100, 100, 100, 100)  # §4.3.4
_CWND_GAIN = 200  # §4.2.3.2
_BANDWIDTH_ROUNDS = 10  # §4.1.1.3, BtlBwFilterLen
_RTPROP_LASTS = 10 * NS_PER_S  # §4.1.2.3, RTpropFilterLen
_PROBE_RTT_LASTS = 200 * NS_PER_MS  # §4.3.5
_FULL_GROWTH, _FULL_ROUNDS = 125, 3  # §4.3.2.2: three rounds without a quarter more
_INITIAL_SEGMENTS = 10  # RFC 6928
_LEAST_SEGMENTS = 4  # §4.2.3.3, BBRMinPipeCwnd
_QUANTA = 3  # §4.2.3.2: room for the trains of both hosts
_MOST_QUANTUM = 65_536  # §4.2.2


class _Mode(Enum):
    STARTUP = auto()
    DRAIN = auto()
    PROBE_BW = auto()
    PROBE_RTT = auto()


# Names of their own: Python 3.11 takes longer to look up a member of an enumeration than to call a method.
_STARTUP, _DRAIN, _PROBE_BW, _PROBE_RTT = _Mode


class Bbr1:
    """Sends at the bottleneck's rate, two bandwidth-delay products at most.

    Attributes:
        mode: the part of the algorithm it is in.
        cwnd: bytes that may be in flight.
        phase: the number of phases begun, of the cycle or of another mode.
    """

    def __init__(self, *, segment: int, initial_rtt: int = 150 * NS_PER_MS) -> None:
        """Start for segments of this many bytes, guessing the round trip (ns) until it is known.

        Raises:
            ConfigError: one of them is not positive.
        """
        check_start(segment, initial_rtt)
        self.mode = _STARTUP
        self.cwnd = _INITIAL_SEGMENTS * segment
        self.phase = 0
        self._segment = segment
        self._rate = max(_HIGH_GAIN * self.cwnd * NS_PER_S // (100 * initial_rtt), 1)
        self._best = _RateFilter()
        self._rtprop = _RtProp()
        self._pipe = _FullPipe()
        self._cycle = 0
        self._phase_began = 0
        self._has_lost = False  # anything of this phase
        self._prior_cwnd = 0  # before PROBE_RTT
        self._probe_until: int | None = None  # None while the window drains
        self._probe_has_round = False

    @property
    def bandwidth(self) -> int:
        """The best delivery rate of ten rounds, bytes a second; 0 while unknown."""
        return self._best.rate

    @property
    def rtprop(self) -> int:
        """The least round trip of ten seconds, ns; 0 while unknown."""
        return self._rtprop.rtt

    @property
    def pacing_rate(self) -> int:
        return self._rate

    @property
    def _gain(self) -> int:
        if self.mode is _PROBE_BW:
            return _CYCLE[self._cycle]
        if self.mode is _STARTUP:
            return _HIGH_GAIN
        return _DRAIN_GAIN if self.mode is _DRAIN else 100

    def on_rtt(self, rtt: int, *, rttvar: int, sent_at: int) -> None:
        """Keep a round trip for the acknowledgment it belongs to."""
        self._rtprop.on_rtt(rtt)

    def on_ack(self, sample: AckSample) -> None:
        """Update the model of the path, the mode, and what follows from them (§4)."""
        if sample.rate.round_start:
            self._best.on_round()
        self._best.on_sample(sample.rate.delivery_rate, is_app_limited=sample.rate.is_app_limited)
        is_stale = self._rtprop.on_ack(sample.now)
        if sample.rate.round_start and not sample.rate.is_app_limited:
            self._pipe.on_round(self.bandwidth)
        self._follow(sample, is_stale=is_stale)
        self._set_rate()
        self._set_cwnd(sample)
        if sample.lost:
            self.on_lost(sample.lost, now=sample.now)

    def _follow(self, sample: AckSample, *, is_stale: bool) -> None:
        """Change the mode where its time has come (§4.3)."""
        if self.mode is _STARTUP and self._pipe.is_full:
            self._enter(_DRAIN, sample.now)
        if self.mode is _DRAIN and sample.bytes_in_flight <= self._target(100):
            self._enter_cycle(sample.now)
        elif self.mode is _PROBE_BW and self._is_phase_over(sample):
            self._cycle = (self._cycle + 1) % len(_CYCLE)
            self._enter(_PROBE_BW, sample.now)
        if self.mode is _PROBE_RTT:
            self._look(sample)
        elif is_stale:
            self._prior_cwnd = self.cwnd
            self._probe_until = None
            self._enter(_PROBE_RTT, sample.now)

    def _enter(self, mode: _Mode, now: int) -> None:
        self.mode = mode
        self.phase += 1
        self._phase_began = now
        self._has_lost = False

    def _enter_cycle(self, now: int) -> None:
        """Begin with any phase but the one that drains (§4.3.4.3)."""
        draw = now // NS_PER_MS % (len(_CYCLE) - 1)
        self._cycle = draw + 1 if draw else 0
        self._enter(_PROBE_BW, now)

    def _is_phase_over(self, sample: AckSample) -> bool:
        """§4.3.4.3: a round trip; more until the queue is as long as meant, less once it is drained."""
        is_long = sample.now - self._phase_began > self.rtprop
        gain = _CYCLE[self._cycle]
        if gain > 100:
            return is_long and (self._has_lost or sample.bytes_in_flight >= self._target(gain))
        return is_long or (gain < 100 and sample.bytes_in_flight <= self._target(100))

    def _look(self, sample: AckSample) -> None:
        """Drain, stay for 200 ms and a round trip, and go on (§4.3.5)."""
        if self._probe_until is None:
            if sample.bytes_in_flight <= _LEAST_SEGMENTS * self._segment:
                self._probe_until = sample.now + _PROBE_RTT_LASTS
                self._probe_has_round = False
            return
        self._probe_has_round = self._probe_has_round or sample.rate.round_start
        if not self._probe_has_round or sample.now < self._probe_until:
            return
        self._rtprop.confirm(sample.now)
        self.cwnd = max(self.cwnd, self._prior_cwnd)
        if self._pipe.is_full:
            self._enter_cycle(sample.now)
        else:
            self._enter(_STARTUP, sample.now)

    def _set_rate(self) -> None:
        """§4.2.1: it only rises while the pipe was never full."""
        rate = self.bandwidth * self._gain // 100
        if self._pipe.is_full or rate > self._rate:
            self._rate = max(rate, 1)

    def _target(self, gain: int) -> int:
        """Bytes in flight at `gain` bandwidth-delay products, with room for trains (§4.2.3.2)."""
        if not self.rtprop:
            return _INITIAL_SEGMENTS * self._segment
        quantum = min(max(self._rate * NS_PER_MS // NS_PER_S, 2 * self._segment), _MOST_QUANTUM)
        return self.bandwidth * self.rtprop * gain // (100 * NS_PER_S) + _QUANTA * quantum

    def _set_cwnd(self, sample: AckSample) -> None:
        """§4.2.3.5: towards the target, by no more than what was acknowledged."""
        target = self._target(_HIGH_GAIN if self.mode in (_STARTUP, _DRAIN) else _CWND_GAIN)
        if self._pipe.is_full:
            self.cwnd = min(self.cwnd + sample.acked, target)
        elif self.cwnd < target:
            self.cwnd += sample.acked
        least = _LEAST_SEGMENTS * self._segment
        self.cwnd = least if self.mode is _PROBE_RTT else max(self.cwnd, least)

    def on_lost(self, outcomes: Sequence[PhaseOutcome], *, now: int) -> None:
        """A loss ends the probing phase of the cycle, and changes nothing else."""
        self._has_lost = self._has_lost or any(lost and phase == self.phase for phase, _, lost in outcomes)

    def on_segment(self, segment: int) -> None:
        """Reckon with segments of this length from now on."""
        self._segment = segment
        self.cwnd = max(self.cwnd, _LEAST_SEGMENTS * segment)


class _RateFilter:
    """The highest `rate` (bytes a second) of the last ten rounds (§4.1.1)."""

    def __init__(self) -> None:
        self.rate = 0
        self._round = 0
        self._rates: deque[tuple[int, int]] = deque()  # (round, rate), rates falling

    def on_round(self) -> None:
        self._round += 1

    def on_sample(self, rate: int, *, is_app_limited: bool) -> None:
        """Take a sample; the application's own pace only ever raises the rate (§4.1.1.4)."""
        if not rate or (is_app_limited and rate < self.rate):
            return
        rates = self._rates
        while rates and rates[-1][1] <= rate:
            rates.pop()
        rates.append((self._round, rate))
        while rates[0][0] <= self._round - _BANDWIDTH_ROUNDS:
            rates.popleft()
        self.rate = rates[0][1]


class _RtProp:
    """The least round trip, `rtt` in ns, of the last ten seconds (§4.1.2)."""

    def __init__(self) -> None:
        self.rtt = 0
        self._seen_at = 0
        self._least = 0  # since the last acknowledgment of anything new; 0: none

    def on_rtt(self, rtt: int) -> None:
        self._least = min(self._least or rtt, rtt)

    def on_ack(self, now: int) -> bool:
        """Judge what was measured; True when the least one had become too old to go by."""
        least, self._least = self._least, 0
        is_stale = self.rtt > 0 and now > self._seen_at + _RTPROP_LASTS
        if least and (is_stale or not self.rtt or least <= self.rtt):
            self.rtt = least
            self._seen_at = now
        return is_stale

    def confirm(self, now: int) -> None:
        """The path without a queue has been looked at."""
        self._seen_at = now


class _FullPipe:
    """`is_full` once the bandwidth has stopped growing (§4.3.2.2)."""

    def __init__(self) -> None:
        self.is_full = False
        self._best = 0
        self._rounds = 0

    def on_round(self, bandwidth: int) -> None:
        """A round has ended that the application did not limit."""
        if bandwidth * 100 >= self._best * _FULL_GROWTH:
            self._best = bandwidth
            self._rounds = 0
            return
        self._rounds += 1
        self.is_full = self.is_full or self._rounds >= _FULL_ROUNDS
