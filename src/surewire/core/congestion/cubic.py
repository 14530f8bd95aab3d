"""CUBIC (RFC 9438), in bytes: the window is a cubic function of the time since the last reduction.

It rises steeply to where the last loss was, stays there a while, and goes on beyond it; where Reno would be
faster (short round trips, small windows) it grows as Reno does. Slow start is HyStart++'s (`hystart`).

What the RFC leaves open or says it should do, and is done here:

* §4.6: the reduction takes the window, not what is in flight; in return a window that is not used does not grow.
* §4.9 (undoing a reduction whose loss was spurious) is not done: a controller is not told.
* §5.8: time in which the application had nothing to send does not count.

Only IEEE 754 arithmetic and integers, no function of the C library: the same on every machine.
"""

from __future__ import annotations

from surewire.core.congestion.base import AckSample, PhaseOutcome
from surewire.core.congestion.hystart import CSS_GROWTH_DIVISOR, HyStart
from surewire.core.congestion.recovery_period import (
    RecoveryPeriod,
    initial_window,
    minimum_window,
    pacing_rate,
    window_is_used,
)
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import ConfigError

_BETA = 0.7  # §4.6
_C = 0.4  # §5, segments / s^3
_ALPHA = 3 * (1 - _BETA) / (1 + _BETA)  # §4.3
_FAST_CONVERGENCE = (1 + _BETA) / 2  # §4.7
_MAX_TARGET = 1.5  # §4.2, windows


class Cubic:
    """Seven tenths of the window at a loss, then back along a cubic curve."""

    bandwidth = 0  # no figure of its own

    def __init__(self, *, segment: int, initial_rtt: int = 150 * NS_PER_MS) -> None:
        """Start for segments of this many bytes, guessing the round trip (ns) until it is known.

        Raises:
            ConfigError: one of them is not positive.
        """
        if segment <= 0 or initial_rtt <= 0:
            raise ConfigError("a segment and the initial round trip must be positive")
        self._segment = segment
        self._window = float(initial_window(segment))
        self._ssthresh: float | None = None
        self._recovery = RecoveryPeriod(initial_rtt=initial_rtt)
        self._hystart = HyStart()
        self._prior = 0.0  # the window before the last reduction (§4.1.2, cwnd_prior)
        self._curve = _Curve(segment=segment)
        self._last_ack_at = 0

    @property
    def cwnd(self) -> int:
        return int(self._window)

    @property
    def ssthresh(self) -> int | None:
        """The window (bytes) at which slow start ends; None before the first reduction."""
        return None if self._ssthresh is None else int(self._ssthresh)

    @property
    def phase(self) -> int:
        return self._recovery.phase

    @property
    def is_starting(self) -> bool:
        """True in slow start."""
        return self._ssthresh is None or self._window < self._ssthresh

    @property
    def pacing_rate(self) -> int:
        return pacing_rate(self.cwnd, self._recovery.smoothed_rtt, segment=self._segment, is_starting=self.is_starting)

    def on_rtt(self, rtt: int, *, rttvar: int, phase: int) -> None:
        """Take a round trip."""
        self._recovery.on_rtt(rtt)
        if self._ssthresh is None:
            self._hystart.on_rtt(rtt)

    def on_ack(self, sample: AckSample) -> None:
        """Grow, if the window was used."""
        since, self._last_ack_at = sample.now - self._last_ack_at, sample.now
        acked = self._recovery.on_ack(sample)
        if not window_is_used(sample, self.cwnd):
            self._curve.postpone(since)
        elif acked and self.is_starting:
            self._start(acked, is_round_over=sample.rate.round_start)
        elif acked:
            self._avoid_congestion(acked, sample.now)

    def _start(self, acked: int, *, is_round_over: bool) -> None:
        if self._ssthresh is not None:
            self._window += acked
            return
        if is_round_over:
            self._hystart.on_round()
            if self._hystart.is_over:
                self._ssthresh = self._prior = self._window  # §4.10: without any loss
                return
        self._window += acked / CSS_GROWTH_DIVISOR if self._hystart.is_conservative else acked

    def _avoid_congestion(self, acked: int, now: int) -> None:
        """§4.2 to §4.5."""
        curve, window = self._curve, self._window
        if not curve.is_begun:
            curve.begin(window, now=now)
        reno = curve.grow_as_reno(acked / window, prior=self._prior)
        if curve.at(now) < reno:
            self._window = reno
            return
        target = min(max(curve.at(now + self._recovery.smoothed_rtt), window), _MAX_TARGET * window)
        self._window += (target - window) * acked / window

    def on_lost(self, outcomes: list[PhaseOutcome], *, now: int) -> None:
        """Reduce the window, once for all that was sent before (§4.6)."""
        if self._recovery.on_lost(outcomes):
            self._prior = self._window
            self._curve.end(self._window)
            self._window = self._ssthresh = max(self._window * _BETA, float(minimum_window(self._segment)))
        if self._recovery.is_persistent:
            self.on_persistent_congestion()

    def on_persistent_congestion(self) -> None:
        """Start again with the least window (§4.8; RFC 9002 §7.6.2): up to the threshold that `on_lost` has set."""
        self._window = float(minimum_window(self._segment))
        self._curve.forget()

    def on_segment(self, segment: int) -> None:
        """Reckon with segments of this length from now on."""
        self._segment = segment
        self._curve.segment = segment


class _Curve:
    """The cubic function of one stage of congestion avoidance, and the window that Reno would have (§4.1.2)."""

    __slots__ = ("_begin_at", "_k_us", "_max", "_reno", "is_begun", "segment")

    def __init__(self, *, segment: int) -> None:
        self.is_begun = False
        self.segment = segment
        self._max: float | None = None  # W_max, bytes; None: the stage begins on the plateau
        self._k_us = 0  # K
        self._begin_at = 0  # t_epoch, ns
        self._reno = 0.0  # W_est, bytes

    def begin(self, window: float, *, now: int) -> None:
        """Begin a stage with `window` (cwnd_epoch). Without a loss before it K is 0 (§4.8, §4.10)."""
        self.is_begun = True
        self._begin_at = now
        self._reno = window
        if self._max is None or self._max < window:
            self._max = window
        below = int(self._max - window)
        self._k_us = _cube_root(int(below * 10**18 / (_C * self.segment)))

    def end(self, window: float) -> None:
        """A loss at `window` ends the stage: fast convergence yields to new flows (§4.7)."""
        self.is_begun = False
        self._max = window * _FAST_CONVERGENCE if self._max is not None and window < self._max else window

    def forget(self) -> None:
        """After a timeout the next stage begins on the plateau, wherever that will be (§4.8)."""
        self.is_begun = False
        self._max = None

    def postpone(self, duration: int) -> None:
        """Leave `duration` ns out of the stage."""
        self._begin_at += duration

    def at(self, now: int) -> float:
        """W_cubic in bytes."""
        seconds = ((now - self._begin_at) - 1000 * self._k_us) / NS_PER_S
        return (self._max or 0.0) + _C * self.segment * seconds * seconds * seconds

    def grow_as_reno(self, windows: float, *, prior: float) -> float:
        """W_est after so many more windows were acknowledged: as fast as Reno once it has made up for the reduction."""
        alpha = 1.0 if self._reno >= prior else _ALPHA
        self._reno += alpha * self.segment * windows
        return self._reno


def _cube_root(value: int) -> int:
    """The integer cube root of `value` >= 0, by Newton's method from above."""
    if value == 0:
        return 0
    root = 1 << -(-value.bit_length() // 3)
    while (better := (2 * root + value // (root * root)) // 3) < root:
        root = better
    return root
