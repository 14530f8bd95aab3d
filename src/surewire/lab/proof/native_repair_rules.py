"""What sums of datagrams (REPAIR) say, held against what was sent; and what can be worked out from those that arrived.

A `SentPieces` is one direction of a native connection. Of each REPAIR that is sent there is checked: the peer has asked
for it; its block begins at 0 or above and its symbols fit the peer's REPAIR_WINDOW; it is the sum of what was sent
under these numbers.

`WorkedOut` is what a receiver can know beside what reached it: all that linear algebra gives, and no more. No bytes are
added up for that, since it is known what was sent: a datagram can be worked out when it is all that is left of the
REPAIRs that arrived, added up in some way, less the datagrams that arrived. A receiver may always know less.
"""

from __future__ import annotations

from surewire.core.erasure import indices
from surewire.errors import MalformedSegment
from surewire.lab.proof.violations import Findings
from surewire.wire import native_frames as frames
from surewire.wire.native_repairs import SYMBOL_HEAD_SIZE, Repair, block_start, emit_symbol, participants


class SentPieces:
    """The pieces of the stream that a side has sent, by packet number, and its sums of them."""

    def __init__(self, name: str, findings: Findings, *, window: int) -> None:
        """`window` is the REPAIR_WINDOW that its peer has stated."""
        self._name = name
        self._findings = findings
        self._window = window
        self._pieces: dict[int, frames.Data] = {}

    def add(self, number: int, data: frames.Data) -> None:
        """It sends a piece."""
        self._pieces[number] = data

    def get(self, number: int) -> frames.Data | None:
        """What it sent under this number."""
        return self._pieces.get(number)

    def symbol(self, number: int, length: int) -> int:
        """The symbol, of so many bytes, of what it sent under this number; 0 where there is none."""
        data = self._pieces.get(number)
        if data is None:
            return 0
        symbol = emit_symbol(data.offset, data.payload, is_last=data.is_last, length=length)
        return 0 if symbol is None else int.from_bytes(symbol, "big")

    def check(self, number: int, repair: Repair, now: int) -> None:
        """It sends a sum."""
        if not self._window:
            self._add(f"number {number} is a sum that the peer has not asked for", now)
        if not has_block(number, repair):
            self._add(f"number {number} is a sum over numbers below 0", now)
            return
        start = block_start(number, repair)
        block = range(start, start + repair.numbers)
        nbytes = repair.numbers * (len(repair.symbol) - SYMBOL_HEAD_SIZE)
        if nbytes > self._window:
            self._add(f"number {number} is a sum over {nbytes} bytes, the peer keeps {self._window}", now)
        total = 0
        for one in indices(participants(number, repair.numbers, repair.halvings) << start):
            total ^= self.symbol(one, len(repair.symbol))
        if total != int.from_bytes(repair.symbol, "big"):
            self._add(f"number {number} is not the sum of what was sent from {start} to {block[-1]}", now)

    def _add(self, what: str, now: int) -> None:
        self._findings.add("repair", f"{self._name}: {what}", now)


class WorkedOut:
    """What one side can work out of what the other one sent. Sets of packet numbers are integers, a bit for each."""

    def __init__(self, sent: SentPieces) -> None:
        self._sent = sent
        self._known = 0  # datagrams that arrived or were worked out
        self._sums: dict[int, _Sums] = {}  # by the length of their symbols
        self._top = -1  # the highest number that took part in one
        self._has_news = False

    def on_reached(self, number: int, repair: Repair | None) -> None:
        """A datagram has reached this side; the block of its sum begins at 0 or above."""
        self._learn(1 << number)
        if repair is not None:
            taking = participants(number, repair.numbers, repair.halvings) << block_start(number, repair)
            self._sums.setdefault(len(repair.symbol), _Sums()).insert(taking & ~self._known)
            self._top = max(self._top, number - repair.back)
            self._has_news = True

    def poll(self) -> list[frames.Data]:
        """The pieces that can be worked out since the last call."""
        found: list[frames.Data] = []
        # What a sum of one length has shown may be the last that one of another length lacked.
        while self._has_news:
            self._has_news = False
            for length, sums in self._sums.items():
                for number in sums.take_single():
                    data = self._sent.get(number)
                    # Zeros tell that it has no symbol of this length, and nothing of what it carries.
                    if data is not None and self._sent.symbol(number, length):
                        found.append(data)
                        self._learn(1 << number)
        return found

    def _learn(self, number: int) -> None:
        """Take this one, given as a set, for known."""
        self._known |= number
        if number.bit_length() - 1 <= self._top:  # mostly it is newer than all sums
            for sums in self._sums.values():
                sums.forget(number)
            self._has_news = True


class _Sums:
    """Sums of one length, who takes part in each: so reduced that the highest number of each is in no other.

    So a number that can be told from all others stands alone in one of them.
    """

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}  # by their highest numbers
        self._solved = 0  # numbers that stood alone: their symbols of this length are known

    def insert(self, row: int) -> None:
        """One more, without what is known."""
        row &= ~self._solved
        for top, other in self._rows.items():
            if row >> top & 1:
                row ^= other
        if not row:
            return
        top = row.bit_length() - 1
        for above, other in self._rows.items():
            if other >> top & 1:
                self._rows[above] = other ^ row
        self._rows[top] = row

    def forget(self, numbers: int) -> None:
        """These are known."""
        hit = [self._rows.pop(top) for top, row in list(self._rows.items()) if row & numbers]
        for row in hit:
            self.insert(row & ~numbers)

    def take_single(self) -> list[int]:
        """The numbers that stand alone: they are in no sum any more."""
        tops = [top for top, row in self._rows.items() if row == 1 << top]
        for top in tops:
            del self._rows[top]
            self._solved |= 1 << top
        return tops


def has_block(number: int, repair: Repair) -> bool:
    """Whether all numbers of the block of this sum, which was sent as `number`, are 0 and above."""
    try:
        return block_start(number, repair) >= 0
    except MalformedSegment:
        return False
