"""Every transmission that may still be acknowledged, by packet number.

A packet number is used once, whatever bytes it carried (RFC 9000 §12.3), so an acknowledgment of a
number says exactly which transmission arrived. Entries are runs: consecutive numbers carrying
consecutive bytes, cut into equal segments and sent at one time. A run is split only where an
acknowledgment or a loss ends inside it, so the log costs per train, not per datagram.

Runs lie in one list by number, which is also by time sent. Settled runs (acknowledged or lost) stay
where they are until all older ones are settled; lost ones a while longer, so that a late
acknowledgment can prove the loss spurious. Cursors only move forward: amortised, each run is passed
once, however many are outstanding.
"""

from __future__ import annotations

from bisect import bisect_right
from enum import Enum, auto
from operator import attrgetter
from typing import NamedTuple

from surewire.core.ranges import RangeSet
from surewire.errors import RemoteProtocolError

_COMPACT_AT = 256  # settled runs at the head before the list is cut: amortises the memory move


class RunState(Enum):
    IN_FLIGHT = auto()
    ACKED = auto()
    LOST = auto()


# Names of their own: Python 3.11 takes longer to look up a member of an enumeration than to call a method.
_IN_FLIGHT, _ACKED, _LOST = RunState


class Snapshot(NamedTuple):
    """What the delivery-rate sampler knew when the run was sent (see `delivery`)."""

    delivered: int
    advanced: int
    delivered_at: int
    first_sent_at: int
    is_app_limited: bool
    phase: int


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
        "sent_total",
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
        sent_total: int,
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
        self.sent_total = sent_total  # bytes of all transmissions up to and with this one
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
            sent_total=self.sent_total,
            snapshot=self.snapshot,
            state=self.state,
        )
        self.count = count
        self.nbytes = kept
        self.sent_total -= rest.nbytes
        return rest


class AckOutcome(NamedTuple):
    """What an acknowledgment settled, oldest first."""

    acked: list[SentRun]  # were in flight
    spurious: list[SentRun]  # had been declared lost


_first = attrgetter("first")


class SentLog:
    """The transmissions of one connection."""

    def __init__(self) -> None:
        self.next_number = 0
        self.sent_total = 0
        self.largest_acked = -1
        self.largest_acked_sent_at = 0
        self.newest_sent_at = 0
        self.bytes_in_flight = 0
        self._runs: list[SentRun] = []
        self._firsts: list[int] = []  # `first` of each run: what is searched
        self._oldest = 0  # index of the first run that is in flight, or len
        self._settled = 0  # runs at the head that will never be needed again
        self._acked = RangeSet()  # numbers, above the first run still in the list
        self._told: set[tuple[int, int]] = set()  # ranges of the acknowledgment before: most are said again and again

    def __len__(self) -> int:
        return len(self._runs)

    def append(self, run: SentRun) -> None:
        """Record a transmission; its numbers must follow all earlier ones."""
        self._runs.append(run)
        self._firsts.append(run.first)
        self.next_number = run.first + run.count
        self.newest_sent_at = run.sent_at
        self.sent_total = run.sent_total
        self.bytes_in_flight += run.nbytes

    def oldest_in_flight(self) -> SentRun | None:
        """The earliest transmission that is neither acknowledged nor lost."""
        runs, index = self._runs, self._oldest
        while index < len(runs) and runs[index].state is not _IN_FLIGHT:
            index += 1
        self._oldest = index
        return runs[index] if index < len(runs) else None

    def in_flight(self) -> list[SentRun]:
        """Every run in flight, oldest first. Cost grows with the log: not for each acknowledgment of a big window."""
        return [run for run in self._runs[self._oldest :] if run.state is _IN_FLIGHT]

    def find(self, number: int) -> SentRun | None:
        """The run that holds `number`, if it is still in the log, whatever became of it."""
        index = bisect_right(self._firsts, number) - 1
        if index < 0 or number > self._runs[index].last:
            return None
        return self._runs[index]

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
        oldest = self._firsts[0] if self._runs else self.next_number
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
        runs, firsts = self._runs, self._firsts
        index = bisect_right(firsts, low) - 1
        if index < 0 or runs[index].last < low:
            index += 1
        while index < len(runs) and firsts[index] < high:
            run = runs[index]
            if run.first < low:
                self._split(index, low - run.first)
                index += 1
                run = runs[index]
            if run.last >= high:
                self._split(index, high - run.first)
            if run.state is _IN_FLIGHT:
                self.bytes_in_flight -= run.nbytes
                outcome.acked.append(run)
            elif run.state is _LOST:
                outcome.spurious.append(run)
            run.state = _ACKED
            index += 1

    def _split(self, index: int, count: int) -> None:
        rest = self._runs[index].split(count)
        self._runs.insert(index + 1, rest)
        self._firsts.insert(index + 1, rest.first)
        self._oldest += index < self._oldest
        self._settled += index < self._settled

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
        """Drop settled runs at the head of the list; lost ones only if sent at or before `lost_before`.

        With `una`, the lowest byte not acknowledged, a lost run with bytes from there on stays, however old:
        where acknowledgments name numbers only, a late one of it may be all that ever tells of these bytes.
        """
        runs, index = self._runs, self._settled
        while index < len(runs):
            run = runs[index]
            if run.state is _IN_FLIGHT:
                break
            if run.state is _LOST and (run.sent_at > lost_before or (una is not None and run.stop > una)):
                break
            index += 1
        self._settled = index
        if index and (index >= _COMPACT_AT or index == len(runs)):
            del runs[:index], self._firsts[:index]
            self._oldest = max(self._oldest - index, 0)
            self._settled = 0
            self._acked.discard_below(self._firsts[0] if runs else self.next_number)
