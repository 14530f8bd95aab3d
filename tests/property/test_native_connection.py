"""Two native connections against everything an application and a path can do between any two datagrams.

A state machine: verbs on both sides, and datagrams that are delivered in any order, lost, repeated, damaged or kept
back, sockets that take no more for a while, and time. Whatever was done, what was read is what was written, limits
hold, nobody ends with an error that nobody caused, and on a path that has become good both streams end well.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fuzz.native_peer import MS, S, checked
from surewire.core.state import State
from surewire.errors import ConnectionLost, LocalProtocolError, Unconfirmed
from surewire.native.config import DEFAULT_TRANSPORT, NativeConfig
from surewire.transfer.files import MemorySink, MemorySource
from tests.unit.native.pair import End, Hop, Pair, sealed, steady

WINDOW, SEND_BUFFER = 30_000, 40_000
_MOST_TIME = 20 * S  # less than any timeout that ends a connection
_MOST_WRITTEN = 300_000
_MOST_IN_AIR = 400

SIDES = st.sampled_from(["client", "server"])
SIZES = st.one_of(st.integers(1, 50), st.sampled_from([1_166, 5_000, 20_000, 50_000]))


def pattern(side: str, start: int, stop: int) -> bytes:
    """The bytes of a side's stream: known everywhere, and different at each place."""
    salt = 1 if side == "client" else 5
    return bytes((at * (2 * salt + 1) + (at >> 8) * 7 + salt) & 0xFF for at in range(start, stop))


_STREAMS = {side: pattern(side, 0, _MOST_WRITTEN + 60_000) for side in ("client", "server")}


class Connections(RuleBasedStateMachine):
    """A pair whose datagrams wait in `air` until a rule says what becomes of them."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair()
        self.air: list[Hop] = []
        self.blocked: set[str] = set()
        self.read: dict[str, int] = {"client": 0, "server": 0}
        self.sinks: dict[str, tuple[int, int, MemorySink]] = {}
        self.began = self.pair.now
        self.is_aborted = self.is_good = False

    @initialize(
        is_sealed=st.booleans(), seed=st.integers(0, 99), keys=st.sampled_from([None, 3, 20]), mtu=st.booleans()
    )
    def begin(self, is_sealed: bool, seed: int, keys: int | None, mtu: bool) -> None:
        transport = replace(DEFAULT_TRANSPORT, receive_window=WINDOW, max_gaps=16, max_tracked_ranges=64)
        config = NativeConfig(
            transport=transport,
            send_buffer=SEND_BUFFER,
            update_keys_after=keys,
            max_datagram=9_000 if mtu else 1_200,
        )
        self.pair = Pair(self.collect, seed=seed, config=config, security=sealed() if is_sealed else checked())
        for end in self.pair.ends:
            end.reads = end.finishes = False
        self.flush()

    def collect(self, hop: Hop) -> list[tuple[int, bytes]]:
        if len(self.air) < _MOST_IN_AIR:
            self.air.append(hop)
        return []

    def end(self, side: str) -> End:
        return self.pair.client if side == "client" else self.pair.server

    def flush(self) -> None:
        for end in self.pair.ends:
            if end.name not in self.blocked:
                self.pair.flush(end)

    # The application.

    @rule(side=SIDES, size=SIZES, is_file=st.booleans())
    def write(self, side: str, size: int, is_file: bool) -> None:
        connection = self.end(side).connection
        if connection is None or connection.written + size > _MOST_WRITTEN:
            return
        start, stream = connection.written, _STREAMS[side]
        try:
            if is_file:
                connection.send_source(MemorySource(stream), start, size, now=self.pair.now)
            else:
                room = connection.room
                assert connection.write(stream[start : start + size], now=self.pair.now) == min(size, room)
        except LocalProtocolError:
            assert not connection.room
        self.flush()

    @rule(side=SIDES, size=SIZES, into=st.booleans())
    def take(self, side: str, size: int, into: bool) -> None:
        connection = self.end(side).connection
        if connection is None:
            return
        readable = connection.readable
        if into:
            buffer = bytearray(size)
            data = bytes(buffer[: connection.read_into(memoryview(buffer), now=self.pair.now)])
        else:
            data = connection.read(size, now=self.pair.now)
        assert len(data) == min(size, readable)
        self.compare(side, data)
        self.flush()

    def compare(self, side: str, data: bytes) -> None:
        start = self.read[side]
        sender = "server" if side == "client" else "client"
        assert data == _STREAMS[sender][start : start + len(data)]
        self.read[side] += len(data)

    @rule(side=SIDES, size=SIZES)
    def divert(self, side: str, size: int) -> None:
        connection = self.end(side).connection
        if connection is None or connection.diverted_left:
            return
        sink = MemorySink()
        connection.divert(sink, size, now=self.pair.now)
        self.sinks[side] = (self.read[side], size, sink)
        self.read[side] += size
        self.flush()

    @rule(side=SIDES)
    def finish(self, side: str) -> None:
        connection = self.end(side).connection
        if connection is not None:
            connection.finish(now=self.pair.now)
            self.flush()

    @rule(side=SIDES, chance=st.integers(0, 19))
    def abort(self, side: str, chance: int) -> None:
        connection = self.end(side).connection
        if connection is not None and not chance and not connection.is_confirmed:
            self.is_aborted = True
            connection.abort(9, "enough", now=self.pair.now)
            self.flush()

    # The path.

    def pick(self, at: int) -> Hop:
        return self.air.pop(at % len(self.air))

    def arrive(self, hops: list[Hop]) -> None:
        for hop in hops:
            to, source = ("server", self.pair.client) if hop.sender == "client" else ("client", self.pair.server)
            self.pair.deliver(to, source.address, [hop.data])
        self.flush()

    @precondition(lambda self: self.air)
    @rule(count=st.integers(1, 60))
    def deliver_oldest(self, count: int) -> None:
        """In order, and what one side sent together."""
        hops, self.air = self.air[:count], self.air[count:]
        for side, other in (("client", "server"), ("server", "client")):
            data = [hop.data for hop in hops if hop.sender == side]
            if data:
                self.pair.deliver(other, self.end(side).address, data)
        self.flush()

    @precondition(lambda self: self.air)
    @rule(at=st.integers(0, 1_000))
    def deliver_any(self, at: int) -> None:
        self.arrive([self.pick(at)])

    @precondition(lambda self: self.air)
    @rule(at=st.integers(0, 1_000), count=st.integers(2, 3))
    def deliver_copies(self, at: int, count: int) -> None:
        self.arrive([self.pick(at)] * count)

    @precondition(lambda self: self.air)
    @rule(at=st.integers(0, 1_000), count=st.integers(1, 20))
    def lose(self, at: int, count: int) -> None:
        at %= len(self.air)
        del self.air[at : at + count]

    @precondition(lambda self: self.air)
    @rule(at=st.integers(0, 1_000), bit=st.integers(0, 100_000), keep=st.booleans())
    def damage(self, at: int, bit: int, keep: bool) -> None:
        hop = self.air[at % len(self.air)] if keep else self.pick(at)
        data = bytearray(hop.data)
        data[bit // 8 % len(data)] ^= 1 << bit % 8
        if data[0] & 0x80 == hop.data[0] & 0x80:
            self.arrive([Hop(hop.sender, hop.number, bytes(data), hop.now)])

    @rule(side=SIDES)
    def block(self, side: str) -> None:
        """The socket takes no more for now."""
        self.blocked ^= {side}
        self.flush()

    @precondition(lambda self: self.blocked)
    @rule(side=SIDES)
    def send_one_train(self, side: str) -> None:
        connection = self.end(side).connection
        train = None if connection is None else connection.poll_transmit(now=self.pair.now)
        for data in train.datagrams() if train is not None else ():
            self.pair.send(self.end(side), data)

    @rule(duration=st.sampled_from([0, 1 * MS, 5 * MS, 20 * MS, 100 * MS, 500 * MS, 3 * S]))
    def wait(self, duration: int) -> None:
        pair = self.pair
        until, steps = pair.now + duration, 0
        if until - self.began > _MOST_TIME:
            return
        for end in pair.ends:
            connection = end.connection
            while connection is not None and (at := connection.poll_timeout()) is not None and at <= until:
                steps = steps + 1 if at <= pair.now else 0
                assert steps < 100, "its timers never rest"
                pair.now = max(pair.now, at)
                connection.handle_timeout(now=pair.now)
                self.flush()
                if end.name in self.blocked and steps > 20:
                    break
        pair.now = max(pair.now, until)

    # What always holds.

    @invariant()
    def limits(self) -> None:
        for end, other in (self.pair.ends, self.pair.ends[::-1]):
            connection, peer = end.connection, other.connection
            if connection is None:
                continue
            assert connection.held_bytes <= WINDOW
            assert 0 <= connection.room <= SEND_BUFFER
            assert connection.acknowledged <= connection.written
            if peer is not None:
                assert connection.acknowledged <= peer.stats().received <= connection.written
                assert peer.stats().received <= max(self.read[other.name], 0) + WINDOW
                if connection.has_ended:
                    assert peer.state not in (State.SYN_SENT, State.SYN_RECEIVED, State.ESTABLISHED)
                    assert peer.is_closed or connection.stats().received == peer.written

    @invariant()
    def sinks_have_what_was_sent(self) -> None:
        for side, (start, size, sink) in self.sinks.items():
            done = size - self.end(side).it.diverted_left
            sender = "server" if side == "client" else "client"
            assert sink.data[:done] == _STREAMS[sender][start : start + done]

    @invariant()
    def errors_have_causes(self) -> None:
        for end, other in (self.pair.ends, self.pair.ends[::-1]):
            if end.closed is None or end.closed.error is None:
                continue
            if self.is_aborted:
                assert isinstance(end.closed.error, ConnectionLost)
            else:
                assert isinstance(end.closed.error, Unconfirmed) and other.it.is_confirmed

    def teardown(self) -> None:
        """The path becomes good, everybody reads and finishes: both streams end well unless somebody aborted."""
        pair = self.pair
        self.blocked.clear()
        hops, self.air = self.air, []
        pair.path = steady(5 * MS)
        self.arrive(hops)
        pair.run(0.5)
        for end in pair.ends:
            end.finishes = True
        for _ in range(600):
            pair.run(0.1)
            for end in pair.ends:
                if end.connection is not None:
                    while data := end.connection.read(1 << 20, now=pair.now):
                        self.compare(end.name, data)
            if all(end.closed is not None for end in pair.ends):
                break
            self.limits()
        self.errors_have_causes()
        if not self.is_aborted and all(end.error is None for end in pair.ends):
            for end, other in (pair.ends, pair.ends[::-1]):
                assert end.it.is_confirmed and end.it.acknowledged == end.it.written == other.it.stats().received
                assert other.it.diverted_left or self.read[other.name] == end.it.written


TestConnections = Connections.TestCase
TestConnections.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
