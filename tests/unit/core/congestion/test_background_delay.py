"""The queueing delay of a round, its base and its target, with numbers worked by hand; a base of 100 ms."""

from __future__ import annotations

from surewire.core.congestion.background_delay import StandingDelay
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S

BASE = 100 * MS
TARGET = 12_500_000  # an eighth


def judged(*rounds: int, queue: StandingDelay | None = None, at: int = 0, rttvar: int = 0) -> StandingDelay:
    """After rounds with these least round trips (ms), a second apart from `at` on."""
    queue = queue or StandingDelay()
    for number, rtt in enumerate(rounds):
        queue.on_rtt((rtt + 7) * MS)
        queue.on_rtt(rtt * MS)
        assert queue.on_round(at + number * S, rttvar=rttvar)
    return queue


def test_nothing_is_known_without_round_trips() -> None:
    queue = StandingDelay()
    assert not queue.on_round(0, rttvar=0)
    assert (queue.base, queue.delay, queue.target) == (0, 0, 9 * MS)


def test_the_delay_is_the_least_round_trip_above_the_base() -> None:
    queue = judged(100, 110, 130)
    assert (queue.base, queue.delay, queue.target) == (BASE, 30 * MS, TARGET)


def test_the_target_is_bounded() -> None:
    assert judged(20).target == 9 * MS
    assert judged(300).target == 15 * MS


def test_the_base_is_forgotten_after_one_to_two_epochs() -> None:
    queue = judged(100, *[150] * 39)
    assert (queue.base, queue.delay) == (BASE, 50 * MS)
    judged(150, queue=queue, at=40 * S)
    assert (queue.base, queue.delay) == (150 * MS, 0)


def test_jitter_widens_the_target_once_it_is_known() -> None:
    queue = judged(*[100] * 15, rttvar=8 * MS)
    assert queue.target == TARGET
    judged(100, queue=queue, at=15 * S, rttvar=8 * MS)
    assert queue.target == TARGET + 8 * MS
    judged(100, queue=queue, at=16 * S, rttvar=2 * MS)
    judged(100, queue=queue, at=17 * S, rttvar=9 * MS)
    assert queue.target == TARGET + 2 * MS  # the least ever: a queue that comes and goes is no jitter


def test_rounds_in_a_row_are_counted() -> None:
    queue = judged(100, 105, 107)
    assert (queue.clear_rounds, queue.full_rounds, queue.is_empty) == (3, 0, True)
    judged(108, queue=queue)  # 0.6 * 12.5 ms = 7.5 ms
    assert (queue.clear_rounds, queue.is_empty) == (0, False)
    judged(126, 126, queue=queue)
    assert queue.full_rounds == 2
    judged(125, queue=queue)
    assert queue.full_rounds == 0


def test_a_queue_that_has_come_since_the_round_counts_at_once() -> None:
    queue = judged(100)
    for _ in range(3):
        queue.on_rtt(140 * MS)
    assert queue.is_empty  # one of the last four was short
    assert queue.is_long
    queue.on_rtt(140 * MS)
    assert not queue.is_empty
