"""Start-up by hand: how fast the window grows, what ends it, and what does not. Segments of 1,000 bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surewire.core.congestion.start_up import StartUp
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from tests.unit.core.congestion.starting import RTT, SEGMENT, doubling, end_round, grow, tried_after


def see(start: StartUp, rtt: int, count: int = 8) -> StartUp:
    for _ in range(count):
        start.on_rtt(rtt, sent_at=0)
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
    assert grow(StartUp(), bytes_in_flight=14 * SEGMENT, is_app_limited=True) == 0


def test_what_it_held_back_before_is_none_once_half_of_the_window_is_on_the_way() -> None:
    """Whatever is sent after a silence carries the mark for a round trip (the rate sampler's, not the window's)."""
    assert grow(StartUp(), bytes_in_flight=15 * SEGMENT, is_app_limited=True) == SEGMENT


# The queue grows.


def test_longer_round_trips_end_it() -> None:
    start = see(StartUp(), RTT + 20 * MS)
    grow(start)
    assert start.is_over_by == "delay"


@pytest.mark.parametrize(("is_measured", "is_shared", "rate"), [(False, False, 1), (True, False, 4), (True, True, 4)])
def test_a_train_that_is_long_enough_tells_the_rate_though_the_last_answers_are_late(
    is_measured: bool, is_shared: bool, rate: int
) -> None:
    """A busy host held some of them back: a tenth to a third of the rate was missing then."""
    start = StartUp()
    for number in range(12):
        grow(start, now=S + number * MS, sent=number * SEGMENT)  # a segment a millisecond
    start.leap.rate, start.leap.is_measured, start.leap.is_shared = 4 * SEGMENT * 1000, is_measured, is_shared
    assert start.rate == pytest.approx(rate * SEGMENT * 1000)


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
    for segments in (31, 32):
        start = StartUp()
        rounds.append(next(number for number in range(99) if end_round(start, segments)))
    assert rounds == [6, 2]
    assert start.is_over_by == "plateau"


def test_one_round_that_grows_again_is_a_new_start() -> None:
    start = StartUp()
    for number in range(10):
        assert end_round(start, 100 * 2**number) == ""
        assert end_round(start, 100 * 2**number) == ""


def test_rounds_that_the_application_limits_say_nothing() -> None:
    start = StartUp()
    for _ in range(20):
        assert end_round(start, 100, used=0.4) == ""


def test_rounds_in_which_nothing_happened_say_nothing() -> None:
    start = StartUp()
    for _ in range(20):
        assert end_round(start, 0) == ""


# All of it: a path that takes so much in a round trip, drops what is more, and loses its share of the rest.


def run(start: StartUp, *, room: int, loss: float, rounds: int = 40) -> int:
    """Go on until it is over; the largest window then, in segments."""
    window = largest = 32
    for _ in range(rounds):
        acked = round(min(window, room) * (1 - loss))
        tried = tried_after(start, acked, window - acked)
        if start.is_over_by:
            break
        window = tried or window + grow(start, acked * SEGMENT) // SEGMENT
        largest = max(largest, window)
    return largest


@given(room=st.integers(500, 5000), loss=st.floats(0, 0.5))
def test_it_ends_where_the_path_does(room: int, loss: float) -> None:
    start = StartUp()
    largest = run(start, room=room, loss=loss)
    assert start.is_over_by in ("loss", "plateau")
    assert room <= largest <= 3 * room
    assert loss - 0.02 <= start.losses.share <= loss + 0.1


@given(loss=st.floats(0, 0.5))
def test_it_does_not_end_before(loss: float) -> None:
    start = StartUp()
    assert run(start, room=1_000_000, loss=loss, rounds=8) >= 32 * 2**6
    assert start.is_over_by == ""
