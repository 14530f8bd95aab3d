"""Cuts of the window for a queue: by how much, and whether they help.

A cut takes the queue's share of the window, and no more than one look at the queue is worth. While no short queue is
seen, cuts add up; `Cuts` keeps how many they are, and where they began. If they do not move the round trip, or leave
nothing to cut, there is no queue of ours: either others hold it, or the path is longer.

A queue may be cut for many times and yet be of flows like this one: while one after the other joins, each brings a
queue that has to be cut for, suddenly, and in between it drains. Where somebody fills it, it stands, or grows slowly.
"""

from __future__ import annotations

from surewire.core.congestion.competition import Competition
from surewire.core.congestion.queue_delay import QueueDelay

_LEAST_LEFT = 70  # per cent that a cut leaves at least: one look may be wrong
_LEAST_LEFT_FURTHER = 40  # the second one, and so on: the first was right
_WRONG_BY = 2  # times at most: what a cut leaves of a queue that is longer than the path
_LEFT_PART = 64  # of the round trip is left of a queue that is cut: what is cut too much is missed for some rounds
_CUTS_AT_LEAST = 3  # in a row, down to the least window: the queue is not ours, or there is none
_STANDING_CUTS = 6  # in a row, and the queue did not become shorter: others hold it
_DRAINS = 60  # per cent of it are left: those who fill a queue let it stand
_JUMPS = 150  # per cent of the last one that was cut for: somebody has just come, and may yield
_STILL_LEFT, _STILL_LEFT_LOSSY = 75, 55  # per cent of the window: one cut, or two, leave less of a long queue
_STANDING_AGAIN = 3  # where they have just seemed to be gone
UNMOVED = 5
"""Per cent by which a round trip may differ that does not answer to the window."""


class Cuts:
    """Those since a short queue was seen last: `count`, and the `window` (bytes) before the first of them."""

    __slots__ = ("_after", "_from", "_longest", "_queue", "_rtt", "_standing", "count", "window")

    def __init__(self, *, after: Competition | None = None) -> None:
        """There were none yet; `after` is the competition that has ended just now."""
        self.count = 0
        self.window = 0
        self._after = after
        self._rtt = 0  # one that was cut for, and has not moved since, ns
        self._from = 0  # window then, bytes; 0 when it has moved
        self._standing = 0  # those since it has become clearly shorter
        self._longest = 0  # that it was since then, ns
        self._queue = 0  # the last one that was cut for, ns

    def take(self, queue: QueueDelay, window: int, *, latest_rtt: int, noise: int) -> int:
        """Count a cut of this window, and return how many per cent of it are left.

        Args:
            queue: as the round showed it.
            window: bytes.
            latest_rtt: the last round trip of that round, ns.
            noise: by which its median may be off, ns.
        """
        left = 100 * (queue.base + queue.base // _LEFT_PART + noise) // queue.rtt
        least = min(_LEAST_LEFT_FURTHER if self.count else _LEAST_LEFT, _WRONG_BY * left)
        if not self.count:
            self.window = window
        if not self.count or 100 * queue.delay >= _JUMPS * self._queue:
            self._standing, self._longest = 0, queue.delay
        self._queue = queue.delay
        if not self.count or not self._from:
            self._rtt, self._from = latest_rtt, window
        self.count += 1
        self._standing += 1
        return max(left, least)

    def on_round(self, queue: QueueDelay) -> None:
        """Take a round, cut or not: whether the round trip has moved, and whether the queue became clearly shorter."""
        delay = queue.delay
        if not self._is_at(queue.rtt):
            self._from = 0
        if 100 * delay <= _DRAINS * self._longest:
            self._standing = self._longest = 0
        self._longest = max(self._longest, delay)

    def are_in_vain(self, queue: QueueDelay, window: int, *, allowed: int, is_least: bool, is_lossy: bool) -> bool:
        """True when one more would not help either.

        Args:
            queue: as the round showed it.
            window: what they have left, bytes.
            allowed: how long a queue may be, ns.
            is_least: the window is hardly to be cut.
            is_lossy: as in `is_still`.
        """
        is_still = self.count and self.is_still(window, queue.rtt, is_lossy=is_lossy) and queue.delay > 2 * allowed
        return bool(is_still) or (is_least and self.count >= _CUTS_AT_LEAST)

    def is_still(self, window: int, rtt: int, *, is_lossy: bool) -> bool:
        """True when a quarter of the window is gone, and the round trip is still what it was, neither more nor less.

        One cut takes as much, and while somebody starts up beside us his part may hide that. Where that may be one to
        compete with he is not waited for; on a path that loses (`is_lossy`) nobody is, and half has to be gone.
        """
        left = _STILL_LEFT_LOSSY if is_lossy else _STILL_LEFT
        return 100 * window <= left * self._from and self._is_at(rtt)

    def _is_at(self, rtt: int) -> bool:
        return 100 * abs(rtt - self._rtt) <= UNMOVED * self._rtt

    @property
    def has_stood(self) -> bool:
        """True when it was cut for twice since it rose suddenly or became shorter: what overflows is no newcomer's."""
        return self._standing > 1

    def is_standing(self, now: int) -> bool:
        """True when so many have not made the queue shorter that somebody else must hold it."""
        return self._standing >= _STANDING_CUTS or self.held_before(now) > 0

    def held_before(self, now: int) -> int:
        """The window (bytes) held in a competition that was ended too early, as these cuts say; 0: there was none."""
        if self._after is None or self._standing < _STANDING_AGAIN or not self._after.is_doubtful(now):
            return 0
        return self._after.before_test
