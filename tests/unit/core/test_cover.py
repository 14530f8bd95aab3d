"""How many transmissions of what was lost are under way, and what is sent next."""

from __future__ import annotations

from surewire.core.cover import MOST_UNDER_WAY, Cover
from surewire.core.scoreboard import Scoreboard
from tests.unit.core.makers import make_run

SEGMENT = 100


def all_sent(size: int = 1_000) -> Scoreboard:
    board = Scoreboard(size)
    board.on_sent(0, size)
    return board


def copies(cover: Cover, board: Scoreboard, enough: int) -> list[tuple[int, int]]:
    """All that is sent again, one after the other."""
    sent = []
    while (copy := cover.next_copy(board, enough)) is not None:
        sent.append(copy)
        cover.on_copied()
    return sent


def test_nothing_is_copied_that_was_not_lost() -> None:
    cover = Cover()
    cover.take_spares([], most=1_000)
    assert cover.has_spares and cover.next_copy(all_sent(), MOST_UNDER_WAY) is None


def test_every_segment_of_a_repair_is_sent_often_enough_the_repair_counted() -> None:
    cover = Cover()
    cover.on_repaired(100, 350, SEGMENT)
    assert copies(cover, all_sent(), 1) == []
    assert copies(cover, all_sent(), 3) == [(100, 200), (200, 300), (300, 350)] * 2
    assert copies(cover, all_sent(), 3) == []


def test_of_what_fewest_are_under_way_comes_first() -> None:
    """A loss that is found late waits for no third copy of those before it."""
    cover, board = Cover(), all_sent()
    cover.on_repaired(0, 100, SEGMENT)
    assert cover.next_copy(board, 4) == (0, 100)
    cover.on_copied()
    cover.on_repaired(500, 600, SEGMENT)
    assert copies(cover, board, 4) == [(500, 600), (0, 100), (500, 600), (0, 100), (500, 600)]


def test_a_copy_that_was_lost_is_made_good_by_one() -> None:
    """Not by a repair and all of its copies: the others may still arrive."""
    cover, board = Cover(), all_sent()
    cover.on_lost(make_run(0))
    cover.on_repaired(0, 100, SEGMENT)
    assert len(copies(cover, board, 4)) == 3
    cover.on_lost(make_run(0))
    cover.on_repaired(0, 100, SEGMENT)
    assert copies(cover, board, 4) == []
    for _ in range(4):
        cover.on_lost(make_run(0))
    cover.on_repaired(0, 100, SEGMENT)
    assert len(copies(cover, board, 4)) == 3


def test_what_arrived_is_not_sent_again() -> None:
    cover, board = Cover(), all_sent()
    cover.on_repaired(0, 300, SEGMENT)
    board.on_acked(100, 200)
    board.on_acked(200, 250)
    assert copies(cover, board, 2) == [(0, 100), (250, 300)]


def test_spares_come_first_and_once() -> None:
    cover, board = Cover(), all_sent()
    cover.take_spares([make_run(8, count=2), make_run(5)], most=250)
    cover.on_repaired(0, 100, SEGMENT)
    assert copies(cover, board, 2) == [(900, 1_000), (800, 900), (500, 600), (0, 100)]


def test_a_spare_counts_when_its_original_is_lost() -> None:
    cover, board = Cover(), all_sent()
    cover.take_spares([make_run(5)], most=100)
    assert copies(cover, board, 2) == [(500, 600)]
    cover.on_lost(make_run(5))
    cover.on_repaired(500, 600, SEGMENT)
    assert copies(cover, board, 2) == []


def test_there_are_never_more_than_so_many() -> None:
    cover, board = Cover(), all_sent()
    cover.on_repaired(0, 100, SEGMENT)
    assert len(copies(cover, board, 1_000)) == MOST_UNDER_WAY - 1


def test_of_another_end_nothing_is_known() -> None:
    cover = Cover()
    cover.reach(1_000)
    cover.take_spares([make_run(5)], most=100)
    cover.on_repaired(0, 100, SEGMENT)
    cover.reach(1_000)
    known = (cover.has_spares, cover.next_copy(all_sent(), 2) is not None)
    cover.reach(2_000)
    assert known == (True, True)
    assert (cover.has_spares, cover.next_copy(all_sent(2_000), 2)) == (False, None)
