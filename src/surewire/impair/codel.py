"""Which datagrams Controlled Delay drops at the head of the queue (RFC 8289 section 5), told in order of arrival.

RFC 8289 decides when a datagram is taken from the queue. In a queue served in order at a known rate, the time of
that is known when the datagram arrives, and all datagrams before it have been decided on; so the same decisions can
be made then. A dropped datagram takes no time to serialise, and the next one's turn comes at the same moment.

One thing is not known on arrival: how many bytes the datagram will leave behind, and RFC 8289 drops nothing while
that is at most one datagram of full size. Here that test takes the bytes the datagram finds waiting on its arrival
instead. Both are the length of the same queue, half a sojourn before and after; they differ only while it grows
from nothing or drains to nothing.
"""

from __future__ import annotations

from math import sqrt

from surewire.impair.config import CoDel

_RECENT = 16
"""Intervals within which a new spell of dropping resumes the old one's rate (RFC 8289 section 5.5, `16*INTERVAL`)."""


class CoDelDropper:
    """The state of one queue. Names are those of RFC 8289's pseudo-code."""

    __slots__ = (
        "_count",
        "_drop_next",
        "_dropped_last",
        "_dropping",
        "_first_above",
        "_interval",
        "_last_count",
        "_longest",
        "_target",
    )

    def __init__(self, codel: CoDel) -> None:
        self._target = codel.target
        self._interval = codel.interval
        self._first_above = 0  # when the wait will have been above target for an interval; 0: it is not above
        self._dropping = False
        self._dropped_last = False  # the datagram before this one, in this spell
        self._drop_next = 0
        self._count = 0
        self._last_count = 0
        self._longest = 0

    def drops(self, *, arrival: int, turn: int, size: int, backlog: int) -> bool:
        """Whether a datagram is dropped when its turn comes. To be asked once each, in order.

        Args:
            arrival: when it came, ns.
            turn: when it reaches the head of the queue, ns, >= `arrival`; must not go back between calls.
            size: its bytes.
            backlog: bytes that waited when it came, itself excluded.
        """
        if size > self._longest:
            self._longest = size
        may_drop = self._is_above(turn - arrival, turn, backlog)
        if self._dropping:
            return self._drops_another(may_drop, turn)
        if may_drop:
            self._begin_spell(turn)
        return may_drop

    def _is_above(self, sojourn: int, turn: int, backlog: int) -> bool:
        """Whether the wait has been above target for an interval."""
        if sojourn < self._target or backlog <= self._longest:
            self._first_above = 0
            return False
        if self._first_above == 0:
            self._first_above = turn + self._interval
            return False
        return turn >= self._first_above

    def _drops_another(self, may_drop: bool, turn: int) -> bool:
        if not may_drop:
            self._dropping = False
            self._dropped_last = False
            return False
        if self._dropped_last:
            self._drop_next = self._control_law(self._drop_next)
        self._dropped_last = turn >= self._drop_next
        if self._dropped_last:
            self._count += 1
        return self._dropped_last

    def _begin_spell(self, turn: int) -> None:
        self._dropping = True
        delta = self._count - self._last_count
        recent = turn - self._drop_next < _RECENT * self._interval
        self._count = delta if delta > 1 and recent else 1
        self._drop_next = self._control_law(turn)
        self._last_count = self._count

    def _control_law(self, time: int) -> int:
        # A square root is exact to the last bit everywhere (IEEE 754), so traces repeat.
        return time + int(self._interval / sqrt(self._count))
