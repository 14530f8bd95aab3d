"""The search for the path's MTU over any path, under any sequence of inputs, and over a thousand lossy paths."""

from __future__ import annotations

import random

from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from surewire.core.path_mtu import RAISE_INTERVAL, TRIES, PathMtu, granularity
from surewire.core.units import NS_PER_MS, NS_PER_S
from tests.unit.core.narrow_path import PTO, NarrowPath

LOOPBACK = 65_507
MOST_SIZES = 17
"""Sizes that pass and are tried in one search; the module's figure for the chance of ending low rests on it."""

SEARCHES = 1_500
LATE = 60 * NS_PER_S
LOW_BUDGET = 1
"""1 in 1,000 of them, rounded down."""

SIZES = st.one_of(st.integers(1200, 1600), st.integers(8900, 9100), st.integers(1200, LOOPBACK))


@given(largest=SIZES, ceiling=SIZES, interface=SIZES)
@example(largest=LOOPBACK, ceiling=LOOPBACK, interface=LOOPBACK)
def test_a_search_ends_near_what_passes_and_never_above(largest: int, ceiling: int, interface: int) -> None:
    path = NarrowPath(PathMtu(ceiling=ceiling, now=0), largest=largest, interface=interface)
    passing = min(largest, ceiling, interface)
    for _ in range(60):
        path.run(2 * PTO)
        assert path.mtu.size <= passing
    assert not path.mtu.is_searching
    assert passing - granularity(passing) <= path.mtu.size
    assert len({size for size in path.sizes if size <= passing}) <= MOST_SIZES
    assert len(path.sent) <= 2 * 2 * MOST_SIZES + TRIES


def test_random_loss_of_15_percent_each_way_does_not_fool_it() -> None:
    """Probes and their acknowledgments are lost independently; what ends low is found when the bound is asked again."""
    rng = random.Random(5)
    low = late = 0
    for _ in range(SEARCHES):
        largest = rng.choice((1232, 1392, 1452, 1464, 1472, 1472, 4000, 8972, 20_000, LOOPBACK))
        path = NarrowPath(PathMtu(ceiling=LOOPBACK, now=0), largest=largest, loss=0.15, rng=rng)
        while path.mtu.is_searching and path.now < LATE:
            path.run(10 * PTO)
        assert path.mtu.size <= largest
        late += path.mtu.is_searching
        if path.mtu.size < largest - granularity(largest):
            low += 1
            path.run(RAISE_INTERVAL + 30 * NS_PER_S)
            assert path.mtu.size >= largest - granularity(largest)
    assert low <= LOW_BUDGET
    assert late == 0


def test_a_loss_of_half_of_all_probes_still_ends_above_the_base() -> None:
    rng = random.Random(6)
    for _ in range(25):
        path = NarrowPath(PathMtu(ceiling=LOOPBACK, now=0), largest=1472, loss=0.3, rng=rng)
        path.run(5 * RAISE_INTERVAL)
        assert path.mtu.size >= 1452


class PathMtuHistory(RuleBasedStateMachine):
    """Whatever a connection tells, in whatever order: sizes in bounds, deadlines ahead, probes above the size."""

    def __init__(self) -> None:
        super().__init__()
        self.mtu = PathMtu(ceiling=LOOPBACK, now=0)
        self.now = 0
        self.number = 0
        self.passed = {1200}

    @rule(pause=st.one_of(st.integers(0, 50 * NS_PER_MS), st.integers(0, 100 * NS_PER_S)))
    def wait(self, pause: int) -> None:
        self.now += pause

    @rule(is_sent=st.booleans(), pto=st.integers(0, NS_PER_S))
    def poll(self, is_sent: bool, pto: int) -> None:
        size = self.mtu.poll_probe(now=self.now)
        deadline = self.mtu.next_deadline()
        assert deadline is None or deadline > self.now
        if size is None:
            return
        assert self.mtu.size < size <= LOOPBACK
        assert self.mtu.poll_probe(now=self.now) == size
        if is_sent:
            self.mtu.on_probe_sent(self.number, size, pto=pto, now=self.now)
            self.number += 1
            self.passed.add(size)
            assert self.mtu.poll_probe(now=self.now) is None

    @rule(start=st.integers(-2, 12), length=st.integers(1, 3))
    def acknowledge(self, start: int, length: int) -> None:
        before = self.mtu.size
        first = self.mtu.probe_number
        newest = self.number - start
        self.mtu.on_acked(newest - length, newest, now=self.now)
        assert self.mtu.size >= before
        if first is None or newest <= first:
            assert self.mtu.size == before

    @rule(size=st.one_of(st.none(), st.integers(30, LOOPBACK)))
    def progress(self, size: int | None) -> None:
        self.mtu.on_progress(now=self.now, size=size)

    @rule(count=st.integers(1, 5))
    def time_out(self, count: int) -> None:
        self.mtu.on_pto(count, now=self.now)
        if count > 1:
            assert self.mtu.size == 1200

    @rule(size=SIZES)
    def refuse(self, size: int) -> None:
        self.mtu.on_too_long(size, now=self.now)
        assert self.mtu.size < size or size <= 1200
        polled = self.mtu.poll_probe(now=self.now)
        assert polled is None or polled < size or size <= 1200

    @invariant()
    def in_bounds(self) -> None:
        deadline = self.mtu.next_deadline()
        assert deadline is None or deadline >= NS_PER_MS, "not even a probe sent at 0 has one sooner"
        assert 1200 <= self.mtu.size <= LOOPBACK
        assert self.mtu.size in self.passed


TestPathMtuHistory = PathMtuHistory.TestCase
