"""When sums of datagrams go out at the end of a stream, and of which ones (`repair_block` says why).

A block is opened once for each end, when all has been sent and nothing is known to be lost: everything from the oldest
datagram in flight on, those that have arrived since included, as a sum names its block by two numbers.

As many sums leave as it takes if as much is lost as usual; and, out of the budget of `TailEffort`, as many as it takes
if more is. Each acknowledgment shows more of what was really lost, so what is short then follows.
"""

from __future__ import annotations

from surewire.core.flight import Flight
from surewire.core.repair_block import RepairBlock, RepairRun, carries
from surewire.core.sent_log import RunState, SentRun

_LEAST = 8  # datagrams in a block: of fewer, copies do as well
_MOST_LOSS = 0.9
_MOST_SPAN = 1 << 28  # bytes from what is missing to the end: a sum names offsets by their low bits
_MOST_MISSING = 768  # datagrams that are expected to be lost: ours works out 1,024

MOST_NUMBERS = 4_096
"""Packet numbers in a block: as many as a sum can name."""

MOST_BACK = 65_536
"""Packet numbers from the end of a block to a sum of it, at most."""


class Sums:
    """Makes the block of an end, and its sums."""

    __slots__ = ("_end", "_flight", "_newest")

    def __init__(self, flight: Flight) -> None:
        self._flight = flight
        self._end = -1  # the offset of the end that was looked at last
        self._newest = -1  # packet number of the block before: the peer takes part in one after the other

    @property
    def has_block(self) -> bool:
        """True when this end has a block, given up or not."""
        block = self._flight.block
        return block is not None and block.end == self._flight.scoreboard.next_offset

    @property
    def is_new_end(self) -> bool:
        """True when this end was not looked at yet: `begin` is to be called, and when a sum can leave at once, if one
        may come of it. Later some of the bytes that it is made of may be gone.
        """
        return self._flight.scoreboard.next_offset != self._end

    @property
    def may_come(self) -> bool:
        """True when a block may come of this end; not of an end mark, or hardly more."""
        return bool(self._flight.rules.repair_window) and self._flight.log.bytes_in_flight >= _LEAST

    def begin(self) -> None:
        """Open a block for this end, if there is enough in flight and some of it will be lost."""
        flight, board = self._flight, self._flight.scoreboard
        self._end = board.next_offset
        is_wide = board.next_offset - board.una > _MOST_SPAN
        if not flight.rules.repair_window or not self._loss or flight.probing.count or is_wide:
            return
        runs = self._sources()
        if sum(run.count for run in runs if carries(run) and run.state is RunState.IN_FLIGHT) >= _LEAST:
            flight.block = RepairBlock(runs, end=self._end, size=board.size, segment=flight.rules.segment)
            self._newest = flight.block.newest
            flight.probing.cover.leave_to_sums(self._end)

    def leave(self) -> None:
        """Give the block up if sums do not help or cannot be sent any more, or the stream has gone on since, or nothing
        seems to be lost now.

        It has to be known before anything is sent: what was left to the sums is sent again then.
        """
        flight, board, block = self._flight, self._flight.scoreboard, self._flight.block
        if block is None:
            return
        is_over = not self.has_block or not board.is_at_end or not self._loss
        is_far = flight.log.next_number - block.newest > MOST_BACK or flight.rules.segment < block.segment
        if is_over or is_far or block.tally.is_hopeless:
            flight.give_block_up()
        if board.una >= board.next_offset:
            flight.block = None

    def due(self) -> RepairBlock | None:
        """The block of which a sum should go out as soon as it may, or None."""
        flight, block = self._flight, self._flight.block
        if block is None or block.is_given_up:
            return None
        may_spend = flight.probing.effort.may_spend(block.segment, sent_total=flight.log.sent_total)
        dispersion = flight.loss_share.dispersion if may_spend else 0.0
        if block.tally.is_short(self._loss, dispersion=dispersion):
            return block
        if not block.is_stuck:
            return None
        block.tally.ask_for_more()
        return block

    @property
    def _loss(self) -> float:
        """Of what is sent here alone: what is lost on the way back is no reason for sums."""
        return min(self._flight.loss_share.share, _MOST_LOSS)

    def send(self, block: RepairBlock, *, now: int) -> RepairRun:
        """Send a sum, which is due."""
        flight = self._flight
        if not block.tally.is_short(self._loss):
            flight.probing.effort.spend(block.segment)
        return flight.transmit_sum(block, now=now)

    def _sources(self) -> list[SentRun]:
        """The newest runs, as many as a block and the peer's memory hold and as are still there to be read."""
        log, kept_from, rules = self._flight.log, self._flight.scoreboard.kept_from, self._flight.rules
        most = min(MOST_NUMBERS, int(_MOST_MISSING / self._loss), (rules.repair_window or 0) // rules.segment)
        least = max(log.next_number - most, self._newest + 1)
        runs: list[SentRun] = []
        for run in reversed(log.since_oldest()):
            if run.first < least or (run.offset < kept_from and run.nbytes):
                break
            runs.append(run)
        while runs and runs[-1].state is not RunState.IN_FLIGHT:
            runs.pop()
        return runs[::-1]
