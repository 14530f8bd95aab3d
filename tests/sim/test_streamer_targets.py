"""Runs of the tester with few numbers, and what no run may need; the means are in `test_streamer_conditions.py`.

Few numbers fail most easily: opening and closing are all there is, and no later packet shows that one was lost.
"""

from __future__ import annotations

from functools import cache

import pytest

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import ETHERNET_OVERHEAD, ClassroomConfig
from surewire.lab.simulated.streamer_simulation import StreamerOutcome, StreamerSimulation

CONDITIONS = {
    "S4": ClassroomConfig(loss=0.1, corruption=0.1, max_delay=100 * NS_PER_MS),
    "S6": ClassroomConfig(loss=0.3, corruption=0.3, max_delay=300 * NS_PER_MS),
}
SEEDS = range(1_000, 1_200)  # others than there


@cache
def outcomes(condition: str, numbers: int) -> list[StreamerOutcome]:
    """A run for each seed; none may fail, and none may have something to remark."""
    done = []
    for seed in SEEDS:
        outcome = StreamerSimulation(numbers, CONDITIONS[condition], seed=seed).run(300 * NS_PER_S)
        assert outcome.is_success, f"{condition}, seed {seed}: {outcome}"
        assert (outcome.host1.note, outcome.host2.note) == (None, None), f"{condition}, seed {seed}: {outcome}"
        done.append(outcome)
    return done


@pytest.mark.parametrize("condition", list(CONDITIONS))
@pytest.mark.parametrize("numbers", [0, 1, 100])
def test_no_run_with_few_numbers_fails(condition: str, numbers: int) -> None:
    assert len(outcomes(condition, numbers)) == len(SEEDS)


@pytest.mark.parametrize(("condition", "seconds"), [("S4", 5), ("S6", 15)])
def test_no_run_is_much_longer_than_the_others(condition: str, seconds: int) -> None:
    """A run that only just does not fail would show here."""
    assert max((outcome.both_closed_at or 0) / NS_PER_S for outcome in outcomes(condition, 100)) <= seconds


@pytest.mark.parametrize("condition", list(CONDITIONS))
def test_the_bytes_of_both_directions_are_counted(condition: str) -> None:
    """Each side sends its data at least once, and an acknowledgment."""
    data = sum(len(b"%d " % number) for number in range(100))
    least = 2 * data + 4 * (ETHERNET_OVERHEAD + 6)
    assert min(outcome.eth_bytes for outcome in outcomes(condition, 100)) >= least
