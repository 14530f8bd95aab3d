"""A block of datagrams of which sums are sent, so that the peer works out those that were lost, whichever they are.

At the end of a stream all numbers from the oldest in flight on are one block. Nobody knows yet what of it is lost, but
how much is: so as many sums go out at once as it takes, and the end comes with the last of them, instead of one round
trip until the losses are known, one for their repairs, and one for those that were lost, too. Which datagrams are in a
sum is drawn from its packet number, so that any sum helps against any loss (`erasure`; RFC 6363 calls them repair
symbols).

What is lost of the block is not sent again as long as sums can make up for it. When they did not, it goes out as
everything does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from surewire.core.repair_tally import RepairTally
from surewire.core.sent_log import RunState, SentRun


class Source(NamedTuple):
    """Datagrams of a block with bytes [offset, stop): numbers from `first` on, `segment` bytes in each but the last."""

    first: int
    datagrams: int
    offset: int
    stop: int
    segment: int


class RepairRun(SentRun):
    """A datagram that carries a sum. It is in flight with its bytes, but none of them has a place in the stream.

    Attributes:
        block: what it is a sum of.
        halvings: each number of the block is in it with the probability 2**-halvings.
    """

    __slots__ = ("block", "halvings")

    block: RepairBlock
    halvings: int

    @property
    def stop(self) -> int:
        """It settles no byte of the stream."""
        return self.offset


def carries(run: SentRun) -> bool:
    """True when it has bytes of the stream; a ping and an earlier sum have none, and nobody waits for them."""
    return run.stop > run.offset


class RepairBlock:
    """Which datagrams are added up, and what became of them.

    Attributes:
        first, count: the packet numbers.
        end: the offset of the stream's end that it was made for.
        segment: bytes of the stream in a sum.
        sources: the runs of it that carry bytes.
        symbols: what is added up, by the place in the block, as whoever writes the sums has it.
        owed: bytes that were lost, and are left to the sums.
        is_given_up: sums did not help.
        tally: how many sums it takes.
    """

    __slots__ = ("_size", "count", "end", "first", "is_given_up", "owed", "segment", "sources", "symbols", "tally")

    def __init__(self, runs: Sequence[SentRun], *, end: int, size: int, segment: int) -> None:
        """Take runs in order, whatever became of them, the first one in flight. Of what is below `end` bytes of the
        stream are those below `size`.
        """
        self.first = runs[0].first
        self.count = runs[-1].first + runs[-1].count - self.first
        self.end = end
        self._size = size
        self.segment = segment
        carriers = [run for run in runs if carries(run)]
        self.sources = [Source(run.first, run.count, run.offset, run.stop, run.segment) for run in carriers]
        self.symbols: list[int] = []
        self.owed: list[tuple[int, int]] = []
        self.is_given_up = False
        unknown, lost, arrived = (
            sum(run.count for run in carriers if run.state is state)
            for state in (RunState.IN_FLIGHT, RunState.LOST, RunState.ACKED)
        )
        self.tally = RepairTally(self.count, unknown=unknown, lost=lost, arrived=arrived)

    @property
    def newest(self) -> int:
        """The last packet number."""
        return self.first + self.count - 1

    def holds(self, run: SentRun) -> bool:
        """True when the run carries bytes of the block."""
        return self.first <= run.first <= self.newest and carries(run)

    def on_acked(self, acked: list[SentRun], spurious: list[SentRun]) -> None:
        """Runs arrived that were in flight, and some that had been taken for lost."""
        for run in acked:
            if self._is_sum(run):
                self.tally.on_sum_arrived(was_lost=False)
            elif self.holds(run):
                self.tally.unknown -= run.count
        for run in spurious:
            if self._is_sum(run):
                self.tally.on_sum_arrived(was_lost=True)
            elif self.holds(run):
                self.tally.lost -= run.count

    def _is_sum(self, run: SentRun) -> bool:
        return isinstance(run, RepairRun) and run.block is self

    def on_lost(self, run: SentRun) -> bool:
        """A run is lost; True when its bytes are left to the sums."""
        if self._is_sum(run):
            self.tally.on_sum_lost()
        if not self.holds(run):
            return False
        self.tally.unknown -= run.count
        self.tally.lost += run.count
        return not self.is_given_up and self._fits(run)

    def _fits(self, run: SentRun) -> bool:
        """True when a sum has room for each of its datagrams; to tell the length of a shorter one takes two bytes."""
        last = min(run.stop, self._size) - run.offset - (run.count - 1) * run.segment
        longest = run.segment if run.count > 1 else last
        return longest <= self.segment and self.segment - 1 not in (longest, last)

    @property
    def is_stuck(self) -> bool:
        """True when nothing of it is under way, and the peer has not said that it has what is owed."""
        return bool(self.owed) and self.tally.is_idle
