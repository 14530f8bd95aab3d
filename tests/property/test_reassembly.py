"""Reassembly against a plain set of byte offsets."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from surewire.core.config import TransportConfig
from surewire.core.reassembly import Reassembly

ENDS = st.integers(-3, 70)


def gap_count(held: set[int]) -> int:
    """Holes below the highest byte."""
    return sum(1 for value in held if value > 0 and value - 1 not in held)


class ReassemblyHistory(RuleBasedStateMachine):
    """What is accepted is exactly what the window, the size and the limit of holes allow."""

    def __init__(self) -> None:
        super().__init__()
        self.held: set[int] = set()
        self.size: int | None = None
        self.edge = 0

    @initialize(window=st.integers(1, 40), max_gaps=st.integers(2, 5))
    def open(self, window: int, max_gaps: int) -> None:
        self.window, self.max_gaps = window, max_gaps
        self.reassembly = Reassembly(TransportConfig(max_gaps=max_gaps), window=window)

    @property
    def contiguous(self) -> int:
        return next(offset for offset in range(1000) if offset not in self.held)

    @rule(start=ENDS, stop=ENDS)
    def arrive(self, start: int, stop: int) -> None:
        self.deliver(start, stop)

    @rule(length=st.integers(1, 8))
    def arrive_in_order(self, length: int) -> None:
        self.deliver(self.contiguous, self.contiguous + length)

    def deliver(self, start: int, stop: int) -> None:
        right_edge = self.contiguous + self.window
        is_legal = 0 <= start < stop <= right_edge and (self.size is None or stop <= self.size)
        assert self.reassembly.is_acceptable(start, stop) is is_legal
        if not is_legal:
            return
        asked = set(range(start, stop))
        new = self.reassembly.accept(start, stop)
        if new is None:
            assert gap_count(self.held | asked) > gap_count(self.held)  # only what makes a hole is ever refused
            assert gap_count(self.held) >= self.max_gaps - 1
            return
        assert [offset for low, high in new for offset in range(low, high)] == sorted(asked - self.held)
        self.held |= asked

    @rule(size=ENDS)
    def learn_size(self, size: int) -> None:
        highest = max(self.held, default=-1) + 1
        is_possible = size >= highest and self.size in (None, size)
        assert self.reassembly.set_size(size) is is_possible
        if is_possible:
            self.size = size

    @invariant()
    def books_agree(self) -> None:
        if not hasattr(self, "reassembly"):
            return
        books, highest = self.reassembly, max(self.held, default=-1) + 1
        assert books.contiguous == self.contiguous
        assert books.highest == highest
        assert books.received == len(self.held)
        assert books.has_gaps is (gap_count(self.held) > 0)
        assert gap_count(self.held) <= self.max_gaps
        assert books.size == self.size
        assert books.is_complete is (self.size == len(self.held))
        assert books.contiguous + books.window >= self.edge  # the right edge never moves back
        self.edge = books.contiguous + books.window


TestReassemblyHistory = ReassemblyHistory.TestCase
TestReassemblyHistory.settings = settings(max_examples=50, stateful_step_count=25)
