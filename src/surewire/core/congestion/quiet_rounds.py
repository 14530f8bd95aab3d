"""Rounds with a smaller window on purpose, to see what is lost where the loss is not ours.

They follow a reduction, when there is loss to explain and the last one is some time ago. The first one can wait, as
start-up has just seen what is lost. While they agree with what is known they become rare; where less is lost than the
floor says, or as much arrives as before, which means that even the smaller window is more than the path takes, the next
ones come soon and are deeper.
"""

from __future__ import annotations

from surewire.core.congestion.round_trips import Round
from surewire.core.units import NS_PER_S

_SHALLOW, _DEEP = 75, 50  # per cent of the window
_LEAST_INTERVAL = NS_PER_S
_INTERVAL_ROUND_TRIPS = 10
_MOST_INTERVALS = 4
_FIRST_DELAY = NS_PER_S  # that the first one waits in addition, after start-up
_NO_LOSS = 0.01
_AS_MUCH = 95  # per cent of what arrived in a round before


class QuietRounds:
    """When to be quiet, and how much. `restored` is the window after a quiet round, None when there is none."""

    def __init__(self) -> None:
        self.restored: int | None = None
        self._percent = _SHALLOW
        self._intervals = 1
        self._last_at = 0
        self._has_lost = False
        self._usual = 0  # bytes that arrived in a round that was not quiet

    def begin(self, now: int) -> None:
        """Start-up has ended; nothing follows from the end of a second one."""
        self._last_at = self._last_at or now + _FIRST_DELAY

    def on_round(self, ended: Round, *, is_first: bool) -> None:
        """Take a round that was not quiet; `is_first`: no growth since a reduction, so that it should not lose much."""
        self._has_lost |= is_first and ended.loss > _NO_LOSS
        self._usual = ended.acked

    def window(self, window: int, *, rtt: int, now: int, is_lossy: bool) -> int:
        """The window (bytes) after a reduction to `window`; `is_lossy`: there is a floor that may be wrong."""
        interval = self._intervals * max(_LEAST_INTERVAL, _INTERVAL_ROUND_TRIPS * rtt)
        if not (self._has_lost or is_lossy) or now - self._last_at <= interval:
            return window
        self._has_lost = False
        self.restored = window
        return window * self._percent // 100

    def end(self, ended: Round, *, is_less: bool, now: int) -> bool:
        """A quiet round has ended; `is_less`: fewer were lost than the floor says. True when it may be learned from."""
        self.restored = None
        self._last_at = now
        was_deep = self._percent == _DEEP
        is_full = 100 * ended.acked > _AS_MUCH * self._usual
        if is_less or is_full:
            self._percent, self._intervals = _DEEP, 1
        else:
            self._percent, self._intervals = _SHALLOW, min(2 * self._intervals, _MOST_INTERVALS)
        return is_less or was_deep or not is_full
