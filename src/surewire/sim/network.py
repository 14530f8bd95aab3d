"""A network in virtual time: endpoints, links between them, and a heap of events.

An endpoint is anything with the five calls of a session. Time jumps from event to event, so an hour of
protocol time takes seconds. Everything random comes from seeded generators handed in with the links,
and events at the same time happen in the order in which they were scheduled: the same seed gives the
same trace, byte for byte, and `trace_hash` shows it.

A host may have a socket whose sendto blocks for a while, as the class-room network's does: then its endpoint is
polled only when no send is in progress, so that each datagram is built as late as it can be.

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
from surewire.impair import Delivery


class Endpoint(Protocol):
    """What the network drives: the contract of every session."""

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None: ...

    def handle_timeout(self, *, now: int) -> None: ...

    def poll_transmit(self, *, now: int) -> Train | None: ...

    def poll_timeout(self) -> int | None: ...

    def poll_event(self) -> Event | None: ...


class OneWayLink(Protocol):
    """What carries datagrams from one host to another: `impair.Link`, `impair.ClassroomLink`, or a test's own."""

    def transmit(self, datagram: bytes, *, now: int) -> list[Delivery]: ...


class Tap(Protocol):
    """What watches a network: it is told of every datagram and changes none."""

    def on_sent(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        """A host's socket took a datagram; whether it will arrive is not known yet."""

    def on_delivered(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        """A datagram is about to reach the host at `destination`, changed or not."""


class Host:
    """An endpoint at an address, its socket, and the application that uses it."""

    def __init__(
        self,
        address: Address,
        endpoint: Endpoint,
        on_event: Callable[[Event, int], None],
        *,
        on_turn: Callable[[int], bool] | None = None,
        send_time: int = 0,
    ) -> None:
        """A host, not yet on a network.

        Args:
            address: where it sends from and is found.
            endpoint: what the network drives.
            on_event: called with each event of the endpoint and the time; may call the endpoint's verbs.
            on_turn: called with the time after each round of polling, so that an application can read and
                write; returns True if it called a verb, after which the endpoint is polled again.
            send_time: ns one datagram occupies the sender before it enters the link, >= 0. Meanwhile
                nothing is polled for sending; timeouts and arrivals go on.
        """
        self.address = address
        self.endpoint = endpoint
        self.on_event = on_event
        self.on_turn = on_turn
        self.send_time = send_time
        self.is_sending = False  # a sendto blocks
        self.datagrams = 0  # given to sendto, those on no link included
        self.sent_bytes = 0  # of these datagrams, without headers of lower layers
        self.first_sent_at: int | None = None  # when sendto was first called, ns
        self.max_datagram = 0  # longest datagram sent, bytes
        self.wakeup: int | None = None

    def __repr__(self) -> str:
        return f"<Host {self.address}>"


_Arrival = tuple[Host, bytes, Address]
"""Where to, what, where from."""


class Network:
    """Hosts and one-way links, run in virtual time."""

    def __init__(self, *, start: int = 0, traced: bool = False, tap: Tap | None = None) -> None:
        """An empty network at time `start` (ns); `traced` keeps a hash of every datagram, `tap` is told of each."""
        self.now = start
        self.tap = tap
        self.datagrams = 0  # sent by any host
        self._hosts: dict[Address, Host] = {}
        self._links: dict[tuple[Host, Host], OneWayLink] = {}
        self._heap: list[tuple[int, int, Callable[[], None] | _Arrival]] = []
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

    def connect(self, source: Host, destination: Host, link: OneWayLink) -> None:
        """Let what `source` sends to `destination` pass through `link`."""
        self._links[source, destination] = link

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
        heap = self._heap
        while heap and heap[0][0] <= until:
            if stop is not None and stop():
                return True
            self.now, _, event = heappop(heap)
            if isinstance(event, tuple):  # nearly all are arrivals: a tuple costs less than a closure
                self._arrive(*event)
            else:
                event()
        return stop() if stop is not None else not heap

    def inject(self, datagram: bytes, *, source: Address, destination: Host) -> None:
        """Deliver a datagram that no host sent, as a stranger or a forger would."""
        destination.endpoint.handle_datagrams(datagram, len(datagram) or 1, source, now=self.now)
        self._service(destination)

    def _service(self, host: Host, *, has_rung: bool = False) -> None:
        self._take_turns(host)
        deadline = host.endpoint.poll_timeout()
        if deadline is None or (has_rung and host.is_sending and deadline <= self.now):
            return  # what is still due can only wait to be sent, and the end of the send serves the host anyway
        if host.wakeup is None or deadline < host.wakeup:
            self._wake_at(host, max(deadline, self.now))

    def _take_turns(self, host: Host) -> None:
        """Let endpoint and application act until neither has anything more to do now."""
        endpoint = host.endpoint
        busy = True
        while busy:
            busy = False
            while not host.is_sending and (train := endpoint.poll_transmit(now=self.now)) is not None:
                self._send(host, train)
            while (event := endpoint.poll_event()) is not None:
                host.on_event(event, self.now)
                busy = True
            if host.on_turn is not None and host.on_turn(self.now):
                busy = True

    def _wake_at(self, host: Host, time: int) -> None:
        host.wakeup = time

        def wake() -> None:
            if host.wakeup != time:
                return  # superseded by an earlier one
            host.wakeup = None
            deadline = host.endpoint.poll_timeout()
            is_due = deadline is not None and deadline <= self.now
            if is_due:
                host.endpoint.handle_timeout(now=self.now)
            self._service(host, has_rung=is_due)

        self.at(time, wake)

    def _send(self, host: Host, train: Train) -> None:
        """Give a train to the host's socket, one datagram after the other."""
        if host.first_sent_at is None:
            host.first_sent_at = self.now
        datagrams = train.datagrams()
        host.datagrams += len(datagrams)
        host.sent_bytes += train.nbytes
        host.max_datagram = max(host.max_datagram, min(train.stride, train.nbytes))
        if not host.send_time:
            self._leave(host, datagrams, train.destination)
            return
        host.is_sending = True
        for turn, datagram in enumerate(datagrams, 1):
            self._leave_later(host, datagram, train.destination, turn, is_last=turn == len(datagrams))

    def _leave_later(self, host: Host, datagram: bytes, destination: Address, turn: int, *, is_last: bool) -> None:
        def leave() -> None:
            self._leave(host, [datagram], destination)
            if is_last:
                host.is_sending = False
                self._service(host)

        self.at(self.now + turn * host.send_time, leave)

    def _leave(self, host: Host, datagrams: list[bytes], address: Address) -> None:
        """Put datagrams on the link to the host that has `address`, if there is one."""
        now, source = self.now, host.address
        self.datagrams += len(datagrams)
        destination = self._hosts.get(address)
        link = None if destination is None else self._links.get((host, destination))
        is_watched = self._trace is not None or self.tap is not None
        for datagram in datagrams:
            if is_watched:
                self._show(source, address, datagram)
            if destination is None or link is None:
                continue
            for at, delivered in link.transmit(datagram, now=now):
                self._sequence += 1
                arrival = (destination, delivered, source)
                heappush(self._heap, (at if at > now else now, self._sequence, arrival))

    def _show(self, source: Address, destination: Address, datagram: bytes) -> None:
        """Let those who watch see a datagram that leaves."""
        if self._trace is not None:
            self._trace.update(b"%d %r %r %d " % (self.now, source, destination, len(datagram)))
            self._trace.update(datagram)
        if self.tap is not None:
            self.tap.on_sent(source, destination, datagram, self.now)

    def _arrive(self, destination: Host, datagram: bytes, source: Address) -> None:
        if self.tap is not None:
            self.tap.on_delivered(source, destination.address, datagram, self.now)
        destination.endpoint.handle_datagrams(datagram, len(datagram) or 1, source, now=self.now)
        self._service(destination)
