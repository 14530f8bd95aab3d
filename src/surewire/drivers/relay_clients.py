"""The clients of a relay: a socket towards the server for each, as a NAT has a port for each.

No datagram is read or sent here. Invariants: a client has exactly one live port; a port that was replaced is kept
open and unread until the next replacement, so that what the server still sends there is lost without a word, as behind
a NAT, and does not come back as an ICMP error; `by_descriptor` holds the live ports and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from contextlib import suppress

from surewire.drivers.relay_config import RelayStats
from surewire.drivers.relay_port import Port
from surewire.drivers.relay_sockets import Endpoint, SocketAddress, add_drops, open_connected

MAX_DESCRIPTOR = 1023
"""select() takes no higher one (FD_SETSIZE). It is used because its timeout counts microseconds, where epoll's and
poll's round up to milliseconds and would add as much delay."""

_LOOPBACK_HOSTS = 253  # 127.0.0.2 to 127.0.0.254


class Client:
    """One client address and its port towards the server.

    Attributes:
        address: where it sends from.
        port: its live port.
        last_active: when a datagram came from it or for it, ns.
    """

    __slots__ = ("address", "last_active", "port", "retired")

    def __init__(self, address: SocketAddress, port: Port, now: int) -> None:
        self.address = address
        self.port = port
        self.last_active = now
        self.retired: Port | None = None

    def close(self) -> None:
        """Close its ports."""
        self.port.close()
        if self.retired is not None:
            self.retired.close()


class Clients:
    """All of them. Counts in the given stats.

    Attributes:
        by_address: each client by the address it sends from.
        by_descriptor: each client by the descriptor of its live port.
        drops: datagrams that the system dropped unread at ports that are closed by now; None if it does not tell.
    """

    def __init__(self, server: Endpoint, most: int, stats: RelayStats, make_port: Callable[..., Port]) -> None:
        """None yet.

        Args:
            server: what every port is connected to.
            most: clients at once.
            stats: where clients and rebindings are counted.
            make_port: makes a port of a connected socket.
        """
        self.by_address: dict[SocketAddress, Client] = {}
        self.by_descriptor: dict[int, Client] = {}
        self.drops: int | None = None
        self._server = server
        self._most = most
        self._stats = stats
        self._make_port = make_port
        self._source: str | None = None

    def admit(self, address: SocketAddress, now: int) -> Client | None:
        """Give a new client its port; None if there is none to give."""
        if len(self.by_address) >= self._most:
            return None
        port = self._open()
        if port is None:
            return None
        client = Client(address, port, now)
        self.by_address[address] = client
        self.by_descriptor[port.fileno()] = client
        self._stats.clients += 1
        return client

    def evict(self, idle_since: int, busy: Container[Client]) -> None:
        """Forget those without a datagram since then (ns), but for the busy."""
        idle = [c for c in self.by_address.values() if c.last_active <= idle_since and c not in busy]
        for client in idle:
            self.drops = add_drops(self.drops, client.port.socket)
            self._stats.clients_evicted += 1
            del self.by_descriptor[client.port.fileno()]
            del self.by_address[client.address]
            client.close()

    def rebind(self, *, address: bool) -> None:
        """Give every client, now and later, another source port; with `address` another source address, too."""
        if address:
            last = 1 if self._source is None else int(self._source.rpartition(".")[2])
            self._source = f"127.0.0.{2 + (last - 1) % _LOOPBACK_HOSTS}"
        for client in self.by_address.values():
            port = self._open()
            if port is None:
                self._stats.rebindings_failed += 1
                continue
            if client.retired is not None:
                client.retired.close()
            self.drops = add_drops(self.drops, client.port.socket)
            del self.by_descriptor[client.port.fileno()]
            client.retired = client.port
            client.port = port
            self.by_descriptor[port.fileno()] = client
            self._stats.rebindings += 1

    def live_ports(self) -> Iterable[Port]:
        """Every live port."""
        return [client.port for client in self.by_address.values()]

    def close(self) -> None:
        """Forget all of them."""
        for client in self.by_address.values():
            client.close()
        self.by_address.clear()
        self.by_descriptor.clear()

    def _open(self) -> Port | None:
        with suppress(OSError):
            sock = open_connected(self._server, source=self._source)
            if sock.fileno() <= MAX_DESCRIPTOR:
                return self._make_port(sock)
            sock.close()
        return None
