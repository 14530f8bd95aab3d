"""A controller's window, held shut while nothing but one segment may be on its way.

Everything else is the controller's own; it does not know of the bound, and learns from what is acknowledged.
"""

from __future__ import annotations

from collections.abc import Sequence

from surewire.core.congestion import AckSample, CongestionController, PhaseOutcome


class BoundedWindow:
    """A controller whose window ends at `limit` (bytes, >= 1), which may change at any time."""

    __slots__ = ("_controller", "limit")

    def __init__(self, controller: CongestionController, *, limit: int) -> None:
        self._controller = controller
        self.limit = limit

    @property
    def cwnd(self) -> int:
        return min(self._controller.cwnd, self.limit)

    @property
    def pacing_rate(self) -> int:
        return self._controller.pacing_rate

    @property
    def bandwidth(self) -> int:
        return self._controller.bandwidth

    @property
    def phase(self) -> int:
        return self._controller.phase

    def on_rtt(self, rtt: int, *, rttvar: int, sent_at: int) -> None:
        self._controller.on_rtt(rtt, rttvar=rttvar, sent_at=sent_at)

    def on_ack(self, sample: AckSample) -> None:
        self._controller.on_ack(sample)

    def on_lost(self, outcomes: Sequence[PhaseOutcome], *, now: int) -> None:
        self._controller.on_lost(outcomes, now=now)

    def on_segment(self, segment: int) -> None:
        self._controller.on_segment(segment)
