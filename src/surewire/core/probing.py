"""What is sent although nothing demands it: probes into silence, and efforts to be done sooner."""

from __future__ import annotations

from collections import deque

from surewire.core.cover import Cover
from surewire.core.ranges import RangeSet
from surewire.core.scoreboard import Scoreboard
from surewire.core.sent_log import SentRun

UNANSWERED = 2
"""Probe timeouts in a row from which on the peer counts as silent, rather than a datagram or two as lost."""

_MAX_COUNT = 64  # bounds the doublings of the wait
_MAX_COPIES = 64  # repairs of which a second copy may be due: the latest ones


class TailEffort:
    """Second copies and early pings when everything has been sent, and only losses keep it from being over.

    At the end of a stream each repair that is lost again costs round trips in which nothing else is done.
    Sending a repair twice, and asking early what has arrived, saves most of them, and is limited to a
    share of what was sent beyond `spared` bytes: short streams, of which it would be a large part, get none.
    """

    __slots__ = ("_copies", "_share", "_spared", "_spent")

    def __init__(self, *, share: float, spared: int) -> None:
        """Take the share (0..1; 0 means no effort) and the bytes that do not count."""
        self._share = share
        self._spared = spared
        self._spent = 0
        self._copies: deque[tuple[int, int]] = deque(maxlen=_MAX_COPIES)

    def on_repaired(self, start: int, stop: int) -> None:
        """Bytes [start, stop) were sent again, and there was nothing else to send."""
        if self._share:
            self._copies.append((start, stop))

    def may_spend(self, cost: int, *, sent_total: int) -> bool:
        """True when `cost` bytes may be spent after `sent_total` bytes of stream were sent."""
        return self._spent + cost <= self._share * (sent_total - self._spared)

    def spend(self, cost: int) -> None:
        """Count what was spent."""
        self._spent += cost

    def next_copy(self, board: Scoreboard) -> tuple[int, int] | None:
        """What is worth a second copy: the first part of the oldest repair that is missing.

        Never the whole of it: what was acknowledged since is not in the send buffer any more.
        """
        copies = self._copies
        while copies:
            missing = board.missing(*copies[0])
            if missing:
                return missing[0]
            copies.popleft()
        return None

    def drop_copy(self, stop: int) -> None:
        """The copy that `next_copy` named was sent up to `stop`; one a repair is enough."""
        if stop < self._copies[0][1]:
            self._copies[0] = (stop, self._copies[0][1])
        else:
            self._copies.popleft()


class Probing:
    """Back-off of the probe timeout, and the bytes of which other copies are on their way."""

    __slots__ = ("copies", "count", "cover", "due", "effort", "hollow", "next_offset")

    def __init__(self, effort: TailEffort) -> None:
        self.effort = effort
        self.cover = Cover()
        self.count = 0
        self.hollow = 0  # pings answered since bytes were acknowledged last, after a silence
        self.due = 0
        self.copies = RangeSet()
        self.next_offset = 0  # where the next probe looks for bytes to repeat

    def on_expired(self) -> None:
        self.next_offset = 0
        self.due = 1 if not self.count else 2  # RFC 9002 §6.2.4 allows two; the first alone is usually enough
        self.count = min(self.count + 1, _MAX_COUNT)

    def on_hollow_answer(self) -> None:
        """The peer answers, but what was acknowledged carried nothing: perhaps only short datagrams arrive."""
        if self.count >= UNANSWERED:
            self.hollow = min(self.hollow + 1, _MAX_COUNT)

    def reset(self) -> None:
        self.count = 0
        self.hollow = 0
        self.due = 0

    def last_expiry(self, now: int) -> int:
        """From when on the next probe timeout counts, if an expired one is still to be answered: `now`; else 0."""
        return now if self.due else 0

    def on_settled(self, run: SentRun) -> None:
        if self.copies.first is not None:
            self.copies.remove(run.offset, run.stop)

    def without_copies(self, run: SentRun) -> list[tuple[int, int]]:
        """The bytes of a lost run of which no copy is in flight; a copy that was lost itself is none."""
        if not self.copies:
            return [(run.offset, run.stop)]
        if run.retransmission:
            self.copies.remove(run.offset, run.stop)
        return self.copies.missing(run.offset, run.stop)
