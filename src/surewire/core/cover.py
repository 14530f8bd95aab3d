"""How many transmissions of each segment may still arrive, where an end waits for it.

A segment that was found lost is worth as many copies as it takes that one of them arrives: at 30% loss a repair and
one copy leave a tenth of what is missing for a third round trip, and three copies leave a hundredth. The segment of
which fewest are under way comes first, so what is known late is not behind the third copy of what was known early; that
also spreads the copies of one segment over as much time as there is, which a burst of losses does not last.

Of what is not known to be lost a copy is nearly always in vain. Such spares are sent only while hardly one of them will
be lost together with its original: then the end may come without a round trip for repairs.

One end is looked after at a time. It costs an entry for each segment that was lost or copied since it was reached.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from surewire.core.scoreboard import Scoreboard
from surewire.core.sent_log import SentRun

MOST_UNDER_WAY = 6
"""Transmissions of a segment that may be under way at once, its repair counted."""


class Cover:
    """What has been sent of each segment at the end of a stream, and what should be sent again."""

    __slots__ = ("_end", "_levels", "_spares", "_under_way")

    def __init__(self) -> None:
        self._end = 0  # the offset of the end that all this is of
        self._spares: list[tuple[int, int]] | None = None  # segments in flight when it was reached; the last is next
        self._under_way: dict[int, int] = {}  # by the segment's offset
        self._levels: list[deque[tuple[int, int]]] = [deque() for _ in range(MOST_UNDER_WAY)]
        """Segments that were repaired, by how many of each were under way then; out of date where that has changed."""

    def reach(self, end: int) -> None:
        """This is the end now; what is known of another one means nothing."""
        if end != self._end:
            self._begin(end)

    def _begin(self, end: int) -> None:
        self._end = end
        self._spares = None
        self._under_way.clear()
        for level in self._levels:
            level.clear()

    def leave_to_sums(self, end: int) -> None:
        """Of all that is in flight at this end sums are sent: copies are for what is lost later."""
        self._begin(end)
        self._spares = []

    @property
    def has_spares(self) -> bool:
        """True once `take_spares` was called for this end."""
        return self._spares is not None

    def take_spares(self, runs: Iterable[SentRun], *, most: int) -> None:
        """Let what these runs carry be sent again, segment by segment, up to `most` bytes and some: the first run
        first, and of each run the last segment.
        """
        spares: list[tuple[int, int]] = []
        for run in runs:
            stop = run.stop
            for start in range(run.offset + (run.count - 1) * run.segment, run.offset - 1, -run.segment):
                if most <= 0:
                    break
                spares.append((start, stop))
                most -= stop - start
                stop = start
        self._spares = spares[::-1]

    def on_lost(self, run: SentRun) -> None:
        """A transmission of these bytes does not arrive any more."""
        for start in range(run.offset, run.offset + run.count * run.segment, run.segment):
            self._under_way[start] = max(self._under_way.get(start, 1) - 1, 0)

    def on_repaired(self, start: int, stop: int, segment: int) -> None:
        """Bytes [start, stop) were sent again in such segments, because they were lost."""
        for first in range(start, stop, segment):
            self._add(first, min(first + segment, stop), self._under_way.get(first, 0) + 1)

    def _add(self, start: int, stop: int, count: int) -> None:
        self._under_way[start] = count
        if count < MOST_UNDER_WAY:
            self._levels[count].append((start, stop))

    def next_copy(self, board: Scoreboard, enough: int) -> tuple[int, int] | None:
        """What is sent next: the next spare that is missing, or of what was lost the segment with fewest under way,
        if these are not `enough`.

        Never the whole of it: what was acknowledged since is not in the send buffer any more.
        """
        spares = self._spares
        while spares:
            missing = board.missing(*spares[-1])
            if missing:
                return missing[0]
            spares.pop()
        for count, level in enumerate(self._levels[:enough]):
            while level:
                start, stop = level[0]
                missing = board.missing(start, stop) if self._under_way.get(start) == count else []
                if missing:
                    return missing[0]
                level.popleft()
        return None

    def on_copied(self) -> None:
        """The copy that `next_copy` named was sent."""
        if self._spares:
            start, stop = self._spares.pop()
            if start in self._under_way:
                self._add(start, stop, self._under_way[start] + 1)
            else:
                self._under_way[start] = 2
            return
        count, level = next((count, level) for count, level in enumerate(self._levels) if level)
        self._add(*level.popleft(), count + 1)
