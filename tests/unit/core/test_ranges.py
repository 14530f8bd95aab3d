"""RangeSet by hand: the edges where ranges touch. Long histories are in tests/property."""

from __future__ import annotations

import pytest

from surewire.core.ranges import RangeSet


def range_set(*spans: tuple[int, int]) -> RangeSet:
    ranges = RangeSet()
    for start, stop in spans:
        ranges.add(start, stop)
    return ranges


def test_an_empty_set_has_nothing() -> None:
    ranges = RangeSet()
    assert (len(ranges), list(ranges), ranges.first, ranges.last, ranges.total()) == (0, [], None, None, 0)
    assert 0 not in ranges
    assert ranges.missing(3, 7) == [(3, 7)]
    assert ranges.newest(4) == []
    ranges.remove(0, 10)
    ranges.discard_below(10)
    assert repr(ranges) == "RangeSet()"


def test_an_empty_range_is_covered_by_every_set_and_adds_nothing() -> None:
    ranges = range_set((0, 5))
    assert ranges.covers(9, 9)
    assert ranges.covers(9, 8)
    assert ranges.add(9, 9) == []
    assert ranges.add(9, 8) == []
    assert list(ranges) == [(0, 5)]


@pytest.mark.parametrize(
    ("added", "new", "held"),
    [
        ((10, 12), [(10, 12)], [(5, 12), (20, 30)]),  # touches the end of one
        ((3, 5), [(3, 5)], [(3, 10), (20, 30)]),  # touches the start of one
        ((10, 20), [(10, 20)], [(5, 30)]),  # fills the gap exactly
        ((11, 19), [(11, 19)], [(5, 10), (11, 19), (20, 30)]),  # one short of both
        ((0, 40), [(0, 5), (10, 20), (30, 40)], [(0, 40)]),  # swallows all
        ((6, 9), [], [(5, 10), (20, 30)]),  # inside one
        ((30, 31), [(30, 31)], [(5, 10), (20, 31)]),  # the next in order
        ((29, 31), [(30, 31)], [(5, 10), (20, 31)]),  # and one that was there
    ],
)
def test_add_merges_what_touches(
    added: tuple[int, int], new: list[tuple[int, int]], held: list[tuple[int, int]]
) -> None:
    ranges = range_set((5, 10), (20, 30))
    assert ranges.add(*added) == new
    assert list(ranges) == held


def test_remove_splits_a_range() -> None:
    ranges = range_set((0, 10))
    ranges.remove(4, 6)
    assert list(ranges) == [(0, 4), (6, 10)]
    ranges.remove(3, 7)
    assert list(ranges) == [(0, 3), (7, 10)]


def test_the_stop_of_a_range_is_not_a_member() -> None:
    ranges = range_set((5, 10))
    assert [value in ranges for value in (4, 5, 9, 10)] == [False, True, True, False]
    assert ranges.covers(5, 10)
    assert not ranges.covers(5, 11)
    assert not ranges.covers(4, 10)


def test_newest_lists_from_the_top_and_may_be_asked_for_more_than_there_are() -> None:
    ranges = range_set((0, 1), (2, 3), (4, 5))
    assert ranges.newest(2) == [(4, 5), (2, 3)]
    assert ranges.newest(9) == [(4, 5), (2, 3), (0, 1)]
    assert ranges.newest(0) == []


def test_keep_newest_with_limit_zero_forgets_everything() -> None:
    ranges = range_set((0, 1), (2, 3))
    ranges.keep_newest(0)
    assert list(ranges) == []
