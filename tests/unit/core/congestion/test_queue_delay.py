"""The queue behind the round trips, by hand."""

from __future__ import annotations

from surewire.core.congestion.queue_delay import QueueDelay
from surewire.core.congestion.round_trips import Round
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from tests.unit.core.congestion.make_round import make_round

RTT = 50 * MS
BDP = 125_000  # bytes in a round trip at 20 Mbit/s


def shown(rtt: int) -> Round:
    return make_round(BDP, rtt=rtt)


def varying(rtt: int, *, quartile: int, samples: int) -> Round:
    return shown(rtt)._replace(quartile=quartile, samples=samples)


def known(base: int = RTT) -> QueueDelay:
    """The path's round trip is known."""
    queue = QueueDelay()
    queue.on_first(base)
    queue.begin(base, now=S)
    return queue


def see(queue: QueueDelay, rtt: int, *, noise: int = 0, now: int = S) -> None:
    queue.on_round(shown(rtt), noise=noise, now=now)


def test_nothing_is_known_before_the_first_round() -> None:
    queue = QueueDelay()
    assert (queue.base, queue.is_known) == (0, False)
    queue.on_first(RTT)
    assert (queue.base, queue.rtt, queue.is_known) == (RTT, RTT, False)
    queue.begin(RTT, now=S)
    assert queue.is_known


def test_what_a_round_trip_takes_longer_than_the_path_is_the_queue() -> None:
    queue = known()
    see(queue, RTT + 7 * MS)
    assert (queue.delay, queue.before, queue.rtt) == (7 * MS, 0, RTT + 7 * MS)
    see(queue, RTT + 9 * MS)
    assert (queue.delay, queue.before) == (9 * MS, 7 * MS)


def test_a_shorter_round_trip_is_the_path_at_once() -> None:
    queue = known()
    see(queue, RTT * 3 // 5)
    assert (queue.base, queue.delay) == (RTT * 3 // 5, 0)


def test_a_shorter_median_of_few_is_believed_only_in_part() -> None:
    queue = known()
    see(queue, RTT - 6 * MS, noise=4 * MS)
    assert RTT - 6 * MS < queue.base < RTT


def test_nor_is_one_of_few_that_vary_much_though_little_noise_is_known() -> None:
    queue = known()
    queue.on_round(varying(RTT - 14 * MS, quartile=RTT - 22 * MS, samples=19), noise=5 * MS, now=S)
    assert RTT - 7 * MS <= queue.base < RTT


def test_a_round_that_varies_as_its_own_queue_is_believed_where_there_is_no_noise() -> None:
    queue = known()
    queue.on_round(varying(RTT - 14 * MS, quartile=RTT - 22 * MS, samples=19), noise=0, now=S)
    assert queue.base == RTT - 14 * MS


def test_however_many_rounds_are_longer_the_path_is_not() -> None:
    queue = known()
    for number in range(1000):
        see(queue, RTT + 20 * MS, now=S + number * RTT)
    assert queue.base == RTT


def test_noise_does_not_raise_the_path() -> None:
    queue = known()
    for number in range(100):
        see(queue, RTT + (number % 3) * MS, noise=5 * MS)
    assert queue.base <= RTT


def test_a_look_at_the_empty_path_is_due_when_it_was_not_seen_for_long() -> None:
    queue = known()
    assert not queue.is_look_due(2 * S)
    for number in range(60):
        see(queue, RTT + 20 * MS, now=S + number * S)
    assert queue.is_look_due(61 * S)


def test_a_path_that_is_seen_empty_needs_no_look() -> None:
    queue = known()
    for number in range(60):
        see(queue, RTT + (20 * MS if number % 4 else 0), now=S + number * S)
    assert not queue.is_look_due(61 * S)


def test_what_only_chance_shows_as_empty_does_not_put_a_look_off() -> None:
    """A base that is too low by chance is never seen by more than that."""
    queue = known()
    for number in range(60):
        see(queue, RTT + 4 * MS, noise=5 * MS, now=S + number * S)
    assert queue.is_look_due(61 * S)


def test_a_look_takes_a_shorter_round_trip_as_it_is() -> None:
    queue = known()
    queue.look(shown(RTT * 9 // 10), now=20 * S)
    assert queue.base == RTT * 9 // 10
    assert not queue.is_look_due(21 * S)


def test_a_look_raises_the_round_trip_slowly() -> None:
    """Others may hold a queue."""
    queue = known()
    queue.look(shown(4 * RTT), now=20 * S)
    assert RTT < queue.base < 1.25 * RTT
    for number in range(30):
        queue.look(shown(4 * RTT), now=(21 + number) * S)
    assert queue.base == 4 * RTT


def test_a_path_that_was_found_to_be_longer_is_so_at_once() -> None:
    queue = known()
    queue.move(4 * RTT, now=20 * S)
    assert queue.base == 4 * RTT
    see(queue, 4 * RTT, now=20 * S)
    assert queue.delay == 0
    assert not queue.is_look_due(21 * S)


def test_the_faster_a_flow_the_shorter_the_queue_it_bears() -> None:
    """So the fastest yields first."""
    queue = known()
    allowed = [queue.allowed(BDP // 8 << doubled, noise=0) for doubled in range(12)]
    assert allowed == sorted(allowed, reverse=True)
    assert allowed[0] > 1.5 * allowed[4]


def test_of_flows_of_equal_rates_none_yields_first_whatever_their_round_trips() -> None:
    near, far = known(30 * MS), known(60 * MS)
    assert near.allowed(BDP // 2, noise=0) == far.allowed(BDP, noise=0)


def test_on_a_short_path_no_more_than_a_part_of_it_is_borne() -> None:
    assert known(16 * MS).allowed(1000, noise=0) <= 8 * MS


def test_on_a_long_path_a_small_part_of_it_is_borne_however_fast_the_flow() -> None:
    assert known(800 * MS).allowed(1 << 40, noise=0) >= 20 * MS


def test_what_hosts_are_late_by_is_always_borne() -> None:
    assert known(MS).allowed(1 << 40, noise=0) >= 2 * MS
    assert known(200 * MS).allowed(1 << 50, noise=0) >= 2 * MS


def test_noise_is_no_queue() -> None:
    queue = known()
    assert queue.allowed(BDP, noise=5 * MS) == queue.allowed(BDP, noise=0) + 5 * MS


def test_an_empty_window_is_no_division_by_zero() -> None:
    assert QueueDelay().allowed(0, noise=0) > 0


def test_a_base_of_the_first_answers_is_not_believed_where_round_trips_vary() -> None:
    queue = known(RTT * 3 // 5)
    queue.is_doubtful = True
    see(queue, RTT)
    assert (queue.base, queue.delay, queue.is_doubtful) == (RTT, 0, False)
    see(queue, RTT + 9 * MS)
    assert queue.delay == 9 * MS  # once only


def test_nor_is_a_first_round_that_varies_as_much() -> None:
    queue = known(RTT * 4 // 5)
    queue.is_doubtful = True
    queue.on_round(varying(RTT * 4 // 5, quartile=RTT * 3 // 5, samples=25), noise=8 * MS, now=S)
    assert queue.base == RTT * 4 // 5 + 8 * MS


def test_but_it_is_not_taken_for_less_than_half() -> None:
    queue = known()
    queue.is_doubtful = True
    see(queue, 5 * RTT)
    assert (queue.base, queue.delay) == (2 * RTT, 3 * RTT)


def test_a_doubtful_base_does_not_hide_a_shorter_path() -> None:
    queue = known()
    queue.is_doubtful = True
    see(queue, RTT // 2)
    assert queue.base == RTT // 2


def test_a_fall_that_few_round_trips_show_has_to_come_twice() -> None:
    """Where some datagrams overtake others, all of so few may have done so."""
    queue = known()
    few = shown(RTT // 2)._replace(samples=4, quartile=RTT // 2)
    queue.on_round(few, noise=0, now=S)
    assert queue.base == RTT
    see(queue, RTT)
    queue.on_round(few, noise=0, now=S)
    assert queue.base == RTT
    queue.on_round(few, noise=0, now=S)
    assert queue.base == RTT // 2


def test_where_there_is_hardly_jitter_a_round_that_varies_is_believed_nearly_at_once() -> None:
    """Others' queues make round trips vary, too: sixteen flows that allowed for that took each other for the path."""
    for noise, expected in ((RTT // 64, 3 * RTT // 4 + RTT // 128), (RTT // 8, RTT)):
        queue = known()
        queue.on_round(varying(3 * RTT // 4, quartile=RTT // 2, samples=16), noise=noise, now=S)
        assert queue.base == expected
