"""A queue that repeats itself every eight round trips of the empty path is told from one that does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from surewire.core.congestion.gain_cycle import GainCycle

MS = 1_000_000
BASE = 50 * MS
CYCLE = (50, 42, 43, 44, 45, 46, 47, 48)  # ms of queue: an overfull phase, a draining one, and six even ones


def unlikeness(queue: Callable[[int], float], *, base: int = BASE, rounds: int = 60) -> float:
    cycle = GainCycle()
    for sample in range(4 * rounds):
        at = sample * BASE // 4
        cycle.on_rtt(BASE + int(queue(sample // 4) * MS), sent_at=at, base=base)
    return cycle.unlikeness


@pytest.mark.parametrize("base", [BASE, BASE * 8 // 9 + 1, BASE * 8 // 7])
def test_a_cycle_of_gains_is_seen_though_the_base_is_off_by_an_eighth(base: int) -> None:
    assert unlikeness(lambda number: CYCLE[number % 8], base=base) < 0.35


def test_it_is_seen_where_some_of_a_queue_was_taken_for_the_path() -> None:
    assert unlikeness(lambda number: CYCLE[number % 8], base=BASE * 5 // 4) < 0.35


def test_a_cycle_on_a_queue_that_grows_is_seen() -> None:
    assert unlikeness(lambda number: CYCLE[number % 8] + number / 4) < 0.35


def test_a_saw_of_forty_round_trips_is_none() -> None:
    assert unlikeness(lambda number: 20 + number % 40) > 0.8


def test_a_queue_that_grows_evenly_is_none() -> None:
    assert unlikeness(lambda number: number) == 1.0


def test_a_look_at_the_empty_path_hides_nothing() -> None:
    assert unlikeness(lambda number: 0 if 50 <= number < 54 else CYCLE[number % 8]) < 0.35


def test_a_few_round_trips_say_nothing() -> None:
    assert unlikeness(lambda number: CYCLE[number % 8], rounds=20) == 1.0


def test_a_gap_begins_anew() -> None:
    cycle = GainCycle()
    for number in range(60):
        cycle.on_rtt(BASE + CYCLE[number % 8] * MS, sent_at=number * BASE, base=BASE)
    cycle.on_rtt(BASE, sent_at=80 * BASE, base=BASE)
    assert cycle.unlikeness == 1.0
