"""What sums of datagrams do for the end of a transfer, over the links on which transports are compared.

`bench/short_transfers.py` prints the same for more seeds and bytes, and where the time goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from statistics import median
from typing import NamedTuple

import pytest

from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S
from surewire.impair import LinkConfig
from surewire.lab.scenario_files import load_scenario
from surewire.lab.simulated.native_simulation import ETHERNET, NativeSimulation
from surewire.native.config import NativeConfig
from tests.sim.world import content

WITHOUT = replace(ETHERNET, repair_window=0)
SEEDS = range(1, 17)
HEADERS = 28  # of IPv4 and UDP


class Ended(NamedTuple):
    """How a transfer ended."""

    run: NativeSimulation
    end: int  # ns from when all had been sent, and nothing was known to be lost, until all was confirmed
    ratio: float  # bytes on the link for each byte


def transfer(scenario: str, size: int, seed: int, config: NativeConfig) -> Ended:
    run = NativeSimulation(content(size, seed), load_scenario(scenario), seed=seed, config=config)
    began: list[int] = []

    def look() -> bool:
        if not began and run.client.is_established and run.client.stats().is_app_limited:
            began.append(run.network.now)
        return run.is_over

    assert run.network.run(until=60 * NS_PER_S, stop=look) and run.is_success
    confirmed_at = run.outcomes[0].confirmed_at
    assert confirmed_at is not None
    link = run.forward.stats
    return Ended(run, confirmed_at - began[0], (link.offered_bytes + HEADERS * link.offered) / size)


@cache
def ended(scenario: str, size: int, config: NativeConfig) -> Sequence[Ended]:
    return [transfer(scenario, size, seed, config) for seed in SEEDS]


@pytest.mark.parametrize(
    ("scenario", "size", "round_trip", "most"),
    [("loss10", 2_000_000, 50, 1.5), ("loss30", 2_000_000, 50, 2.0), ("mixed-1mb", 1_000_000, 20, 2.5)],
)
def test_the_end_comes_after_little_more_than_one_round_trip(
    scenario: str, size: int, round_trip: int, most: float
) -> None:
    """Without sums it is two or three. The link's own turn for a sum of 20 Mbit/s is a part of it."""
    ends = [each.end / (round_trip * MS) for each in ended(scenario, size, ETHERNET)]
    before = [each.end / (round_trip * MS) for each in ended(scenario, size, WITHOUT)]
    assert 1.0 < median(ends) <= most, ends
    assert median(ends) <= 0.8 * median(before), (ends, before)


@pytest.mark.parametrize(("scenario", "size"), [("loss10", 2_000_000), ("loss30", 2_000_000), ("mixed-1mb", 1_000_000)])
def test_sums_cost_no_more_than_the_copies_that_they_replace(scenario: str, size: int) -> None:
    ratios = [each.ratio for each in ended(scenario, size, ETHERNET)]
    before = [each.ratio for each in ended(scenario, size, WITHOUT)]
    assert median(ratios) <= median(before) + 0.01, (ratios, before)


def test_all_that_is_lost_at_the_end_is_worked_out() -> None:
    for run, _, _ in ended("loss30", 2_000_000, ETHERNET):
        assert run.server is not None
        assert run.server.stats().recovered_bytes > 50_000 and run.client.stats().sums > 50
        assert run.client.stats().probes == 0


@pytest.mark.parametrize("longest", [1_472, 8_972, 65_507])
def test_datagrams_of_any_length(longest: int) -> None:
    """Of a window of 64 kB each there are few in the peer's memory."""
    link = LinkConfig(rate=400_000_000, delay=10 * MS, loss=0.2)
    data = content(6_000_000)
    run = NativeSimulation(data, link, seed=3, config=NativeConfig(max_datagram=longest)).run(limit_s=60)
    assert run.is_success
    assert run.client.stats().sums > 0


@pytest.mark.parametrize("seed", range(4))
def test_an_outage_at_the_end(seed: int) -> None:
    """What was to be worked out is lost as well: it takes as long as without sums."""
    scenario = load_scenario("loss10")
    run = NativeSimulation(content(2_000_000, seed), scenario, seed=seed)

    def is_ended() -> bool:
        return run.client.is_established and run.client.stats().is_app_limited

    assert run.network.run(until=60 * NS_PER_S, stop=is_ended)
    back_at = run.network.now + 2 * NS_PER_S
    for link in (run.forward, run.backward):
        kept, link.config = link.config, replace(link.config, loss=1.0)
    run.network.run(until=back_at)
    for link in (run.forward, run.backward):
        link.config = kept
    run.run(limit_s=60)
    assert run.is_success and run.outcomes[0].confirmed_at is not None
    assert run.outcomes[0].confirmed_at - back_at < 500 * MS
