"""Scoreboard against one record for each byte."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from surewire.core.scoreboard import Scoreboard

LENGTHS = st.integers(1, 12)


class ScoreboardHistory(RuleBasedStateMachine):
    """Sent, lost and acknowledged in any order a session can meet; the end mark is byte `size`."""

    @initialize(size=st.integers(0, 40))
    def open(self, size: int) -> None:
        self.size = size
        self.board = Scoreboard(size)
        self.sent = 0  # bytes, from the start
        self.acked: set[int] = set()
        self.lost: set[int] = set()

    def sent_part(self, start: int, length: int) -> tuple[int, int]:
        return min(start, self.sent), min(start + length, self.sent)

    @rule(length=LENGTHS)
    def send_new(self, length: int) -> None:
        stop = self.size + 1 if self.sent >= self.size else min(self.sent + length, self.size)
        self.board.on_sent(self.sent, stop)
        self.sent = stop

    @precondition(lambda self: self.lost)
    @rule(length=LENGTHS)
    def send_lost_again(self, length: int) -> None:
        piece = self.board.peek_lost()
        assert piece is not None
        start, stop = piece[0], min(piece[1], piece[0] + length)
        self.board.on_sent(start, stop)
        self.lost -= set(range(start, stop))

    @rule(start=st.integers(0, 41), length=LENGTHS)
    def acknowledge(self, start: int, length: int) -> None:
        start, stop = self.sent_part(start, length)
        self.board.on_acked(start, stop)
        self.acked |= set(range(start, stop))
        self.lost -= set(range(start, stop))

    @rule(start=st.integers(0, 41), length=LENGTHS)
    def lose(self, start: int, length: int) -> None:
        start, stop = self.sent_part(start, length)
        self.board.on_lost(start, stop)
        self.lost |= set(range(start, stop)) - self.acked

    @rule(start=st.integers(0, 41), length=LENGTHS)
    def ask_what_is_missing(self, start: int, length: int) -> None:
        missing = [offset for low, high in self.board.missing(start, start + length) for offset in range(low, high)]
        assert missing == [offset for offset in range(start, start + length) if offset not in self.acked]

    @invariant()
    def books_agree(self) -> None:
        if not hasattr(self, "board"):
            return
        una = next(offset for offset in range(self.size + 2) if offset not in self.acked)
        assert self.board.una == una
        assert self.board.is_data_acked is (una >= self.size)
        assert self.board.is_done is (una > self.size)
        assert self.board.next_offset == self.sent
        assert self.board.has_unsent is (self.sent < self.size)
        assert self.board.has_lost is bool(self.lost)
        assert self.board.peek_lost() == self.lowest_lost()

    def lowest_lost(self) -> tuple[int, int] | None:
        if not self.lost:
            return None
        start = stop = min(self.lost)
        while stop in self.lost and (start == self.size or stop != self.size):  # never across the end mark
            stop += 1
        return start, stop


TestScoreboardHistory = ScoreboardHistory.TestCase
TestScoreboardHistory.settings = settings(max_examples=50, stateful_step_count=25)
