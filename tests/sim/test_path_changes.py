"""Paths that change under a transfer, and paths whose queue was never seen empty: the model finds them again."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from surewire.impair import Link, LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from tests.sim.world import MS, S, content

PATH = LinkConfig(rate=20_000_000, delay=10 * MS, queue=100_000)


def duration_s(simulation: RdpSimulation) -> float:
    assert simulation.run(limit_s=120).is_success, f"{simulation.sender_outcome}, {simulation.receiver_outcome}"
    return simulation.sender.duration / S


@pytest.mark.parametrize("delay", [50 * MS, 150 * MS])
def test_a_path_that_becomes_longer_is_not_taken_for_a_queue(delay: int) -> None:
    """It took the old round trip for the path's for ten seconds, and the flow shrank to a few per cent."""
    simulation = RdpSimulation(content(8_000_000), PATH, seed=1)
    longer = Link(replace(PATH, delay=delay), random.Random(1))
    simulation.network.at(
        2 * S,
        lambda: simulation.network.connect(simulation.sender_host, simulation.receiver_host, longer),
    )
    assert duration_s(simulation) < 8  # 3.6 s without the change; the way it was, 20 and more


def test_a_queue_that_was_there_from_the_start_does_not_stay() -> None:
    """Start-up fills a slow path's queue before anything is known; ten seconds later the model has looked again."""
    path = LinkConfig(rate=100_000, delay=20 * MS, queue=256 * 1024)
    simulation = RdpSimulation(content(400_000), path, seed=1)
    queued: list[int] = []
    for second in range(25, 35):
        simulation.network.at(second * S, lambda: queued.append(simulation.sender.outbound.rtt.smoothed_rtt))
    duration_s(simulation)
    assert len(queued) == 10
    assert sorted(queued)[5] < 700 * MS  # 130 ms are the path's; the way it was, 1.14 s for as long as it lasted
