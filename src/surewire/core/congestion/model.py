"""Rate control by a model of the path: bandwidth, propagation time, and the loss that is no congestion.

Theory of operation. The model has BBR's two properties of a path, bottleneck bandwidth (a windowed
maximum of delivery-rate samples) and propagation time (a windowed minimum of round trips), and a third
one: the loss floor, the share of bytes that is lost even when the flow deliberately sends below the
bandwidth. Such loss cannot be congestion that we cause; a path that loses a share p at random delivers
C(1 - p) only to a sender that sends C, so the pacing rate is the measured (delivered) bandwidth times
1/(1 - floor).

The floor is measured in groups: the bytes sent during one phase. A group counts only when the phase's
gain was at most 1 and the smallest round trip among its packets was within 15% + 1 ms of the minimum,
that is, with the queue known to be empty. A full shallow buffer or a policer drops in the other phases;
its loss does not enter the floor. The estimate leans to zero by half a standard deviation and fades
when no valid group was seen for 8 s.

Phases: STARTUP multiplies the rate each round trip until the bandwidth stops growing or the round trip
does; DRAIN empties the queue that made; CRUISE cycles through gains 1.25, 0.75 and then 1, or 0.9 while
the round trips say that a queue stands. With every cycle the 0.75 phase shows the empty path again.

Sources: BBR (draft-ietf-ccwg-bbr) for the filters, gains and cycle; HyStart++ (RFC 9406) for leaving
start-up on delay; the loss floor is ours (docs/design.md).
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from math import isqrt

from surewire.core.congestion.base import AckSample, PhaseOutcome
from surewire.core.units import NS_PER_MS, NS_PER_S

_STARTUP_GAIN = 277  # per cent; 4 ln 2, the least that doubles the delivery rate in a round trip
_DRAIN_GAIN = 50
_CYCLE = (125, 75, 100, 100, 100, 100, 100, 100)
_QUEUE_GAIN = 90  # cruising with a standing queue
_CWND_GAIN = 2
_BANDWIDTH_ROUNDS = 10
_MIN_RTT_EPOCH = 5 * NS_PER_S  # the minimum spans one to two epochs
_INITIAL_SEGMENTS = 10  # RFC 6928
_MIN_SEGMENTS = 4
_PLATEAU_ROUNDS = 3
_FLOOR_MAX = 60  # per cent; a bound on how much harder loss can ever make us send
_FLOOR_FADES = 8 * NS_PER_S
_GROUP_MIN_SEGMENTS = 8


class Mode(Enum):
    STARTUP = auto()
    DRAIN = auto()
    CRUISE = auto()


class _Group:
    """The bytes sent during one phase, as candidates for a floor sample."""

    __slots__ = ("acked", "is_quiet", "lost", "min_rtt", "phase")

    def __init__(self, phase: int, *, is_quiet: bool) -> None:
        self.phase = phase
        self.is_quiet = is_quiet
        self.acked = 0
        self.lost = 0
        self.min_rtt = 0


class LossFloor:
    """The share of bytes lost while the flow sends below the bandwidth, in parts of 2**16."""

    ONE = 1 << 16

    def __init__(self, *, segment: int) -> None:
        self.floor = 0
        self._segment = segment
        self._lost = 0  # segments, in 1/256, fading
        self._total = 0
        self._updated_at = 0

    def on_group(self, *, acked: int, lost: int, now: int) -> None:
        """Take the outcome (bytes) of a group for which the queue was empty."""
        self._lost = self._lost * 3 // 4 + (lost << 8) // self._segment
        self._total = self._total * 3 // 4 + ((acked + lost) << 8) // self._segment
        self._updated_at = now
        if self._total:
            deviation = isqrt(self._lost << 8) // 2
            share = max(self._lost - deviation, 0) * self.ONE // self._total
            self.floor = min(share, _FLOOR_MAX * self.ONE // 100)

    def on_time(self, now: int) -> None:
        """Let the floor fade when nothing confirms it."""
        if self.floor and now - self._updated_at >= _FLOOR_FADES:
            self.floor //= 2
            self._lost //= 2
            self._updated_at = now


class PathModel:
    """The default controller."""

    def __init__(self, *, segment: int, max_train: int, initial_rtt: int) -> None:
        """Start for segments and trains of up to these many bytes, guessing the round trip (ns) until it is known."""
        self._segment = segment
        self._max_train = max_train
        self.mode = Mode.STARTUP
        self.bandwidth = 0  # delivered bytes a second
        self._bandwidths: deque[tuple[int, int]] = deque()  # (round, rate), rates falling
        self._round = 0
        self.min_rtt = 0
        self._min_rtt_epochs = (0, 0)
        self._min_rtt_epoch_end = 0
        self._rttvar = 0
        self._initial_rtt = initial_rtt
        self.loss_floor = LossFloor(segment=segment)
        self._progress = _Progress()
        self._cycle = _Cycle()

    # What the connection reads before it sends.

    @property
    def phase(self) -> int:
        return self._cycle.phase

    @property
    def pacing_rate(self) -> int:
        if not self.bandwidth:
            rtt = self.min_rtt or self._initial_rtt
            return max(_STARTUP_GAIN * _INITIAL_SEGMENTS * self._segment * NS_PER_S // (100 * rtt), self._segment)
        one = LossFloor.ONE
        sending = self.bandwidth * one // (one - self.loss_floor.floor)
        return max(sending * self._gain // 100, self._segment)

    @property
    def cwnd(self) -> int:
        if not self.bandwidth:
            return _INITIAL_SEGMENTS * self._segment
        gain = 3 if self.mode is Mode.STARTUP else _CWND_GAIN
        quanta = 3 * min(self._max_train, max(self.pacing_rate * NS_PER_MS // NS_PER_S, 2 * self._segment))
        return max(gain * self._bdp + quanta, (_INITIAL_SEGMENTS if gain == 3 else _MIN_SEGMENTS) * self._segment)

    @property
    def _bdp(self) -> int:
        """Bytes in flight on a full path with an empty queue, the lost ones counted until they are known to be."""
        one = LossFloor.ONE
        return self.bandwidth * (self.min_rtt + self._rttvar) // NS_PER_S * one // (one - self.loss_floor.floor)

    @property
    def _gain(self) -> int:
        if self.mode is Mode.STARTUP:
            return _STARTUP_GAIN
        if self.mode is Mode.DRAIN:
            return _DRAIN_GAIN
        gain = _CYCLE[self._cycle.index]
        return _QUEUE_GAIN if gain == 100 and self._progress.has_queue else gain

    # What the connection tells.

    def on_ack(self, sample: AckSample) -> None:
        """Update the model, then the mode."""
        self._rttvar = sample.rttvar
        if sample.rtt:
            self._update_min_rtt(sample.rtt, sample.now)
        self._cycle.count(sample.outcomes, rtt=sample.rtt)
        if sample.rate.round_start:
            self._round += 1
            self._progress.on_round(min_rtt=self.min_rtt)
        if sample.rtt:
            self._progress.on_rtt(sample.rtt)
        self._update_bandwidth(sample)
        self._update_mode(sample)
        self.loss_floor.on_time(sample.now)

    def on_lost(self, outcomes: list[PhaseOutcome], *, now: int) -> None:
        """Count the loss to the phase it belongs to; nothing else follows from loss alone."""
        self._cycle.count(outcomes, rtt=0)

    # The filters.

    def _update_min_rtt(self, rtt: int, now: int) -> None:
        if now >= self._min_rtt_epoch_end:
            self._min_rtt_epochs = (self._min_rtt_epochs[1], rtt)
            self._min_rtt_epoch_end = now + _MIN_RTT_EPOCH
        earlier, current = self._min_rtt_epochs
        current = min(current or rtt, rtt)
        self._min_rtt_epochs = (earlier, current)
        self.min_rtt = min(earlier or current, current)

    def _update_bandwidth(self, sample: AckSample) -> None:
        rate = sample.rate.delivery_rate
        while (
            self._bandwidths and self._bandwidths[0][0] <= self._round - _BANDWIDTH_ROUNDS and len(self._bandwidths) > 1
        ):
            self._bandwidths.popleft()
        if not rate or (sample.rate.is_app_limited and rate < self.bandwidth):
            return
        while self._bandwidths and self._bandwidths[-1][1] <= rate:
            self._bandwidths.pop()
        self._bandwidths.append((self._round, rate))
        while len(self._bandwidths) > 1 and self._bandwidths[0][0] <= self._round - _BANDWIDTH_ROUNDS:
            self._bandwidths.popleft()
        self.bandwidth = self._bandwidths[0][1]

    # The modes.

    def _update_mode(self, sample: AckSample) -> None:
        if self.mode is Mode.STARTUP:
            if sample.rate.round_start and self._progress.is_startup_over(
                self.bandwidth, is_app_limited=sample.rate.is_app_limited
            ):
                self.mode = Mode.DRAIN
                self._next_phase(sample.now, is_quiet=False)
        elif self.mode is Mode.DRAIN:
            if sample.bytes_in_flight <= self._bdp or sample.now - self._cycle.started_at > 4 * self.min_rtt:
                self.mode = Mode.CRUISE
                self._cycle.index = 1
                self._next_phase(sample.now, is_quiet=True)
        elif sample.now - self._cycle.started_at >= max(self.min_rtt, 2 * NS_PER_MS):
            self._cycle.index = (self._cycle.index + 1) % len(_CYCLE)
            self._next_phase(sample.now, is_quiet=_CYCLE[self._cycle.index] <= 100)

    def _next_phase(self, now: int, *, is_quiet: bool) -> None:
        for group in self._cycle.advance(now, is_quiet=is_quiet):
            is_valid = group.is_quiet and 0 < group.min_rtt <= self.min_rtt * 115 // 100 + NS_PER_MS
            if is_valid and group.acked + group.lost >= _GROUP_MIN_SEGMENTS * self._segment:
                self.loss_floor.on_group(acked=group.acked, lost=group.lost, now=now)


class _Progress:
    """Round-by-round evidence: does the bandwidth still grow, does a queue stand."""

    def __init__(self) -> None:
        self.has_queue = False
        self._best = 0
        self._stalled_rounds = 0
        self._round_min_rtt = 0
        self._round_samples = 0

    def on_rtt(self, rtt: int) -> None:
        self._round_min_rtt = min(self._round_min_rtt or rtt, rtt)
        self._round_samples += 1

    def on_round(self, *, min_rtt: int) -> None:
        """Judge the round that ended by its smallest round trip, so that jitter is no queue."""
        if self._round_samples:
            self.has_queue = self._round_samples >= 3 and self._round_min_rtt > min_rtt * 5 // 4 + NS_PER_MS
        self._round_min_rtt = self._round_samples = 0

    def is_startup_over(self, bandwidth: int, *, is_app_limited: bool) -> bool:
        """True when the bandwidth has stopped growing by a quarter a round, or a queue stands."""
        if is_app_limited:
            return False
        if bandwidth * 4 >= self._best * 5:
            self._best = bandwidth
            self._stalled_rounds = 0
        else:
            self._stalled_rounds += 1
        return self.has_queue or self._stalled_rounds >= _PLATEAU_ROUNDS


class _Cycle:
    """The gain cycle and the groups of its last phases."""

    _SETTLED_AFTER = 4  # phases, of at least a round trip each: by then a group's bytes are acknowledged or lost

    def __init__(self) -> None:
        self.index = 0
        self.phase = 0
        self.started_at = 0
        self._groups: deque[_Group] = deque([_Group(0, is_quiet=False)])

    def count(self, outcomes: list[PhaseOutcome], *, rtt: int) -> None:
        first = self._groups[0].phase
        for outcome in outcomes:
            index = outcome.phase - first
            if 0 <= index < len(self._groups):
                group = self._groups[index]
                group.acked += outcome.acked
                group.lost += outcome.lost
                if rtt:
                    group.min_rtt = min(group.min_rtt or rtt, rtt)

    def advance(self, now: int, *, is_quiet: bool) -> list[_Group]:
        """Begin the next phase; return the groups that are settled by now."""
        self.phase += 1
        self.started_at = now
        self._groups.append(_Group(self.phase, is_quiet=is_quiet))
        settled = []
        while len(self._groups) > self._SETTLED_AFTER:
            settled.append(self._groups.popleft())
        return settled
