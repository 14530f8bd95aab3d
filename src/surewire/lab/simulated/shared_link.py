"""Flows without end that share one bottleneck in virtual time: who gets what, and what the queue does meanwhile.

A flow is a native connection, or a TCP-like one (`sim.cross_traffic`). All take the same two links; a flow with
`extra_delay` has a longer way on both. What has arrived, what was sent and how long datagrams waited in the queue is
noted at even intervals, so that any span of the run can be judged afterwards.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from surewire.core.congestion import Congestion
from surewire.core.events import Event
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import ConfigError
from surewire.impair import Delivery, Link, LinkConfig
from surewire.lab.simulated.native_simulation import ETHERNET, securities
from surewire.native.config import NativeConfig
from surewire.native.connection import Connection
from surewire.native.endpoint import Endpoint
from surewire.native.statistics import ConnectionStats
from surewire.sim import Flow, Host, Network
from surewire.sim.cross_traffic import CONTROLLERS
from surewire.sim.network import OneWayLink

_ENDLESS = 1 << 40  # bytes
_PORT = 4433


@dataclass(frozen=True, kw_only=True)
class Native:
    """A native connection that always has something to send, from `start` (ns) on.

    `extra_delay` (ns) is what its way is longer than the links', each way; `config` what both its ends are set to, but
    for `congestion`.
    """

    congestion: Congestion = field(default_factory=Congestion)
    start: int = 0
    extra_delay: int = 0
    config: NativeConfig = ETHERNET


@dataclass(frozen=True, kw_only=True)
class Tcp:
    """A TCP-like flow from `start` to `stop` (ns; None: to the end), by "cubic" or "newreno"."""

    algorithm: str = "cubic"
    start: int = 0
    stop: int | None = None
    extra_delay: int = 0

    def __post_init__(self) -> None:
        if self.algorithm not in CONTROLLERS:
            raise ConfigError(f"a TCP-like flow has {' or '.join(CONTROLLERS)}, not {self.algorithm!r}")


class Sample(NamedTuple):
    """How things stood.

    Attributes:
        at: ns since the run began.
        delivered: bytes of each flow that had arrived in order.
        offered, dropped: datagrams that the bottleneck had been given, and had dropped for want of room or tokens.
        wait: mean wait in the queue of what left since the sample before, ns; 0 when nothing did.
        worst_wait: the longest of them, ns.
    """

    at: int
    delivered: tuple[int, ...]
    offered: int
    dropped: int
    wait: float
    worst_wait: int


class SharedLink:
    """Flows on a bottleneck."""

    def __init__(
        self,
        forward: LinkConfig,
        backward: LinkConfig,
        flows: Sequence[Native | Tcp],
        *,
        seed: int,
        sample_every: int = 100 * NS_PER_MS,
    ) -> None:
        """Ready to run; `seed` is of everything random, `sample_every` in ns."""
        self.network = Network(start=NS_PER_S)
        self.samples: list[Sample] = []
        self._origin = self.network.now
        self._rng = random.Random(seed)
        self.link = _Gauge(Link(forward, self._fork()), forward)
        self._back = Link(backward, self._fork())
        self.ends = [self._add(flow, number) for number, flow in enumerate(flows)]
        self._sample_every = sample_every
        self._sample()

    def _fork(self) -> random.Random:
        return random.Random(self._rng.random())

    def _add(self, flow: Native | Tcp, number: int) -> _NativeFlow | Flow:
        forward, backward = _Longer(self.link, flow.extra_delay), _Longer(self._back, flow.extra_delay)
        start = self._origin + flow.start
        if isinstance(flow, Native):
            native = _NativeFlow(self.network, forward, backward, flow, number=number, rng=self._fork())
            self.network.at(start, native.begin)
            return native
        stop = None if flow.stop is None else self._origin + flow.stop
        return Flow(self.network, forward, backward, algorithm=flow.algorithm, number=number, start=start, stop=stop)

    def run(self, seconds: float) -> SharedLink:
        """Go on for so many seconds of virtual time."""
        self.network.run(until=self.network.now + int(seconds * NS_PER_S))
        return self

    def _sample(self) -> None:
        stats = self.link.stats
        wait, worst = self.link.take_waits()
        delivered = tuple(end.delivered for end in self.ends)
        dropped = stats.queue_dropped + stats.policed + stats.codel_dropped
        at = self.network.now - self._origin
        self.samples.append(Sample(at, delivered, stats.offered, dropped, wait, worst))
        self.network.at(self.network.now + self._sample_every, self._sample)

    # What came of it, between two times in seconds.

    def between(self, start: float, stop: float) -> list[Sample]:
        """The samples taken from `start` to `stop`, both included; at least one."""
        return [sample for sample in self.samples if start * NS_PER_S <= sample.at <= stop * NS_PER_S]

    def rates(self, start: float, stop: float) -> list[float]:
        """Bytes a second of each flow."""
        first, *_, last = self.between(start, stop)
        seconds = (last.at - first.at) / NS_PER_S
        return [(after - before) / seconds for before, after in zip(first.delivered, last.delivered, strict=True)]

    def drop_share(self, start: float, stop: float) -> float:
        """Share of the datagrams given to the bottleneck that it dropped."""
        first, *_, last = self.between(start, stop)
        return (last.dropped - first.dropped) / max(last.offered - first.offered, 1)

    def stats(self, number: int) -> ConnectionStats:
        """How the sending end of a native flow stands now.

        Raises:
            ConfigError: the flow is not a native one, or has not begun.
        """
        end = self.ends[number]
        if not isinstance(end, _NativeFlow) or end.client is None:
            raise ConfigError(f"flow {number} is no native connection that has begun")
        return end.client.stats()

    def mean_wait(self, start: float, stop: float) -> float:
        """Mean wait in the queue, ns, of equal weight for each sample."""
        waits = [sample.wait for sample in self.between(start, stop)]
        return sum(waits) / len(waits)


class _NativeFlow:
    """Two endpoints, and applications that send and throw away."""

    def __init__(
        self,
        network: Network,
        forward: OneWayLink,
        backward: OneWayLink,
        flow: Native,
        *,
        number: int,
        rng: random.Random,
    ) -> None:
        self._network = network
        self._flow = flow
        client_security, server_security = securities(rng, sealed=False)
        now, config = network.now, flow.config
        self._security = client_security
        self.source = Endpoint(
            None, config=replace(config, congestion=flow.congestion), rng=random.Random(rng.random()), now=now
        )
        self.sink = Endpoint(server_security, config=config, rng=random.Random(rng.random()), now=now)
        self._here = Host((f"10.96.{number // 256}.{number % 256}", _PORT), self.source, _nothing)
        there = Host((f"10.97.{number // 256}.{number % 256}", _PORT), self.sink, _nothing, on_turn=self._accept)
        self._there = there.address
        network.connect(self._here, there, forward)
        network.connect(there, self._here, backward)
        network.add(there)
        self.client: Connection | None = None
        self._server: Connection | None = None

    def begin(self) -> None:
        """Connect, and send without end."""
        now = self._network.now
        self.client = self.source.connect(self._there, security=self._security, now=now)
        self.client.send_source(_Zeros(), 0, _ENDLESS, now=now)
        self._network.add(self._here)

    def _accept(self, now: int) -> bool:
        accepted = self.sink.poll_accept()
        if accepted is None:
            return False
        self._server = accepted
        accepted.divert(_Nowhere(), _ENDLESS, now=now)
        self.sink.touch(accepted)
        return True

    @property
    def delivered(self) -> int:
        """Bytes that have arrived in order."""
        return self._server.stats().received if self._server is not None else 0


class _Zeros:
    """A source without end."""

    size = _ENDLESS

    def read_at(self, offset: int, length: int) -> bytes:
        return bytes(length)

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        for view in views:
            view[:] = bytes(len(view))


class _Nowhere:
    """A sink that keeps nothing."""

    def write_at(self, offset: int, pieces: Sequence[bytes | bytearray | memoryview]) -> None:
        """The bytes have arrived: that is all that counts."""


class _Gauge:
    """The bottleneck, with a look at how long what leaves it has waited, the time on the wire itself included."""

    def __init__(self, link: Link, config: LinkConfig) -> None:
        self._link = link
        moves = [(change.at, change.delay) for change in config.changes if change.delay is not None]
        self._delays = [(0, config.delay), *moves]  # from when on, since the first datagram
        self._origin: int | None = None
        self._sum = self._count = self._worst = 0
        self.stats = link.stats

    def transmit(self, datagram: bytes, *, now: int) -> list[Delivery]:
        if self._origin is None:
            self._origin = now
        deliveries = self._link.transmit(datagram, now=now)
        for delivery in deliveries:
            wait = self._wait(delivery.at - self._origin, now - self._origin)
            self._sum += wait
            self._count += 1
            self._worst = max(self._worst, wait)
        return deliveries

    def _wait(self, arrival: int, offered: int) -> int:
        """The shortest wait after which it can have arrived then: while the way becomes shorter there may be two."""
        delays = self._delays
        if len(delays) == 1:
            return arrival - delays[0][1] - offered  # less than nothing, where jitter makes a way shorter
        stops = [start for start, _ in delays[1:]] + [arrival + 1]
        lefts = [(arrival - delay, start, stop) for (start, delay), stop in zip(delays, stops, strict=True)]
        return min((left - offered for left, start, stop in lefts if max(start, offered) <= left < stop), default=0)

    def take_waits(self) -> tuple[float, int]:
        """Mean and worst wait since the last call, ns."""
        mean, worst = self._sum / self._count if self._count else 0.0, self._worst
        self._sum = self._count = self._worst = 0
        return mean, worst


class _Longer:
    """A link with some more delay behind it."""

    def __init__(self, link: OneWayLink, extra: int) -> None:
        self._link = link
        self._extra = extra

    def transmit(self, datagram: bytes, *, now: int) -> list[Delivery]:
        deliveries = self._link.transmit(datagram, now=now)
        if not self._extra:
            return deliveries
        return [Delivery(at + self._extra, content) for at, content in deliveries]


def _nothing(event: Event, now: int) -> None:
    """An endpoint has no events of its own."""


__all__ = ["Native", "Sample", "SharedLink", "Tcp"]
