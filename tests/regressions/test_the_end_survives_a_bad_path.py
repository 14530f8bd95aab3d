"""Whoever says the last word leaves; when it was lost, the other side repeated its end to nobody until it gave up.

On a path that loses a tenth each way, copies, damages and reorders, 22 of 540 connections ended well at one side and by
IdleTimeout or Unconfirmed at the other. TIME-WAIT was over before the peer asked for the first time; and a side that
left LAST-ACK said DONE once. Now the endpoint says the last word again to a peer that goes on.
"""

from __future__ import annotations

import pytest

from surewire.core.units import NS_PER_MS
from surewire.impair import LinkConfig
from tests.sim.native_world import Exchange, NativeWorld

PATH = LinkConfig(delay=10 * NS_PER_MS, jitter=5 * NS_PER_MS, loss=0.1, duplicate=0.05, corrupt=0.02, reorder=0.05)


@pytest.mark.parametrize("seed", [1, 2, 5, 9, 12, 25, 54, 79, 82, 92])
def test_both_sides_learn_of_the_end(seed: int) -> None:
    world = NativeWorld(PATH, clients=3, seed=seed)
    players = [Exchange(bytes(size)) for size in [0, 3_000, 50_000] * 3]
    for number, player in enumerate(players):
        start = world.now + 7 * number * NS_PER_MS
        world.network.at(start, world.connector(player, client=number % 3))
    world.run(160)
    sides = [*players, *world.server.players.values()]
    assert len(sides) == 18
    assert all(isinstance(side, Exchange) and side.is_success for side in sides)
