"""Rounds by hand: when they begin and end, what counts in them, and how far a median of few is to be trusted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surewire.core.congestion.base import PhaseOutcome
from surewire.core.congestion.round_trips import RoundTrips, median
from surewire.core.units import NS_PER_MS as MS
from tests.unit.core.congestion.round_flow import RTT, SEGMENT, Flow


def test_a_round_ends_with_a_datagram_that_was_sent_after_it_began() -> None:
    flow = Flow()
    assert flow.ack() is not None
    before = flow.rounds.phase - 1
    for _ in range(30):
        assert flow.ack(before) is None
    ended = flow.ended()
    assert ended.acked == 31 * SEGMENT
    assert ended.samples == 31


def test_each_round_has_a_mark_of_its_own() -> None:
    flow = Flow()
    marks = []
    for _ in range(5):
        marks.append(flow.rounds.phase)
        flow.ended()
    assert len(set(marks)) == len(marks)
    assert marks == sorted(marks)


def test_a_round_counts_what_was_acknowledged_and_what_was_lost() -> None:
    flow = Flow()
    flow.ended()
    phase = flow.rounds.phase
    flow.rounds.on_lost([PhaseOutcome(phase - 1, 0, 300), PhaseOutcome(phase, 0, 200)])
    flow.ack(phase - 1, acked=500)
    ended = flow.ended(acked=1000)
    assert (ended.acked, ended.settled, ended.loss) == (1500, 2000, 0.25)
    assert flow.ended().loss == 0


def test_what_was_sent_before_the_last_change_does_not_count() -> None:
    flow = Flow()
    flow.ended()
    before = flow.rounds.phase
    flow.begin()
    flow.rounds.on_lost([PhaseOutcome(before, 0, 7 * SEGMENT)])
    for _ in range(5):
        assert flow.ack(before) is None
    ended = flow.ended(acked=200)
    assert (ended.acked, ended.settled, ended.loss) == (200, 200, 0.0)


def test_a_change_begins_a_new_mark() -> None:
    rounds = RoundTrips()
    before = rounds.phase
    rounds.begin()
    assert rounds.phase > before


def test_a_change_forgets_the_round_trips_seen_before() -> None:
    flow = Flow()
    flow.ended()
    for _ in range(10):
        flow.ack(flow.rounds.phase - 1, rtt=9 * RTT)
    flow.begin()
    assert flow.ended().rtt == RTT


def test_where_round_trips_vary_the_first_answers_after_a_change_are_not_waited_for() -> None:
    """The fast ones come first: a round that began with them would see a short round trip that is none."""
    flow = Flow(spread=10 * MS)
    flow.ended()
    assert flow.rounds.jitter == 10 * MS
    flow.rounds.begin()
    phase, started = flow.rounds.phase, flow.now
    while (ended := flow.ack(rtt=RTT if flow.now > started + 20 * MS else RTT // 2)) is None:
        assert flow.now < started + RTT * 4
    assert flow.now - started > 20 * MS
    assert ended.rtt == RTT
    assert flow.rounds.phase > phase


def test_an_even_path_is_waited_for_no_longer_than_one_answer() -> None:
    flow = Flow()
    flow.begin()
    flow.ended()


def test_a_round_of_few_samples_on_a_noisy_path_goes_on() -> None:
    flow = Flow(spread=20 * MS)
    flow.ended()
    ended = [flow.ack(tolerance=MS, wait=2 * RTT) for _ in range(4)]
    number = next(number for number, done in enumerate(ended, start=1) if done is not None)
    assert 2 <= number <= 4, "four rounds are enough, however noisy"
    together = ended[number - 1]
    assert together is not None
    assert (together.samples, together.acked) == (number, number * SEGMENT)


def test_a_round_of_many_samples_is_enough_however_noisy() -> None:
    flow = Flow(spread=20 * MS)
    flow.ended()
    for _ in range(40):
        assert flow.ack(flow.rounds.phase - 1, tolerance=0) is None
    assert flow.ended(tolerance=0).samples == 41
    assert flow.rounds.jitter > 10 * MS


def test_an_answer_that_has_overtaken_others_ends_no_round() -> None:
    flow = Flow()
    flow.ended()
    for _ in range(RTT // MS // 2):
        assert flow.ack() is None
    assert flow.ended().acked == (RTT // MS // 2 + 1) * SEGMENT


def test_where_round_trips_vary_losses_are_told_of_when_they_are_known() -> None:
    """A loss is known later than an arrival: a round would tell of what arrived, and not of what did not."""
    flow = Flow(spread=RTT // 6)
    flow.ended()
    flow.rounds.begin()
    changed = flow.rounds.phase
    while flow.rounds.phase == changed:
        flow.ack()
    told = []
    for _ in range(8):
        phase = flow.rounds.phase
        ended = flow.ended(acked=3 * SEGMENT)
        flow.rounds.on_lost([PhaseOutcome(phase, 0, SEGMENT)])  # known when the round is over
        told.append((ended.settled, ended.loss))
        assert ended.acked == 3 * SEGMENT
    assert told[0] == (0, 0.0), "nothing is known yet of what was sent after the change"
    assert told[-1] == (4 * SEGMENT, 0.25)
    assert all(settled == 0 or loss > 0 for settled, loss in told)


def test_what_comes_to_be_known_of_a_round_that_was_told_of_does_not_count() -> None:
    flow = Flow(spread=RTT // 6)
    for _ in range(6):
        flow.ended()
    flow.rounds.on_lost([PhaseOutcome(0, 0, 50 * SEGMENT)])
    for _ in range(6):
        assert flow.ended().loss == 0


def test_a_round_without_a_round_trip_is_none() -> None:
    flow = Flow()
    assert flow.ack(rtt=0) is None
    ended = flow.ended()
    assert (ended.samples, ended.acked) == (1, 2 * SEGMENT)


# What a round shows of the round trips.


def test_of_many_round_trips_the_lower_quartile_is_told_of_too() -> None:
    """A round that fills a queue begins without one."""
    flow = Flow()
    flow.ended()
    ended = flow.ended_after(*(RTT + turn * MS for turn in range(16)))
    assert (ended.samples, ended.quartile, ended.rtt, ended.latest_rtt) == (
        16,
        RTT + 3 * MS,
        RTT + 7 * MS,
        RTT + 15 * MS,
    )


def test_of_few_the_median_stands_for_it() -> None:
    """A quarter of them may have overtaken the others."""
    flow = Flow()
    flow.ended()
    ended = flow.ended_after(*(RTT + turn * MS for turn in range(15)))
    assert (ended.samples, ended.quartile, ended.rtt) == (15, RTT + 7 * MS, RTT + 7 * MS)


@given(st.lists(st.integers(1, RTT), min_size=1, max_size=48))
def test_a_quarter_at_least_took_no_longer_than_the_quartile(rtts: list[int]) -> None:
    flow = Flow()
    flow.ended()
    ended = flow.ended_after(*rtts)
    assert min(rtts) <= ended.quartile <= ended.rtt <= max(rtts)
    assert 4 * sum(rtt <= ended.quartile for rtt in rtts) >= len(rtts)
    assert 2 * sum(rtt <= ended.rtt for rtt in rtts) >= len(rtts)


def test_the_noise_of_a_median_falls_with_the_root_of_the_samples() -> None:
    flow = Flow()
    assert flow.rounds.noise(1) == 0
    flow.ended(rttvar=2 * MS)
    assert flow.rounds.noise(1) >= 2 * MS
    assert flow.rounds.noise(16) == flow.rounds.noise(1) // 4
    assert flow.rounds.noise(0) == flow.rounds.noise(1)


def test_a_round_says_whether_the_application_had_nothing_to_send_at_any_time() -> None:
    flow = Flow()
    flow.ended()
    flow.ack(flow.rounds.phase - 1, is_app_limited=True)
    assert flow.ended().is_app_limited
    assert not flow.ended().is_app_limited


def test_a_round_says_how_much_was_in_flight_at_most() -> None:
    flow = Flow()
    flow.ended()
    flow.ack(flow.rounds.phase - 1, in_flight=9000)
    flow.ack(flow.rounds.phase - 1, in_flight=4000)
    assert flow.ended(in_flight=100).used == 9000 + SEGMENT
    assert flow.ended(in_flight=100).used == 100 + SEGMENT


@pytest.mark.parametrize(("values", "expected"), [([5], 5), ([2, 1], 1), ([3, 1, 2], 2), ([4, 1, 3, 2], 2)])
def test_the_median(values: list[int], expected: int) -> None:
    assert median(values) == expected


def test_of_a_peer_that_answers_without_end_the_latest_round_trips_are_kept() -> None:
    flow = Flow()
    assert flow.ack() is not None
    before = flow.rounds.phase - 1
    for _ in range(3000):
        assert flow.ack(before, rtt=RTT // 2) is None
    for _ in range(1100):
        assert flow.ack(before) is None
    ended = flow.ended()
    assert (ended.samples, ended.rtt, ended.quartile) == (1024, RTT, RTT)


# A peer that lets no round trip be measured.


def test_where_no_round_trip_is_known_the_shortest_of_four_rounds_stands_for_it() -> None:
    flow = Flow()
    flow.rounds.on_lost([PhaseOutcome(0, 0, SEGMENT)])
    assert [flow.ack(wait=wait, rtt=0) for wait in (MS, 3 * RTT, 2 * RTT)] == [None] * 3
    ended = flow.ack(wait=5 * RTT, rtt=0)
    assert ended is not None
    assert (ended.rtt, ended.samples, ended.acked, ended.settled) == (2 * RTT, 1, 4 * SEGMENT, 5 * SEGMENT)


def test_that_says_nothing_of_the_next_four() -> None:
    """They may have waited for something that was lost."""
    flow = Flow()
    for wait in (9 * RTT, RTT, 3 * RTT):
        rounds = [flow.ack(wait=wait, rtt=0) for _ in range(4)]
        assert [None if ended is None else ended.rtt for ended in rounds] == [None] * 3 + [wait]


def test_one_round_trip_in_a_few_rounds_is_waited_for() -> None:
    flow = Flow()
    for _ in range(3):
        assert [flow.ack(wait=3 * RTT, rtt=0) for _ in range(3)] == [None] * 3
        assert flow.ended().rtt == RTT


def test_how_long_the_application_had_nothing_to_send_is_no_round_trip() -> None:
    flow = Flow()
    assert all(flow.ack(wait=20 * RTT, rtt=0, is_app_limited=True) is None for _ in range(20))
    rounds = [flow.ack(wait=RTT, rtt=0) for _ in range(4)]
    assert [None if ended is None else ended.rtt for ended in rounds] == [None] * 3 + [RTT]
