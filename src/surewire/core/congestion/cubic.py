"""CUBIC (RFC 9438), in bytes: the window is a cubic function of the time since the last reduction.

It rises steeply to where the last loss was, stays there a while, and goes on beyond it; where Reno would be
faster (short round trips, small windows) it grows as Reno does. Slow start is HyStart++'s (`hystart`).

What the RFC leaves open or says it should do, and is done here:

* §4.6: the reduction takes the window, not what is in flight; in return a window that is not used does not grow.
* §4.9 (undoing a reduction whose loss was spurious) is not done: a controller is not told.
* §5.8: time in which the application had nothing to send does not count.
"""

from __future__ import annotations

from collections.abc import Sequence

from surewire.core.congestion.base import AckSample, PhaseOutcome, check_start
from surewire.core.congestion.cubic_curve import BETA, CubicCurve
from surewire.core.congestion.hystart import CSS_GROWTH_DIVISOR, HyStart
from surewire.core.congestion.recovery_period import (
    RecoveryPeriod,
    initial_window,
    minimum_window,
    pacing_rate,
    window_is_used,
)
from surewire.core.units import NS_PER_MS

_MAX_TARGET = 1.5  # §4.2, windows


class Cubic:
    """Seven tenths of the window at a loss, then back along a cubic curve."""

    bandwidth = 0  # no figure of its own

    def __init__(self, *, segment: int, initial_rtt: int = 150 * NS_PER_MS) -> None:
        """Start for segments of this many bytes, guessing the round trip (ns) until it is known.

        Raises:
            ConfigError: one of them is not positive.
        """
        check_start(segment, initial_rtt)
        self._segment = segment
        self._window = float(initial_window(segment))
        self._ssthresh: float | None = None
        self._recovery = RecoveryPeriod(initial_rtt=initial_rtt)
        self._hystart = HyStart()
        self._prior = 0.0  # the window before the last reduction (§4.1.2, cwnd_prior)
        self._curve = CubicCurve(segment=segment)
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

    def on_rtt(self, rtt: int, *, rttvar: int, sent_at: int) -> None:
        """Take a round trip."""
        self._recovery.on_rtt(rtt)
        if self._ssthresh is None:
            self._hystart.on_rtt(rtt)

    def on_ack(self, sample: AckSample) -> None:
        """Grow, if the window was used, and answer to what was lost."""
        since, self._last_ack_at = sample.now - self._last_ack_at, sample.now
        acked = self._recovery.on_ack(sample)
        if not window_is_used(sample, self.cwnd):
            self._curve.postpone(since)
        elif acked and self.is_starting:
            self._start(acked, is_round_over=sample.rate.round_start)
        elif acked:
            self._avoid_congestion(acked, sample.now)
        if sample.lost:
            self.on_lost(sample.lost, now=sample.now)

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

    def on_lost(self, outcomes: Sequence[PhaseOutcome], *, now: int) -> None:
        """Reduce the window, once for all that was sent before (§4.6)."""
        if self._recovery.on_lost(outcomes):
            self._prior = self._window
            self._curve.end(self._window)
            self._window = self._ssthresh = max(self._window * BETA, float(minimum_window(self._segment)))
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
