"""How many sums of a block it takes: by what is known of its datagrams, and by how many sums have arrived.

As many have to arrive as datagrams are missing. As long as not all is known of these, it is a matter of chance: as many
as are expected, or more out of caution.
"""

from __future__ import annotations

from math import sqrt

_DEVIATIONS = 3  # by which more may be lost than is expected
_SPARE = 5  # sums: where so many more arrive than are needed, one block in 32 is not solved
_PARTICIPANTS = 12  # unknown ones in a sum, if it can be so few: each is in some sum, and the work is small
_MOST_HALVINGS = 4
_MOST = 2  # times as many sums as datagrams, and some more: then something else is wrong
_MOST_LOST = 0.6  # of a block: after an outage what was sent is sent again
_MORE = 4  # sums, once, where enough arrived and did not do: some follow from others, or the peer's word was lost


class RepairTally:
    """The books of one block: datagrams `unknown` (in flight), `lost` so far, and its sums."""

    __slots__ = ("_arrived", "_count", "_more", "_sent", "_strangers", "_under_way", "lost", "unknown")

    def __init__(self, count: int, *, unknown: int, lost: int, arrived: int) -> None:
        """Of `count` numbers so many carry bytes and are in flight, lost or arrived; nobody hears of the others."""
        self._count = count
        self.unknown = unknown
        self.lost = lost
        self._strangers = count - unknown - lost - arrived
        self._sent = self._under_way = self._arrived = 0  # sums
        self._more = 0  # sums, than should be enough

    def on_sum_sent(self) -> None:
        """A sum left."""
        self._sent += 1
        self._under_way += 1

    def on_sum_arrived(self, *, was_lost: bool) -> None:
        """A sum is acknowledged, though it `was_lost`, as it seemed."""
        self._under_way -= not was_lost
        self._arrived += 1

    def on_sum_lost(self) -> None:
        """A sum is lost."""
        self._under_way -= 1

    def _missing(self, loss: float) -> float:
        """How many datagrams of the block will be missing."""
        return self.lost + loss * (self.unknown + self._strangers)

    def is_short(self, loss: float, *, dispersion: float = 0.0) -> bool:
        """True when fewer sums will arrive than it takes, if the share `loss` of everything is lost.

        `dispersion`: reckon not only with what is expected, but with as much as may be lost where the number of losses
        varies so many times as much as that of independent ones.
        """
        expected = self._missing(loss) + self._more
        if dispersion:
            open_ones = self.unknown + self._strangers + self._under_way
            expected += _DEVIATIONS * sqrt(dispersion * loss * (1 - loss) * open_ones) + _SPARE
        return self._arrived + (1 - loss) * self._under_way < expected

    def halvings(self, loss: float) -> int:
        """How rarely a datagram is in the next sum."""
        halvings, missing = 1, self._missing(loss) / 2
        while missing >= 2 * _PARTICIPANTS and halvings < _MOST_HALVINGS:
            halvings, missing = halvings + 1, missing / 2
        return halvings

    @property
    def is_idle(self) -> bool:
        """True when nothing of the block is under way, nor a sum of it."""
        return not self._under_way and not self.unknown

    def ask_for_more(self) -> None:
        """As many sums as should be enough have arrived, and were not."""
        self._more = max(self._arrived - self.lost, 0) + _MORE

    @property
    def is_hopeless(self) -> bool:
        """True when so many sums left that they should have been enough, or more is lost than they are for."""
        if self._sent >= _MOST * self._count + _SPARE or (self.is_idle and self._more):
            return True
        return self.lost > max(_MOST_LOST * self._count, _SPARE)
