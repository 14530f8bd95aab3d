"""Reassembly at its limits: both sides of the window's edge, of the known size and of the number of holes."""

from __future__ import annotations

import pytest

from surewire.core.config import TransportConfig
from surewire.core.reassembly import Reassembly


def reassembly(*, window: int = 100, max_gaps: int = 1000) -> Reassembly:
    return Reassembly(TransportConfig(receive_window=window, max_gaps=max_gaps))


def test_the_window_ends_where_it_says() -> None:
    books = reassembly(window=100)
    assert books.is_acceptable(99, 100)
    assert not books.is_acceptable(100, 101)
    assert not books.is_acceptable(99, 101)
    books.accept(0, 10)
    assert books.is_acceptable(109, 110)
    assert not books.is_acceptable(110, 111)


def test_bytes_behind_a_hole_do_not_move_the_window() -> None:
    books = reassembly(window=100)
    assert books.accept(50, 60) == [(50, 60)]
    assert (books.contiguous, books.highest, books.has_gaps) == (0, 60, True)
    assert not books.is_acceptable(100, 101)
    assert books.accept(0, 50) == [(0, 50)]
    assert (books.contiguous, books.has_gaps) == (60, False)
    assert books.is_acceptable(159, 160)


@pytest.mark.parametrize(("start", "stop"), [(5, 5), (6, 5), (-1, 3), (-2, -1)])
def test_an_empty_or_negative_range_is_not_acceptable(start: int, stop: int) -> None:
    assert not reassembly().is_acceptable(start, stop)


def test_a_repeated_range_brings_nothing_new() -> None:
    books = reassembly()
    books.accept(0, 10)
    assert books.accept(0, 10) == []
    assert books.accept(5, 15) == [(10, 15)]
    assert books.received == 15


def test_nothing_beyond_the_known_size_is_acceptable() -> None:
    books = reassembly()
    assert books.set_size(20)
    assert books.is_acceptable(19, 20)
    assert not books.is_acceptable(19, 21)
    assert not books.is_complete
    books.accept(0, 20)
    assert books.is_complete


def test_a_size_that_contradicts_what_is_known_changes_nothing() -> None:
    books = reassembly()
    books.accept(10, 20)
    assert not books.set_size(19)
    assert books.size is None
    assert books.set_size(20)
    assert books.set_size(20)
    assert not books.set_size(21)
    assert books.size == 20


def test_an_empty_stream_is_complete_once_its_size_is_known() -> None:
    books = reassembly()
    assert not books.is_complete
    assert books.set_size(0)
    assert books.is_complete


def test_one_hole_too_many_is_refused_and_what_fills_a_hole_still_accepted() -> None:
    books = reassembly(window=1000, max_gaps=3)
    refused = None
    for start in range(10, 100, 20):  # each would make one hole more
        if books.accept(start, start + 10) is None:
            refused = start
            break
    assert refused is not None
    before = books.received
    assert books.accept(refused, refused + 10) is None  # still, and nothing has changed
    assert books.received == before
    assert books.accept(20, 25) == [(20, 25)]  # extends a range: no hole more
    assert books.accept(28, 30) == [(28, 30)]  # extends the next one downwards
    assert books.accept(25, 28) == [(25, 28)]  # closes a hole
    assert books.accept(refused, refused + 10) == [(refused, refused + 10)]  # which makes room
    assert books.accept(0, 10) == [(0, 10)]


def test_a_segment_amid_a_hole_would_divide_it_and_is_refused_too() -> None:
    books = reassembly(window=1000, max_gaps=2)
    books.accept(50, 60)
    books.accept(100, 110)
    assert books.accept(70, 80) is None
    assert books.accept(60, 80) == [(60, 80)]


@pytest.mark.parametrize("has_prefix", [False, True])
def test_max_gaps_is_the_number_of_holes_that_are_tracked(has_prefix: bool) -> None:
    books = reassembly(window=1000, max_gaps=3)
    if has_prefix:
        books.accept(0, 10)
    assert [books.accept(start, start + 10) is not None for start in (20, 40, 60)] == [True, True, True]
    assert books.accept(80, 90) is None


def test_a_window_given_by_the_caller_replaces_the_configured_one() -> None:
    books = Reassembly(TransportConfig(receive_window=100), window=7)
    assert books.window == 7
    assert books.is_acceptable(6, 7)
    assert not books.is_acceptable(7, 8)
