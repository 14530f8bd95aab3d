"""Rounds with a smaller window on purpose, to see what is lost where the loss is not ours.

They follow a reduction, when there is loss to explain and the last one is some time ago. The first one can wait, as
start-up has just seen what is lost. While they agree with what is known they become rare; where less is lost than the
floor says, or as much arrives as before, which means that even the smaller window is more than the path takes, the next
ones come soon and are deeper.

A round of few segments says little: so it is quiet until enough of them are settled. Where the window holds few, or the
last quiet round has raised a doubt, it is no larger than a part of what arrives in a round trip: the path takes more
than that, whatever the window was.
"""

from __future__ import annotations

from surewire.core.congestion.path_state import LEAST_SEGMENTS
from surewire.core.congestion.round_trips import ENOUGH_SEGMENTS, Round
from surewire.core.units import NS_PER_S

_SHALLOW, _DEEP = 75, 50  # per cent of the window
_LEAST_INTERVAL = NS_PER_S
_INTERVAL_ROUND_TRIPS = 10
_MOST_INTERVALS = 4
_FIRST_DELAY = NS_PER_S  # that the first one waits in addition, after start-up
_NO_LOSS = 0.01
_MOST_ROUNDS = 6
_AS_MUCH = 95  # per cent of what arrived in a round before


class QuietRounds:
    """When to be quiet, and how much. `restored` is the largest window after a quiet round, None when there is none."""

    def __init__(self) -> None:
        self.restored: int | None = None
        self._percent = _SHALLOW
        self._intervals = 1
        self._last_at = 0
        self._has_lost = False
        self._usual = 0  # bytes that arrived in a round that was not quiet
        self.is_small = False  # few segments are settled in a round
        self.arriving = 0  # bytes in a round trip, before it became quiet
        self._rounds = 0  # since it became quiet
        self._lost = self.segments = 0.0  # that were settled in them

    @property
    def loss(self) -> float:
        """Share that was lost since it became quiet, 0..1."""
        return self._lost / self.segments if self.segments else 0.0

    @property
    def is_deep(self) -> bool:
        """True when the last one has raised a doubt."""
        return self._percent == _DEEP

    def begin(self, now: int) -> None:
        """Start-up has ended; nothing follows from the end of a second one."""
        self._last_at = self._last_at or now + _FIRST_DELAY

    def on_round(self, ended: Round, *, is_first: bool) -> None:
        """Take a round that was not quiet; `is_first`: no growth since a reduction, so that it should not lose much."""
        self._has_lost |= is_first and ended.loss > _NO_LOSS
        self._usual = ended.acked

    def window(self, window: int, *, arriving: int, segment: int, rtt: int, now: int, is_lossy: bool) -> int:
        """The window (bytes) after a reduction to `window`.

        `arriving`: bytes in a round trip, lately; `is_lossy`: there is a floor that may be wrong.
        """
        interval = self._intervals * max(_LEAST_INTERVAL, _INTERVAL_ROUND_TRIPS * rtt)
        if not (self._has_lost or is_lossy) or now - self._last_at <= interval:
            return window
        self._has_lost = False
        self.restored = window
        self._rounds, self._lost, self.segments = 0, 0.0, 0.0
        self.arriving = arriving
        quiet = window * self._percent // 100
        if self.is_deep or window < ENOUGH_SEGMENTS * segment:
            least, most = LEAST_SEGMENTS * segment, max(quiet, min(window, 2 * segment))
            quiet = min(max(arriving * self._percent // 100, least), most)
        self.is_small = quiet < ENOUGH_SEGMENTS * segment
        return quiet

    def take(self, ended: Round, *, segments: float, floor: float) -> bool:
        """Take a quiet round, in which so many were settled; True when there were enough of them.

        A share that is no less than the `floor` says so at once: nothing is to be corrected; 0: nothing could be.
        """
        self._rounds += 1
        self._lost += ended.loss * segments
        self.segments += segments
        is_open = self.is_small and self.loss < floor
        return not is_open or self.segments >= ENOUGH_SEGMENTS or self._rounds >= _MOST_ROUNDS

    def end(self, ended: Round, *, is_less: bool, now: int) -> bool:
        """A quiet round has ended; `is_less`: fewer were lost than the floor says. True when it may be learned from."""
        self.restored = None
        self._last_at = now
        was_deep = self.is_deep
        is_full = 100 * ended.acked > _AS_MUCH * self._usual
        if is_less or is_full:
            self._percent, self._intervals = _DEEP, 1
        else:
            self._percent, self._intervals = _SHALLOW, min(2 * self._intervals, _MOST_INTERVALS)
        return is_less or was_deep or not is_full
