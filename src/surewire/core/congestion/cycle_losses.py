"""Losses in excess, taken together over two cycles of a sender's gains: within one they come all at once."""

from __future__ import annotations

from surewire.core.congestion.gain_cycle import PERIOD
from surewire.core.congestion.round_trips import Round


class CycleLosses:
    """Counts bytes, by cycle."""

    def __init__(self) -> None:
        self._began_at = 0
        self._before = (0.0, 0)  # lost and settled in the cycle before
        self._lost = 0.0
        self._settled = 0

    def on_round(self, ended: Round, *, floor: float, now: int, base: int) -> float | None:
        """Take a round; the share lost in two cycles beyond `floor` once it ends one."""
        self._lost += ended.settled * max(ended.loss - floor, 0.0)
        self._settled += ended.settled
        if 2 * (now - self._began_at) < (2 * PERIOD - 1) * base:
            return None
        lost, settled = self._before
        self._before = self._lost, self._settled
        self._began_at, self._lost, self._settled = now, 0.0, 0
        return (lost + self._before[0]) / max(settled + self._before[1], 1)
