"""A megabyte over a path that loses, doubles, reorders and damages, each way: time from before connecting to the end.

`bench/short_transfers.py` prints the same for hundreds of seeds, and where the time went; a dozen stand for them here.
"""

from __future__ import annotations

from functools import cache
from statistics import median

from surewire.core.units import NS_PER_S
from surewire.lab.scenario_files import load_scenario
from surewire.lab.simulated.native_simulation import NativeSimulation
from tests.sim.world import MS, content

SIZE = 1_000_000
SEEDS = range(1, 13)
HEADERS = 28  # of IPv4 and UDP
ARRIVING = 0.9 * 0.98  # neither lost nor damaged
BOUND = 0.02 + 8 * SIZE / (20_000_000 * ARRIVING * 1440 / 1500)  # seconds: a round trip, and the payload


@cache
def transfers() -> list[NativeSimulation]:
    path = load_scenario("mixed-1mb")
    finished = [NativeSimulation(content(SIZE, seed), path, seed=seed).run() for seed in SEEDS]
    assert all(transfer.is_success for transfer in finished)
    return finished


def test_it_takes_little_longer_than_the_path_needs_and_never_much() -> None:
    times = sorted(((run.outcomes[0].confirmed_at or 0) - NS_PER_S) / NS_PER_S for run in transfers())
    assert times[0] > 0.9 * BOUND  # below it the bound is wrong
    assert median(times) <= 1.25 * BOUND, times
    assert times[-1] <= 1.7 * BOUND, times


def test_it_costs_few_bytes_more_than_the_loss_does() -> None:
    links = [run.forward.stats for run in transfers()]
    ratios = [(link.offered_bytes + HEADERS * link.offered) / SIZE for link in links]
    assert 1 / ARRIVING < median(ratios) <= 1.25, ratios


def test_nobody_waits_for_a_probe_timeout_in_the_middle() -> None:
    assert median(run.client.stats().probes for run in transfers()) == 0


def test_both_sides_know_the_end_within_a_few_round_trips_of_the_last_byte() -> None:
    stays = [(run.outcomes[1].closed_at or 0) - (run.outcomes[0].confirmed_at or 0) for run in transfers()]
    assert median(stays) <= 40 * MS, stays
