"""Two connections and a path between them in virtual time.

No endpoint, no sockets: a `Pair` routes by who sent it. A path is a function from each datagram to when its copies
arrive, so a test can lose, repeat, change or hold back exactly the datagrams it means. As an endpoint does, the pair
repeats the last word of a connection that is over (`LastWord`) when something still comes for it.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Iterator
from itertools import count, groupby

from fuzz.native_peer import CLIENT, CLIENT_ID, MS, SERVER, SERVER_ID, S, Security, checked
from surewire.core.events import Closed, Established, Event
from surewire.core.trains import Address
from surewire.crypto.crc32c import crc32c
from surewire.crypto.sealed import PskClient, PskServer
from surewire.errors import MalformedSegment
from surewire.impair import Link, LinkConfig
from surewire.native.config import NativeConfig
from surewire.native.connection import Connection
from surewire.native.last_words import LastWord
from surewire.wire import native_datagram as wire
from surewire.wire.slots import Slots

SECRET = bytes(range(32))

Path = Callable[["Hop"], Iterable[tuple[int, bytes]]]
"""When the copies of a datagram arrive, from now on in ns, and what is in them."""


def sealed() -> Security:
    """A shared key: the cheapest of the sealed handshakes."""
    return PskClient(SECRET), PskServer(SECRET)


BOTH = {"checked": checked, "sealed": sealed}


class Hop:
    """A datagram about to travel."""

    __slots__ = ("data", "now", "number", "sender")

    def __init__(self, sender: str, number: int, data: bytes, now: int) -> None:
        self.sender = sender  # "client" or "server"
        self.number = number  # of this sender, from 0
        self.data = data
        self.now = now

    @property
    def is_long(self) -> bool:
        return wire.is_long(self.data[0])


def content(size: int, seed: int = 0) -> bytes:
    return random.Random(f"{size} {seed}").randbytes(size)


def linked(forward: LinkConfig, backward: LinkConfig | None = None, *, seed: int = 1) -> Path:
    """A path of two links as the simulator has them."""
    links = {
        "client": Link(forward, random.Random(f"{seed} f")),
        "server": Link(backward or forward, random.Random(f"{seed} b")),
    }

    def path(hop: Hop) -> Iterator[tuple[int, bytes]]:
        for delivery in links[hop.sender].transmit(hop.data, now=hop.now):
            yield delivery.at - hop.now, delivery.datagram

    return path


def steady(delay: int = 10 * MS) -> Path:
    """Loses nothing."""
    return lambda hop: [(delay, hop.data)]


def dropping(lost: Callable[[Hop], bool], delay: int = 10 * MS) -> Path:
    """Loses what the test says."""
    return lambda hop: [] if lost(hop) else [(delay, hop.data)]


class End:
    """A connection, what it was to send, and what it has received."""

    def __init__(self, name: str, address: Address) -> None:
        self.name = name
        self.address = address
        self.connection: Connection | None = None
        self.events: list[Event] = []
        self.received = bytearray()
        self.sent = 0  # datagrams
        self.last_word: LastWord | None = None
        self.closed_at: int | None = None
        self.left = memoryview(b"")
        self.reads = True
        self.finishes = True  # once all is written
        self.waits_for_end = False  # before it finishes

    @property
    def it(self) -> Connection:
        assert self.connection is not None, f"no {self.name} yet"
        return self.connection

    @property
    def closed(self) -> Closed | None:
        return next((event for event in self.events if isinstance(event, Closed)), None)

    @property
    def error(self) -> Exception | None:
        return self.closed.error if self.closed is not None else None

    def act(self, now: int) -> None:
        """Read and write what can be."""
        connection = self.connection
        if connection is None:
            return
        if self.reads:
            while data := connection.read(1 << 20, now=now):
                self.received += data
        if connection.is_closed:
            return
        while self.left and connection.room:
            self.left = self.left[connection.write(self.left, now=now) :]
        if not self.left and self.finishes and (connection.has_ended or not self.waits_for_end):
            connection.finish(now=now)


class Pair:
    """A client and a server, and the datagrams between them."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        seed: int = 1,
        config: NativeConfig | None = None,
        server_config: NativeConfig | None = None,
        security: Security | None = None,
        to_server: bytes = b"",
        to_client: bytes = b"",
    ) -> None:
        self.rng = random.Random(seed)
        self.now = S
        self.path = path or steady()
        self.config = config or NativeConfig()
        self.server_config = server_config or self.config
        client, self.server_security = security or checked()
        self.client, self.server = End("client", CLIENT), End("server", SERVER)
        self.client.left, self.server.left = memoryview(to_server), memoryview(to_client)
        self.client.connection = Connection.open(
            SERVER, security=client, connection_id=CLIENT_ID, config=self.config, rng=self.rng, now=self.now
        )
        self.log: list[Hop] = []
        self.reaches: Callable[[End, Address], bool] = lambda end, address: True  # whether this address leads to an end
        self._order = count()
        self._air: list[tuple[int, int, str, Address, bytes]] = []

    @property
    def ends(self) -> tuple[End, End]:
        return self.client, self.server

    # Time.

    def run(self, seconds: float = 60.0, *, until: Callable[[], bool] | None = None) -> bool:
        """Go on for so long, or until the condition holds (True), or nothing is left to happen (False)."""
        limit, steps, stuck_at = self.now + int(seconds * S), 0, -1
        self.settle()
        while until is None or not until():
            at = self._next_at()
            if at is None or at > limit:
                self.now = limit if at is not None else self.now
                return False
            steps = steps + 1 if at <= stuck_at else 0
            assert steps < 500, f"time stands still at {self.now}"
            stuck_at = self.now = max(self.now, at)
            self._tick()
            self.settle()
        return True

    def _next_at(self) -> int | None:
        deadlines = [end.connection.poll_timeout() for end in self.ends if end.connection is not None]
        times = [at for at in deadlines if at is not None] + ([self._air[0][0]] if self._air else [])
        return min(times, default=None)

    def _tick(self) -> None:
        for end in self.ends:
            if end.connection is not None and (at := end.connection.poll_timeout()) is not None and at <= self.now:
                end.connection.handle_timeout(now=self.now)
        arrived = []
        while self._air and self._air[0][0] <= self.now:
            _, _, name, source, data = heapq.heappop(self._air)
            arrived.append((name, source, data))
        for (name, source), group in groupby(arrived, key=lambda each: each[:2]):
            self.deliver(name, source, [data for _, _, data in group])

    def settle(self) -> None:
        """Let both applications act, and all go out that may."""
        for end in self.ends:
            end.act(self.now)
            self.flush(end)

    def flush(self, end: End) -> None:
        """Send what the end has to send, and note its events."""
        connection = end.connection
        if connection is None:
            return
        for _ in range(10_000):
            train = connection.poll_transmit(now=self.now)
            if train is None:
                break
            if connection.is_closed:
                assert train.datagram_count == 1, "more than a last word after the end"
                end.last_word = LastWord(train, now=self.now)
            other = self.server if end is self.client else self.client
            for data in train.datagrams():
                self.send(end, data, arrives=self.reaches(other, train.destination))
        else:
            raise AssertionError("it never stops sending")
        while (event := connection.poll_event()) is not None:
            assert end.closed is None, "an event follows the end"
            end.events.append(event)
            end.closed_at = self.now if isinstance(event, Closed) else None
        assert (end.closed is not None) is connection.is_closed
        assert not connection.is_closed or connection.poll_timeout() is None

    # Datagrams.

    def send(self, end: End, data: bytes, *, arrives: bool = True) -> None:
        """Let a datagram travel, perhaps to where nobody is."""
        hop = Hop(end.name, end.sent, data, self.now)
        end.sent += 1
        self.log.append(hop)
        for delay, copy in self.path(hop) if arrives else ():
            self.throw("server" if end is self.client else "client", end.address, copy, delay)

    def throw(self, name: str, source: Address, data: bytes, delay: int = 0) -> None:
        """Let a datagram arrive at the end of that name."""
        heapq.heappush(self._air, (self.now + delay, next(self._order), name, source, data))

    def deliver(self, name: str, source: Address, datagrams: list[bytes]) -> None:
        """Hand over what came at once, equal lengths together."""
        end = self.client if name == "client" else self.server
        for _, group in groupby(datagrams, key=lambda each: (len(each), wire.is_long(each[0]))):
            same = list(group)
            if wire.is_long(same[0][0]):
                for data in same:
                    self._deliver_long(end, source, data)
            elif end.connection is not None:
                self._deliver_short(end, source, same)

    def _deliver_short(self, end: End, source: Address, same: list[bytes]) -> None:
        connection, stride = end.it, len(same[0])
        if connection.is_closed:
            again = None if end.last_word is None else end.last_word.repeat(source, len(same[0]), now=self.now)
            if again is not None:
                self.send(end, again.datagrams()[0])
            return
        if stride < wire.HEADER_SIZE + connection.trailer:
            return  # an endpoint's business
        memory = memoryview(bytearray(b"".join(same)))
        slots = Slots(memory, stride=stride, header=wire.HEADER_SIZE, trailer=connection.trailer)
        connection.handle_datagrams(slots, 0, len(same), source, now=self.now)

    def _deliver_long(self, end: End, source: Address, data: bytes) -> None:
        try:
            packet = wire.parse(data, crc32c)
        except MalformedSegment:
            return
        if end.connection is not None:
            end.connection.handle_long(packet, source, len(data), now=self.now)
        elif isinstance(packet, wire.Hello):
            end.connection = Connection.accept(
                packet,
                source=source,
                hello_bytes=len(data),
                security=self.server_security,
                connection_id=SERVER_ID,
                is_validated=False,
                config=self.server_config,
                rng=self.rng,
                now=self.now,
            )


def established(*ends: End) -> bool:
    """Whether all of them have heard so."""
    return all(any(isinstance(event, Established) for event in end.events) for end in ends)


def is_over(pair: Pair) -> bool:
    return pair.client.closed is not None and pair.server.closed is not None


def check_all(pair: Pair, up: bytes, down: bytes, *, seconds: float = 120) -> None:
    """Run to the end: both have everything, and know that the other has."""
    assert pair.run(seconds, until=lambda: is_over(pair)), f"not over: {pair.client.it.state} {pair.server.it.state}"
    assert pair.server.received == up
    assert pair.client.received == down
    assert pair.client.error is None and pair.server.error is None
    assert pair.client.it.is_confirmed and pair.server.it.is_confirmed
