"""A UDP relay in real time that puts an impaired path between clients and one server.

Each client address gets a socket of its own towards the server, so the server sees one source port a
client, as behind a NAT. All clients share one `Link` each way, like stations behind one router.

It is no firewall and no proxy for several servers: every address that sends to the listening socket
is relayed. ICMP errors end nothing and are not passed on (that would take a raw socket).

How it works: one thread waits for sockets and for the earliest due delivery; a datagram read goes
through its direction's link, and what comes out waits in a heap until due.

Invariants: no socket is read more than `BATCH` times before due deliveries go out and the other
sockets get their turn; datagrams due at the same time leave in the order they came in; every
datagram the process has read is either in the links' counters or in `RelayStats.overflowed`,
`clients_refused`.
"""

from __future__ import annotations

import contextlib
import heapq
import random
import selectors
import socket
import time
from dataclasses import dataclass, field, replace

from surewire.drivers.relay_sockets import Endpoint, SocketAddress, add_drops, open_bound, open_connected
from surewire.errors import ConfigError
from surewire.impair import Link, LinkConfig, LinkStats

_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000

BATCH = 64
"""Datagrams read from one socket before the others get their turn: about a millisecond of work."""

LATE = 5 * _NS_PER_MS
"""A delivery this many ns past its time counts as late: far above what a waiting process needs to
wake up, far below the round-trip times that are worth emulating."""

_MAX_DATAGRAM = 65535
# select() takes no higher descriptor (FD_SETSIZE); it is used because its timeout counts
# microseconds, where epoll's and poll's round up to milliseconds and would add as much delay.
_MAX_DESCRIPTOR = 1023


@dataclass(frozen=True, kw_only=True, slots=True)
class RelayConfig:
    """What a relay does and how much it may take.

    Attributes:
        up: the path from clients to the server.
        down: the path from the server to clients.
        seed: the two links' generators are derived from it; same seed, same decisions.
        max_clients: clients served at once, 1..900; the datagrams of others are dropped and counted.
            Default 256: a socket each, well below the usual limit of 1,024 open files.
        idle_timeout: ns without a datagram either way after which a client's socket is closed, > 0.
            Default five minutes, as RFC 4787 section 4.3 recommends for a NAT.
        max_pending_bytes: bytes waiting to be delivered at any time, > 0; what comes beyond is dropped
            and counted. Default 256 MiB: two seconds of a gigabit a second.

    Raises:
        ConfigError: a value is out of range.
    """

    up: LinkConfig = field(default_factory=LinkConfig)
    down: LinkConfig = field(default_factory=LinkConfig)
    seed: int = 0
    max_clients: int = 256
    idle_timeout: int = 300 * _NS_PER_S
    max_pending_bytes: int = 256 * 1024 * 1024

    def __post_init__(self) -> None:
        if not 1 <= self.max_clients <= 900:
            raise ConfigError(f"max_clients must be 1 to 900, not {self.max_clients}")
        if self.idle_timeout <= 0 or self.max_pending_bytes <= 0:
            raise ConfigError("idle_timeout and max_pending_bytes must be above 0")


@dataclass(slots=True)
class RelayStats:
    """What happened beside the links.

    Attributes:
        clients: addresses given a socket since the start, an address that came back counted again.
        clients_evicted: of these, closed for being idle.
        clients_refused: datagrams dropped because their client got no socket.
        late: deliveries sent more than `LATE` after their time.
        worst_lateness: the longest delay of a delivery past its time, ns.
        overflowed: datagrams dropped because `max_pending_bytes` were waiting.
        unsent: deliveries the system refused to send (a full socket buffer, no route, too long).
        icmp_errors: errors reported by the other hosts, most often a closed port.
        pending: deliveries not yet due.
        receive_drops: datagrams the system dropped because the relay did not read fast enough;
            None where the system does not tell.
    """

    clients: int = 0
    clients_evicted: int = 0
    clients_refused: int = 0
    late: int = 0
    worst_lateness: int = 0
    overflowed: int = 0
    unsent: int = 0
    icmp_errors: int = 0
    pending: int = 0
    receive_drops: int | None = None


class _Client:
    """One client address and its socket towards the server."""

    __slots__ = ("address", "last_active", "pending", "socket")

    def __init__(self, address: SocketAddress, sock: socket.socket, now: int) -> None:
        self.address = address
        self.socket = sock
        self.last_active = now
        self.pending = 0


class Relay:
    """A relay that listens from construction to `close`, and relays while `run` runs.

    `run` may be called again and again; between the calls datagrams wait in the sockets.
    """

    def __init__(self, listen: Endpoint, server: Endpoint, config: RelayConfig) -> None:
        """Bind the listening socket.

        Raises:
            OSError: it cannot be bound.
        """
        self._config = config
        self._server = server
        self._up = Link(config.up, random.Random(f"surewire relay {config.seed} up"))
        self._down = Link(config.down, random.Random(f"surewire relay {config.seed} down"))
        self._stats = RelayStats()
        self._clients: dict[SocketAddress, _Client] = {}
        self._due: list[tuple[int, int, _Client, bool, bytes]] = []
        self._due_count = 0
        self._pending_bytes = 0
        self._stopped = False
        self._next_sweep = 0
        self._listener = open_bound(listen)
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._selector = selectors.SelectSelector()
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def endpoint(self) -> Endpoint:
        """Where clients send to, with the actual port."""
        return Endpoint(self._listener.family, self._listener.getsockname())

    @property
    def up(self) -> LinkStats:
        """Counters of the path from clients to the server, live."""
        return self._up.stats

    @property
    def down(self) -> LinkStats:
        """Counters of the path from the server to clients, live."""
        return self._down.stats

    @property
    def active_clients(self) -> int:
        """Clients that have a socket now."""
        return len(self._clients)

    def snapshot(self) -> RelayStats:
        """The relay's own counters as they are now; costs a system call a client. Not after `close`."""
        drops = self._stats.receive_drops
        for sock in (self._listener, *(client.socket for client in self._clients.values())):
            drops = add_drops(drops, sock)
        return replace(self._stats, pending=len(self._due), receive_drops=drops)

    def stop(self) -> None:
        """Make `run` return soon, now or when next called. For signal handlers and other threads."""
        self._stopped = True
        # A full pipe wakes the loop as well as one more byte would, and a closed relay needs no waking.
        with contextlib.suppress(OSError):
            self._wake_write.send(b"\0")

    def run(self, duration: int | None = None) -> bool:
        """Relay until `stop` is called or the time is over.

        Args:
            duration: ns, None for no limit; 0 relays what is waiting, at most `BATCH` a socket.

        Returns:
            Whether `stop` was called.
        """
        deadline = None if duration is None else time.monotonic_ns() + duration
        while not self._stopped:
            self._deliver_due()
            now = time.monotonic_ns()
            if now >= self._next_sweep:
                self._sweep(now)
            wake = self._next_sweep if deadline is None else min(deadline, self._next_sweep)
            if self._due:
                wake = min(wake, self._due[0][0])
            for key, _ in self._selector.select(max(0, wake - now) / _NS_PER_S):
                self._drain(key)
                self._deliver_due()
            if deadline is not None and time.monotonic_ns() >= deadline:
                break
        return self._stopped

    def close(self) -> None:
        """Close every socket; deliveries not yet due are gone."""
        for client in self._clients.values():
            client.socket.close()
        self._clients.clear()
        self._selector.close()
        self._listener.close()
        self._wake_read.close()
        self._wake_write.close()

    def _drain(self, key: selectors.SelectorKey) -> None:
        if key.fileobj is self._listener:
            self._drain_listener()
        elif key.fileobj is self._wake_read:
            self._wake_read.recv(4096)
        else:
            self._drain_client(key.data)

    def _drain_listener(self) -> None:
        for _ in range(BATCH):
            try:
                datagram, address = self._listener.recvfrom(_MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:
                self._stats.icmp_errors += 1
                continue
            now = time.monotonic_ns()
            client = self._clients.get(address) or self._admit(address, now)
            if client is None:
                self._stats.clients_refused += 1
                continue
            self._relay(client, datagram, up=True, now=now)

    def _drain_client(self, client: _Client) -> None:
        for _ in range(BATCH):
            try:
                datagram = client.socket.recv(_MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:
                self._stats.icmp_errors += 1
                continue
            self._relay(client, datagram, up=False, now=time.monotonic_ns())

    def _relay(self, client: _Client, datagram: bytes, *, up: bool, now: int) -> None:
        """Send a datagram into its link and queue what will come out."""
        client.last_active = now
        # One zero for both directions, so that a blackout hits them together.
        self._up.begin(now=now)
        self._down.begin(now=now)
        if self._pending_bytes + len(datagram) > self._config.max_pending_bytes:
            self._stats.overflowed += 1
            return
        link = self._up if up else self._down
        for at, copy in link.transmit(datagram, now=now):
            # The count keeps equal times in order and spares comparing clients.
            self._due_count += 1
            heapq.heappush(self._due, (at, self._due_count, client, up, copy))
            self._pending_bytes += len(copy)
            client.pending += 1

    def _deliver_due(self) -> None:
        due = self._due
        stats = self._stats
        # The clock stands still for the choice, so that a backlog cannot keep the sockets waiting.
        now = time.monotonic_ns()
        while due and due[0][0] <= now:
            at, _, client, up, datagram = heapq.heappop(due)
            self._pending_bytes -= len(datagram)
            client.pending -= 1
            lateness = time.monotonic_ns() - at
            if lateness > stats.worst_lateness:
                stats.worst_lateness = lateness
            if lateness > LATE:
                stats.late += 1
            self._send(client, datagram, up=up)

    def _send(self, client: _Client, datagram: bytes, *, up: bool) -> None:
        # A connected socket reports an ICMP error that came earlier instead of sending; the second
        # try is the one that sends.
        for _ in range(2):
            try:
                if up:
                    client.socket.send(datagram)
                else:
                    self._listener.sendto(datagram, client.address)
                return
            except ConnectionRefusedError:
                self._stats.icmp_errors += 1
            except OSError:
                break
        self._stats.unsent += 1

    def _admit(self, address: SocketAddress, now: int) -> _Client | None:
        """Give a new client its socket; None if there is none to give."""
        if len(self._clients) >= self._config.max_clients:
            return None
        try:
            sock = open_connected(self._server)
        except OSError:
            return None
        if sock.fileno() > _MAX_DESCRIPTOR:
            sock.close()
            return None
        client = _Client(address, sock, now)
        self._clients[address] = client
        self._selector.register(sock, selectors.EVENT_READ, client)
        self._stats.clients += 1
        return client

    def _sweep(self, now: int) -> None:
        """Close the sockets of idle clients and set the time of the next look."""
        idle_timeout = self._config.idle_timeout
        # Four looks in a timeout: a client is closed at most a quarter of it too late.
        self._next_sweep = now + max(idle_timeout // 4, _NS_PER_MS)
        idle = [c for c in self._clients.values() if not c.pending and now - c.last_active >= idle_timeout]
        for client in idle:
            self._stats.receive_drops = add_drops(self._stats.receive_drops, client.socket)
            self._stats.clients_evicted += 1
            self._selector.unregister(client.socket)
            client.socket.close()
            del self._clients[client.address]
