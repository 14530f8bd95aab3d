"""Start-up by hand: what ends it, what does not, and how fast the window grows. Segments of 1,000 bytes."""

from __future__ import annotations

import pytest

from surewire.core.congestion.base import PhaseOutcome
from surewire.core.congestion.start_up import StartUp
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from tests.unit.core.congestion.make_round import make_round
from tests.unit.core.makers import make_sample

SEGMENT = 1000
RTT = 40 * MS


def grow(start: StartUp, acked: int = SEGMENT, *, now: int = S, is_app_limited: bool = False, jitter: int = 0) -> int:
    outcomes = [PhaseOutcome(0, acked, 0)]
    sample = make_sample(now=now, rate=0, is_app_limited=is_app_limited, outcomes=outcomes)
    return start.growth(sample, base=RTT, jitter=jitter)


def end_round(start: StartUp, acked: int, lost: int = 0, *, is_app_limited: bool = False) -> str:
    """A round of so many segments has ended; why start-up is over."""
    ended = make_round(acked * SEGMENT, lost * SEGMENT, rtt=RTT, is_app_limited=is_app_limited)
    start.on_round(ended, segment=SEGMENT)
    return start.is_over_by


def doubling(loss: float, *, first: int = 10, rounds: int = 8) -> StartUp:
    """Rounds that double, a share of each of which is lost."""
    start = StartUp()
    for number in range(rounds):
        sent = first << number
        end_round(start, sent - round(sent * loss), round(sent * loss))
    return start


def see(start: StartUp, rtt: int, count: int = 8) -> StartUp:
    for _ in range(count):
        start.on_rtt(rtt)
    return start


# How fast.


def test_the_window_grows_by_what_is_acknowledged() -> None:
    start = StartUp()
    assert grow(start) == SEGMENT
    assert grow(start, 5 * SEGMENT) == 5 * SEGMENT


def test_the_loss_known_so_far_is_made_up_for() -> None:
    assert grow(StartUp(loss=0.5, segments=100)) == pytest.approx(2 * SEGMENT, rel=0.2)


def test_it_is_made_up_for_within_bounds() -> None:
    assert grow(StartUp(loss=1.0, segments=100)) <= 4 * SEGMENT


def test_what_the_application_held_back_is_no_reason_to_grow() -> None:
    assert grow(StartUp(), is_app_limited=True) == 0


# The queue grows.


def test_longer_round_trips_end_it() -> None:
    start = see(StartUp(), RTT + 20 * MS)
    grow(start)
    assert start.is_over_by == "delay"


def test_a_few_milliseconds_do_not() -> None:
    start = see(StartUp(), RTT + 2 * MS)
    grow(start)
    assert start.is_over_by == ""


def test_some_long_round_trips_among_many_do_not() -> None:
    start = see(see(StartUp(), RTT), RTT + 20 * MS, count=3)
    grow(start)
    assert start.is_over_by == ""


def test_too_few_round_trips_say_nothing() -> None:
    start = see(StartUp(), RTT + 20 * MS, count=4)
    grow(start)
    assert start.is_over_by == ""


def test_where_round_trips_vary_more_is_needed() -> None:
    start = see(StartUp(), RTT + 10 * MS)
    grow(start, jitter=10 * MS)
    assert start.is_over_by == ""
    grow(start)
    assert start.is_over_by == "delay"


def test_the_rate_is_that_of_the_latest_acknowledgments() -> None:
    start = StartUp()
    assert start.rate == 0
    now = S
    for _ in range(20):
        now += MS
        grow(start, now=now)
    for _ in range(20):
        now += MS // 2
        grow(start, now=now)
    assert start.rate == 2_000_000


def test_acknowledgments_at_one_time_show_no_rate() -> None:
    start = StartUp()
    grow(start)
    grow(start)
    assert start.rate == 0


# The deliveries do not grow.


def test_deliveries_that_double_do_not_end_it() -> None:
    assert doubling(0).is_over_by == ""


def test_deliveries_that_grow_by_a_third_do_not_end_it() -> None:
    start = StartUp()
    for number in range(12):
        assert end_round(start, int(40 * 1.34**number)) == ""


def test_deliveries_that_stay_end_it() -> None:
    start = StartUp()
    for number in range(8):
        if end_round(start, 100 + number):
            break
    assert start.is_over_by == "plateau"
    assert number >= 2, "one round without growth may be chance"


def test_rounds_of_few_segments_need_more_of_them() -> None:
    rounds = []
    for segments in (8, 800):
        start = StartUp()
        rounds.append(next(number for number in range(99) if end_round(start, segments)))
    assert rounds[0] > rounds[1]
    assert start.is_over_by == "plateau"


def test_one_round_that_grows_again_is_a_new_start() -> None:
    start = StartUp()
    for number in range(10):
        assert end_round(start, 100 * 2**number) == ""
        assert end_round(start, 100 * 2**number) == ""


def test_rounds_that_the_application_limits_say_nothing() -> None:
    start = StartUp()
    for _ in range(20):
        assert end_round(start, 100, is_app_limited=True) == ""


def test_rounds_in_which_nothing_happened_say_nothing() -> None:
    start = StartUp()
    for _ in range(20):
        assert end_round(start, 0) == ""


# Losses jump.


@pytest.mark.parametrize("loss", [0.01, 0.1, 0.3, 0.5])
def test_a_steady_loss_does_not_end_it(loss: float) -> None:
    assert doubling(loss).is_over_by == ""


@pytest.mark.parametrize("loss", [0.1, 0.3, 0.5])
def test_a_steady_loss_is_learned(loss: float) -> None:
    start = doubling(loss)
    assert loss - 0.05 <= start.loss <= loss + 0.01
    assert start.evidence > 1000


def test_the_loss_leans_to_less() -> None:
    """A floor that is too low is found out; one that is too high hides what we cause."""
    assert doubling(0.2, rounds=3).loss < 0.2


def test_a_few_segments_teach_nothing() -> None:
    start = StartUp()
    end_round(start, 3, 3)
    end_round(start, 6, 6)
    assert start.loss == 0.0


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.3])
def test_far_more_loss_than_before_ends_it(loss: float) -> None:
    start = doubling(loss)
    known = start.loss
    assert end_round(start, 1500, 1500) == "loss"
    assert start.loss == known, "what the policer drops is not the path's"


def test_a_little_more_loss_than_before_does_not() -> None:
    assert end_round(doubling(0.1, rounds=5), 280, 40) == ""


def test_more_than_any_path_is_taken_to_lose_ends_it() -> None:
    assert end_round(doubling(0.55), 1000, 3000) == "loss"


def test_a_round_of_few_segments_is_no_jump() -> None:
    assert end_round(doubling(0), 4, 4) == ""


def test_what_was_known_before_is_gone_by() -> None:
    """Where the path was known to lose a third, a third is no news."""
    assert end_round(StartUp(), 200) == ""
    fresh = StartUp()
    end_round(fresh, 100)
    assert end_round(fresh, 140, 60) == "loss"
    told = StartUp(loss=0.3, segments=100)
    end_round(told, 70, 30)
    assert end_round(told, 140, 60) == ""
