"""RangeSet against a plain set of integers: one operation at a time, then long histories of them."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from surewire.core.ranges import RangeSet

POINTS = st.integers(-20, 60)
SPANS = st.tuples(POINTS, POINTS)  # the second may lie below the first: an empty range
SETS = st.lists(SPANS, max_size=12)
LIMITS = st.integers(1, 8)


def members(ranges: Iterable[tuple[int, int]]) -> set[int]:
    return {value for start, stop in ranges for value in range(start, stop)}


def runs(values: set[int]) -> list[tuple[int, int]]:
    """The maximal runs of consecutive integers, ascending: what a RangeSet must hold."""
    starts = sorted(value for value in values if value - 1 not in values)
    stops = sorted(value + 1 for value in values if value + 1 not in values)
    return list(zip(starts, stops, strict=True))


def build(spans: list[tuple[int, int]]) -> tuple[RangeSet, set[int]]:
    ranges = RangeSet()
    for start, stop in spans:
        ranges.add(start, stop)
    return ranges, members(spans)


@given(SETS, SPANS)
def test_add_returns_the_parts_that_were_new(spans: list[tuple[int, int]], span: tuple[int, int]) -> None:
    ranges, model = build(spans)
    assert ranges.add(*span) == runs(members([span]) - model)
    assert list(ranges) == runs(model | members([span]))


@given(SETS, SPANS)
def test_remove_takes_out_that_range_only(spans: list[tuple[int, int]], span: tuple[int, int]) -> None:
    ranges, model = build(spans)
    ranges.remove(*span)
    assert list(ranges) == runs(model - members([span]))


@given(SETS, SPANS)
def test_missing_and_covers_change_nothing(spans: list[tuple[int, int]], span: tuple[int, int]) -> None:
    ranges, model = build(spans)
    assert ranges.missing(*span) == runs(members([span]) - model)
    assert ranges.covers(*span) is (members([span]) <= model)
    assert list(ranges) == runs(model)


@given(SETS, POINTS)
def test_discard_below_keeps_what_is_not_below(spans: list[tuple[int, int]], value: int) -> None:
    ranges, model = build(spans)
    ranges.discard_below(value)
    assert list(ranges) == runs({kept for kept in model if kept >= value})


@given(SETS, LIMITS)
def test_newest_and_keep_newest_take_the_highest_ranges(spans: list[tuple[int, int]], limit: int) -> None:
    ranges, model = build(spans)
    highest = runs(model)[-limit:]
    assert ranges.newest(limit) == highest[::-1]
    ranges.keep_newest(limit)
    assert list(ranges) == highest


@given(SETS)
def test_the_views_agree_with_the_members(spans: list[tuple[int, int]]) -> None:
    ranges, model = build(spans)
    held = runs(model)
    assert list(ranges) == held
    assert len(ranges) == len(held)
    assert ranges.total() == len(model)
    assert ranges.first == (held[0] if held else None)
    assert ranges.last == (held[-1] if held else None)
    assert list(reversed(ranges)) == held[::-1]
    assert all((value in ranges) is (value in model) for value in range(-22, 63))


@given(SETS)
def test_the_prefix_ends_at_the_first_number_missing(spans: list[tuple[int, int]]) -> None:
    ranges, model = build([(max(start, 0), stop) for start, stop in spans])
    assert ranges.prefix == next(value for value in range(100) if value not in model)


class RangeSetHistory(RuleBasedStateMachine):
    """Any order of changes leaves the set equal to its model, its ranges disjoint, apart and sorted."""

    def __init__(self) -> None:
        super().__init__()
        self.ranges = RangeSet()
        self.model: set[int] = set()

    @rule(start=POINTS, length=st.integers(0, 30))
    def add(self, start: int, length: int) -> None:
        new = members([(start, start + length)]) - self.model
        assert self.ranges.add(start, start + length) == runs(new)
        self.model |= new

    @precondition(lambda self: self.model)
    @rule(length=st.integers(1, 5))
    def add_next_in_order(self, length: int) -> None:
        start = max(self.model) + 1
        assert self.ranges.add(start, start + length) == [(start, start + length)]
        self.model |= members([(start, start + length)])

    @rule(start=POINTS, length=st.integers(0, 30))
    def remove(self, start: int, length: int) -> None:
        self.ranges.remove(start, start + length)
        self.model -= members([(start, start + length)])

    @rule(value=POINTS)
    def discard_below(self, value: int) -> None:
        self.ranges.discard_below(value)
        self.model = {kept for kept in self.model if kept >= value}

    @rule(limit=LIMITS)
    def keep_newest(self, limit: int) -> None:
        self.ranges.keep_newest(limit)
        self.model = members(runs(self.model)[-limit:])

    @rule(start=POINTS, length=st.integers(0, 30))
    def look(self, start: int, length: int) -> None:
        asked = members([(start, start + length)])
        assert self.ranges.missing(start, start + length) == runs(asked - self.model)
        assert self.ranges.covers(start, start + length) is (asked <= self.model)
        assert (start in self.ranges) is (start in self.model)

    @invariant()
    def holds_the_model(self) -> None:
        assert list(self.ranges) == runs(self.model)


TestRangeSetHistory = RangeSetHistory.TestCase
TestRangeSetHistory.settings = settings(max_examples=50, stateful_step_count=30)
