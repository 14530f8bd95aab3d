"""When a transmission counts as lost: by time, with a reordering window that adapts to the path.

A transmission is lost once a later one has been acknowledged and it has waited
`max(smoothed_rtt, latest_rtt) + reordering_window` since it was sent (the time threshold of RFC 9002
§6.1.2; there is no packet threshold, since counting later packets mistakes reordering for loss).

The window starts at an eighth of the round trip (RFC 9002's 9/8), or a thirty-second where the end of a
stream waits for what is missing and nothing was overtaken of late. Where RFC 8985 §6.2 widens it by
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

_SHARE = 8  # of a round trip that is waited at least
_HASTY_SHARE = 32  # of it where there is nothing else to send: a repair for nothing costs its bytes, and nobody waits
_EPOCH_ROUND_TRIPS = 16
_MAX_ROUND_TRIPS = 2
_BURSTS_KEPT = 512  # lost datagrams by which their bursts are judged, at most
_SHARE_EPOCH = 256 << 10  # bytes: some 200 datagrams tell 1% of loss from none


class _RecentMaximum:
    """The largest of what was seen in the last 16 to 32 round trips (ns; 0 when nothing was)."""

    __slots__ = ("_current", "_epoch_end", "_previous", "_rtt")

    def __init__(self, rtt: RttEstimator) -> None:
        self._rtt = rtt
        self._current = 0  # of this epoch, and of the one before it
        self._previous = 0
        self._epoch_end = 0

    def take(self, value: int, now: int) -> None:
        if now >= self._epoch_end:
            self._roll(now)
        if value > self._current:
            self._current = value

    def get(self, now: int) -> int:
        if now >= self._epoch_end:
            self._roll(now)
        return self._current if self._current > self._previous else self._previous

    def _roll(self, now: int) -> None:
        epoch = _EPOCH_ROUND_TRIPS * self._rtt.smoothed_rtt
        self._previous = self._current if now < self._epoch_end + epoch else 0
        self._current = 0
        self._epoch_end = now + epoch


class ReorderingWindow:
    """How much longer than a round trip (ns) to wait for a transmission that was overtaken."""

    __slots__ = ("_rtt", "_waits")

    def __init__(self, rtt: RttEstimator) -> None:
        self._rtt = rtt
        self._waits = _RecentMaximum(rtt)

    def on_overtaken(self, *, sent_at: int, now: int) -> None:
        """Learn from a transmission acknowledged at `now` although a later one was acknowledged before."""
        self._waits.take((now - sent_at - self._round_trip()) * 9 // 8, now)

    def window(self, now: int) -> int:
        """The reordering window (ns, > 0)."""
        return self.loss_delay(now) - self._round_trip()

    def loss_delay(self, now: int, *, is_at_end: bool = False) -> int:
        """Time after its sending (ns) at which an overtaken transmission is lost: a round trip and the window.

        At the end of what is waited for, and where nothing was overtaken lately, the window is a quarter as long.
        """
        round_trip = self._round_trip()
        adapted = self._waits.get(now)
        window = max(round_trip // (_HASTY_SHARE if is_at_end and not adapted else _SHARE), GRANULARITY)
        if adapted > window:
            window = max(window, min(adapted, _MAX_ROUND_TRIPS * self._rtt.smoothed_rtt))
        return round_trip + window

    def _round_trip(self) -> int:
        smoothed, latest = self._rtt.smoothed_rtt, self._rtt.latest_rtt
        return smoothed if smoothed > latest else latest


class OvertakingWindow:
    """By how much later (ns) than a transmission another one may have been sent that arrives before it.

    The window is 9/8 of the longest such lead seen in the last 16 to 32 round trips, and never below `least`.
    It needs no upper bound: however long it grows, the next ping is sent later still and settles the matter.
    """

    __slots__ = ("_leads", "_least")

    def __init__(self, rtt: RttEstimator, *, least: int) -> None:
        self._least = least
        self._leads = _RecentMaximum(rtt)

    def on_overtaken(self, *, lead: int, now: int) -> None:
        """Learn from a transmission that arrived although one sent `lead` ns later had arrived before."""
        self._leads.take(lead * 9 // 8, now)

    def window(self, now: int) -> int:
        """The lead (ns) from which on a transmission that has been overtaken is lost."""
        return max(self._leads.get(now), self._least)


class LossShare:
    """Which share of the bytes sent is lost, by those whose fate was settled last: 256 kB to 512 kB of them; and how
    many datagrams in a row.
    """

    __slots__ = ("_bursts", "_in_bursts", "_lost", "_lost_before", "_next", "_settled", "_settled_before")

    def __init__(self) -> None:
        self._bursts = self._in_bursts = 0.0  # and datagrams lost in them, older ones for less
        self._next = -1  # packet number after the last one that was lost
        self._settled = self._lost = 0  # bytes of this epoch, and of the one before it
        self._settled_before = self._lost_before = 0

    def take(self, *, acked: int = 0, lost: int = 0) -> None:
        """So many bytes more were acknowledged, and so many lost; fewer than 0 lost: they arrived after all."""
        self._settled += acked + (lost if lost > 0 else 0)
        self._lost += lost
        if self._settled >= _SHARE_EPOCH:
            self._settled_before, self._lost_before = self._settled, self._lost
            self._settled = self._lost = 0

    def on_lost(self, first: int, count: int) -> None:
        """Datagrams with `count` numbers from `first` on are lost, none of them before one that was."""
        self._bursts += first != self._next
        self._in_bursts += count
        self._next = first + count
        if self._in_bursts >= _BURSTS_KEPT:
            self._bursts, self._in_bursts = self._bursts / 2, self._in_bursts / 2

    @property
    def dispersion(self) -> float:
        """Variance of how many are lost, to that of independent losses (>= 1): by the mean length of what is lost in
        a row, as in the model of Gilbert (1960).
        """
        if not self._bursts:
            return 1.0
        return max(2 * self._in_bursts / self._bursts * (1 - self.share) - 1, 1.0)

    @property
    def share(self) -> float:
        """The share, 0..1; 0 while nothing is known."""
        settled = self._settled + self._settled_before
        return max(self._lost + self._lost_before, 0) / settled if settled else 0.0
