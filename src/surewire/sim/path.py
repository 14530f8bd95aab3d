"""A scenario's path in virtual time: one bottleneck each way that all pairs of hosts share.

The path lies between clients and servers: what a client sends to its server passes `up`, the way back is
`down`. On the clients' side stands a NAT. At the scenario's times it forgets its bindings: every client gets
a fresh address, and what is on its way to the old one when it arrives is gone, since the NAT knows it no more.
Cross traffic passes the same two links; its hosts are none of the clients, and the NAT leaves them alone.

All times of a scenario (rebindings, blackouts, changes, cross traffic) count from the making of the path.

Invariants: the links' generators are derived first, so that a scenario without rebinding or cross traffic
draws what two plain links would; a fresh address is none of a host that the path connects.
"""

from __future__ import annotations

import random

from surewire.core.trains import Address
from surewire.errors import ConfigError
from surewire.impair import Delivery, Link
from surewire.impair.scenario import Rebinding, Scenario
from surewire.sim.cross_traffic import Flow
from surewire.sim.network import Host, Network

_FIRST_PORT, _PORTS = 49_152, 16_384  # RFC 6335 §6: dynamic ports
_NAT_NETWORK = "198.51.100"  # RFC 5737 §3: addresses for documentation
_NAT_HOSTS = 254


class SimulatedPath:
    """The two links of a scenario, its NAT and its cross traffic.

    Attributes:
        up, down: the links, with their counters. What the NAT drops has been delivered as far as `down` knows.
        flows: the cross traffic, in the scenario's order.
    """

    def __init__(self, network: Network, scenario: Scenario, *, rng: random.Random) -> None:
        """A path on `network` from now on; cross traffic is added at once, pairs of hosts by `connect`.

        `rng` is drawn from here only: one number each for the link up, the link down and the NAT, in this order.
        """
        self.up = Link(scenario.up, random.Random(rng.random()))
        self.down = Link(scenario.down, random.Random(rng.random()))
        self._network = network
        self._nat = Nat(network, scenario.rebinding, rng=random.Random(rng.random()))
        self._to_clients = NatSide(self.down, self._nat)
        self.up.begin(now=network.now)
        self.down.begin(now=network.now)
        self.flows: list[Flow] = []
        for traffic in scenario.cross_traffic:
            links = (self.up, self.down) if traffic.direction == "up" else (self.down, self.up)
            for _ in range(traffic.flows):
                start = network.now + traffic.start
                stop = None if traffic.stop is None else network.now + traffic.stop
                number = len(self.flows)
                self.flows.append(
                    Flow(network, *links, algorithm=traffic.algorithm, number=number, start=start, stop=stop)
                )

    def connect(self, client: Host, server: Host) -> None:
        """Put the path between two hosts. Both must be on the network by the time of the first rebinding.

        Raises:
            ConfigError: the scenario rebinds, and the client's address is no pair of host and port.
        """
        self._nat.take(client, server)
        self._network.connect(client, server, self.up)
        self._network.connect(server, client, self._to_clients)

    @property
    def rebindings(self) -> int:
        """How often the NAT has forgotten its bindings."""
        return self._nat.rebindings

    @property
    def nat_dropped(self) -> int:
        """Datagrams that came to the NAT for an address that was no more."""
        return self._to_clients.dropped


class Nat:
    """Gives clients fresh addresses at given times."""

    def __init__(self, network: Network, rebinding: Rebinding | None, *, rng: random.Random) -> None:
        """Start counting the times of `rebinding` now."""
        self.rebindings = 0
        self._network = network
        self._rebinding = rebinding
        self._origin = network.now
        self._clients: list[Host] = []
        self._servers: list[Host] = []
        self._port = int(rng.random() * _PORTS)
        self._host = int(rng.random() * _NAT_HOSTS)
        if rebinding is not None:
            network.at(self._origin + rebinding.first, self._rebind)

    def take(self, client: Host, server: Host) -> None:
        """Rebind `client` from now on; addresses of both are not given to others."""
        if self._rebinding is not None:
            _host_and_port(client.address)
        self._clients.append(client)
        self._servers.append(server)

    def forgets_between(self, after: int, until: int) -> bool:
        """True when bindings of time `after` are forgotten at time `until` (ns)."""
        if self._rebinding is None:
            return False
        first, every = self._origin + self._rebinding.first, self._rebinding.every
        if after < first:
            return until >= first
        return every is not None and (until - first) // every > (after - first) // every

    def _rebind(self) -> None:
        rebinding = self._rebinding
        if rebinding is None:
            return
        self.rebindings += 1
        for client in self._clients:
            self._network.rebind(client, self._fresh_address(client, has_new_host=rebinding.address))
        if rebinding.every is not None:
            self._network.at(self._network.now + rebinding.every, self._rebind)

    def _fresh_address(self, client: Host, *, has_new_host: bool) -> Address:
        """The next address in turn, which comes back only after all others of its host have been used."""
        host, _ = _host_and_port(client.address)
        used = {other.address for other in (*self._clients, *self._servers)}
        if has_new_host:
            self._host = (self._host + 1) % _NAT_HOSTS
            host = f"{_NAT_NETWORK}.{self._host + 1}"
        while True:
            self._port = (self._port + 1) % _PORTS
            address = (host, _FIRST_PORT + self._port)
            if address not in used:
                return address


class NatSide:
    """The way to the clients: the link, and behind it the NAT, which drops what is for a forgotten address."""

    def __init__(self, link: Link, nat: Nat) -> None:
        """Put `nat` behind `link`."""
        self.dropped = 0
        self._link = link
        self._nat = nat

    def transmit(self, datagram: bytes, *, now: int) -> list[Delivery]:
        """As `Link.transmit`, without the deliveries that the NAT drops."""
        deliveries = self._link.transmit(datagram, now=now)
        kept = [delivery for delivery in deliveries if not self._nat.forgets_between(now, delivery.at)]
        self.dropped += len(deliveries) - len(kept)
        return kept


def _host_and_port(address: Address) -> tuple[str, int]:
    match address:
        case (str(host), int(port)):
            return host, port
    raise ConfigError(f"a NAT rebinds pairs of host and port, not {address!r}")
