"""Native endpoints in virtual time: one server, some clients, a link each way between each client and the server.

An application is a `Player`: it is called when its connection may have something new, and says whether it called a
verb. `Echo`, `Upload` and `Exchange` are what most tests need; a test with other wishes brings its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol

from surewire.core.events import Closed, Event
from surewire.core.trains import Address
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.crypto.checked import CheckedClient, CheckedServer
from surewire.impair import Link, LinkConfig
from surewire.native.admission import AdmissionConfig
from surewire.native.config import NativeConfig
from surewire.native.connection import Connection
from surewire.native.endpoint import Endpoint
from surewire.native.security import ClientSecurity, ServerSecurity
from surewire.sim import Host, Network, Tap

SERVER: Address = ("203.0.113.1", 4433)
GOOD = LinkConfig(delay=10 * NS_PER_MS)
"""Loses nothing; a round trip is 20 ms."""


def client_address(number: int) -> Address:
    """Where client `number` (0..65,023) is: each has a host of its own."""
    return (f"198.18.{number // 254}.{number % 254 + 1}", 50_000)


class Player(Protocol):
    """The application of one connection."""

    def on_event(self, connection: Connection, event: Event, now: int) -> None:
        """The connection was established, or it is over."""

    def on_turn(self, connection: Connection, now: int) -> bool:
        """Read and write what can be; True if a verb was called that changed something."""


class Exchange:
    """Sends `data` and its end, and collects what comes until the peer's end."""

    def __init__(self, data: bytes = b"") -> None:
        self.received = bytearray()
        self.established_at: int | None = None
        self.closed: Closed | None = None
        self.closed_at: int | None = None
        self._left = memoryview(data)
        self._has_finished = False

    @property
    def is_success(self) -> bool:
        """Over, and without error."""
        return self.closed is not None and self.closed.error is None

    def on_event(self, connection: Connection, event: Event, now: int) -> None:
        """Note when it began and how it ended."""
        if isinstance(event, Closed):
            self.closed, self.closed_at = event, now
        else:
            self.established_at = now

    def on_turn(self, connection: Connection, now: int) -> bool:
        """Take what has come, give what there is room for."""
        taken = self.take(connection, now)
        self.received += taken
        return self._give(connection, now) or bool(taken)

    def take(self, connection: Connection, now: int) -> bytes:
        """What can be read now."""
        return connection.read(1 << 20, now=now) if connection.readable else b""

    def _give(self, connection: Connection, now: int) -> bool:
        if connection.is_closed or self._has_finished:
            return False
        given = connection.write(self._left, now=now) if self._left and connection.room else 0
        self._left = self._left[given:]
        if not self._left:
            self._has_finished = True
            connection.finish(now=now)
        return given > 0 or self._has_finished


class Echo(Exchange):
    """Sends back what comes, and ends when the peer has."""

    def on_turn(self, connection: Connection, now: int) -> bool:
        """Take no more than there is room for on the way back."""
        if connection.is_closed:
            return False
        moved = False
        while (most := min(connection.readable, connection.room)) > 0:
            data = connection.read(most, now=now)
            self.received += data
            connection.write(data, now=now)
            moved = True
        if connection.has_ended and not self._has_finished:
            self._has_finished = True
            connection.finish(now=now)
            moved = True
        return moved


class Side:
    """An endpoint, the host it runs on, and the players of its connections."""

    def __init__(self, address: Address, endpoint: Endpoint, on_accept: Callable[[Connection], Player]) -> None:
        self.endpoint = endpoint
        self.host = Host(address, endpoint, self._on_event, on_turn=self._on_turn)
        self.players: dict[Connection, Player] = {}
        self.accepted: list[Connection] = []
        self._on_accept = on_accept

    def connect(self, peer: Address, security: ClientSecurity, player: Player, *, now: int) -> Connection:
        """Open a connection; call `Network.service` for the host afterwards."""
        connection = self.endpoint.connect(peer, security=security, now=now)
        self.players[connection] = player
        if player.on_turn(connection, now):
            self.endpoint.touch(connection)
        return connection

    def _on_event(self, event: Event, now: int) -> None:
        raise AssertionError("an endpoint has no events of its own")

    def _on_turn(self, now: int) -> bool:
        while (accepted := self.endpoint.poll_accept()) is not None:
            self.accepted.append(accepted)
            self.players[accepted] = self._on_accept(accepted)
        acted = False
        for connection in self.endpoint.take_changed():
            player = self.players[connection]
            while (event := connection.poll_event()) is not None:
                player.on_event(connection, event, now)
            if player.on_turn(connection, now):
                self.endpoint.touch(connection)
                acted = True
        return acted


class NativeWorld:
    """A network with a server at `SERVER` and clients at `client_address(i)`.

    Args (of the constructor):
        forward, backward: the links of each client, to the server and back; `forward` serves both when there is one.
        clients: how many; each has an endpoint and links of its own.
        seed: of everything random.
        config, server_config: of the connections; the server's is the clients' when None.
        limits: of the server.
        security, server_security: checked mode when None.
        on_accept: makes the server's players.
        traced, tap: of the network.
    """

    def __init__(
        self,
        forward: LinkConfig = GOOD,
        backward: LinkConfig | None = None,
        *,
        clients: int = 1,
        seed: int = 1,
        config: NativeConfig | None = None,
        server_config: NativeConfig | None = None,
        limits: AdmissionConfig | None = None,
        security: ClientSecurity | None = None,
        server_security: ServerSecurity | None = None,
        on_accept: Callable[[Connection], Player] = lambda connection: Echo(),
        traced: bool = False,
        tap: Tap | None = None,
    ) -> None:
        self.network = Network(start=NS_PER_S, traced=traced, tap=tap)
        self.security = security or CheckedClient()
        self._rng = random.Random(seed)
        self._config = config or NativeConfig()
        server = Endpoint(
            server_security or CheckedServer(),
            config=server_config or self._config,
            rng=random.Random(self._rng.random()),
            now=self.network.now,
            limits=limits,
        )
        self.server = Side(SERVER, server, on_accept)
        self.network.add(self.server.host)
        self.clients = [self._add_client(number, forward, backward or forward) for number in range(clients)]

    def _add_client(self, number: int, forward: LinkConfig, backward: LinkConfig) -> Side:
        endpoint = Endpoint(None, config=self._config, rng=random.Random(self._rng.random()), now=self.network.now)
        side = Side(client_address(number), endpoint, lambda connection: Echo())
        self.network.add(side.host)
        self.network.connect(side.host, self.server.host, Link(forward, random.Random(self._rng.random())))
        self.network.connect(self.server.host, side.host, Link(backward, random.Random(self._rng.random())))
        return side

    @property
    def now(self) -> int:
        """The time, ns."""
        return self.network.now

    def connect(self, player: Player, *, client: int = 0, security: ClientSecurity | None = None) -> Connection:
        """Let a client open a connection now."""
        side = self.clients[client]
        connection = side.connect(SERVER, security or self.security, player, now=self.now)
        self.network.service(side.host)
        return connection

    def connector(self, player: Player, *, client: int = 0) -> Callable[[], None]:
        """What opens a connection when it is called, for `Network.at`."""

        def connect() -> None:
            self.connect(player, client=client)

        return connect

    def run(self, seconds: float, *, stop: Callable[[], bool] | None = None) -> bool:
        """Run for so long, or until `stop` says so; returns whether it did (or whether nothing is left to happen)."""
        return self.network.run(until=self.now + int(seconds * NS_PER_S), stop=stop)
