"""Now and then, the path without our own queue (draft-irtf-iccrg-ledbat-plus-plus-06 §4.4).

A flow that keeps a queue of the target's length never sees the empty path, and one that comes later takes this queue
for part of the path and adds its own to it. So the window is made a quarter for two round trips after the one in which
the queue drains, and goes back in two steps. The draft takes the least window and a tenth of all the time for it; a
quarter empties the queue as well, and every ten seconds are enough for a base that is kept for twenty.
"""

from __future__ import annotations

from surewire.core.units import NS_PER_S

_SHARE = 0.25
_LAST = 3  # rounds: our own queue drains in the first one
_INTERVAL = 10 * NS_PER_S
_INTERVAL_ROUND_TRIPS = 50  # so that it costs no more than a few per cent on long paths


class Slowdown:
    """When the window is made small for a look at the path, and what it is to be afterwards (draft §4.4)."""

    __slots__ = ("_last_at", "_rounds", "resume")

    def __init__(self) -> None:
        self.resume = 0.0  # the window to return to; 0: none
        self._last_at: int | None = None
        self._rounds = 0  # to go

    @property
    def is_quiet(self) -> bool:
        """True while our own queue has drained and the window is small."""
        return 0 < self._rounds < _LAST

    def is_due(self, now: int, *, base: int) -> bool:
        """True when it is time; `base` is the path's round trip (ns). The first call is the beginning."""
        if self._last_at is None:
            self._last_at = now
        return now - self._last_at >= max(_INTERVAL, _INTERVAL_ROUND_TRIPS * base)

    def begin(self, window: float, *, now: int, least: int) -> float:
        """The window for the slowdown; it lasts until `on_round` is False."""
        self._last_at = now
        if window <= least:
            return window
        self._rounds = _LAST
        self.resume = window
        return max(window * _SHARE, least)

    def on_round(self, now: int) -> bool:
        """A round has ended; True while the window is to stay."""
        if not self._rounds:
            return False
        self._rounds -= 1
        return self._rounds > 0

    def cancel(self) -> None:
        """Others are here, or loss says stop: the window is not to jump back."""
        self._rounds = 0
        self.resume = 0.0
