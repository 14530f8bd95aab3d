"""What start-up says of the path by hand: its rate, and its own round trip."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surewire.core.congestion.start_up import StartUp
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from tests.unit.core.congestion.make_round import make_round
from tests.unit.core.congestion.starting import SEGMENT, end_round, grow

# What the path delivers.


class Stream:
    """Acknowledgments of a segment each, of all that was sent."""

    def __init__(self) -> None:
        self.start = StartUp()
        self.now = S
        self.sent = 0

    def come(self, count: int, *, every: int) -> int:
        """So many, `every` ns; the rate then."""
        for _ in range(count):
            self.now += every
            self.sent += SEGMENT
            grow(self.start, now=self.now, sent=self.sent)
        return self.start.rate


def test_the_rate_is_that_of_the_latest_acknowledgments() -> None:
    stream = Stream()
    assert stream.start.rate == 0
    stream.come(20, every=MS)
    assert stream.come(40, every=MS // 2) == 2_000_000


def test_it_is_taken_over_half_a_round_trip() -> None:
    stream = Stream()
    stream.come(40, every=4 * MS)
    assert stream.come(11, every=2 * MS) == 500_000


def test_acknowledgments_at_one_time_show_no_rate() -> None:
    assert Stream().come(2, every=0) == 0


def test_what_a_round_delivered_is_a_rate() -> None:
    start = StartUp()
    end_round(start, 80)
    assert start.rate == 2_000_000


def test_what_the_application_held_back_was_delivered_too() -> None:
    start = StartUp()
    end_round(start, 80, used=0.1)
    assert start.rate == 2_000_000


def test_where_others_are_what_passed_beside_them_counts_however_fast_the_latest_ones_came() -> None:
    stream = Stream()
    assert stream.come(20, every=MS) == 1_000_000
    stream.start.leap.is_shared, stream.start.leap.rate = True, 500_000
    assert stream.start.rate == 500_000


def test_the_best_of_any_round_counts() -> None:
    stream = Stream()
    stream.come(40, every=MS // 4)
    end_round(stream.start, 40)
    stream.come(40, every=4 * MS)
    end_round(stream.start, 10)
    assert stream.start.rate == 4_000_000


# How long the path's own round trip is.


def see_rounds(start: StartUp, *rounds: tuple[int, int]) -> StartUp:
    """Quartiles (ns), and of how many samples."""
    for quartile, samples in rounds:
        start.take_round_trips(make_round(SEGMENT)._replace(rtt=9 * S, quartile=quartile, samples=samples), jitter=0)
    return start


def even(samples: int) -> int:
    """The noise of a path that has none."""
    return 0 * samples


def of_few(samples: int) -> int:
    return 64 * MS // samples


@pytest.mark.parametrize(
    ("jitter", "noise", "expected"),
    [(0, even, 40 * MS), (3 * MS, even, 43 * MS), (0, of_few, 47 * MS), (3 * MS, of_few, 50 * MS)],
)
def test_it_is_the_least_quartile_with_what_chance_may_have_taken_off(
    jitter: int, noise: Callable[[int], int], expected: int
) -> None:
    """With noise the one of few samples tells less than the one of many."""
    start = see_rounds(StartUp(), (60 * MS, 64), (46 * MS, 64), (40 * MS, 8))
    assert start.least_round_trip(jitter=jitter, noise=noise) == expected


def test_rounds_of_three_tell_less_than_any_other() -> None:
    """Each of so few may have overtaken others."""
    start = see_rounds(StartUp(), (10 * MS, 3), (40 * MS, 4), (11 * MS, 3))
    assert start.least_round_trip(jitter=0, noise=even) == 40 * MS


def test_where_there_are_no_others_the_last_one_counts() -> None:
    start = see_rounds(StartUp(), (10 * MS, 1), (40 * MS, 3))
    assert start.least_round_trip(jitter=0, noise=even) == 40 * MS


@given(
    rounds=st.lists(st.tuples(st.integers(1, S), st.integers(4, 1000)), min_size=1, max_size=20),
    jitter=st.integers(0, S),
)
def test_no_round_makes_it_longer(rounds: list[tuple[int, int]], jitter: int) -> None:
    start = StartUp()
    found = []
    for each in rounds:
        see_rounds(start, each)
        found.append(start.least_round_trip(jitter=jitter, noise=of_few))
    assert found == sorted(found, reverse=True)
    assert found[-1] >= min(quartile for quartile, _ in rounds) + jitter


def test_who_never_ends_start_up_goes_by_the_latest_rounds() -> None:
    """A dialogue may never fill a window: its first round trip is not remembered for ever."""
    start = see_rounds(StartUp(), (20 * MS, 16), *[(50 * MS, 16)] * 64)
    assert start.least_round_trip(jitter=0, noise=lambda samples: 0) == 50 * MS


@pytest.mark.parametrize(("jitter", "expected"), [(0, 42 * MS), (2 * MS, 44 * MS), (5 * MS, 65 * MS)])
def test_a_round_that_fills_a_queue_at_once_is_told_by_its_first_round_trips(jitter: int, expected: int) -> None:
    """Its lower quartile has most of that queue already; where jitter is as large, chance may have made them short."""
    start = StartUp()
    for rtt in (41 * MS, 42 * MS, 44 * MS, 46 * MS, 60 * MS, 80 * MS):
        start.on_rtt(rtt, sent_at=0)
    start.take_round_trips(make_round(SEGMENT)._replace(rtt=80 * MS, quartile=60 * MS, samples=32), jitter=jitter)
    assert start.least_round_trip(jitter=jitter, noise=even) == expected


def test_what_is_lost_while_a_queue_fills_is_not_the_paths() -> None:
    for rtts, share in (((40 * MS,) * 4, 0.25), ((40 * MS, 42 * MS, 44 * MS, 46 * MS), 0.0)):
        start = StartUp()
        for rtt in rtts:
            start.on_rtt(rtt, sent_at=0)
        ended = make_round(30 * SEGMENT, 10 * SEGMENT)._replace(quartile=rtts[-1] + 5 * MS * (share == 0.0), samples=16)
        start.take_round_trips(ended, jitter=0)
        start.on_round(ended, window=40 * SEGMENT, segment=SEGMENT)
        assert start.losses.share == share


def test_round_trips_of_too_few_rounds_do_not_tell_of_the_path() -> None:
    start = see_rounds(StartUp(), (40 * MS, 2))
    assert not start.is_told
    assert see_rounds(start, (40 * MS, 2)).is_told
