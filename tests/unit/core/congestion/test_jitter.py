"""What round trips vary by: their mean deviation, by differences in the order of sending, whatever a queue does."""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surewire.core.congestion.base import PhaseOutcome
from surewire.core.congestion.round_trips import RoundTrips
from surewire.core.units import NS_PER_MS as MS
from tests.unit.core.congestion.round_flow import ANY, RTT, SEGMENT, Flow
from tests.unit.core.makers import make_sample


def jitter_of(*rtts: int, rttvar: int = 0) -> int:
    """What one round of these round trips shows, the first of a flow; sent a millisecond apart."""
    rounds = RoundTrips()
    for turn, rtt in enumerate(rtts):
        rounds.on_rtt(rtt, rttvar=rttvar, sent_at=turn * MS)
    assert rounds.jitter == 0
    assert rounds.on_ack(make_sample(now=RTT, rate=0, outcomes=[PhaseOutcome(0, SEGMENT, 0)]), tolerance=ANY)
    return rounds.jitter


def drawn(rng: random.Random, kind: str, count: int) -> list[int]:
    draws: dict[str, Callable[[], float]] = {
        "even": lambda: rng.uniform(0, 40 * MS),
        "triangular": lambda: rng.triangular(0, 40 * MS),
        "normal": lambda: rng.gauss(0, 10 * MS),
    }
    return [round(RTT + draws[kind]()) for _ in range(count)]


@pytest.mark.parametrize("kind", ["even", "triangular", "normal"])
def test_the_jitter_is_the_mean_deviation_of_the_round_trips(kind: str) -> None:
    rtts = drawn(random.Random(1), kind, 4000)
    mean = fmean(rtts)
    assert jitter_of(*rtts) == pytest.approx(fmean(abs(rtt - mean) for rtt in rtts), rel=0.1)


def test_an_even_path_has_none() -> None:
    assert jitter_of(*[RTT] * 20, rttvar=9 * MS) == 0


def test_a_queue_that_grows_adds_hardly_to_it() -> None:
    """The round trip has doubled, and its variation is a quarter of that."""
    assert jitter_of(*(RTT + turn * MS for turn in range(50)), rttvar=12 * MS) <= MS


def steady_jitter_of(*rtts: int, pause: int = 0) -> int:
    """The same without what a queue adds; the last one is sent after a pause."""
    rounds = RoundTrips()
    for turn, rtt in enumerate(rtts):
        rounds.on_rtt(rtt, rttvar=RTT, sent_at=turn * MS + (pause if turn == len(rtts) - 1 else 0))
    rounds.on_ack(make_sample(now=RTT, rate=0, outcomes=[PhaseOutcome(0, SEGMENT, 0)]), tolerance=ANY)
    return rounds.steady_jitter


@pytest.mark.parametrize("step", [MS, 4 * MS, 40 * MS])
def test_what_it_grows_by_from_one_to_the_next_is_no_steady_part(step: int) -> None:
    """On a slow link a segment takes as long as that to leave the queue."""
    grown = [RTT + turn * step for turn in range(16)]
    assert steady_jitter_of(*grown) == 0
    assert jitter_of(*grown, rttvar=RTT) == step * 3 // 4


def test_the_pause_before_the_next_train_is_none_either() -> None:
    """The queue has drained meanwhile."""
    grown = [RTT + turn * 3 * MS for turn in range(15)]
    assert steady_jitter_of(*grown, RTT, pause=RTT) == 0
    assert steady_jitter_of(*grown, RTT) > MS  # nothing was paused: so it varies


@given(st.lists(st.integers(1, RTT), min_size=9, max_size=40, unique=True))
def test_the_steady_part_is_no_more_than_all_of_it(rtts: list[int]) -> None:
    assert 0 <= steady_jitter_of(*rtts) <= jitter_of(*rtts, rttvar=RTT)


@pytest.mark.parametrize("batch", [4, 8, 16, 32])
def test_those_that_left_at_once_show_no_growing_queue(batch: int) -> None:
    """In the order of their round trips, as they are taken, none is shorter than the one before."""
    rounds = RoundTrips()
    for turn, rtt in enumerate(drawn(random.Random(1), "even", 64)):
        rounds.on_rtt(rtt, rttvar=RTT, sent_at=turn // batch * MS)
    rounds.on_ack(make_sample(now=RTT, rate=0, outcomes=[PhaseOutcome(0, SEGMENT, 0)]), tolerance=ANY)
    assert rounds.steady_jitter == rounds.jitter > 0


def test_of_round_trips_that_vary_it_is_all_of_it() -> None:
    rtts = drawn(random.Random(1), "even", 40)
    assert steady_jitter_of(*rtts) == jitter_of(*rtts, rttvar=RTT) > 0


@given(st.lists(st.integers(1, RTT), min_size=9, max_size=40, unique=True), st.integers(0, MS // 2))
def test_a_growing_queue_adds_no_more_than_it_grows_by_from_one_to_the_next(rtts: list[int], step: int) -> None:
    grown = [rtt + turn * step for turn, rtt in enumerate(rtts)]
    assert abs(jitter_of(*grown) - jitter_of(*rtts)) <= step


@given(st.lists(st.integers(1, RTT), min_size=9, max_size=40), st.randoms(use_true_random=False))
def test_it_is_the_order_of_sending_that_counts(rtts: list[int], rng: random.Random) -> None:
    """Where all leave at once they come in the order of their round trips, and each is near the one before."""
    sent = [(turn * MS, rtt) for turn, rtt in enumerate(rtts)]
    shown = []
    for order in (sent, sorted(sent, key=lambda each: each[1]), rng.sample(sent, len(sent))):
        rounds = RoundTrips()
        for sent_at, rtt in order:
            rounds.on_rtt(rtt, rttvar=0, sent_at=sent_at)
        rounds.on_ack(make_sample(now=RTT, rate=0, outcomes=[PhaseOutcome(0, SEGMENT, 0)]), tolerance=ANY)
        shown.append(rounds.jitter)
    assert shown == [jitter_of(*rtts)] * 3


def test_of_up_to_four_round_trips_the_variation_that_the_estimator_knows_is_taken() -> None:
    assert jitter_of(*[RTT] * 4, rttvar=9 * MS) == 9 * MS


def test_of_up_to_eight_the_lesser_of_both() -> None:
    assert jitter_of(*[RTT] * 5, rttvar=9 * MS) == 0
    assert jitter_of(*[RTT, 2 * RTT] * 4, rttvar=9 * MS) == 9 * MS
    assert jitter_of(*[RTT, 2 * RTT] * 4, RTT, rttvar=9 * MS) == RTT * 3 // 4


def test_of_the_first_few_round_trips_the_present_variation_counts() -> None:
    """It starts as half of the first one, and that may have been one datagram that overtook all others."""
    flow = Flow()
    flow.ended(rttvar=MS // 2)
    flow.ended(rttvar=4 * MS)
    assert flow.rounds.jitter == 4 * MS


def varied(count: int, by: int) -> list[int]:
    return [RTT + turn % 2 * by for turn in range(count)]


def test_the_least_of_any_round_counts() -> None:
    flow = Flow()
    jitters = []
    for by in (8 * MS, 20 * MS, 4 * MS, 20 * MS):
        flow.ended_after(*varied(20, by))
        jitters.append(flow.rounds.jitter)
    assert jitters == [6 * MS, 6 * MS, 3 * MS, 3 * MS]


def test_rounds_of_few_add_up_to_one_that_says_enough() -> None:
    flow = Flow()
    jitters = []
    for rtt in varied(9, 8 * MS):
        flow.ended(rtt=rtt, rttvar=50 * MS)
        jitters.append(flow.rounds.jitter)
    assert jitters == [50 * MS] * 4 + [6 * MS] * 5


def test_what_is_known_stays_until_there_is_enough_again() -> None:
    flow = Flow()
    flow.ended_after(*varied(20, 8 * MS))
    jitters = []
    for _ in range(9):
        flow.ended(rtt=RTT, rttvar=1)
        jitters.append(flow.rounds.jitter)
    assert jitters == [6 * MS] * 8 + [0]
