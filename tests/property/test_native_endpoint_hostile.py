"""An endpoint of real connections among strangers and forgers: no exception, bounded tables, honest clients served."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from surewire.core.trains import Address
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.crypto.checked import CheckedServer
from surewire.crypto.crc32c import crc32c
from surewire.native.admission import AdmissionConfig
from surewire.native.config import NativeConfig
from surewire.native.endpoint import Endpoint
from surewire.wire.native_datagram import (
    Hello,
    LongDatagram,
    Refused,
    Retry,
    Versions,
    Welcome,
    emit,
)
from tests.sim.native_world import SERVER, Exchange, NativeWorld, client_address

LIMITS = AdmissionConfig(
    max_connections=12, max_half_open=8, max_unproven=4, max_unproven_per_address=3, max_waiting=6, max_per_address=10
)
ADDRESSES: list[Address] = [client_address(0), ("192.0.2.9", 7), ("2001:db8::1", 9), "path", 5]

cids = st.sampled_from([b"\0" * 8, b"attempt1", b"attempt2", b"clientid"])
small = st.binary(max_size=64)
long_datagrams: st.SearchStrategy[LongDatagram] = st.one_of(
    st.builds(
        Hello,
        cids,
        st.sampled_from([1, 2, 2**32 - 1]),
        cids,
        st.sampled_from([0, 0, 1, 255]),
        small,
        st.binary(max_size=1_024),
    ),
    st.builds(Retry, cids, st.just(1), cids, st.binary(min_size=1, max_size=64)),
    st.builds(Welcome, cids, st.just(1), cids, small),
    st.builds(Versions, cids, cids, st.just((1, 2)), st.just((0, 3))),
    st.builds(Refused, cids, st.just(1), cids, st.integers(0, 255), st.just("no")),
)
shorts = st.builds(
    lambda form, cid, rest: bytes([form]) + cid + rest, st.integers(0, 0x7F), cids, st.binary(max_size=60)
)
datagrams = st.one_of(
    st.binary(max_size=80), shorts, long_datagrams.map(lambda packet: emit(packet, crc32c)), st.just(b"")
)


def check_bounds(endpoint: Endpoint) -> None:
    """No table is longer than the limits say."""
    assert endpoint.half_open <= LIMITS.max_half_open
    assert endpoint.half_open + len(endpoint.connections) <= LIMITS.max_connections


@given(
    st.lists(
        st.tuples(
            st.lists(datagrams, min_size=1, max_size=4),
            st.integers(1, 1_300),
            st.sampled_from(ADDRESSES),
            st.integers(0, 12 * NS_PER_S),
        ),
        max_size=25,
    ),
    st.booleans(),
)
def test_whatever_strangers_send(arrivals: list[tuple[list[bytes], int, Address, int]], always: bool) -> None:
    limits = (
        LIMITS
        if not always
        else AdmissionConfig(always_validate=True, max_half_open=8, max_unproven=4, max_connections=12)
    )
    endpoint = Endpoint(CheckedServer(), config=NativeConfig(), rng=random.Random(1), now=0, limits=limits)
    now = 0
    credit: dict[Address, int] = {}
    for parts, stride, source, wait in arrivals:
        buffer = b"".join(parts)
        endpoint.handle_datagrams(buffer, stride, source, now=now)
        credit[source] = credit.get(source, 0) + 3 * len(buffer)
        check_bounds(endpoint)
        for _ in range(1_000):
            train = endpoint.poll_transmit(now=now)
            if train is None:
                break
            credit[train.destination] -= train.nbytes
            assert credit[train.destination] >= 0, "more than three times what came from there"
        else:
            raise AssertionError("it sends for ever")
        now += wait
        deadline = endpoint.poll_timeout()
        if deadline is not None and deadline <= now:
            endpoint.handle_timeout(now=now)
        check_bounds(endpoint)
    while endpoint.poll_accept() is not None:
        pass
    endpoint.take_changed()


class Interference:
    """Sends what it saw on the wire again: changed, to either side, from anywhere, in trains with other bytes."""

    def __init__(self, world: NativeWorld, rng: random.Random) -> None:
        self.world = world
        self.rng = rng
        self.seen: list[bytes] = []

    def on_sent(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        if len(self.seen) < 200:
            self.seen.append(datagram)
        else:
            self.seen[self.rng.randrange(200)] = datagram

    def on_delivered(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        """Looks at what is sent only."""

    def strike(self) -> None:
        """One forged read of a socket."""
        rng, world = self.rng, self.world
        parts = []
        for _ in range(rng.choice([1, 1, 2, 5])):
            part = bytearray(rng.choice(self.seen) if self.seen else b"")
            what = rng.random()
            if what < 0.3 and part:
                part[rng.randrange(len(part))] ^= 1 << rng.randrange(8)
            elif what < 0.4:
                part = part[: rng.randrange(len(part) + 1)]
            elif what < 0.5:
                part = bytearray(rng.randbytes(rng.choice([5, 20, 1_200])))
            elif what < 0.6 and len(part) > 9:
                part[1:9] = rng.randbytes(8)
            parts.append(bytes(part))
        buffer = b"".join(parts) or b"x"
        side = rng.choice([world.server, *world.clients])
        stride = rng.choice([len(parts[0]) or 1, rng.randrange(1, 1_400), len(buffer)])
        source = rng.choice([SERVER, client_address(0), client_address(1), ("192.0.2.66", 666)])
        side.endpoint.handle_datagrams(buffer, stride, source, now=world.now)
        world.network.service(side.host)


@given(st.integers(0, 2**32))
@settings(max_examples=12)
def test_replays_forgeries_and_garbage_do_not_reach_the_application(seed: int) -> None:
    rng = random.Random(seed)
    world = NativeWorld(clients=2, seed=seed)
    interference = Interference(world, rng)
    world.network.tap = interference
    players = []
    for number in range(6):
        data = rng.randbytes(rng.choice([0, 100, 60_000]))
        player = Exchange(data)
        players.append((player, data))
        world.network.at(
            world.now + rng.randrange(200 * NS_PER_MS),
            world.connector(player, client=number % 2),
        )
    for _ in range(150):
        world.network.at(world.now + rng.randrange(400 * NS_PER_MS), interference.strike)
    assert world.run(60, stop=lambda: all(player.closed is not None for player, _ in players))
    for player, data in players:
        assert player.closed is not None and player.closed.error is None
        assert bytes(player.received) == data


def test_a_flood_does_not_keep_honest_clients_out() -> None:
    """1,000 forged HELLOs a second, half of them for addresses of honest clients."""
    world = NativeWorld(clients=20, seed=3, limits=AdmissionConfig(max_half_open=64, max_unproven=16))
    rng = random.Random(4)
    forged = bytearray(emit(Hello(b"attempt1", 1, b"clientid", 0, b"", b""), crc32c))

    def strike() -> None:
        host = client_address(rng.randrange(40)) if rng.random() < 0.5 else (f"10.0.{rng.randrange(256)}.9", 9)
        forged[1:9] = rng.randbytes(8)
        forged[-4:] = crc32c(bytes(forged[:-4])).to_bytes(4, "big")
        world.network.inject(bytes(forged), source=host, destination=world.server.host)

    for turn in range(10_000):
        world.network.at(world.now + turn * NS_PER_MS, strike)
    players = [Exchange(b"honest") for _ in range(20)]
    for number, player in enumerate(players):
        start = world.now + NS_PER_S + number * 200 * NS_PER_MS
        world.network.at(start, world.connector(player, client=number))
    assert world.run(9, stop=lambda: all(player.is_success for player in players))
    assert all(bytes(player.received) == b"honest" for player in players)
    stats = world.server.endpoint.stats
    assert stats.retries > 1_000 and world.server.endpoint.half_open <= 64
