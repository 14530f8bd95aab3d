"""A UDP relay in real time that puts an impaired path between clients and one server.

Each client address gets a socket of its own towards the server, so the server sees one source port a
client, as behind a NAT. All clients share one `Link` each way, like stations behind one router.

It is no firewall and no proxy for several servers: every address that sends to the listening socket
is relayed. ICMP errors end nothing and are not passed on (that would take a raw socket).

How it works: one thread waits for sockets and for the earliest due delivery; a datagram read goes
through its direction's link, and what comes out waits until due. Time counts from a datagram's arrival where the
system tells it (`relay_port.py`).

Invariants: no more than `BATCH` datagrams, and the rest of the last train, are read from a socket before due
deliveries go out and the other sockets get their turn; datagrams of one direction due at the same time leave in the
order they came in; every datagram the process has read is either in the links' counters or in
`RelayStats.overflowed`, `clients_refused`.
"""

from __future__ import annotations

import errno
import random
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, cast

from surewire.drivers.relay_clients import MAX_DESCRIPTOR, Client, Clients
from surewire.drivers.relay_config import LATE, RelayConfig, RelayStats
from surewire.drivers.relay_direction import WAITING_COST, Direction, Due
from surewire.drivers.relay_port import Arrival, Port
from surewire.drivers.relay_sockets import Endpoint, SocketAddress, Waker, add_drops, has_many_addresses, open_bound
from surewire.errors import ConfigError
from surewire.impair import LinkConfig, LinkStats

_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000

BATCH = 64
"""Datagrams read from one socket before the others get their turn: less than a millisecond of work."""

_DUE_BATCH = 128  # deliveries sent between two looks at the clock
_READ_BYTES = 65_536


class RelayTap(Protocol):
    """What watches a relay: it is told of every datagram and changes none. As `surewire.sim.network.Tap`."""

    def on_sent(self, source: SocketAddress, destination: SocketAddress, datagram: bytes, now: int) -> None:
        """A datagram is offered to the link. Addresses are the client's own and the server's, `now` its arrival."""

    def on_delivered(self, source: SocketAddress, destination: SocketAddress, datagram: bytes, now: int) -> None:
        """A datagram is about to be sent on, changed or not."""


class Relay:
    """A relay that listens from construction to `close`, and relays while `run` runs.

    `run` may be called again and again; between the calls datagrams wait in the sockets. `stop` and `post` may be
    called from any thread, everything else only where `run` is called (`post` brings it there).
    """

    def __init__(self, listen: Endpoint, server: Endpoint, config: RelayConfig, *, tap: RelayTap | None = None) -> None:
        """Bind the listening socket.

        Raises:
            OSError: it cannot be bound, or the process has so many files open that select() cannot watch it.
            ConfigError: the source address is to change, and towards this server there is only one.
        """
        rebinding = config.rebinding
        if rebinding is not None and rebinding.address and not has_many_addresses(server):
            raise ConfigError(f"the source address can change only towards a server on 127.x.x.x (Linux), not {server}")
        self._config = config
        self._server = server
        self._tap = tap
        self._up: Direction[Client] = Direction(config.up, random.Random(f"surewire relay {config.seed} up"))
        self._down: Direction[Client] = Direction(config.down, random.Random(f"surewire relay {config.seed} down"))
        self._stats = RelayStats()
        self._stopped = False
        self._begun = False
        self._next_sweep = 0
        self._next_rebinding: int | None = None
        self._posted: deque[Callable[[], None]] = deque()
        into = bytearray(_READ_BYTES)

        def make_port(sock: socket.socket) -> Port:
            return Port(sock, self._stats, into, offload=config.offload)

        self._clients = Clients(server, config.max_clients, self._stats, make_port)
        self._listener = make_port(open_bound(listen))
        try:
            self._waker = Waker()
        except OSError:
            self._listener.close()
            raise
        if max(self._listener.fileno(), self._waker.fileno()) > MAX_DESCRIPTOR:
            self.close()
            raise OSError(errno.EMFILE, f"this process has too many open files for a relay (over {MAX_DESCRIPTOR})")

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def endpoint(self) -> Endpoint:
        """Where clients send to, with the actual port."""
        sock = self._listener.socket
        return Endpoint(sock.family, sock.getsockname())

    @property
    def up(self) -> LinkStats:
        """Counters of the path from clients to the server, live."""
        return self._up.stats

    @property
    def down(self) -> LinkStats:
        """Counters of the path from the server to clients, live."""
        return self._down.stats

    @property
    def up_config(self) -> LinkConfig:
        """What the path from clients to the server does now."""
        return self._up.config(now=time.monotonic_ns())

    @property
    def down_config(self) -> LinkConfig:
        """What the path from the server to clients does now."""
        return self._down.config(now=time.monotonic_ns())

    @property
    def active_clients(self) -> int:
        """Clients that have a socket now."""
        return len(self._clients.by_address)

    def snapshot(self) -> RelayStats:
        """The relay's own counters as they are now; costs a system call a client. Not after `close`."""
        drops = self._clients.drops
        for port in (self._listener, *self._clients.live_ports()):
            drops = add_drops(drops, port.socket)
        return replace(self._stats, pending=len(self._up) + len(self._down), receive_drops=drops)

    def change(self, *, up: LinkConfig | None = None, down: LinkConfig | None = None) -> None:
        """From now on a path does something else; None leaves it as it is.

        Generators, counters and the zero of times go on; what is under way arrives as before, and the new
        bottleneck is empty.
        """
        if up is not None:
            self._up.change(up)
        if down is not None:
            self._down.change(down)

    def admit(self, client: SocketAddress) -> SocketAddress:
        """Give a client its source port before it has sent anything, as a port forwarding does.

        Returns:
            The address the server knows this client by, until it is rebound or idle for too long.

        Raises:
            OSError: there are too many clients, or the system gives no socket.
        """
        known = self._clients.by_address.get(client) or self._clients.admit(client, time.monotonic_ns())
        if known is None:
            raise OSError(errno.EMFILE, "no socket for another client")
        return cast(SocketAddress, known.port.socket.getsockname())

    def rebind(self, *, address: bool = False) -> None:
        """Give every client another source port towards the server now.

        Args:
            address: change the source address, too.

        Raises:
            ConfigError: there is only one address towards this server.
        """
        if address and not has_many_addresses(self._server):
            raise ConfigError(f"there is only one source address towards {self._server}")
        self._clients.rebind(address=address)

    def stop(self) -> None:
        """Make `run` return soon, now or when next called. For signal handlers and other threads."""
        self._stopped = True
        self._waker.wake()

    def post(self, action: Callable[[], None]) -> None:
        """Have `action` called soon where `run` runs, or when next it does. It must be quick and raise nothing."""
        self._posted.append(action)
        self._waker.wake()

    def run(self, duration: int | None = None) -> bool:
        """Relay until `stop` is called or the time is over.

        Args:
            duration: ns, None for no limit; 0 relays what is waiting, at most a batch of each socket.

        Returns:
            Whether `stop` was called.
        """
        deadline = None if duration is None else time.monotonic_ns() + duration
        while not self._stopped:
            self._deliver_due()
            now = time.monotonic_ns()
            self._do_chores(now)
            for descriptor in self._wait(now, deadline):
                self._drain(descriptor)
                self._deliver_due()
            if deadline is not None and time.monotonic_ns() >= deadline:
                break
        return self._stopped

    def close(self) -> None:
        """Close every socket; deliveries not yet due are gone."""
        self._clients.close()
        self._listener.close()
        self._waker.close()

    def _wait(self, now: int, deadline: int | None) -> list[int]:
        """Wait until something is readable or due, or the time is over; the readable descriptors."""
        wake = self._next_sweep
        for at in (self._up.next_at, self._down.next_at, self._next_rebinding, deadline):
            if at is not None and at < wake:
                wake = at
        watched = [self._listener.fileno(), self._waker.fileno(), *self._clients.by_descriptor]
        readable, _, _ = select.select(watched, (), (), max(0, wake - now) / _NS_PER_S)
        return readable

    def _drain(self, descriptor: int) -> None:
        client = self._clients.by_descriptor.get(descriptor)
        if client is not None:
            self._read(client.port, client)
        elif descriptor == self._listener.fileno():
            self._read(self._listener, None)
        else:
            self._waker.clear()

    def _read(self, port: Port, owner: Client | None) -> None:
        """Take a batch from a port: a client's own, or the one where all of them send to."""
        left = BATCH
        while left > 0:
            try:
                arrival = port.read()
            except BlockingIOError:
                return
            except OSError:
                self._stats.icmp_errors += 1
                left -= 1
                continue
            left -= len(arrival.datagrams)
            self._relay(arrival, owner)

    def _relay(self, arrival: Arrival, owner: Client | None) -> None:
        """Send what arrived into its link and queue what will come out."""
        datagrams, source, now = arrival
        stats = self._stats
        client = owner or self._clients.by_address.get(source) or self._clients.admit(source, now)
        if client is None:
            stats.clients_refused += len(datagrams)
            return
        if not self._begun:
            self._begin(now)
        client.last_active = now
        up, down = self._up, self._down
        direction = up if owner is None else down
        for datagram in datagrams:
            if up.pending_bytes + down.pending_bytes + len(datagram) + WAITING_COST > self._config.max_pending_bytes:
                stats.overflowed += 1
                continue
            if self._tap is not None:
                self._tap.on_sent(*self._ends(client, up=owner is None), datagram, now)
            direction.offer(client, datagram, now=now)

    def _begin(self, now: int) -> None:
        """The first datagram is the zero of all times, in both directions, so that a blackout hits them together."""
        self._begun = True
        self._up.begin(now=now)
        self._down.begin(now=now)
        if self._config.rebinding is not None:
            self._next_rebinding = now + self._config.rebinding.first

    def _deliver_due(self) -> None:
        for direction in (self._up, self._down):
            # The end is fixed, so that a backlog cannot keep the sockets waiting.
            now = end = time.monotonic_ns()
            while (at := direction.next_at) is not None and at <= end:
                due = direction.take(_DUE_BATCH, now=end)
                self._note_lateness(due, now)
                self._send(due, up=direction is self._up)
                now = time.monotonic_ns()

    def _note_lateness(self, due: list[Due[Client]], now: int) -> None:
        stats = self._stats
        worst = now - due[0][0]
        if worst > stats.worst_lateness:
            stats.worst_lateness = worst
        if worst > LATE:
            stats.late += sum(now - at > LATE for at, _, _, _ in due)

    def _send(self, due: list[Due[Client]], *, up: bool) -> None:
        """Send deliveries on, neighbours of one client together."""
        start = 0
        while start < len(due):
            client = due[start][2]
            end = start + 1
            while end < len(due) and due[end][2] is client:
                end += 1
            datagrams = [one[3] for one in due[start:end]]
            if self._tap is not None:
                for datagram in datagrams:
                    self._tap.on_delivered(*self._ends(client, up=up), datagram, time.monotonic_ns())
            if up:
                client.port.send(datagrams, None)
            else:
                self._listener.send(datagrams, client.address)
            start = end

    def _ends(self, client: Client, *, up: bool) -> tuple[SocketAddress, SocketAddress]:
        server = self._server.address
        return (client.address, server) if up else (server, client.address)

    def _do_chores(self, now: int) -> None:
        while self._posted:
            self._posted.popleft()()
        if now >= self._next_sweep:
            idle_timeout = self._config.idle_timeout
            # Four looks in a timeout: a client is closed at most a quarter of it too late.
            self._next_sweep = now + max(idle_timeout // 4, _NS_PER_MS)
            self._clients.evict(now - idle_timeout, self._up.owners() | self._down.owners())
        rebinding = self._config.rebinding
        if rebinding is not None and self._next_rebinding is not None and now >= self._next_rebinding:
            self._clients.rebind(address=rebinding.address)
            # Each at its own time, however late this one was; missed ones are not made up for.
            every = rebinding.every
            missed = 0 if every is None else (now - self._next_rebinding) // every
            self._next_rebinding = None if every is None else self._next_rebinding + (missed + 1) * every
