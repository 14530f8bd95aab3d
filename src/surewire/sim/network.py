"""A network in virtual time: endpoints, links between them, and a heap of events.

An endpoint is anything with the five calls of a session. Time jumps from event to event, so an hour of
protocol time takes seconds. Everything random comes from seeded generators handed in with the links,
and events at the same time happen in the order in which they were scheduled: the same seed gives the
same trace, byte for byte, and `trace_hash` shows it.

Limits: links are perfect about time (no scheduling noise), hosts take no time to compute, and a socket
buffer is modelled only by a link's queue.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Protocol

from surewire.core.events import Event
from surewire.core.trains import Address, Buffer, Train
from surewire.impair import Link


class Endpoint(Protocol):
    """What the network drives: the contract of every session."""

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None: ...

    def handle_timeout(self, *, now: int) -> None: ...

    def poll_transmit(self, *, now: int) -> Train | None: ...

    def poll_timeout(self) -> int | None: ...

    def poll_event(self) -> Event | None: ...


class Host:
    """An endpoint at an address. `on_event` is the application: it may call the endpoint's verbs."""

    def __init__(self, address: Address, endpoint: Endpoint, on_event: Callable[[Event, int], None]) -> None:
        self.address = address
        self.endpoint = endpoint
        self.on_event = on_event
        self.max_datagram = 0  # longest datagram sent, bytes
        self.wakeup: int | None = None

    def __repr__(self) -> str:
        return f"<Host {self.address}>"


class Network:
    """Hosts and one-way links, run in virtual time."""

    def __init__(self, *, start: int = 0, traced: bool = False) -> None:
        self.now = start
        self.datagrams = 0  # sent by any host
        self._hosts: dict[Address, Host] = {}
        self._links: dict[tuple[int, int], Link] = {}
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._sequence = 0
        self._trace = hashlib.sha256() if traced else None

    @property
    def trace_hash(self) -> str:
        """SHA-256 over every datagram with its time, source and destination.

        Raises:
            ValueError: the network was made without `traced`.
        """
        if self._trace is None:
            raise ValueError("this network keeps no trace")
        return self._trace.hexdigest()

    def add(self, host: Host) -> None:
        """Put a host on the network and let it send what it has to say."""
        self._hosts[host.address] = host
        self.at(self.now, lambda: self._service(host))

    def connect(self, source: Host, destination: Host, link: Link) -> None:
        """Let what `source` sends to `destination` pass through `link`."""
        self._links[id(source), id(destination)] = link

    def rebind(self, host: Host, address: Address) -> None:
        """Give a host another address from now on, as a NAT that lost its binding does."""
        del self._hosts[host.address]
        host.address = address
        self._hosts[address] = host

    def at(self, time: int, action: Callable[[], None]) -> None:
        """Run `action` at `time` (ns, not before now)."""
        self._sequence += 1
        heappush(self._heap, (max(time, self.now), self._sequence, action))

    def service(self, host: Host) -> None:
        """Let a host act after its endpoint was called from outside the network."""
        self._service(host)

    def run(self, *, until: int, stop: Callable[[], bool] | None = None) -> bool:
        """Run until `stop` says so or nothing is left before time `until` (ns).

        Returns:
            True when `stop` ended the run (or, without one, when no event was left).
        """
        while self._heap and self._heap[0][0] <= until:
            if stop is not None and stop():
                return True
            time, _, action = heappop(self._heap)
            self.now = time
            action()
        return stop() if stop is not None else not self._heap

    def inject(self, datagram: bytes, *, source: Address, destination: Host) -> None:
        """Deliver a datagram that no host sent, as a stranger or a forger would."""
        destination.endpoint.handle_datagrams(datagram, max(len(datagram), 1), source, now=self.now)
        self._service(destination)

    def _service(self, host: Host) -> None:
        endpoint = host.endpoint
        busy = True
        while busy:
            busy = False
            while (train := endpoint.poll_transmit(now=self.now)) is not None:
                self._send(host, train)
            while (event := endpoint.poll_event()) is not None:
                host.on_event(event, self.now)
                busy = True
        deadline = endpoint.poll_timeout()
        if deadline is not None and (host.wakeup is None or deadline < host.wakeup):
            self._wake_at(host, max(deadline, self.now))

    def _wake_at(self, host: Host, time: int) -> None:
        host.wakeup = time

        def wake() -> None:
            if host.wakeup != time:
                return  # superseded by an earlier one
            host.wakeup = None
            deadline = host.endpoint.poll_timeout()
            if deadline is not None and deadline <= self.now:
                host.endpoint.handle_timeout(now=self.now)
            self._service(host)

        self.at(time, wake)

    def _send(self, host: Host, train: Train) -> None:
        destination = self._hosts.get(train.destination)
        for datagram in train.datagrams():
            self.datagrams += 1
            host.max_datagram = max(host.max_datagram, len(datagram))
            if self._trace is not None:
                self._trace.update(b"%d %r %r %d " % (self.now, host.address, train.destination, len(datagram)))
                self._trace.update(datagram)
            if destination is None:
                continue
            link = self._links.get((id(host), id(destination)))
            if link is None:
                continue
            for at, delivered in link.transmit(datagram, now=self.now):
                self._deliver(at, delivered, host.address, destination)

    def _deliver(self, at: int, datagram: bytes, source: Address, destination: Host) -> None:
        def arrive() -> None:
            destination.endpoint.handle_datagrams(datagram, max(len(datagram), 1), source, now=self.now)
            self._service(destination)

        self.at(at, arrive)
