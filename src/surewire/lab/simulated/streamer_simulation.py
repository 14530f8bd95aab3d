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
from collections.abc import Callable
from dataclasses import dataclass

from surewire.core.events import Closed, Event
from surewire.core.trains import Address
from surewire.core.units import NS_PER_S
from surewire.errors import SurewireError
from surewire.impair import ETHERNET_OVERHEAD, SEND_TIME, ClassroomConfig, ClassroomLink
from surewire.lab.simulated.workloads import StreamSession, Workload, number_exchange
from surewire.sim import Host, Network
from surewire.streamer.config import StreamerConfig
from surewire.streamer.session import StreamerSession

ADDRESS_1 = ("127.0.0.1", 8000)
ADDRESS_2 = ("127.0.0.1", 8001)

_ORIGIN = NS_PER_S
"""The network's time at the beginning of a run; not 0, so that a duration taken for a time shows."""

MakeSession = Callable[[Address, random.Random, int], StreamSession]
"""Makes a session from the peer's address, a random generator of its own, and the time it starts (ns)."""


@dataclass(frozen=True, kw_only=True)
class Player:
    """One side of a pair.

    Attributes:
        workload: what it does.
        make_session: makes its session.
        start: ns after the beginning at which it comes up, >= 0; what reaches it before is lost.
    """

    workload: Workload
    make_session: MakeSession
    start: int = 0


@dataclass(frozen=True, kw_only=True)
class SideOutcome:
    """How one side ended. Times are ns since the beginning, None for never.

    Attributes:
        closed_at: when its session closed.
        error, note: what the session said then.
        packets, udp_bytes: datagrams and their bytes given to sendto.
        first_sent_at: when sendto was first called.
        last_read_at: when its last read was done.
        is_right: True when it read exactly what it should.
    """

    closed_at: int | None
    error: SurewireError | None
    note: str | None
    packets: int
    udp_bytes: int
    first_sent_at: int | None
    last_read_at: int | None
    is_right: bool

    @property
    def eth_bytes(self) -> int:
        """Bytes as the class-room socket reports them for Ethernet."""
        return self.udp_bytes + ETHERNET_OVERHEAD * self.packets

    @property
    def is_success(self) -> bool:
        """True when it read what it should, and its session closed without error."""
        return self.closed_at is not None and self.error is None and self.is_right


@dataclass(frozen=True, kw_only=True)
class StreamerOutcome:
    """How both sides ended; times as in `SideOutcome`."""

    host1: SideOutcome
    host2: SideOutcome

    @property
    def eth_bytes(self) -> int:
        """Both sides' Ethernet bytes."""
        return self.host1.eth_bytes + self.host2.eth_bytes

    @property
    def first_sent_at(self) -> int | None:
        """When the first packet was given to sendto."""
        return min((t for t in (self.host1.first_sent_at, self.host2.first_sent_at) if t is not None), default=None)

    @property
    def both_closed_at(self) -> int | None:
        """When the later of both sessions closed."""
        times = (self.host1.closed_at, self.host2.closed_at)
        return None if None in times else max(t for t in times if t is not None)

    @property
    def is_success(self) -> bool:
        return self.host1.is_success and self.host2.is_success


class _Side:
    """A player on its host."""

    def __init__(self, player: Player, address: Address, peer: Address, rng: random.Random, origin: int) -> None:
        self.player = player
        self.session = player.make_session(peer, rng, origin + player.start)
        self.host = Host(address, self.session, self._on_event, on_turn=self._on_turn, send_time=SEND_TIME)
        self.closed: Closed | None = None
        self.closed_at: int | None = None
        self._origin = origin

    @property
    def is_over(self) -> bool:
        # A session may say a last word after it has closed: then the socket is still busy with it.
        return self.closed is not None and not self.host.is_sending

    def outcome(self) -> SideOutcome:
        reads = self.player.workload.reads
        data = b"".join(read.data for read in reads)
        return SideOutcome(
            closed_at=self._elapsed(self.closed_at),
            error=self.closed.error if self.closed else None,
            note=self.closed.note if self.closed else None,
            packets=self.host.datagrams,
            udp_bytes=self.host.sent_bytes,
            first_sent_at=self._elapsed(self.host.first_sent_at),
            last_read_at=self._elapsed(reads[-1].done_at) if reads else None,
            is_right=data == self.player.workload.expected,
        )

    def _elapsed(self, time: int | None) -> int | None:
        return None if time is None else time - self._origin

    def _on_event(self, event: Event, now: int) -> None:
        if isinstance(event, Closed):
            self.closed = event
            self.closed_at = now

    def _on_turn(self, now: int) -> bool:
        application = self.player.workload.application
        return application.done_at is None and application.on_turn(self.session, now)


class ClassroomPair:
    """Two players with a class-room link each way."""

    def __init__(
        self, config: ClassroomConfig, player1: Player, player2: Player, *, seed: int, traced: bool = False
    ) -> None:
        """`config` serves both ways; `seed` is of everything random; `traced` keeps a hash of every datagram."""
        self.network = Network(start=_ORIGIN, traced=traced)
        rng = random.Random(seed)
        self._sides = (
            _Side(player1, ADDRESS_1, ADDRESS_2, random.Random(rng.random()), _ORIGIN),
            _Side(player2, ADDRESS_2, ADDRESS_1, random.Random(rng.random()), _ORIGIN),
        )
        self.sessions = tuple(side.session for side in self._sides)
        self.hosts = tuple(side.host for side in self._sides)
        self.links = tuple(ClassroomLink(config, random.Random(rng.random())) for _ in self._sides)
        for side, link, other in zip(self._sides, self.links, reversed(self._sides), strict=True):
            link.begin(now=_ORIGIN + side.player.start)
            self.network.connect(side.host, other.host, link)
            self.network.at(_ORIGIN + side.player.start, functools.partial(self.network.add, side.host))

    def run(self, deadline: int) -> StreamerOutcome:
        """Run until both sides have closed, at most to `deadline` (ns since the beginning)."""
        self.network.run(until=_ORIGIN + deadline, stop=lambda: all(side.is_over for side in self._sides))
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
