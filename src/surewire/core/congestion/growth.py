"""How the window grows between two reductions, and how much is too much.

One segment in the first round trip, two in the second, four in the third and so on: slow near the rate that was left,
where flows that share a path come to equal parts by it (equal steps up, equal shares down: Chiu and Jain 1989), and
fast where the path has become ten times wider. While the round trips show something of a queue the steps stay small.

Growth by which hardly more arrives is a plateau, and ends: where there is no queue to see, that is the sign.
"""

from __future__ import annotations

from math import sqrt

_MOST_SHIFT = 30
_FIRST_SHIFT = 8  # the first step of a very large window is a 256th of it
_GENTLE = 32  # parts of the window by which it grows where there may be a queue
_PLATEAU_FROM = 1.25  # times the window that this growth began with
_PLATEAU_DEVIATIONS = 1.5


class Growth:
    """One stretch of growth."""

    def __init__(self, *, is_blind: bool = False) -> None:
        """Begin; `is_blind`: the last reduction was for a loss that no queue had announced, and so will the next be:
        grow half as fast, as there will be no sign before there is loss."""
        self.rounds = 0
        self._is_blind = is_blind
        self._from: tuple[int, int] | None = None  # the window that it began with, and what arrived in a round of it
        self._window = 0  # that was in force when the last round ended

    def step(self, window: int, *, segment: int, is_gentle: bool) -> int:
        """By how many bytes to grow after a round; `is_gentle` where there may be a queue."""
        first = max(segment, window >> _FIRST_SHIFT)
        doublings = self.rounds // 2 if self._is_blind else self.rounds
        step = min(first << min(doublings, _MOST_SHIFT), window // 2)
        if is_gentle:
            step = min(step, window // _GENTLE)
        self.rounds += 1
        return max(step, segment)

    def forget(self) -> None:
        """What was added since went into a queue that is gone: by how much more arrived says nothing of the path."""
        self._from = None

    def plateau(self, window: int, acked: int, *, segments: float, loss: float) -> int:
        """The window (bytes) that delivers as much as the present one, if growing has not helped; else 0.

        Args:
            window: in force now.
            acked: bytes in this round, for which the window before was in force.
            segments: sent in this round.
            loss: share of them that the path loses.
        """
        before, self._window = self._window, window
        if self._from is None:
            first = before or window
            self._from = (first, min(acked, first))  # a round after a reduction may be a long one
            return 0
        first_window, first_acked = self._from
        ratio = before / first_window
        chance = _PLATEAU_DEVIATIONS * sqrt(loss / max(segments, 1.0))
        if ratio <= _PLATEAU_FROM or acked >= first_acked * (1 + (ratio - 1) * (0.5 - chance)):
            return 0
        return int(first_window * min(acked / max(first_acked, 1), 1.1))
