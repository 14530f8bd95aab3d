"""Loss that says stop, where the queue is too short for delay to say it, apart from loss that says nothing.

What is lost while the window is small (`is_quiet`: well below the one at which loss was too much, or in a slowdown) and
no queue is seen we have hardly caused; its share, and a standard deviation, is the floor. More than the floor, by three
standard deviations and some segments, in two round trips is excess: a short queue overflows, or a policer drops. The
floor is capped: a path that loses more than that at random is given up to whoever else may be using it.

The phase tells in which state bytes were sent: odd phases are quiet, and a reaction begins a new one, so that what was
sent before it counts no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from surewire.core.congestion.base import PhaseOutcome

_MOST_FLOOR = 0.15
_DEVIATIONS = 3
_SPARED, _SPARED_KNOWN = 1, 3  # segments beside: few losses say little, least where some are known to happen
_DEVIATIONS_OF_CHANCE = 4  # more: it was the worst of many rounds
_GROUP_SEGMENTS = 16  # so many quiet ones are needed for a new figure
_MEMORY_SEGMENTS = 600  # that the figure is of, at most: 1% of loss must not pass for none


class ExcessLoss:
    """The `floor` (a share, 0 to 0.15), the `phase` that runs sent now carry, and whether loss is in excess."""

    __slots__ = ("_charge", "_group", "_known", "_quiet", "_rounds", "_segment", "_since", "floor", "phase")

    def __init__(self, *, segment: int) -> None:
        self.floor = 0.0
        self.phase = 0
        self._segment = segment
        self._since = 0  # the phase that the last reaction began
        self._rounds = ((0, 0), (0, 0))  # bytes lost, and settled, in the last round and in this one
        self._quiet = (0, 0)  # the same of quiet phases, in this round
        self._group = (0, 0)  # and in those before that are not yet part of the figure
        self._known = (0.0, 0.0)  # of all groups, fading
        self._charge = (0, 0)  # what the last reaction was for: bytes lost, and settled

    @property
    def is_quiet(self) -> bool:
        """True when runs sent now count for the floor."""
        return self.phase % 2 == 1

    def begin(self, *, is_quiet: bool, is_reaction: bool = False) -> None:
        """From now on the window is small, or is not; a reaction leaves what was sent before it out of account."""
        if is_reaction:
            self.phase += 1 if is_quiet != self.is_quiet else 2
            self._since = self.phase
            self._charge = self._recent
            self._rounds = ((0, 0), (0, 0))
        elif is_quiet != self.is_quiet:
            self.phase += 1

    def on_round(self, *, is_clear: bool) -> None:
        """A round has ended; only where it `is_clear` that no queue stood does its quiet part count for the floor."""
        self._rounds = (self._rounds[1], (0, 0))
        if is_clear:
            self._group = _sum(self._group, *self._quiet)
        self._quiet = (0, 0)
        if self._group[1] >= _GROUP_SEGMENTS * self._segment:
            self._learn()

    def count(self, outcomes: Sequence[PhaseOutcome]) -> None:
        """Count what became of bytes, by the phase in which they were sent."""
        for phase, acked, lost in outcomes:
            if phase % 2:
                self._quiet = _sum(self._quiet, lost, lost + acked)
            if phase >= self._since:
                self._rounds = (self._rounds[0], _sum(self._rounds[1], lost, lost + acked))

    def _learn(self) -> None:
        lost, settled = self._known[0] + self._group[0], self._known[1] + self._group[1]
        share = min(_MEMORY_SEGMENTS * self._segment / settled, 1.0)
        lost, settled = lost * share, settled * share
        self._known, self._group = (lost, settled), (0, 0)
        doubt = sqrt(lost * self._segment)
        self.floor = min((lost + doubt) / settled, _MOST_FLOOR)

    @property
    def _recent(self) -> tuple[int, int]:
        before, now = self._rounds
        return _sum(before, *now)

    @property
    def is_excess(self) -> bool:
        """True when the last two rounds lost more than chance explains."""
        return self._is_beyond(self._recent, _DEVIATIONS)

    @property
    def was_chance(self) -> bool:
        """True when what the last reaction was for is explained by what has become known of the floor since."""
        lost, settled = self._charge
        is_alike = 0 < lost <= 2 * self.floor * settled + self._segment
        return is_alike and not self._is_beyond(self._charge, _DEVIATIONS_OF_CHANCE)

    def _is_beyond(self, counts: tuple[int, int], deviations: int) -> bool:
        lost, settled = counts
        expected = self.floor * settled
        spared = (_SPARED_KNOWN if self.floor else _SPARED) * self._segment
        beyond = lost - expected - spared
        return beyond > 0 and beyond * beyond > deviations * deviations * expected * self._segment

    def on_segment(self, segment: int) -> None:
        """Reckon with segments of this length from now on."""
        self._segment = segment


def _sum(counts: tuple[int, int], lost: int, settled: int) -> tuple[int, int]:
    return counts[0] + lost, counts[1] + settled
