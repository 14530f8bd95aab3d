"""Rate control by a model of the path: bandwidth, propagation time, and the loss that is no congestion.

Theory of operation. The model has BBR's two properties of a path, bottleneck bandwidth (a windowed
maximum of rate samples) and propagation time (a windowed minimum of round trips), and a third one: the
loss floor, the share of bytes that is lost even when the flow deliberately sends below the bandwidth
(`loss_floor`). Such loss cannot be congestion that we cause; a path that loses a share p at random
delivers C(1 - p) only to a sender that sends C. So the bandwidth is what deliveries show divided by
1 - floor, but at most by how much they advanced in the order of sending: a lucky draw of few losses makes
the first too large, never the second, and congestion makes the second too large, never the first.

Phases: STARTUP multiplies the rate each round trip until the bandwidth stops growing or the round trip
does; DRAIN empties the queue that made; CRUISE cycles through gains 1.25, 0.75 and then 1, or less while
the round trips say that a queue stands. With every cycle the 0.75 phase shows the empty path again, and
PROBE_RTT makes sure of it (`rtt_probe`): every ten seconds, and when the queue seems to stand for a cycle.

Sources: BBR (draft-ietf-ccwg-bbr) for the filters, gains and cycle; HyStart++ (RFC 9406) for leaving
start-up on delay; the loss floor is ours (docs/design.md).
"""

from __future__ import annotations

from enum import Enum, auto

from surewire.core.congestion.bandwidth import BandwidthFilter
from surewire.core.congestion.base import AckSample, PhaseOutcome
from surewire.core.congestion.loss_floor import LossFloor
from surewire.core.congestion.rounds import LATENESS, Rounds
from surewire.core.congestion.rtt_probe import RttProbe
from surewire.core.units import NS_PER_MS, NS_PER_S

_STARTUP_GAIN = 277  # per cent; 4 ln 2, the least that doubles the delivery rate in a round trip
_DRAIN_GAIN = 50
_CYCLE = (125, 75, 100, 100, 100, 100, 100, 100)
_QUEUE_GAIN_STEP = 10  # less for each round judged to have a queue, when cruising
_QUEUE_GAIN_LEAST = 60
_CWND_GAIN = 2
_INITIAL_SEGMENTS = 10  # RFC 6928
_MIN_SEGMENTS = 4
_PLATEAU_ROUNDS = 3


class Mode(Enum):
    STARTUP = auto()
    DRAIN = auto()
    CRUISE = auto()
    PROBE_RTT = auto()


# Names of their own: Python 3.11 takes longer to look up a member of an enumeration than to call a method.
_STARTUP, _DRAIN, _CRUISE, _PROBE_RTT = Mode


class PathModel:
    """The default controller."""

    def __init__(self, *, segment: int, max_train: int, initial_rtt: int) -> None:
        """Start for segments and trains of up to these many bytes, guessing the round trip (ns) until it is known."""
        self.mode = _STARTUP
        self._filter = BandwidthFilter()
        self.loss_floor = LossFloor(segment=segment)
        self._segment = segment
        self._max_train = max_train
        self._initial_rtt = initial_rtt
        self._rounds = Rounds()
        self._rttvar = 0
        self._plateau = _Plateau()
        self._rtt_probe = RttProbe()
        self._cycle = 0
        self._phase_began = 0
        self._acked = 0  # bytes while the application had more to send

    @property
    def bandwidth(self) -> int:
        """Of the bottleneck, bytes a second, what is lost behind it included; 0 while unknown."""
        return self._filter.bandwidth

    # What the connection reads before it sends.

    @property
    def phase(self) -> int:
        return self.loss_floor.phase

    @property
    def pacing_rate(self) -> int:
        bandwidth = self._filter.bandwidth
        rate = max(bandwidth * self._gain // 100, self._segment)
        if not self._is_measured:
            # A low rate is the application's, or the first acknowledgments': the path may carry any.
            rtt = self._rounds.min_rtt or self._initial_rtt
            rate = max(_STARTUP_GAIN * _INITIAL_SEGMENTS * self._segment * NS_PER_S // (100 * rtt), rate)
        return rate

    @property
    def cwnd(self) -> int:
        if not self.bandwidth or (not self._is_measured and self.mode is _PROBE_RTT):
            return _INITIAL_SEGMENTS * self._segment
        is_starting = self.mode is _STARTUP
        if self.mode is _PROBE_RTT:
            return max(self._bdp // 2, _MIN_SEGMENTS * self._segment)
        gain, least = (3, _INITIAL_SEGMENTS) if is_starting else (_CWND_GAIN, _MIN_SEGMENTS)
        rate = self.pacing_rate
        quantum = max(rate * NS_PER_MS // NS_PER_S, 2 * self._segment)
        # Both hosts work on whole trains, and come round to them late where they share processors. Where that takes
        # longer than the path, the window and not the path would bound the rate, and be taken for the path's.
        slack = max(3 * min(self._max_train, quantum), rate * LATENESS // NS_PER_S)
        return max(gain * self._bdp + slack, least * self._segment)

    @property
    def _is_measured(self) -> bool:
        """True once a first window was delivered for an application that had more."""
        return self._filter.bandwidth > 0 and self._acked >= _INITIAL_SEGMENTS * self._segment

    @property
    def _bdp(self) -> int:
        """Bytes in flight on a full path with an empty queue, the lost ones counted until they are known to be."""
        return self.bandwidth * (self._rounds.min_rtt + min(self._rounds.jitter, self._rttvar)) // NS_PER_S

    @property
    def _gain(self) -> int:
        if self.mode is _CRUISE:
            gain = _CYCLE[self._cycle]
            if gain < 100 or not self._rounds.queue_rounds:
                return gain
            return max(100 - _QUEUE_GAIN_STEP * self._rounds.queue_rounds, _QUEUE_GAIN_LEAST)
        if self.mode is _STARTUP:
            return _STARTUP_GAIN
        return _DRAIN_GAIN if self.mode is _DRAIN else 100

    # What the connection tells.

    def on_rtt(self, rtt: int, *, rttvar: int, phase: int) -> None:
        """Take a round trip to the present round, and to the phase it belongs to."""
        self._rttvar = rttvar
        self._rounds.on_sample(rtt)
        self.loss_floor.on_rtt(rtt, phase=phase)
        self._rtt_probe.on_rtt(rtt, phase=phase)

    def on_ack(self, sample: AckSample) -> None:
        """Update the model, then the mode."""
        self.loss_floor.count(sample.outcomes)
        is_queue_building = self.mode is _STARTUP and self._rounds.is_queue_building()
        if sample.rate.round_start:
            self._rounds.on_round(sample.now, rttvar=self._rttvar)
        self._update_bandwidth(sample)
        if self.mode is _STARTUP:
            is_plateau = sample.rate.round_start and self._plateau.is_reached(
                self.bandwidth, is_app_limited=sample.rate.is_app_limited
            )
            if is_queue_building or is_plateau:
                self._filter.forget_best()
                self._enter(_DRAIN, sample.now)
        elif self.mode is _DRAIN:
            waited = sample.now - self._phase_began
            if sample.bytes_in_flight <= self._bdp or waited > 4 * self._rounds.min_rtt:
                self._rtt_probe.restart(sample.now)
                self._cruise(1, sample.now)
        elif self.mode is _PROBE_RTT:
            self._look_at_path(sample)
        elif self._rtt_probe.is_due(sample.now, queue_rounds=self._rounds.queue_rounds):
            self._rtt_probe.begin(sample.now)
            self._enter(_PROBE_RTT, sample.now)
        elif sample.now - self._phase_began >= max(self._rounds.min_rtt, 2 * NS_PER_MS):
            self._cruise((self._cycle + 1) % len(_CYCLE), sample.now)

    def _look_at_path(self, sample: AckSample) -> None:
        """Drain, measure, and go on; from the start where the model had lost the path."""
        probe, now = self._rtt_probe, sample.now
        if probe.is_draining:
            if sample.bytes_in_flight <= self.cwnd:
                self._enter(_PROBE_RTT, now)
                probe.on_drained(now, phase=self.phase)
            return
        rtt = probe.poll_result(now, believed=self._rounds.min_rtt)
        if rtt is None:
            return
        self._rounds.on_path_seen(rtt, now)
        if self._plateau.is_lost(self.bandwidth):
            self._plateau = _Plateau()
            self._enter(_STARTUP, now)
        else:
            self._cruise(0, now)

    def _cruise(self, cycle: int, now: int) -> None:
        self._cycle = cycle
        self._enter(_CRUISE, now)

    def on_lost(self, outcomes: list[PhaseOutcome], *, now: int) -> None:
        """Count the loss to the phase it belongs to; nothing else follows from loss alone."""
        self.loss_floor.count(outcomes)

    def on_segment(self, segment: int) -> None:
        """Reckon with segments of this length from now on."""
        self._segment = segment

    def _enter(self, mode: Mode, now: int) -> None:
        """Begin a phase of the cycle, or of another mode."""
        self.mode = mode
        self._phase_began = now
        is_quiet = mode is _PROBE_RTT or (mode is _CRUISE and _CYCLE[self._cycle] <= 100)
        self.loss_floor.begin_phase(is_quiet=is_quiet, min_rtt=self._rounds.min_rtt, now=now)

    def _update_bandwidth(self, sample: AckSample) -> None:
        if not sample.rate.is_app_limited:
            self._acked += sample.acked
        is_starting, rate = self.mode is _STARTUP, self.loss_floor.compensate(sample.rate.delivery_rate)
        if sample.rate.round_start:
            self._filter.on_round()
        self._filter.on_sample(
            rate if is_starting else min(rate, sample.rate.advance_rate), is_app_limited=sample.rate.is_app_limited
        )
        if is_starting or not self.bandwidth:
            self._filter.raise_to_best()


class _Plateau:
    """Has the bandwidth stopped growing by a quarter a round?"""

    def __init__(self) -> None:
        self._best = 0
        self._stalled_rounds = 0

    def is_reached(self, bandwidth: int, *, is_app_limited: bool) -> bool:
        """Judge a round that ended with `bandwidth`."""
        if is_app_limited:
            return False
        if bandwidth * 4 >= self._best * 5:
            self._best = bandwidth
            self._stalled_rounds = 0
        else:
            self._stalled_rounds += 1
        return self._stalled_rounds >= _PLATEAU_ROUNDS

    def is_lost(self, bandwidth: int) -> bool:
        """True when not even half of what starting up found is left."""
        return bandwidth * 2 < self._best
