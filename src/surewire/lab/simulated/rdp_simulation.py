"""One RDP transfer in virtual time: what the tests, the benchmarks and the curious run."""

from __future__ import annotations

import random
from dataclasses import dataclass

from surewire.core.congestion import CongestionController
from surewire.core.events import Closed, Event, ReceivedAll
from surewire.core.units import NS_PER_S
from surewire.errors import DigestMismatch, SurewireError
from surewire.impair import Link, LinkConfig
from surewire.rdp.config import RdpConfig
from surewire.rdp.receiver import RdpReceiver
from surewire.rdp.sender import RdpSender
from surewire.sim import Host, Network
from surewire.transfer.files import MemorySink, MemorySource

SENDER = ("192.168.1.100", 8080)
RECEIVER = ("10.10.1.100", 8080)


@dataclass(kw_only=True)
class Outcome:
    """How both sides ended. `error` None is success; `closed` False means that a side did not end in time."""

    closed: bool = False
    error: SurewireError | None = None
    note: str | None = None


class RdpSimulation:
    """A sender, a receiver, and a link each way.

    Args (of the constructor):
        data: the file.
        forward, backward: the links; one configuration serves both when `backward` is None.
        seed: of everything random, the sides' and the links'.
        config, receiver_config: of the sides; the receiver's is the sender's when None.
        controller: the sender's congestion controller; the default one when None.
        traced: keep a hash of every datagram.
    """

    def __init__(
        self,
        data: bytes,
        forward: LinkConfig,
        backward: LinkConfig | None = None,
        *,
        seed: int,
        config: RdpConfig | None = None,
        receiver_config: RdpConfig | None = None,
        controller: CongestionController | None = None,
        traced: bool = False,
    ) -> None:
        self.data = data
        self.sink = MemorySink()
        self.network = Network(start=NS_PER_S, traced=traced)
        rng = random.Random(seed)
        now = self.network.now
        self.sender = RdpSender(
            MemorySource(data), RECEIVER, rng=random.Random(rng.random()), now=now, config=config, controller=controller
        )
        self.receiver = RdpReceiver(self.sink, config=receiver_config or config)
        self.sender_outcome = Outcome()
        self.receiver_outcome = Outcome()
        self.sender_host = Host(SENDER, self.sender, self._on_sender_event)
        self.receiver_host = Host(RECEIVER, self.receiver, self._on_receiver_event)
        self.forward = Link(forward, random.Random(rng.random()))
        self.backward = Link(backward or forward, random.Random(rng.random()))
        self.network.connect(self.sender_host, self.receiver_host, self.forward)
        self.network.connect(self.receiver_host, self.sender_host, self.backward)
        self.network.add(self.receiver_host)
        self.network.add(self.sender_host)

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
            self.sender_outcome = Outcome(closed=True, error=event.error, note=event.note)

    def _on_receiver_event(self, event: Event, now: int) -> None:
        if isinstance(event, ReceivedAll):
            if event.digest is not None and event.digest != self.sink.digest(event.size):
                self.receiver.abort(DigestMismatch("the received bytes do not hash to what was sent"), now=now)
                return
            self.sink.commit(event.size)
            self.receiver.confirm(now=now)
        elif isinstance(event, Closed):
            self.receiver_outcome = Outcome(closed=True, error=event.error, note=event.note)
