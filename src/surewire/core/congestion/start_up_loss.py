"""What is lost while a flow starts up: the path's share of it, and whether a round that loses much tells of its end.

A path loses its share of every round. A round that loses far more than those before it has met a policer or a short
queue, or a burst of losses, or what was known before was too little. Guessing is dear in each case, so the window is
asked: half of it is sent, no faster than it is acknowledged. If that loses as much, the path does so by itself. If it
does not, and chance cannot be the reason, the window was too large. Else the whole window is sent once more, and has
to lose as much again.
"""

from __future__ import annotations

from math import sqrt

from surewire.core.congestion.loss_floor import MOST
from surewire.core.congestion.round_trips import Round

_FEW_SEGMENTS = 16  # fewer say nothing of a share
_JUMP = 0.1
_DEVIATIONS = 2.0
_LIMIT = MOST + 0.05
_BURST_SHARE, _BURST_DISPERSION = 0.05, 9.0  # a path that loses so much, five datagrams at a time
_BURST_DEVIATIONS = 3
_BURST_SEGMENTS = 256  # of fewer a single burst may be any share


class StartUpLoss:
    """Shares are 0..1, amounts in segments. `is_congestion`: the window was too large."""

    def __init__(self, *, share: float, segments: float, is_sure: bool = False) -> None:
        """Begin with what is known of the path; `is_sure`: who loses more has no doubt why."""
        self.is_congestion = False
        self._is_sure = is_sure
        self._lost = share * segments
        self._segments = segments
        self._doubt: _Doubt | None = None

    @property
    def share(self) -> float:
        """Share that was lost where the window was not the reason."""
        return self._lost / self._segments if self._segments else 0.0

    @property
    def evidence(self) -> float:
        """Segments that `share` rests on."""
        return self._segments

    @property
    def least_share(self) -> float:
        """The share less a standard deviation; 0 while it rests on few."""
        share = self.share
        return max(share - sqrt(share * (1 - share) / self._segments), 0.0) if self._segments >= _FEW_SEGMENTS else 0.0

    @property
    def is_in_doubt(self) -> bool:
        """True while the window is being asked."""
        return self._doubt is not None

    def take(self, ended: Round, segments: float) -> None:
        """Take a round that was not too large."""
        self._lost += ended.loss * segments
        self._segments += segments

    def doubt(self, ended: Round, segments: float) -> int:
        """The window (bytes) to be tried if this round has lost too much; else 0."""
        share = self.share
        if min(segments, self._segments) < _FEW_SEGMENTS or ended.loss <= self._most(segments):
            return 0
        if self._is_sure:
            self.is_congestion = True
            return _window(ended)
        usual = max(share, _BURST_SHARE)
        deviation = sqrt(_BURST_DISPERSION * usual * (1 - usual) / segments)
        may_be_burst = segments < _BURST_SEGMENTS or ended.loss - share < _BURST_DEVIATIONS * deviation
        self._doubt = _Doubt(ended, segments, usual=share, may_be_burst=may_be_burst)
        return self._doubt.window // 2

    def _most(self, segments: float) -> float:
        """The most that may be lost of so many segments without a doubt."""
        share = self.share
        deviation = sqrt(max(share * (1 - share), 0.01) * (1 / segments + 1 / self._segments))
        return min(share + _JUMP + _DEVIATIONS * deviation, _LIMIT + sqrt(0.25 / segments))

    def judge(self, ended: Round, segments: float) -> int:
        """Take a round of the window that was tried; the next one to be tried, or to go on with (bytes)."""
        doubt = self._doubt
        if doubt is None:
            return 0
        is_as_much = ended.loss >= doubt.half
        if doubt.smaller is None and not is_as_much:
            doubt.smaller = (ended.loss * segments, segments)
            self.is_congestion = not doubt.may_be_burst
        elif doubt.smaller is not None and is_as_much:
            self.is_congestion = True
        else:
            if doubt.smaller is not None:
                self._add(*doubt.smaller)
            self.take(ended, segments)
            self._add(doubt.lost, doubt.segments)
            self._doubt = None
        if self.is_congestion and doubt.smaller is not None:
            self._lost, self._segments = doubt.smaller  # what was lost before may have been the window's doing
        return doubt.window

    def _add(self, lost: float, segments: float) -> None:
        self._lost += lost
        self._segments += segments


class _Doubt:
    """A round that lost much, and what half of its window lost."""

    __slots__ = ("half", "lost", "may_be_burst", "segments", "smaller", "window")

    def __init__(self, ended: Round, segments: float, *, usual: float, may_be_burst: bool) -> None:
        self.window = _window(ended)
        self.lost, self.segments = ended.loss * segments, segments
        self.may_be_burst = may_be_burst
        self.smaller: tuple[float, float] | None = None  # segments lost of half the window, and sent
        # If a window is too large and loses x of itself, half of it loses 2x - 1 or nothing; the middle of the two.
        usual = min(usual, MOST)  # of a path that has lost all so far nothing follows
        excess = (ended.loss - usual) / (1 - usual)
        self.half = usual + (1 - usual) * max(excess, 3 * excess - 1) / 2


def _window(ended: Round) -> int:
    """The window (bytes) that a round tells of: some rounds taken together settle more than was in flight at once."""
    return min(ended.settled, ended.used)
