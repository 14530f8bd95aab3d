"""Streams over any scenario in virtual time: two players at the ends of one path.

The class-room network, whose sendto blocks, is `streamer_simulation`; here a socket takes whatever it is given, and
what limits is the path: its bottleneck, its queue, its impairments, other traffic on it. Player 1 is the client,
behind the NAT where the scenario has one.
"""

from __future__ import annotations

import functools
import random

from surewire.errors import ConfigError
from surewire.impair.scenario import Scenario
from surewire.lab.simulated.players import ORIGIN, Player, Side, StreamerOutcome, Wrap
from surewire.sim import Network, Tap
from surewire.sim.path import SimulatedPath

CLIENT = ("192.168.1.100", 8000)
SERVER = ("10.10.1.100", 8001)


class StreamSimulation:
    """Two players, one at each end of a scenario's path."""

    def __init__(
        self,
        scenario: Scenario,
        player1: Player,
        player2: Player,
        *,
        seed: int,
        tap: Tap | None = None,
        wrap: Wrap | None = None,
        traced: bool = False,
    ) -> None:
        """Ready to run.

        Args:
            scenario: the path; player 1 is its client.
            player1, player2: the sides.
            seed: of everything random, the sessions' and the path's.
            tap: told of every datagram.
            wrap: put around the first and then the second session before the network drives them.
            traced: keep a hash of every datagram in `network.trace_hash`.

        Raises:
            ConfigError: player 1 would come up after the NAT has forgotten it for the first time.
        """
        if scenario.rebinding is not None and scenario.rebinding.first < player1.start:
            raise ConfigError("a host must be up before the NAT's first rebinding")
        self.network = Network(start=ORIGIN, traced=traced, tap=tap)
        rng = random.Random(seed)
        self._sides = (
            Side(player1, CLIENT, SERVER, random.Random(rng.random()), wrap=wrap),
            Side(player2, SERVER, CLIENT, random.Random(rng.random()), wrap=wrap),
        )
        self.sessions = tuple(side.session for side in self._sides)
        self.hosts = tuple(side.host for side in self._sides)
        self.path = SimulatedPath(self.network, scenario, rng=rng)
        self.path.connect(*self.hosts)
        for side in self._sides:
            self.network.at(ORIGIN + side.player.start, functools.partial(self.network.add, side.host))

    def run(self, deadline: int) -> StreamerOutcome:
        """Run until both sides have closed, at most to `deadline` (ns since the beginning)."""
        self.network.run(until=ORIGIN + deadline, stop=lambda: all(side.is_over for side in self._sides))
        host1, host2 = (side.outcome() for side in self._sides)
        return StreamerOutcome(host1=host1, host2=host2)
