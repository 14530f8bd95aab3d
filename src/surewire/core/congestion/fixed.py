"""A given rate, a given window, or both, whatever happens: for comparison, teaching, and links one owns."""

from __future__ import annotations

from collections.abc import Sequence

from surewire.core.congestion.base import AckSample, PhaseOutcome
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import ConfigError

_LEAST_WINDOW = 64 << 10  # bytes, beside a rate: hosts that come round late work on trains
_ROUND_TRIPS = 2  # of the rate: nothing but the rate is to hold the sender back
_ANY_RATE = 1 << 40  # bytes a second: the window decides


class FixedRate:
    """Sends at a rate, and keeps to a window; where one of them is missing, it follows from the other.

    A rate alone has a window of two round trips, as long as they are at the time; a window alone leaves as soon as
    acknowledgments let it, as a sliding window does.
    """

    phase = 0
    bandwidth = 0

    def __init__(self, *, rate: int | None = None, cwnd: int | None = None, initial_rtt: int = 150 * NS_PER_MS) -> None:
        """Take the rate (bytes a second, > 0) and the window (bytes, > 0), at least one of them.

        Raises:
            ConfigError: one of them is not positive, or both are missing.
        """
        if rate is None and cwnd is None:
            raise ConfigError("fixed congestion control needs a rate or a window")
        if (rate is not None and rate <= 0) or (cwnd is not None and cwnd <= 0):
            raise ConfigError("a fixed rate and its window must be positive")
        self.pacing_rate = _ANY_RATE if rate is None else rate
        self._rtt = initial_rtt
        self._cwnd = cwnd

    @property
    def cwnd(self) -> int:
        if self._cwnd is not None:
            return self._cwnd
        return max(_ROUND_TRIPS * self.pacing_rate * self._rtt // NS_PER_S, _LEAST_WINDOW)

    @cwnd.setter
    def cwnd(self, value: int) -> None:
        self._cwnd = value

    def on_rtt(self, rtt: int, *, rttvar: int, sent_at: int) -> None:
        """Let the window of a rate follow the round trip and its variation."""
        self._rtt = rtt + 4 * rttvar

    def on_ack(self, sample: AckSample) -> None:
        """Nothing to learn."""

    def on_lost(self, outcomes: Sequence[PhaseOutcome], *, now: int) -> None:
        """Nothing to yield."""

    def on_segment(self, segment: int) -> None:
        """Rate and window are in bytes."""
