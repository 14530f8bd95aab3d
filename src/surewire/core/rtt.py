"""Round-trip time estimation (RFC 9002 §5)."""

from __future__ import annotations

from surewire.core.units import NS_PER_MS

GRANULARITY = NS_PER_MS
"""Timer granularity in ns (RFC 9002 §6.1.2, kGranularity)."""


class RttEstimator:
    """Smoothed round-trip time and its variation, in ns.

    Before the first sample `smoothed_rtt` and `rttvar` hold the initial guess (RFC 9002 §5.3).
    """

    __slots__ = ("last_echo", "latest_rtt", "min_rtt", "rttvar", "samples", "smoothed_rtt")

    def __init__(self, initial_rtt: int) -> None:
        self.reset(initial_rtt)
        self.last_echo: int | None = None  # number of the latest sample: a second one with it may be a late copy

    def reset(self, initial_rtt: int) -> None:
        """Forget all samples; guess `initial_rtt` (ns, > 0)."""
        self.latest_rtt = 0
        self.min_rtt = 0
        self.smoothed_rtt = initial_rtt
        self.rttvar = initial_rtt // 2
        self.samples = 0

    def on_sample(self, rtt: int, *, ack_delay: int) -> None:
        """Take a measured round trip (ns, > 0) of which the peer says it held `ack_delay` ns back.

        The caller has capped `ack_delay` at the peer's stated maximum (RFC 9002 §5.3).
        """
        self.latest_rtt = rtt
        if not self.samples:
            self.min_rtt = rtt
            self.smoothed_rtt = rtt
            self.rttvar = rtt // 2
            self.samples = 1
            return
        self.samples += 1
        self.min_rtt = min(self.min_rtt, rtt)
        adjusted = rtt - ack_delay if rtt >= self.min_rtt + ack_delay else rtt
        self.rttvar = (3 * self.rttvar + abs(self.smoothed_rtt - adjusted)) // 4
        self.smoothed_rtt = (7 * self.smoothed_rtt + adjusted) // 8

    def pto(self, max_ack_delay: int) -> int:
        """Probe timeout before any back-off (RFC 9002 §6.2.1)."""
        spread = 4 * self.rttvar
        return self.smoothed_rtt + (spread if spread > GRANULARITY else GRANULARITY) + max_ack_delay
