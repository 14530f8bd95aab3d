"""Scoreboard by hand: the end mark apart, and loss of what another transmission brought."""

from __future__ import annotations

from surewire.core.scoreboard import Scoreboard


def sent_board(size: int, *, with_end: bool = True) -> Scoreboard:
    board = Scoreboard(size)
    board.on_sent(0, size)
    if with_end:
        board.on_sent(size, size + 1)
    return board


def test_the_end_mark_is_one_byte_more() -> None:
    board = sent_board(100)
    board.on_acked(0, 100)
    assert (board.una, board.is_data_acked, board.is_done) == (100, True, False)
    board.on_acked(100, 101)
    assert (board.una, board.is_data_acked, board.is_done) == (101, True, True)


def test_an_acknowledged_end_mark_does_not_hide_missing_data() -> None:
    board = sent_board(100)
    board.on_acked(50, 101)
    assert (board.una, board.is_data_acked, board.is_done) == (0, False, False)
    board.on_acked(0, 50)
    assert board.is_done


def test_the_end_mark_is_never_joined_to_lost_data() -> None:
    board = sent_board(100)
    board.on_lost(90, 101)
    assert board.peek_lost() == (90, 100)
    board.on_sent(90, 100)
    assert board.peek_lost() == (100, 101)
    board.on_sent(100, 101)
    assert board.peek_lost() is None


def test_what_was_acknowledged_is_never_lost() -> None:
    board = sent_board(100)
    board.on_acked(20, 40)
    board.on_lost(10, 50)
    assert board.peek_lost() == (10, 20)
    board.on_sent(10, 20)
    assert board.peek_lost() == (40, 50)
    board.on_acked(40, 50)
    assert not board.has_lost


def test_sending_again_does_not_move_the_mark_of_new_bytes_back() -> None:
    board = Scoreboard(100)
    board.on_sent(0, 60)
    board.on_lost(10, 20)
    board.on_sent(10, 20)
    assert board.next_offset == 60
    assert board.has_unsent


def test_an_empty_stream_is_only_its_end_mark() -> None:
    board = Scoreboard(0)
    assert (board.has_unsent, board.is_data_acked, board.is_done) == (False, True, False)
    board.on_sent(0, 1)
    board.on_lost(0, 1)
    assert board.peek_lost() == (0, 1)
    board.on_acked(0, 1)
    assert board.is_done
