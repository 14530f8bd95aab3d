"""What a congestion controller is told and what it answers.

A controller never sees a packet: it gets each round trip measured, one sample for each acknowledgment of
something new, with what that shows to be lost, one call for each batch of losses that only time shows, and is read for
three numbers before each transmission. In which order it takes what one sample has is for each to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from surewire.core.delivery import RateSample
from surewire.errors import ConfigError


class PhaseOutcome(NamedTuple):
    """What became of bytes sent during one of the controller's phases."""

    phase: int
    acked: int
    lost: int


class AckSample(NamedTuple):
    """One acknowledgment that settled something.

    Attributes:
        now: time of arrival, ns.
        rate: the delivery-rate sample.
        acked: bytes newly acknowledged.
        sent: bytes sent up to the last of them, each time they were.
        bytes_in_flight: afterwards.
        outcomes: the acknowledged bytes by the phase in which they were sent.
        lost: the bytes that it shows to be lost, likewise.
    """

    now: int
    rate: RateSample
    acked: int
    sent: int
    bytes_in_flight: int
    outcomes: list[PhaseOutcome]
    lost: Sequence[PhaseOutcome] = ()

    def uses_half(self, window: int) -> bool:
        """True when at least half of this window (bytes) was on the way as the acknowledgment came.

        Who uses less shows nothing of what the path would carry (RFC 9002 §7.8; half: Linux, in slow start).
        """
        return 2 * (self.bytes_in_flight + self.acked) >= window


class CongestionController(Protocol):
    """Decides how much may be in flight and how fast it leaves."""

    @property
    def cwnd(self) -> int:
        """Bytes that may be in flight, >= one segment."""

    @property
    def pacing_rate(self) -> int:
        """Bytes a second, > 0."""

    @property
    def bandwidth(self) -> int:
        """What the path is taken to carry, bytes a second; 0 while unknown, or where nobody reckons it."""

    @property
    def phase(self) -> int:
        """A mark that runs sent now carry; it comes back in `PhaseOutcome`."""

    def on_rtt(self, rtt: int, *, rttvar: int, sent_at: int) -> None:
        """A round trip (ns, > 0) of a run sent at `sent_at` (ns); `rttvar` is its smoothed variation (ns).

        Comes before `on_ack` where an acknowledgment gives both; it may give a round trip and no news.
        """

    def on_ack(self, sample: AckSample) -> None:
        """Bytes were acknowledged, and others may be known to be lost by that."""

    def on_lost(self, outcomes: Sequence[PhaseOutcome], *, now: int) -> None:
        """Bytes were declared lost, and no acknowledgment showed it."""

    def on_segment(self, segment: int) -> None:
        """Segments sent from now on have up to `segment` bytes: the path was found to carry longer ones, or fewer."""


def check_start(segment: int, initial_rtt: int) -> None:
    """Refuse a segment (bytes) and a first guess of the round trip (ns) that no controller can start from.

    Raises:
        ConfigError: one of them is not positive.
    """
    if segment <= 0 or initial_rtt <= 0:
        raise ConfigError("a segment and the initial round trip must be positive")
