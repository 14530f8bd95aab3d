"""What every controller that takes loss for congestion has in common: when a loss counts, and when growth does.

The controller's `phase` is the number of its reductions. Bytes carry it while they are in flight, so it tells
without any clock what was sent before the last reduction: losses among that are of the same round trip and
reduce nothing more, and its acknowledgments grow nothing (RFC 9002 §7.3.2, B.5, B.6).

Persistent congestion (RFC 9002 §7.6) is the loss of all that was sent in three probe timeouts. A controller sees
no packets, but it sees the silence between two acknowledgments while something was in flight: probes leave one
and three probe timeouts after its begin (§6.2.1), so one longer than five and a round trip has outlived the
second one, and all between was lost.
"""

from __future__ import annotations

from collections.abc import Sequence

from surewire.core.congestion.base import AckSample, PhaseOutcome
from surewire.core.rtt import RttEstimator
from surewire.core.units import NS_PER_MS, NS_PER_S

_INITIAL_SEGMENTS, _INITIAL_BYTES = 10, 14_720  # RFC 9002 §7.2
_MIN_SEGMENTS = 2  # RFC 9002 §7.2, kMinimumWindow
_SILENT_TIMEOUTS = 5
_MAX_ACK_DELAY = 5 * NS_PER_MS  # of our own receivers; with others the silence has to be a little longer
_STARTING_GAIN, _PACING_GAIN = 200, 125  # per cent; RFC 9002 §7.7 has the second, doubling needs the first


class RecoveryPeriod:
    """The reductions so far (`phase`), the round trip, and the silence."""

    __slots__ = ("_bytes_in_flight", "_last_ack_at", "_rtt", "_silence", "phase")

    def __init__(self, *, initial_rtt: int) -> None:
        """Guess the round trip (ns) until it is known."""
        self.phase = 0
        self._rtt = RttEstimator(initial_rtt)
        self._last_ack_at = 0
        self._bytes_in_flight = 0  # after the last acknowledgment
        self._silence = 0  # before the last acknowledgment, ns

    @property
    def smoothed_rtt(self) -> int:
        """The round trip, ns."""
        return self._rtt.smoothed_rtt

    def on_rtt(self, rtt: int) -> None:
        """Take a round trip (ns, > 0)."""
        self._rtt.on_sample(rtt, ack_delay=0)

    def on_ack(self, sample: AckSample) -> int:
        """Note an acknowledgment; the bytes of it that were sent since the last reduction."""
        self._silence = sample.now - self._last_ack_at if self._bytes_in_flight else 0
        self._last_ack_at = sample.now
        self._bytes_in_flight = sample.bytes_in_flight
        return sum(outcome.acked for outcome in sample.outcomes if outcome.phase == self.phase)

    def on_lost(self, outcomes: Sequence[PhaseOutcome]) -> bool:
        """Count a loss; True when it is news, and the window is to be reduced."""
        if not any(outcome.lost and outcome.phase == self.phase for outcome in outcomes):
            return False
        self.phase += 1
        return True

    @property
    def is_persistent(self) -> bool:
        """True when losses told now lie in a silence that means persistent congestion."""
        if not self._rtt.samples:  # RFC 9002 §7.6.2
            return False
        return self._silence > _SILENT_TIMEOUTS * self._rtt.pto(_MAX_ACK_DELAY) + self._rtt.smoothed_rtt


def initial_window(segment: int) -> int:
    """Bytes that may be in flight before anything is known (RFC 9002 §7.2)."""
    return min(_INITIAL_SEGMENTS * segment, max(_INITIAL_BYTES, _MIN_SEGMENTS * segment))


def minimum_window(segment: int) -> int:
    """Bytes that may be in flight whatever is lost (RFC 9002 §7.2)."""
    return _MIN_SEGMENTS * segment


def window_is_used(sample: AckSample, cwnd: int) -> bool:
    """False when the window is not what held the sender back: it must not grow then (RFC 9002 §7.8).

    Half of it must have been in flight, as slow start would double even that in a round trip.
    """
    return not sample.rate.is_app_limited and sample.uses_half(cwnd)


def pacing_rate(cwnd: int, smoothed_rtt: int, *, segment: int, is_starting: bool) -> int:
    """Bytes a second at which the window leaves in a little less than a round trip (RFC 9002 §7.7)."""
    gain = _STARTING_GAIN if is_starting else _PACING_GAIN
    return max(gain * cwnd * NS_PER_S // (100 * max(smoothed_rtt, 1)), segment)
