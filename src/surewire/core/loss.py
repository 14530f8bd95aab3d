"""When a transmission counts as lost: by time, with a reordering window that adapts to the path.

A transmission is lost once a later one has been acknowledged and it has waited
`max(smoothed_rtt, latest_rtt) + reordering_window` since it was sent (the time threshold of RFC 9002
§6.1.2; there is no packet threshold, since counting later packets mistakes reordering for loss).

The window starts at an eighth of the round trip (RFC 9002's 9/8). Where RFC 8985 §6.2 widens it by
fixed steps on evidence of spurious retransmission, packet numbers allow more: each transmission
acknowledged after a later one shows exactly how long a wait would have been needed, whether or not it
had been declared lost. The window is 9/8 of the longest such wait of the last 16 to 32 round trips
(RFC 8985 keeps a widened window for 16 recoveries), at most two smoothed round trips.

`OvertakingWindow` is the other way to judge, for formats whose probes cost next to nothing: by evidence
alone. A transmission is lost once one that was sent a window later has arrived. How late the
acknowledgments are does not matter then, nor does a round trip that is not known well; but without later
arrivals nothing is ever lost, so silence has to be answered by probes.
"""

from __future__ import annotations

from surewire.core.rtt import GRANULARITY, RttEstimator

_EPOCH_ROUND_TRIPS = 16
_MAX_ROUND_TRIPS = 2


class ReorderingWindow:
    """How much longer than a round trip (ns) to wait for a transmission that was overtaken."""

    __slots__ = ("_current", "_epoch_end", "_previous", "_rtt")

    def __init__(self, rtt: RttEstimator) -> None:
        self._rtt = rtt
        self._current = 0  # the longest wait needed in this epoch and in the one before it
        self._previous = 0
        self._epoch_end = 0

    def on_overtaken(self, *, sent_at: int, now: int) -> None:
        """Learn from a transmission acknowledged at `now` although a later one was acknowledged before."""
        self._roll(now)
        needed = now - sent_at - self._round_trip()
        if needed > 0:
            self._current = max(self._current, needed * 9 // 8)

    def window(self, now: int) -> int:
        """The reordering window (ns, > 0)."""
        self._roll(now)
        adapted = min(max(self._current, self._previous), _MAX_ROUND_TRIPS * self._rtt.smoothed_rtt)
        return max(adapted, self._round_trip() // 8, GRANULARITY)

    def loss_delay(self, now: int) -> int:
        """Time after its sending (ns) at which an overtaken transmission is lost."""
        return self._round_trip() + self.window(now)

    def _round_trip(self) -> int:
        return max(self._rtt.smoothed_rtt, self._rtt.latest_rtt)

    def _roll(self, now: int) -> None:
        if now < self._epoch_end:
            return
        epoch = _EPOCH_ROUND_TRIPS * self._rtt.smoothed_rtt
        self._previous = self._current if now < self._epoch_end + epoch else 0
        self._current = 0
        self._epoch_end = now + epoch


class OvertakingWindow:
    """By how much later (ns) than a transmission another one may have been sent that arrives before it.

    The window is 9/8 of the longest such lead seen in the last 16 to 32 round trips, and never below `least`.
    """

    __slots__ = ("_current", "_epoch_end", "_least", "_previous", "_rtt")

    def __init__(self, rtt: RttEstimator, *, least: int) -> None:
        self._rtt = rtt
        self._least = least
        self._current = 0  # the longest lead in this epoch and in the one before it
        self._previous = 0
        self._epoch_end = 0

    def on_overtaken(self, *, lead: int, now: int) -> None:
        """Learn from a transmission that arrived although one sent `lead` ns later had arrived before."""
        self._roll(now)
        self._current = max(self._current, lead * 9 // 8)

    def window(self, now: int) -> int:
        """The lead (ns) from which on a transmission that has been overtaken is lost."""
        self._roll(now)
        return max(self._current, self._previous, self._least)

    def _roll(self, now: int) -> None:
        if now < self._epoch_end:
            return
        epoch = _EPOCH_ROUND_TRIPS * self._rtt.smoothed_rtt
        self._previous = self._current if now < self._epoch_end + epoch else 0
        self._current = 0
        self._epoch_end = now + epoch
