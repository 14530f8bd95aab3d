"""Transfers of both protocols whose rate is limited, and what their senders sent when.

What counts is what leaves: bytes of the file, repeats included.
"""

from __future__ import annotations

import dataclasses
import functools
import random
from abc import ABC, abstractmethod
from bisect import bisect_right

from surewire.core.congestion import Congestion
from surewire.core.trains import Address
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import LinkConfig
from surewire.lab.simulated.native_simulation import CLIENT, NativeSimulation
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from surewire.native.config import NativeConfig
from surewire.rdp.config import RdpConfig
from surewire.sim import Network
from surewire.wire import native_datagram as wire

_LOOK = 10 * NS_PER_MS
_HEADER = wire.DATA_HEADER.size + 4  # bytes of a native datagram that are not the stream's; a checksum ends it
_ETHERNET = NativeConfig(fixed_datagram=1_472)  # not searched for: probes of the path would count as the stream's
_LEAST = 200  # bytes of a datagram that has some of the stream; pings and acknowledgments are shorter


class Limited(ABC):
    """One transfer; times are seconds since its beginning."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._began = network.now
        self._times = [0]
        self._totals = [0]
        network.at(self._began, self._look)

    @property
    @abstractmethod
    def sent_total(self) -> int:
        """Bytes of the stream sent so far."""

    @property
    @abstractmethod
    def burst(self) -> int:
        """What may leave at once, bytes: ten segments (RFC 9002 section 7.7)."""

    @abstractmethod
    def set_limit(self, rate: int | None) -> None:
        """Change the limit now, bytes a second."""

    @abstractmethod
    def run(self, seconds: float) -> bool:
        """Run to the end, at most so long; True when the file has arrived."""

    def limit_at(self, seconds: float, rate: int | None) -> None:
        """Change the limit at that time."""
        self.network.at(self._began + int(seconds * NS_PER_S), functools.partial(self.set_limit, rate))

    def sent(self, start: float, stop: float) -> int:
        """Bytes sent from `start` to `stop`, seconds."""
        return self._total_at(stop) - self._total_at(start)

    def most_in_a_second(self, start: float, stop: float) -> int:
        """The most bytes that were sent in any second from `start` to `stop`."""
        steps = range(int(start * 100), int((stop - 1) * 100) + 1)
        return max(self.sent(step / 100, step / 100 + 1) for step in steps)

    def _total_at(self, seconds: float) -> int:
        return self._totals[bisect_right(self._times, round(seconds * NS_PER_S)) - 1]

    def _look(self) -> None:
        now = self.network.now
        self._times.append(now - self._began)
        self._totals.append(self.sent_total)
        self.network.at(now + _LOOK, self._look)


class LimitedRdp(Limited):
    """`RdpSimulation`; with `is_plain` both sides speak the assignment's minimal packets only."""

    def __init__(
        self,
        size: int,
        link: LinkConfig,
        *,
        seed: int,
        limit: int | None,
        congestion: Congestion,
        is_plain: bool = False,
    ) -> None:
        config = RdpConfig(max_rate=limit, congestion=congestion, extensions=not is_plain)
        self.simulation = RdpSimulation(random.Random(seed).randbytes(size), link, seed=seed, config=config)
        super().__init__(self.simulation.network)

    @property
    def sent_total(self) -> int:
        return self.simulation.sender.outbound.log.sent_total

    @property
    def burst(self) -> int:
        return 10 * self.simulation.sender.outbound.rules.segment

    def set_limit(self, rate: int | None) -> None:
        self.simulation.sender.outbound.rules.max_rate = rate
        self.network.service(self.simulation.sender_host)

    def run(self, seconds: float) -> bool:
        return self.simulation.run(limit_s=seconds).is_success


class LimitedNative(Limited):
    """`NativeSimulation`."""

    def __init__(
        self,
        size: int,
        link: LinkConfig,
        *,
        seed: int,
        limit: int | None,
        congestion: Congestion,
        config: NativeConfig = _ETHERNET,
    ) -> None:
        changed = dataclasses.replace(config, max_rate=limit, congestion=congestion)
        data = random.Random(seed).randbytes(size)
        self._meter = _Meter()
        self.simulation = NativeSimulation(data, link, seed=seed, config=changed, tap=self._meter)
        super().__init__(self.simulation.network)

    @property
    def sent_total(self) -> int:
        return self._meter.nbytes

    @property
    def burst(self) -> int:
        return 10 * self.simulation.client.stats().datagram_size

    def set_limit(self, rate: int | None) -> None:
        client = self.simulation.client
        client.limit_rate(rate, now=self.network.now)
        self.simulation.endpoints[0].touch(client)
        self.network.service(self.simulation.hosts[0])

    def run(self, seconds: float) -> bool:
        return self.simulation.run(limit_s=seconds).is_success


class _Meter:
    """Counts the bytes of the stream that the client sends."""

    def __init__(self) -> None:
        self.nbytes = 0

    def on_sent(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        if source == CLIENT and len(datagram) > _LEAST and wire.is_short(datagram[0]):
            self.nbytes += len(datagram) - _HEADER

    def on_delivered(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        """What arrives is not counted."""


KINDS = {"rdp": LimitedRdp, "native": LimitedNative}
