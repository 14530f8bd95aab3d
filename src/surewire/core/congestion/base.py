"""What a congestion controller is told and what it answers.

A controller never sees a packet: it gets one sample for each acknowledgment, one call for each batch
of losses, and is read for three numbers before each transmission.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from surewire.core.delivery import RateSample


class PhaseOutcome(NamedTuple):
    """What became of bytes sent during one of the controller's phases."""

    phase: int
    acked: int
    lost: int


class AckSample(NamedTuple):
    """One acknowledgment that settled something.

    Attributes:
        now: time of arrival, ns.
        rtt: an unambiguous round-trip time from it, ns; 0 when it gave none.
        rttvar: smoothed variation of the round trip, ns.
        rate: the delivery-rate sample.
        acked: bytes newly acknowledged.
        bytes_in_flight: afterwards.
        outcomes: the acknowledged bytes by the phase in which they were sent.
    """

    now: int
    rtt: int
    rttvar: int
    rate: RateSample
    acked: int
    bytes_in_flight: int
    outcomes: list[PhaseOutcome]


class CongestionController(Protocol):
    """Decides how much may be in flight and how fast it leaves."""

    @property
    def cwnd(self) -> int:
        """Bytes that may be in flight, >= one segment."""

    @property
    def pacing_rate(self) -> int:
        """Bytes a second, > 0."""

    @property
    def phase(self) -> int:
        """A mark that runs sent now carry; it comes back in `PhaseOutcome`."""

    def on_ack(self, sample: AckSample) -> None:
        """Bytes were acknowledged."""

    def on_lost(self, outcomes: list[PhaseOutcome], *, now: int) -> None:
        """Bytes were declared lost."""
