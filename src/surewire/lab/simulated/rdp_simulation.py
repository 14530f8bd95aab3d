"""One RDP transfer in virtual time: what the tests, the benchmarks and the curious run."""

from __future__ import annotations

import random
from dataclasses import dataclass

from surewire.core.congestion import CongestionController
from surewire.core.events import Closed, Event, ReceivedAll
from surewire.core.units import NS_PER_S
from surewire.errors import ConfigError, DigestMismatch, SurewireError
from surewire.impair import Link, LinkConfig
from surewire.impair.scenario import Scenario
from surewire.lab.simulated.players import Wrap
from surewire.rdp.config import RdpConfig
from surewire.rdp.receiver import RdpReceiver
from surewire.rdp.sender import RdpSender
from surewire.sim import Endpoint, Host, Network, Tap
from surewire.sim.path import SimulatedPath
from surewire.transfer.files import MemorySink, MemorySource

SENDER = ("192.168.1.100", 8080)
RECEIVER = ("10.10.1.100", 8080)


@dataclass(kw_only=True)
class Outcome:
    """How one side ended. `error` None is success; `closed` False means that a side did not end in time.

    `closed_at` is the network's time then, ns.
    """

    closed: bool = False
    closed_at: int | None = None
    error: SurewireError | None = None
    note: str | None = None


def _as_it_is(endpoint: Endpoint) -> Endpoint:
    return endpoint


class RdpSimulation:
    """A sender, a receiver, and a link each way.

    Args (of the constructor):
        data: the file.
        forward, backward: the links, from the sender and to it; one configuration serves both when `backward` is
            None. Or `forward` is a scenario, whose client is the sender, and there is no `backward`.
        seed: of everything random, the sides' and the links'.
        config, receiver_config: of the sides; the receiver's is the sender's when None.
        controller: the sender's congestion controller; the default one when None.
        traced: keep a hash of every datagram.
        tap: told of every datagram.
        wrap: put around the sender and then the receiver before the network drives them.

    Raises:
        ConfigError: `forward` is a scenario and there is a `backward`.
    """

    def __init__(
        self,
        data: bytes,
        forward: LinkConfig | Scenario,
        backward: LinkConfig | None = None,
        *,
        seed: int,
        config: RdpConfig | None = None,
        receiver_config: RdpConfig | None = None,
        controller: CongestionController | None = None,
        traced: bool = False,
        tap: Tap | None = None,
        wrap: Wrap | None = None,
    ) -> None:
        self.data = data
        self.sink = MemorySink()
        self.network = Network(start=NS_PER_S, traced=traced, tap=tap)
        rng = random.Random(seed)
        now = self.network.now
        self.sender = RdpSender(
            MemorySource(data), RECEIVER, rng=random.Random(rng.random()), now=now, config=config, controller=controller
        )
        self.receiver = RdpReceiver(self.sink, config=receiver_config or config)
        self.sender_outcome = Outcome()
        self.receiver_outcome = Outcome()
        put_around = wrap or _as_it_is
        self.sender_host = Host(SENDER, put_around(self.sender), self._on_sender_event)
        self.receiver_host = Host(RECEIVER, put_around(self.receiver), self._on_receiver_event)
        self.forward, self.backward = self._put_path(forward, backward, rng)
        self.network.add(self.receiver_host)
        self.network.add(self.sender_host)

    def _put_path(
        self, forward: LinkConfig | Scenario, backward: LinkConfig | None, rng: random.Random
    ) -> tuple[Link, Link]:
        """Connect the hosts both ways."""
        hosts = self.sender_host, self.receiver_host
        if isinstance(forward, Scenario):
            if backward is not None:
                raise ConfigError("a scenario has both directions, so there is no link back beside it")
            path = SimulatedPath(self.network, forward, rng=rng)
            path.connect(*hosts)
            return path.up, path.down
        up = Link(forward, random.Random(rng.random()))
        down = Link(backward or forward, random.Random(rng.random()))
        self.network.connect(hosts[0], hosts[1], up)
        self.network.connect(hosts[1], hosts[0], down)
        return up, down

    def run(self, *, limit_s: float = 600) -> RdpSimulation:
        """Run until both sides have ended, at most `limit_s` seconds of virtual time."""
        self.network.run(
            until=self.network.now + int(limit_s * NS_PER_S),
            stop=lambda: self.sender_outcome.closed and self.receiver_outcome.closed,
        )
        return self

    @property
    def is_identical(self) -> bool:
        """True when the file stands at the receiver, byte for byte."""
        return self.sink.committed == self.data

    @property
    def is_success(self) -> bool:
        """True when both sides ended without error and the file is identical."""
        sides = (self.sender_outcome, self.receiver_outcome)
        return self.is_identical and all(side.closed and side.error is None for side in sides)

    def _on_sender_event(self, event: Event, now: int) -> None:
        if isinstance(event, Closed):
            self.sender_outcome = Outcome(closed=True, closed_at=now, error=event.error, note=event.note)

    def _on_receiver_event(self, event: Event, now: int) -> None:
        if isinstance(event, ReceivedAll):
            if event.digest is not None and event.digest != self.sink.digest(event.size):
                self.receiver.abort(DigestMismatch("the received bytes do not hash to what was sent"), now=now)
                return
            self.sink.commit(event.size)
            self.receiver.confirm(now=now)
        elif isinstance(event, Closed):
            self.receiver_outcome = Outcome(closed=True, closed_at=now, error=event.error, note=event.note)
