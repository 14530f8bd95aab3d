"""Half of all datagrams lost, each way: how long an opening takes, an end, and a transfer of a few datagrams.

No exchange succeeds more often than once in four times there, so what waits ever longer for one waits for seconds. The
rate is fixed: what a controller makes of such a path is tested elsewhere.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from surewire.core.congestion import Congestion
from surewire.core.units import NS_PER_S
from surewire.impair import LinkConfig
from surewire.lab.simulated.native_simulation import ETHERNET, NativeSimulation
from tests.sim.world import MS, content

LINK = LinkConfig(rate=100_000_000, delay=25 * MS, queue=625_000, loss=0.5)
CONFIG = replace(ETHERNET, congestion=Congestion("fixed", rate=10_000_000))
SEEDS = range(1, 61)
SIZES = (1, 20_000)


class Times:
    """When one transfer reached what, in seconds from its beginning."""

    def __init__(self, size: int, seed: int) -> None:
        run = NativeSimulation(content(size, seed), LINK, seed=seed, config=CONFIG)
        stored_at = [0]

        def look() -> bool:
            if not stored_at[0] and run.sink.committed is not None:
                stored_at[0] = run.network.now
            return run.is_over

        run.network.run(until=121 * NS_PER_S, stop=look)
        assert run.is_success, (size, seed, run.outcomes)
        client, server = run.outcomes
        self.opening = self._seconds(client.established_at)
        self.stored = self._seconds(stored_at[0])
        self.confirmed = self._seconds(client.confirmed_at)
        self.over = self._seconds(max(client.closed_at or 0, server.closed_at or 0))

    def _seconds(self, at: int | None) -> float:
        return ((at or 0) - NS_PER_S) / NS_PER_S


@cache
def transfers(size: int) -> list[Times]:
    return [Times(size, seed) for seed in SEEDS]


def late(values: list[float]) -> float:
    """The 90th percentile."""
    return sorted(values)[len(values) * 90 // 100]


@pytest.mark.parametrize("size", SIZES)
def test_an_opening_takes_less_than_a_second(size: int) -> None:
    """Waits that double from the second HELLO on made that 3.6 s."""
    assert late([each.opening for each in transfers(size)]) <= 0.9


@pytest.mark.parametrize("size", SIZES)
def test_what_is_stored_is_confirmed_soon(size: int) -> None:
    """One byte, or an end mark, is hardly more than its headers: so it is said until it is heard."""
    waits = [each.confirmed - each.stored for each in transfers(size)]
    assert late(waits) <= 0.25
    assert max(waits) <= 2


@pytest.mark.parametrize("size", SIZES)
def test_nobody_stays_for_long(size: int) -> None:
    assert max(each.over - each.confirmed for each in transfers(size)) <= 1.5


def test_a_few_datagrams_take_a_few_round_trips_and_none_of_them_seconds_of_back_off() -> None:
    """A segment that was lost again after a silence waited for up to 2 s, and the next time again."""
    bulk = [each.stored - each.opening for each in transfers(20_000)]
    assert late(bulk) <= 1.3
    assert max(bulk) <= 2.5
