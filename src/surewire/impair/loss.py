"""Which datagrams are lost behind the bottleneck: independently, in bursts, by their number, never too many in a row.

Draws, in this order and only for what is on: the chain's step, the chain's loss (unless it is sure either way),
independent loss (unless the chain has taken the datagram). The rules on runs and numbers draw nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from surewire.impair.config import LinkConfig


class Losses:
    """The loss stage of one link.

    Attributes:
        chance: probability of independent loss, 0..1; may be changed between datagrams.
    """

    __slots__ = ("_bad", "_bursts", "_draw", "_drops", "_has_rules", "_max_run", "_number", "_run", "chance")

    def __init__(self, config: LinkConfig, draw: Callable[[], float]) -> None:
        """`draw` gives numbers uniform in [0, 1)."""
        self.chance = config.loss
        self._draw = draw
        self._bursts = config.bursts
        self._bad = False
        self._drops = frozenset(config.drops)
        self._max_run = config.max_loss_run
        self._has_rules = bool(self._drops) or self._max_run is not None
        self._number = 0
        self._run = 0

    @staticmethod
    def can_happen(config: LinkConfig) -> bool:
        """Whether a link with this configuration ever loses a datagram in this stage."""
        losses = [config.loss, *(change.loss or 0 for change in config.changes)]
        return any(losses) or config.bursts is not None or bool(config.drops)

    def take_next(self) -> bool:
        """Whether the next datagram is lost."""
        draw = self._draw
        lost = False
        bursts = self._bursts
        if bursts is not None:
            if draw() < (bursts.r if self._bad else bursts.p):
                self._bad = not self._bad
            chance = bursts.loss_bad if self._bad else bursts.loss_good
            # A sure outcome takes no draw; the usual chain thus costs one.
            lost = chance > 0 and (chance == 1 or draw() < chance)
        if not lost and self.chance > 0:
            lost = draw() < self.chance
        return self._by_the_rules(lost) if self._has_rules else lost

    def _by_the_rules(self, lost: bool) -> bool:
        self._number += 1
        if self._max_run is not None and self._run >= self._max_run:
            lost = False
        if self._number in self._drops:
            lost = True
        self._run = self._run + 1 if lost else 0
        return lost
