"""NewReno: additive increase, multiplicative decrease (RFC 9002 §7 and appendix B, in bytes).

The window doubles each round trip until the first loss, then grows by a segment for each window that is
acknowledged, and is halved once in a round trip in which something is lost. Bytes are counted, not
acknowledgments, so a receiver that delays them slows nothing down. ECN is not read here.
"""

from __future__ import annotations

from collections.abc import Sequence

from surewire.core.congestion.base import AckSample, PhaseOutcome, check_start
from surewire.core.congestion.recovery_period import (
    RecoveryPeriod,
    initial_window,
    minimum_window,
    pacing_rate,
    window_is_used,
)
from surewire.core.units import NS_PER_MS


class NewReno:
    """Half the window at a loss, a segment more each round trip.

    Attributes:
        cwnd: bytes that may be in flight.
        ssthresh: the window (bytes) above which it grows slowly; None before the first loss.
    """

    bandwidth = 0  # no figure of its own

    def __init__(self, *, segment: int, initial_rtt: int = 150 * NS_PER_MS) -> None:
        """Start for segments of this many bytes, guessing the round trip (ns) until it is known.

        Raises:
            ConfigError: one of them is not positive.
        """
        check_start(segment, initial_rtt)
        self.cwnd = initial_window(segment)
        self.ssthresh: int | None = None
        self._segment = segment
        self._recovery = RecoveryPeriod(initial_rtt=initial_rtt)
        self._acked = 0  # bytes since the window last grew, in congestion avoidance

    @property
    def phase(self) -> int:
        return self._recovery.phase

    @property
    def is_starting(self) -> bool:
        """True in slow start (RFC 9002 §7.3.1)."""
        return self.ssthresh is None or self.cwnd < self.ssthresh

    @property
    def pacing_rate(self) -> int:
        return pacing_rate(self.cwnd, self._recovery.smoothed_rtt, segment=self._segment, is_starting=self.is_starting)

    def on_rtt(self, rtt: int, *, rttvar: int, sent_at: int) -> None:
        """Take a round trip, for pacing and to know a long silence."""
        self._recovery.on_rtt(rtt)

    def on_ack(self, sample: AckSample) -> None:
        """Grow, if the window was used (RFC 9002 §7.3.1, §7.3.3), and answer to what was lost."""
        acked = self._recovery.on_ack(sample)
        if acked and window_is_used(sample, self.cwnd):
            self._grow(acked)
        if sample.lost:
            self.on_lost(sample.lost, now=sample.now)

    def _grow(self, acked: int) -> None:
        if self.is_starting:
            self.cwnd += acked
            return
        self._acked += acked
        if self._acked >= self.cwnd:
            self._acked -= self.cwnd
            self.cwnd += self._segment

    def on_lost(self, outcomes: Sequence[PhaseOutcome], *, now: int) -> None:
        """Halve the window, once for all that was sent before (RFC 9002 §7.3.2)."""
        if self._recovery.on_lost(outcomes):
            self.cwnd = self.ssthresh = max(self.cwnd // 2, minimum_window(self._segment))
            self._acked = 0
        if self._recovery.is_persistent:
            self.on_persistent_congestion()

    def on_persistent_congestion(self) -> None:
        """Start again with the least window: persistent congestion (RFC 9002 §7.6.2), or what TCP calls a timeout.

        `on_lost` comes first and sets the threshold, unless it has been set for this loss (RFC 5681 §3.1).
        """
        self.cwnd = minimum_window(self._segment)
        self._acked = 0

    def on_segment(self, segment: int) -> None:
        """Reckon with segments of this length from now on."""
        self._segment = segment
