"""Every transmission that may still be acknowledged, by packet number.

A packet number is used once, whatever bytes it carried (RFC 9000 §12.3), so an acknowledgment of a
number says exactly which transmission arrived. Entries are runs: consecutive numbers carrying
consecutive bytes, cut into equal segments and sent at one time. A run is split only where an
acknowledgment or a loss ends inside it, so the log costs per train, not per datagram.

Runs lie in order of their numbers, which is also that of their times, in pages that each cover some
hundred numbers. A split moves what follows in its page, never the rest of the window: at 30% loss nearly
every run is split again and again. Settled runs (acknowledged or lost) stay where they are until all older
ones are settled; lost ones a while longer, so that a late acknowledgment can prove the loss spurious.
Cursors only move forward: amortised, each run is passed once, however many are outstanding.
"""

from __future__ import annotations

from bisect import bisect_right
from enum import Enum, auto
from operator import attrgetter
from typing import NamedTuple

from surewire.core.ranges import RangeSet
from surewire.errors import RemoteProtocolError

_PAGE_NUMBERS = 256  # that a page covers before the next one begins: few to move, and few pages to search


class RunState(Enum):
    IN_FLIGHT = auto()
    ACKED = auto()
    LOST = auto()


# Names of their own: Python 3.11 takes longer to look up a member of an enumeration than to call a method.
_IN_FLIGHT, _ACKED, _LOST = RunState


class Snapshot(NamedTuple):
    """What the delivery-rate sampler knew when the run was sent (see `delivery`)."""

    delivered: int
    delivered_at: int
    first_sent_at: int
    is_app_limited: bool
    phase: int
    sent_from: int  # what had been sent before it, less its offset: with an offset within it, what had been sent then


class SentRun:
    """Numbers [first, first + count) carrying bytes [offset, offset + nbytes), `segment` bytes each."""

    __slots__ = (
        "count",
        "first",
        "nbytes",
        "offset",
        "retransmission",
        "segment",
        "sent_at",
        "snapshot",
        "state",
    )

    def __init__(
        self,
        *,
        first: int,
        count: int,
        offset: int,
        nbytes: int,
        segment: int,
        sent_at: int,
        retransmission: bool,
        snapshot: Snapshot,
        state: RunState = RunState.IN_FLIGHT,
    ) -> None:
        self.first = first
        self.count = count
        self.offset = offset
        self.nbytes = nbytes
        self.segment = segment
        self.sent_at = sent_at
        self.retransmission = retransmission
        self.snapshot = snapshot
        self.state = state

    @property
    def last(self) -> int:
        return self.first + self.count - 1

    @property
    def stop(self) -> int:
        return self.offset + self.nbytes

    def __repr__(self) -> str:
        return f"<SentRun #{self.first}+{self.count} [{self.offset}, {self.stop}) {self.state.name}>"

    def split(self, count: int) -> SentRun:
        """Keep the first `count` segments (0 < count < self.count); return the rest as a new run."""
        kept = count * self.segment
        rest = SentRun(
            first=self.first + count,
            count=self.count - count,
            offset=self.offset + kept,
            nbytes=self.nbytes - kept,
            segment=self.segment,
            sent_at=self.sent_at,
            retransmission=self.retransmission,
            snapshot=self.snapshot,
            state=self.state,
        )
        self.count = count
        self.nbytes = kept
        return rest


class AckOutcome(NamedTuple):
    """What an acknowledgment settled, oldest first."""

    acked: list[SentRun]  # were in flight
    spurious: list[SentRun]  # had been declared lost


_first = attrgetter("first")


class _Page:
    """Runs of consecutive numbers, those of at most `_PAGE_NUMBERS` and one run more."""

    __slots__ = ("firsts", "oldest", "runs", "settled")

    def __init__(self) -> None:
        self.runs: list[SentRun] = []
        self.firsts: list[int] = []  # `first` of each run: what is searched
        self.oldest = 0  # index of the first run that is in flight, or len
        self.settled = 0  # runs at the head that will never be needed again

    def clear(self) -> None:
        """Begin anew."""
        self.runs.clear()
        self.firsts.clear()
        self.oldest = self.settled = 0

    def split(self, index: int, count: int) -> None:
        """Cut a run behind its first `count` numbers."""
        rest = self.runs[index].split(count)
        self.runs.insert(index + 1, rest)
        self.firsts.insert(index + 1, rest.first)
        self.oldest += index < self.oldest
        self.settled += index < self.settled


class SentLog:
    """The transmissions of one connection."""

    def __init__(self) -> None:
        self.next_number = 0
        self.sent_total = 0
        self.largest_acked = -1
        self.largest_acked_sent_at = 0
        self.newest_sent_at = 0
        self.bytes_in_flight = 0
        self._pages: list[_Page] = [_Page()]
        self._page_firsts: list[int] = [0]  # the first number of each page
        self._page_stop = _PAGE_NUMBERS  # number from which on a new page begins
        self._oldest = 0  # index of the first page with a run in flight, or the last page
        self._acked = RangeSet()  # numbers, above the first run still here
        self._told: set[tuple[int, int]] = set()  # ranges of the acknowledgment before: most are said again and again

    def __len__(self) -> int:
        """Number of runs. Costs a walk over the pages."""
        return sum(self.page_sizes)

    @property
    def page_sizes(self) -> list[int]:
        """Runs in each page, oldest first: a split moves what is in one page at most."""
        return [len(page.runs) for page in self._pages]

    def append(self, run: SentRun) -> None:
        """Record a transmission; its numbers must follow all earlier ones."""
        if run.first >= self._page_stop:
            self._page_stop = run.first + _PAGE_NUMBERS
            self._pages.append(_Page())
            self._page_firsts.append(run.first)
        page = self._pages[-1]
        page.runs.append(run)
        page.firsts.append(run.first)
        self.next_number = run.first + run.count
        self.newest_sent_at = run.sent_at
        self.sent_total += run.nbytes
        self.bytes_in_flight += run.nbytes

    def oldest_in_flight(self) -> SentRun | None:
        """The earliest transmission that is neither acknowledged nor lost."""
        pages = self._pages
        for at in range(self._oldest, len(pages)):
            page = pages[at]
            runs, index = page.runs, page.oldest
            while index < len(runs) and runs[index].state is not _IN_FLIGHT:
                index += 1
            page.oldest = index
            self._oldest = at
            if index < len(runs):
                return runs[index]
        return None

    def in_flight(self) -> list[SentRun]:
        """Every run in flight, oldest first. Cost grows with the log: not for each acknowledgment of a big window."""
        return [run for run in self.since_oldest() if run.state is _IN_FLIGHT]

    def since_oldest(self) -> list[SentRun]:
        """Every run from the oldest in flight on, whatever became of it. Costs as `in_flight` does."""
        if self.oldest_in_flight() is None:
            return []
        return [run for page in self._pages[self._oldest :] for run in page.runs[page.oldest :]]

    def find(self, number: int) -> SentRun | None:
        """The run that holds `number`, if it is still in the log, whatever became of it."""
        page = self._pages[max(bisect_right(self._page_firsts, number) - 1, 0)]
        index = bisect_right(page.firsts, number) - 1
        if index < 0 or number > page.runs[index].last:
            return None
        return page.runs[index]

    def acknowledge(self, ranges: list[tuple[int, int]]) -> AckOutcome:
        """Settle the numbers in `ranges` ([first, stop), any order, repeats allowed).

        Raises:
            RemoteProtocolError: a number was never sent; nothing has been changed then (RFC 9000 §13.1).
        """
        told = set(ranges)
        news = told.difference(self._told)
        for start, stop in news:
            if not 0 <= start < stop <= self.next_number:
                raise RemoteProtocolError("acknowledgment of a packet never sent")
        self._told = told
        outcome = AckOutcome([], [])
        oldest = self._page_firsts[0]
        for start, stop in news:
            for low, high in self._acked.add(max(start, oldest), stop):
                self._settle(low, high, outcome)
        for settled in outcome:
            if len(settled) > 1:
                settled.sort(key=_first)
            if settled and settled[-1].last > self.largest_acked:
                self.largest_acked, self.largest_acked_sent_at = settled[-1].last, settled[-1].sent_at
        return outcome

    def _settle(self, low: int, high: int, outcome: AckOutcome) -> None:
        """Numbers [low, high) have arrived, from page to page."""
        firsts = self._page_firsts
        at = max(bisect_right(firsts, low) - 1, 0)
        while at < len(firsts) and firsts[at] < high:
            self._settle_page(self._pages[at], low, high, outcome)
            at += 1

    def _settle_page(self, page: _Page, low: int, high: int, outcome: AckOutcome) -> None:
        runs, firsts = page.runs, page.firsts
        index = bisect_right(firsts, low) - 1
        if index < 0 or runs[index].last < low:
            index += 1
        while index < len(runs) and firsts[index] < high:
            run = runs[index]
            if run.first < low:
                page.split(index, low - run.first)
                index += 1
                run = runs[index]
            if run.last >= high:
                page.split(index, high - run.first)
            if run.state is _IN_FLIGHT:
                self.bytes_in_flight -= run.nbytes
                outcome.acked.append(run)
            elif run.state is _LOST:
                outcome.spurious.append(run)
            run.state = _ACKED
            index += 1

    def detect_lost(self, *, sent_before: int) -> tuple[list[SentRun], SentRun | None]:
        """Declare lost what was sent at or before `sent_before` and before the largest acknowledged number.

        Returns:
            The lost runs, and the oldest run that a later one has overtaken but that may still come.
        """
        lost: list[SentRun] = []
        while (run := self.oldest_in_flight()) is not None and run.first < self.largest_acked:
            if run.sent_at > sent_before:
                return lost, run
            self.declare_lost(run)
            lost.append(run)
        return lost, None

    def declare_lost(self, run: SentRun) -> None:
        """Declare a run in flight lost (on other evidence than `detect_lost` has, when called from outside)."""
        run.state = _LOST
        self.bytes_in_flight -= run.nbytes

    def forget(self, *, lost_before: int, una: int | None = None) -> None:
        """Drop the oldest pages once all runs in them are settled; lost ones only if sent at or before `lost_before`.

        With `una`, the lowest byte not acknowledged, a lost run with bytes from there on stays, however old:
        where acknowledgments name numbers only, a late one of it may be all that ever tells of these bytes.
        """
        done = 0
        for page in self._pages:
            runs, index = page.runs, page.settled
            while index < len(runs):
                run = runs[index]
                if run.state is _IN_FLIGHT:
                    break
                if run.state is _LOST and (run.sent_at > lost_before or (una is not None and run.stop > una)):
                    break
                index += 1
            page.settled = index
            if index < len(runs):
                break
            done += 1
        if done:
            self._drop(done)

    def _drop(self, count: int) -> None:
        """Drop so many pages; but there is always one to append to."""
        pages, firsts = self._pages, self._page_firsts
        if count == len(pages):
            count -= 1
            pages[-1].clear()
            firsts[-1] = self.next_number
            self._page_stop = self.next_number + _PAGE_NUMBERS
        del pages[:count], firsts[:count]
        self._oldest = max(self._oldest - count, 0)
        self._acked.discard_below(firsts[0])
