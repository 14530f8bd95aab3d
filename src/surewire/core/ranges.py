"""A set of integers held as disjoint half-open ranges, for byte offsets and packet numbers.

Two parallel sorted lists and bisection: a look-up costs O(log n), a change O(log n) steps plus one
memory move, n being the number of ranges (holes), never of members. Touching ranges are merged.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class RangeSet:
    """Integers as ranges [start, stop); iterates its ranges in ascending order."""

    __slots__ = ("_starts", "_stops")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []

    def __len__(self) -> int:
        """Number of ranges."""
        return len(self._starts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._starts, self._stops, strict=True)

    def __reversed__(self) -> Iterator[tuple[int, int]]:
        return zip(reversed(self._starts), reversed(self._stops), strict=True)

    def __contains__(self, value: int) -> bool:
        index = bisect_right(self._starts, value) - 1
        return index >= 0 and value < self._stops[index]

    def __repr__(self) -> str:
        return f"RangeSet({', '.join(f'[{a}, {b})' for a, b in self)})"

    @property
    def first(self) -> tuple[int, int] | None:
        """The lowest range, or None when empty."""
        return (self._starts[0], self._stops[0]) if self._starts else None

    @property
    def prefix(self) -> int:
        """Of a set without negative members: the lowest number from 0 on that is not in it."""
        return self._stops[0] if self._starts and self._starts[0] == 0 else 0

    @property
    def last(self) -> tuple[int, int] | None:
        """The highest range, or None when empty."""
        return (self._starts[-1], self._stops[-1]) if self._starts else None

    def newest(self, limit: int) -> list[tuple[int, int]]:
        """At most `limit` ranges, highest first."""
        return list(zip(self._starts[: -limit - 1 : -1], self._stops[: -limit - 1 : -1], strict=True))

    def range_of(self, value: int) -> tuple[int, int] | None:
        """The range that holds `value`, or None."""
        index = bisect_right(self._starts, value) - 1
        if index < 0 or value >= self._stops[index]:
            return None
        return self._starts[index], self._stops[index]

    def covers(self, start: int, stop: int) -> bool:
        """True when every member of [start, stop) is in the set (so also when it is empty)."""
        if start >= stop:
            return True
        index = bisect_right(self._starts, start) - 1
        return index >= 0 and stop <= self._stops[index]

    def missing(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The parts of [start, stop) that are not in the set, ascending."""
        gaps: list[tuple[int, int]] = []
        index = bisect_right(self._stops, start)
        while start < stop and index < len(self._starts) and self._starts[index] < stop:
            if start < self._starts[index]:
                gaps.append((start, self._starts[index]))
            start = self._stops[index]
            index += 1
        if start < stop:
            gaps.append((start, stop))
        return gaps

    def within(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The parts of [start, stop) that are in the set, ascending."""
        found: list[tuple[int, int]] = []
        index = bisect_right(self._stops, start)
        while index < len(self._starts) and self._starts[index] < stop:
            found.append((max(start, self._starts[index]), min(stop, self._stops[index])))
            index += 1
        return found

    def add(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Add [start, stop); return the parts that were new, ascending (empty range: nothing)."""
        if start >= stop:
            return []
        stops = self._stops
        if not stops or start > stops[-1]:
            self._starts.append(start)
            stops.append(stop)
            return [(start, stop)]
        if start == stops[-1]:  # the common case by far: the next in order
            stops[-1] = stop
            return [(start, stop)]
        starts = self._starts
        low = bisect_left(stops, start)  # the first range that touches this one or lies behind it
        if stop < starts[low]:
            starts.insert(low, start)
            stops.insert(low, stop)
            return [(start, stop)]
        if starts[low] <= start and stop <= stops[low]:
            return []
        if start == stops[low] and low + 1 < len(stops):  # nearly all that fills a hole or a part of it is one of these
            if stop < starts[low + 1]:
                stops[low] = stop
                return [(start, stop)]
            if stop == starts[low + 1]:
                del stops[low], starts[low + 1]
                return [(start, stop)]
        gaps = self.missing(start, stop)
        high = bisect_right(starts, stop)
        start = min(start, starts[low])
        stop = max(stop, stops[high - 1])
        starts[low:high] = [start]
        stops[low:high] = [stop]
        return gaps

    def remove(self, start: int, stop: int) -> None:
        """Take every member of [start, stop) out of the set."""
        if start >= stop or not self._starts or stop <= self._starts[0] or start >= self._stops[-1]:
            return
        low = bisect_right(self._stops, start)
        high = bisect_left(self._starts, stop)
        if low >= high:
            return
        kept: list[tuple[int, int]] = []
        if self._starts[low] < start:
            kept.append((self._starts[low], start))
        if self._stops[high - 1] > stop:
            kept.append((stop, self._stops[high - 1]))
        self._starts[low:high] = [a for a, _ in kept]
        self._stops[low:high] = [b for _, b in kept]

    def discard_below(self, value: int) -> None:
        """Forget every member below `value`."""
        if self._starts and self._starts[0] < value:
            self.remove(self._starts[0], value)

    def keep_newest(self, limit: int) -> None:
        """Forget all but the `limit` highest ranges."""
        excess = len(self._starts) - limit
        if excess > 0:
            del self._starts[:excess], self._stops[:excess]

    def total(self) -> int:
        """Number of members."""
        return sum(self._stops) - sum(self._starts)
