"""Streams over the class-room network in virtual time: the assignment's tester, or any other workload.

`ClassroomPair` connects two players, each a session with an application on a host whose sendto blocks;
`StreamerSimulation` is the pair that plays the tester. The applications take no time, nor do the hosts: two
real processes also need time to start, to print and to wake up. Nothing here knows how a session works.

The tester with 1000 numbers on a network that loses and corrupts a tenth and delays by up to 0.1 s:

    config = ClassroomConfig(loss=0.1, corruption=0.1, max_delay=NS_PER_S // 10)
    outcome = StreamerSimulation(1000, config, seed=1).run(60 * NS_PER_S)
    print(outcome.is_success, outcome.eth_bytes, outcome.both_closed_at)
"""

from __future__ import annotations

import functools
import random

from surewire.core.trains import Address
from surewire.impair import SEND_TIME, ClassroomConfig, ClassroomLink
from surewire.lab.simulated.players import ORIGIN, MakeSession, Player, Side, SideOutcome, StreamerOutcome, Wrap
from surewire.lab.simulated.workloads import StreamSession, number_exchange
from surewire.sim import Network, Tap
from surewire.streamer.config import StreamerConfig
from surewire.streamer.session import StreamerSession

ADDRESS_1 = ("127.0.0.1", 8000)
ADDRESS_2 = ("127.0.0.1", 8001)

__all__ = [
    "ADDRESS_1",
    "ADDRESS_2",
    "ClassroomPair",
    "MakeSession",
    "Player",
    "SideOutcome",
    "StreamerOutcome",
    "StreamerSimulation",
    "streamer_session",
]


class ClassroomPair:
    """Two players with a class-room link each way."""

    def __init__(
        self,
        config: ClassroomConfig,
        player1: Player,
        player2: Player,
        *,
        seed: int,
        traced: bool = False,
        tap: Tap | None = None,
        wrap: Wrap | None = None,
    ) -> None:
        """Two players, ready to run.

        Args:
            config: serves both ways.
            player1, player2: the sides.
            seed: of everything random.
            traced: keep a hash of every datagram in `network.trace_hash`.
            tap: told of every datagram.
            wrap: put around the first and then the second session before the network drives them.
        """
        self.network = Network(start=ORIGIN, traced=traced, tap=tap)
        rng = random.Random(seed)
        self._sides = (
            Side(player1, ADDRESS_1, ADDRESS_2, random.Random(rng.random()), send_time=SEND_TIME, wrap=wrap),
            Side(player2, ADDRESS_2, ADDRESS_1, random.Random(rng.random()), send_time=SEND_TIME, wrap=wrap),
        )
        self.sessions = tuple(side.session for side in self._sides)
        self.hosts = tuple(side.host for side in self._sides)
        self.links = tuple(ClassroomLink(config, random.Random(rng.random())) for _ in self._sides)
        for side, link, other in zip(self._sides, self.links, reversed(self._sides), strict=True):
            link.begin(now=ORIGIN + side.player.start)
            self.network.connect(side.host, other.host, link)
            self.network.at(ORIGIN + side.player.start, functools.partial(self.network.add, side.host))

    def run(self, deadline: int) -> StreamerOutcome:
        """Run until both sides have closed, at most to `deadline` (ns since the beginning)."""
        self.network.run(until=ORIGIN + deadline, stop=lambda: all(side.is_over for side in self._sides))
        host1, host2 = (side.outcome() for side in self._sides)
        return StreamerOutcome(host1=host1, host2=host2)


class StreamerSimulation(ClassroomPair):
    """The assignment's tester with two Streamer sessions.

    Args (of the constructor):
        numbers: the tester's NUMS, >= 0.
        config: of both links.
        seed: of everything random, the sessions' and the links'.
        host1, host2: of the sessions; the default one when None.
        start1_after, start2_after: ns after the beginning at which a host comes up, >= 0.
        traced: keep a hash of every datagram in `network.trace_hash`.
    """

    def __init__(
        self,
        numbers: int,
        config: ClassroomConfig,
        *,
        seed: int,
        host1: StreamerConfig | None = None,
        host2: StreamerConfig | None = None,
        start1_after: int = 0,
        start2_after: int = 0,
        traced: bool = False,
    ) -> None:
        workload1, workload2 = number_exchange(numbers)
        player1 = Player(workload=workload1, make_session=streamer_session(host1), start=start1_after)
        player2 = Player(workload=workload2, make_session=streamer_session(host2), start=start2_after)
        super().__init__(config, player1, player2, seed=seed, traced=traced)


def streamer_session(config: StreamerConfig | None = None) -> MakeSession:
    """What makes Streamer sessions of one configuration, for a `Player`."""

    def make(peer: Address, rng: random.Random, now: int) -> StreamSession:
        return StreamerSession(peer, rng=rng, now=now, config=config)

    return make
