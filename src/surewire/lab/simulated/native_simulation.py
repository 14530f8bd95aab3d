"""One file over the native transport in virtual time: a client's endpoint sends it, a server's stores it.

Both ends are whole endpoints, so the opening, the routing by connection id and the end are as they are on a socket.
The client queues the file and ends its stream; the server lets the bytes go straight into a sink and ends its own
stream once the file is complete under its name. So whoever is confirmed knows that the other side has everything.

Checked mode by default: nothing is sealed, everything can be read by a tap, and runs take a third of the time. The
longest datagram is Ethernet's unless a configuration says otherwise: a link without an `mtu` carries any length, and
few networks do.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from surewire.core.events import Closed, Event
from surewire.core.trains import Address
from surewire.core.units import NS_PER_S
from surewire.crypto.checked import CheckedClient, CheckedServer
from surewire.errors import ConfigError, SurewireError
from surewire.impair import Link, LinkConfig
from surewire.impair.scenario import Scenario
from surewire.native.config import NativeConfig
from surewire.native.connection import Connection
from surewire.native.endpoint import Endpoint
from surewire.native.security import ClientSecurity, ServerSecurity
from surewire.sim import Host, Network, Tap
from surewire.sim.path import SimulatedPath
from surewire.transfer.files import MemorySink, MemorySource

CLIENT: Address = ("192.168.1.100", 51_000)
SERVER: Address = ("10.10.1.100", 4433)

ETHERNET = NativeConfig(max_datagram=1_472)
"""What the ends of a simulation are set to when nothing is said: datagrams that fit Ethernet under IPv4."""

_KEY_BYTES = 32


@dataclass(kw_only=True)
class NativeOutcome:
    """How one side ended. Times are the network's, ns; None for never.

    Attributes:
        established_at: when its connection was open.
        confirmed_at: when it knew that both sides have everything.
        closed: its connection is over; `closed_at` says since when.
        error: why, None for a good end.
    """

    established_at: int | None = None
    confirmed_at: int | None = None
    closed: bool = False
    closed_at: int | None = None
    error: SurewireError | None = None

    def on_event(self, event: Event, now: int) -> None:
        """Note it."""
        if isinstance(event, Closed):
            self.closed, self.closed_at, self.error = True, now, event.error
        else:
            self.established_at = now


def securities(rng: random.Random, *, sealed: bool) -> tuple[ClientSecurity, ServerSecurity]:
    """How a client and a server protect what they say: by a key that both have, or not at all."""
    if not sealed:
        return CheckedClient(), CheckedServer()
    # Only here, so that a checkout without the package `cryptography` simulates as well.
    from surewire.crypto.sealed import PskClient, PskServer

    key = rng.randbytes(_KEY_BYTES)
    return PskClient(key), PskServer(key)


class NativeSimulation:
    """A client with a file, a server, and a link each way.

    Args (of the constructor):
        data: the file.
        forward, backward: the links, from the client and to it; one configuration serves both when `backward` is
            None. Or `forward` is a scenario, and there is no `backward`.
        seed: of everything random, the sides' and the links'.
        config, server_config: of the sides; the server's is the client's when None, and that one is `ETHERNET`.
        sealed: protect the connection by a shared key; needs the package `cryptography`.
        traced: keep a hash of every datagram.
        tap: told of every datagram.
        kind: what connections are made by.

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
        config: NativeConfig | None = None,
        server_config: NativeConfig | None = None,
        sealed: bool = False,
        traced: bool = False,
        tap: Tap | None = None,
        kind: type[Connection] = Connection,
    ) -> None:
        self.data = data
        self.sink = MemorySink()
        self.network = Network(start=NS_PER_S, traced=traced, tap=tap)
        self.outcomes = (NativeOutcome(), NativeOutcome())  # the client's and the server's
        rng = random.Random(seed)
        client_security, server_security = securities(random.Random(rng.random()), sealed=sealed)
        config = config or ETHERNET
        now = self.network.now
        self.endpoints = tuple(
            Endpoint(security, config=settings, rng=random.Random(rng.random()), now=now, kind=kind)
            for security, settings in ((None, config), (server_security, server_config or config))
        )
        client, server = self.endpoints
        self.hosts = (
            Host(CLIENT, client, _no_event, on_turn=self._client_turn),
            Host(SERVER, server, _no_event, on_turn=self._server_turn),
        )
        self.forward, self.backward = self._put_path(forward, backward, rng)
        self.client = client.connect(SERVER, security=client_security, now=now)
        self.client.send_source(MemorySource(data), 0, len(data), now=now)
        self.client.finish(now=now)
        self.server: Connection | None = None  # once it is established
        for host in reversed(self.hosts):
            self.network.add(host)

    def _put_path(
        self, forward: LinkConfig | Scenario, backward: LinkConfig | None, rng: random.Random
    ) -> tuple[Link, Link]:
        """Connect the hosts both ways."""
        client, server = self.hosts
        if isinstance(forward, Scenario):
            if backward is not None:
                raise ConfigError("a scenario has both directions, so there is no link back beside it")
            path = SimulatedPath(self.network, forward, rng=rng)
            path.connect(client, server)
            return path.up, path.down
        up = Link(forward, random.Random(rng.random()))
        down = Link(backward or forward, random.Random(rng.random()))
        self.network.connect(client, server, up)
        self.network.connect(server, client, down)
        return up, down

    def run(self, *, limit_s: float = 600) -> NativeSimulation:
        """Run until both sides have ended, at most `limit_s` seconds of virtual time."""
        self.network.run(until=self.network.now + int(limit_s * NS_PER_S), stop=lambda: self.is_over)
        return self

    @property
    def is_over(self) -> bool:
        """True when the client has ended, and the server, too, or was never opened."""
        client, server = self.outcomes
        is_server_over = server.closed or (self.server is None and not self.endpoints[1].half_open)
        return client.closed and is_server_over

    @property
    def is_identical(self) -> bool:
        """True when the file stands at the server, byte for byte."""
        return self.sink.committed == self.data

    @property
    def is_success(self) -> bool:
        """True when both sides ended without error and the file is identical."""
        return self.is_identical and all(side.closed and side.error is None for side in self.outcomes)

    # The two applications.

    def _client_turn(self, now: int) -> bool:
        return self._follow(self.endpoints[0], self.outcomes[0], now)

    def _server_turn(self, now: int) -> bool:
        endpoint, outcome = self.endpoints[1], self.outcomes[1]
        accepted = endpoint.poll_accept()
        if accepted is not None and self.server is None:
            self.server = accepted
            accepted.divert(self.sink, len(self.data), now=now)
            endpoint.touch(accepted)
        has_acted = self._follow(endpoint, outcome, now) or accepted is not None
        server = self.server
        if server is not None and server.has_ended and self.sink.committed is None:
            self.sink.commit(len(self.data))
            server.finish(now=now)
            endpoint.touch(server)
            has_acted = True
        return has_acted

    def _follow(self, endpoint: Endpoint, outcome: NativeOutcome, now: int) -> bool:
        """Note what has become of the endpoint's connection."""
        for connection in endpoint.take_changed():
            while (event := connection.poll_event()) is not None:
                outcome.on_event(event, now)
            if connection.is_confirmed and outcome.confirmed_at is None:
                outcome.confirmed_at = now
        return False


def _no_event(event: Event, now: int) -> None:
    """An endpoint has no events of its own."""
