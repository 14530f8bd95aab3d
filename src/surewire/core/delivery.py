"""Delivery-rate and round samples (draft-cheng-iccrg-delivery-rate-estimation, §3).

A run remembers what had been delivered when it left. When it is acknowledged, the bytes delivered in
between, over the longer of the time it took to send and to acknowledge them, are a sample of what the
path carries; the longer one, because acknowledgments that arrive bunched would show more than the
path can do. A sample taken while the application had nothing to send shows the application's rate.
"""

from __future__ import annotations

from typing import NamedTuple

from surewire.core.sent_log import SentRun, Snapshot
from surewire.core.units import NS_PER_S


class RateSample(NamedTuple):
    """One measurement."""

    delivery_rate: int  # bytes a second; 0 when the interval was too short to say
    is_app_limited: bool
    round_start: bool  # True for the first sample of a round trip


class DeliverySampler:
    """Counts delivered bytes and turns acknowledged runs into rate samples."""

    __slots__ = ("_app_limited_until", "_delivered_at", "_first_sent_at", "_next_round", "_sent", "delivered")

    def __init__(self, now: int) -> None:
        self.delivered = 0
        self._delivered_at = now
        self._first_sent_at = now
        self._app_limited_until = 0  # samples of runs sent before this much was delivered are the application's
        self._next_round = 0
        self._sent = 0  # bytes, each time they were

    def snapshot(self, start: int, stop: int, *, now: int, bytes_in_flight: int, phase: int) -> Snapshot:
        """What a run of bytes [start, stop) sent at `now` has to remember; `phase` is the controller's own mark."""
        if bytes_in_flight == 0:
            self._first_sent_at = self._delivered_at = now
        before, self._sent = self._sent, self._sent + stop - start
        return Snapshot(
            self.delivered,
            self._delivered_at,
            self._first_sent_at,
            self.delivered < self._app_limited_until,
            phase,
            before - start,
        )

    def on_app_limited(self, *, bytes_in_flight: int) -> None:
        """The application has nothing more to send although the network would take it."""
        self._app_limited_until = self.delivered + max(bytes_in_flight, 1)

    def on_acked(self, runs: list[SentRun], latest: SentRun, *, now: int, shortest: int) -> RateSample:
        """Count newly delivered runs and measure over `latest`, the one of them that arrived last.

        Intervals below `shortest` (ns) give no rate: they overestimate it (§3.2 takes the smallest round
        trip for that; half the smoothed one also holds where single packets overtake all others).
        """
        for run in runs:
            self.delivered += run.nbytes
        before = latest.snapshot
        send_elapsed = latest.sent_at - before.first_sent_at
        ack_elapsed = now - before.delivered_at
        self._delivered_at = now
        self._first_sent_at = latest.sent_at
        interval = max(send_elapsed, ack_elapsed)
        rate = 0
        if interval >= max(shortest, 1):
            rate = (self.delivered - before.delivered) * NS_PER_S // interval
        round_start = before.delivered >= self._next_round
        if round_start:
            self._next_round = self.delivered
        return RateSample(rate, before.is_app_limited, round_start)
