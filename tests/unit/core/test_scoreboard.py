"""Scoreboard by hand: the end mark apart, and loss of what another transmission brought."""

from __future__ import annotations

import pytest

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


# A stream that grows, and an end mark that rides


def growing(size: int, *, rides: bool = True) -> Scoreboard:
    board = Scoreboard(None)
    board.end_rides = rides
    board.extend(size)
    return board


def test_a_growing_stream_has_no_end_until_it_is_finished() -> None:
    board = growing(100)
    assert (board.is_finished, board.size, board.has_unsent) == (False, 100, True)
    board.on_sent(0, 100)
    board.on_acked(0, 100)
    assert (board.is_data_acked, board.is_done, board.has_unsent) == (True, False, False)
    board.extend(150)
    assert (board.is_data_acked, board.has_unsent) == (False, True)
    board.finish()
    board.on_sent(100, 151)
    board.on_acked(100, 151)
    assert board.is_done


def test_the_end_of_what_is_waited_for_is_sent_and_not_yet_acknowledged() -> None:
    board = growing(100)
    board.on_sent(0, 100)
    seen = [board.is_at_end]  # nobody has said so
    board.push()
    seen.append(board.is_at_end)
    board.extend(150)
    seen.append(board.is_at_end)
    board.push()
    seen.append(board.is_at_end)  # not sent
    board.on_sent(100, 150)
    seen.append(board.is_at_end)
    board.on_acked(0, 150)
    seen.append(board.is_at_end)
    assert seen == [False, True, False, False, True, False]


@pytest.mark.parametrize(("length", "is_end"), [(1, True), (32, True), (33, False)])
def test_a_word_that_nothing_follows_is_waited_for_though_nobody_says_so(length: int, is_end: bool) -> None:
    board = growing(100)
    board.on_sent(0, 100)
    board.on_acked(0, 100 - length)
    seen = [board.is_at_end]
    board.extend(101)
    seen.append(board.is_at_end)
    assert seen == [is_end, False]  # more of it waits


def test_the_end_of_a_stream_is_one_once_its_mark_was_sent() -> None:
    board = sent_board(100, with_end=False)
    seen = [board.is_at_end]
    board.on_sent(100, 101)
    seen.append(board.is_at_end)
    board.on_acked(0, 101)
    seen.append(board.is_at_end)
    assert seen == [False, True, False]


def test_an_end_mark_that_rides_is_lost_and_sent_with_the_last_bytes() -> None:
    board = growing(100)
    board.finish()
    board.on_sent(0, 101)
    board.on_lost(90, 101)
    assert board.peek_lost() == (90, 101)
    assert board.next_unacked(0, 1000) == (0, 101)
    board.on_sent(90, 101)
    assert board.peek_lost() is None


def test_a_lone_end_mark_joins_lost_bytes_before_it_only_when_it_rides() -> None:
    for rides, expected in ((True, (60, 101)), (False, (60, 100))):
        board = growing(100, rides=rides)
        board.finish()
        board.on_sent(0, 100)
        board.on_sent(100, 101)
        board.on_lost(100, 101)
        board.on_lost(60, 100)
        assert board.peek_lost() == expected


def test_a_piece_is_cut_by_its_real_bytes() -> None:
    board = growing(100)
    board.finish()
    assert board.cut(60, 101, 40) == 101  # the end mark takes no room
    assert board.cut(60, 101, 39) == 99
    assert board.cut(100, 101, 0) == 101
    assert board.cut(0, 80, 100) == 80
    assert board.cut(0, 80, 80) == 80


def test_next_unacked_looks_from_an_offset_on() -> None:
    board = growing(100, rides=False)
    board.finish()
    board.on_sent(0, 101)
    board.on_acked(0, 20)
    board.on_acked(40, 60)
    assert board.next_unacked(0, 10) == (20, 30)
    assert board.next_unacked(0, 100) == (20, 40)
    assert board.next_unacked(45, 100) == (60, 100)
    assert board.next_unacked(100, 100) == (100, 101)
    board.on_acked(0, 101)
    assert board.next_unacked(0, 100) is None


def test_what_an_acknowledgment_takes_back_is_sent_again() -> None:
    board = sent_board(100)
    board.on_acked(0, 60)
    board.retreat(20)
    assert (board.una, board.peek_lost()) == (20, (20, 60))
    board.on_acked(0, 60)
    assert (board.una, board.peek_lost()) == (60, None)
