"""Connections that do nothing but note what an endpoint asks of them, and what an endpoint is told by hand."""

from __future__ import annotations

import random
from collections import deque
from typing import Any, cast

from surewire.core.trains import Address, Train
from surewire.core.units import NS_PER_S
from surewire.crypto.checked import CheckedClient, CheckedServer
from surewire.crypto.crc32c import crc32c
from surewire.errors import HandshakeFailed
from surewire.native.admission import AdmissionConfig
from surewire.native.config import NativeConfig
from surewire.native.connection import Connection
from surewire.native.endpoint import Endpoint
from surewire.wire.native_datagram import SHORT, SHORT_FORM, VERSION, Hello, LongDatagram, emit
from surewire.wire.slots import Slots

S = NS_PER_S
CLIENT: Address = ("192.0.2.1", 5000)
PEER: Address = ("203.0.113.1", 4433)


class FakeConnection:
    """Has the attributes that an endpoint reads as plain fields, for tests to set."""

    def __init__(self, peer: Address, connection_id: bytes) -> None:
        self.peer = peer
        self.connection_id = connection_id
        self.trailer = 4
        self.asked_at = 0
        self.is_established = False
        self.is_closed = False
        self.deadline: int | None = None
        self.next_deadline: int | None = None  # after the present one has passed
        self.trains: deque[Train] = deque()
        self.polls = 0
        self.deadline_reads = 0
        self.timeouts: list[int] = []
        self.refusals = 0
        self.too_long: list[int] = []
        self.received: list[bytes] = []
        self.calls: list[tuple[int, int]] = []  # first and stop of each call
        self.sources: list[Address] = []
        self.long: list[LongDatagram] = []
        self.opened_with: dict[str, Any] = {}

    @classmethod
    def open(cls, peer: Address, *, connection_id: bytes, **others: Any) -> FakeConnection:
        connection = cls(peer, connection_id)
        connection.opened_with = others
        connection.queue(b"hello")
        return connection

    @classmethod
    def accept(cls, hello: Hello, *, source: Address, connection_id: bytes, **others: Any) -> FakeConnection:
        if hello.message == b"wrong key":
            raise HandshakeFailed("wrong key")
        connection = cls(source, connection_id)
        connection.opened_with = others
        connection.queue(b"welcome")
        return connection

    def queue(self, *datagrams: bytes) -> None:
        self.trains.extend(Train([datagram], len(datagram), len(datagram), self.peer) for datagram in datagrams)

    def poll_transmit(self, *, now: int) -> Train | None:
        self.polls += 1
        return self.trains.popleft() if self.trains else None

    def poll_timeout(self) -> int | None:
        self.deadline_reads += 1
        return self.deadline

    def handle_timeout(self, *, now: int) -> None:
        self.timeouts.append(now)
        self.deadline = self.next_deadline

    def handle_refused(self, *, now: int) -> None:
        self.refusals += 1

    def handle_too_long(self, size: int, *, now: int) -> None:
        self.too_long.append(size)

    def handle_datagrams(self, slots: Slots, first: int, stop: int, source: Address, *, now: int) -> None:
        self.calls.append((first, stop))
        self.sources.append(source)
        for index in range(first, stop):
            datagram = slots.datagrams[index]
            assert datagram[1:9] == self.connection_id
            assert len(slots.bodies[index]) == len(datagram) - 13 - self.trailer >= 0
            self.received.append(bytes(datagram))
            slots.bodies[index][:] = bytes(len(slots.bodies[index]))  # opened in place

    def handle_long(self, packet: LongDatagram, source: Address, nbytes: int, *, now: int) -> None:
        self.long.append(packet)


def fake_endpoint(
    *,
    server: bool = False,
    limits: AdmissionConfig | None = None,
    config: NativeConfig | None = None,
    made: list[FakeConnection] | None = None,
    kind: type[FakeConnection] = FakeConnection,
    rng: random.Random | None = None,
) -> Endpoint:
    """An endpoint that makes such connections, at time 0; `made` gets all of them, half-open ones too."""

    class Noted(kind):  # type: ignore[valid-type, misc]
        def __init__(self, peer: Address, connection_id: bytes) -> None:
            super().__init__(peer, connection_id)
            if made is not None:
                made.append(self)

    return Endpoint(
        CheckedServer() if server else None,
        config=config or NativeConfig(),
        rng=rng or random.Random(1),
        now=0,
        limits=limits,
        kind=cast("type[Connection]", Noted),
    )


def connect(endpoint: Endpoint, peer: Address = PEER, *, now: int = 0) -> FakeConnection:
    """A connection opened from here, whose HELLO was sent."""
    connection = cast(FakeConnection, endpoint.connect(peer, security=CheckedClient(), now=now))
    drain(endpoint, now=now)
    return connection


# What an endpoint that makes such connections says of them.


def alive(endpoint: Endpoint) -> list[FakeConnection]:
    """Those it names."""
    return cast("list[FakeConnection]", endpoint.connections)


def changed(endpoint: Endpoint) -> list[FakeConnection]:
    """Those to look at."""
    return cast("list[FakeConnection]", endpoint.take_changed())


def accepted(endpoint: Endpoint) -> FakeConnection | None:
    """The next one that was established from outside."""
    return cast("FakeConnection | None", endpoint.poll_accept())


def touch(endpoint: Endpoint, connection: FakeConnection) -> None:
    """A verb was called."""
    endpoint.touch(cast(Connection, connection))


# What is sent to it.


def drain(endpoint: Endpoint, *, now: int = 0) -> list[Train]:
    """All that wants to be sent."""
    trains = []
    while (train := endpoint.poll_transmit(now=now)) is not None:
        trains.append(train)
    return trains


def short(connection_id: bytes, size: int = 100, *, phase: int = 0, mark: int = 0) -> bytes:
    """A short datagram for the connection; `mark` tells it from others."""
    return SHORT.pack(SHORT_FORM | phase, connection_id, mark).ljust(size, b"\xaa")


def hello(
    number: int = 1, *, cookie: bytes = b"", message: bytes = b"", suite: int = 0, version: int = VERSION
) -> Hello:
    """The HELLO of attempt `number`."""
    return Hello(number.to_bytes(8, "big"), version, (number << 32).to_bytes(8, "big"), suite, cookie, message)


def emitted(packet: LongDatagram) -> bytes:
    """A long datagram as bytes."""
    return emit(packet, crc32c)


def say(endpoint: Endpoint, packet: LongDatagram, source: Address = CLIENT, *, now: int = 0) -> list[Train]:
    """Let a long datagram arrive, and return what is sent then."""
    datagram = emitted(packet)
    endpoint.handle_datagrams(datagram, len(datagram), source, now=now)
    return drain(endpoint, now=now)
