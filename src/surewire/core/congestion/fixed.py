"""A given rate and window, whatever happens: for comparison, teaching, and links one owns."""

from __future__ import annotations

from surewire.core.congestion.base import AckSample, PhaseOutcome
from surewire.errors import ConfigError


class FixedRate:
    """Sends at `rate` bytes a second with at most `cwnd` bytes in flight."""

    phase = 0

    def __init__(self, *, rate: int, cwnd: int) -> None:
        """Take the rate (bytes a second, > 0) and the window (bytes, > 0).

        Raises:
            ConfigError: one of them is not positive.
        """
        if rate <= 0 or cwnd <= 0:
            raise ConfigError("a fixed rate and its window must be positive")
        self.pacing_rate = rate
        self.cwnd = cwnd

    def on_rtt(self, rtt: int, *, rttvar: int, phase: int) -> None:
        """Nothing to learn."""

    def on_ack(self, sample: AckSample) -> None:
        """Nothing to learn."""

    def on_lost(self, outcomes: list[PhaseOutcome], *, now: int) -> None:
        """Nothing to yield."""

    def on_segment(self, segment: int) -> None:
        """Rate and window are in bytes."""
