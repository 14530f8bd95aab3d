"""Endpoints of real connections in virtual time: many at once, on bad paths, over limits, and told nothing twice."""

from __future__ import annotations

import random

import pytest

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import HandshakeFailed, HandshakeTimeout, Refused, Reset
from surewire.impair import Delivery, Link, LinkConfig
from surewire.native.admission import AdmissionConfig
from surewire.native.config import NativeConfig
from surewire.native.connection import Connection
from surewire.native.security import ClientHandshake
from surewire.sim import OneWayLink
from tests.sim.native_world import GOOD, Exchange, NativeWorld

MS = NS_PER_MS
BAD = LinkConfig(delay=10 * MS, jitter=5 * MS, loss=0.1, duplicate=0.05, corrupt=0.02, reorder=0.05)


def content(size: int, seed: int) -> bytes:
    return random.Random(f"{size} {seed}").randbytes(size)


def start(world: NativeWorld, sizes: list[int], *, every_ms: int = 0) -> list[tuple[Exchange, bytes]]:
    """One connection for each size, the clients in turn, `every_ms` apart."""
    players = []
    for number, size in enumerate(sizes):
        data = content(size, number)
        player = Exchange(data)
        players.append((player, data))
        client = number % len(world.clients)
        world.network.at(
            world.now + number * every_ms * MS,
            world.connector(player, client=client),
        )
    return players


def check(world: NativeWorld, players: list[tuple[Exchange, bytes]], *, seconds: float = 60) -> None:
    """Everybody gets back what he sent, and nothing is left of anybody."""
    assert world.run(seconds, stop=lambda: all(player.closed is not None for player, _ in players))
    for player, data in players:
        assert player.closed is not None and player.closed.error is None
        assert bytes(player.received) == data
    world.run(40)
    for side in (world.server, *world.clients):
        assert side.endpoint.connections == [] and side.endpoint.half_open == 0
        assert side.endpoint.poll_timeout() is None
    assert all(isinstance(player, Exchange) and player.is_success for player in world.server.players.values())
    assert len(world.server.accepted) == len(players)


def test_a_thousand_connections_at_once_behind_one_socket_each() -> None:
    world = NativeWorld(seed=1)
    check(world, start(world, [64] * 1_000), seconds=30)
    assert world.server.endpoint.stats.accepted == 1_000
    assert world.server.endpoint.stats.postponed > 0, "they all are of one address"


def test_many_clients_with_much_and_little_to_send() -> None:
    world = NativeWorld(clients=8, seed=2)
    check(world, start(world, [0, 1, 1_000, 300_000] * 10, every_ms=3))


def test_a_path_that_loses_copies_damages_and_reorders() -> None:
    world = NativeWorld(BAD, clients=3, seed=3)
    check(world, start(world, [0, 10, 5_000, 100_000] * 3, every_ms=20), seconds=120)


def test_cookies_for_everybody_on_a_path_that_loses() -> None:
    world = NativeWorld(BAD, clients=3, seed=4, limits=AdmissionConfig(always_validate=True))
    check(world, start(world, [10, 2_000] * 6, every_ms=10), seconds=120)
    assert world.server.endpoint.stats.retries >= 12


def test_the_same_seed_gives_the_same_trace() -> None:
    def trace(seed: int) -> str:
        world = NativeWorld(BAD, clients=3, seed=seed, traced=True)
        check(world, start(world, [0, 3_000, 50_000] * 3, every_ms=7), seconds=120)
        return world.network.trace_hash

    assert trace(5) == trace(5) != trace(6)


def test_many_get_as_much_as_each_other() -> None:
    """Ten uploads share a server's socket; its answers leave in turn."""
    world = NativeWorld(LinkConfig(delay=10 * MS, rate=100_000_000), clients=10, seed=7)
    players = start(world, [1_000_000] * 10)
    check(world, players)
    ends = [player.closed_at for player, _ in players]
    assert None not in ends
    spread = [end for end in ends if end is not None]
    assert max(spread) - NS_PER_S < 2 * (min(spread) - NS_PER_S)


# Letting in.


def test_a_connection_costs_one_round_trip_and_a_cookie_one_more() -> None:
    for always, round_trips in ((False, 1), (True, 2)):
        world = NativeWorld(seed=8, limits=AdmissionConfig(always_validate=always))
        player = Exchange(b"x")
        world.connect(player)
        world.run(5)
        assert player.is_success
        assert player.established_at == NS_PER_S + round_trips * 20 * MS


def test_a_full_server_refuses() -> None:
    world = NativeWorld(seed=9, limits=AdmissionConfig(max_connections=2), on_accept=lambda connection: Silent())
    players = [Silent() for _ in range(3)]
    for player in players:
        world.connect(player)
        world.run(1)
    assert [player.established_at is not None for player in players] == [True, True, False]
    error = players[2].closed.error if players[2].closed is not None else None
    assert error is None or isinstance(error, Refused)


class Silent(Exchange):
    """Does nothing at all, for ever."""

    def on_turn(self, connection: Connection, now: int) -> bool:
        return False


def test_nobody_listens() -> None:
    world = NativeWorld(seed=10)
    world.server.endpoint.close_listening(now=world.now)
    player = Exchange(b"x")
    world.connect(player)
    assert world.run(60, stop=lambda: player.closed is not None)
    assert player.closed is not None and isinstance(player.closed.error, Refused | HandshakeTimeout)
    assert world.clients[0].endpoint.connections == []


def test_a_closed_port_ends_the_attempt() -> None:
    world = NativeWorld(seed=11)
    player = Exchange(b"x")
    world.connect(player)
    endpoint = world.clients[0].endpoint
    for _ in range(3):
        endpoint.handle_refused(now=world.now)
        world.network.service(world.clients[0].host)
    assert player.closed is not None and isinstance(player.closed.error, Refused)
    assert endpoint.connections == []


class OtherSuite:
    """A client that wants to be protected in a way the server does not know."""

    def begin(self, rng: random.Random) -> ClientHandshake:
        return _Other()


class _Other:
    suite = 77

    def hello(self, prologue: bytes, payload: bytes) -> bytes:
        return payload

    def finish(self, message: bytes) -> bytes:
        return message

    def keys(self):  # type: ignore[no-untyped-def]
        raise AssertionError("there is no handshake")


def test_another_suite_is_told_and_ends_at_once() -> None:
    world = NativeWorld(seed=12)
    player = Exchange(b"x")
    world.connect(player, security=OtherSuite())
    world.run(1)
    assert player.closed is not None and isinstance(player.closed.error, HandshakeFailed)
    assert world.server.endpoint.stats.versions == 1 and world.server.endpoint.half_open == 0


def test_a_client_that_never_answers_is_dropped_without_a_word() -> None:
    world = NativeWorld(GOOD, LinkConfig(loss=1.0), seed=13, limits=AdmissionConfig(handshake_timeout=3 * NS_PER_S))
    player = Exchange(b"x")
    world.connect(player)
    world.run(2)
    assert world.server.endpoint.half_open == 1
    world.run(3)
    assert world.server.endpoint.stats.expired == 1
    assert world.server.accepted == []
    world.run(60)
    assert player.closed is not None and isinstance(player.closed.error, HandshakeTimeout)
    assert world.server.endpoint.half_open == 0 and world.server.endpoint.poll_timeout() is None


def test_an_abort_reaches_the_other_side_and_both_tables_are_empty() -> None:
    world = NativeWorld(seed=14, on_accept=lambda connection: Silent())
    player = Silent()
    connection = world.connect(player)
    world.run(1)
    assert player.established_at is not None
    connection.abort(7, "enough", now=world.now)
    world.clients[0].endpoint.touch(connection)
    world.network.service(world.clients[0].host)
    world.run(1)
    (other,) = world.server.players.values()
    assert isinstance(other, Silent) and other.closed is not None
    assert isinstance(other.closed.error, Reset) and other.closed.error.code == 7
    assert world.server.endpoint.connections == world.clients[0].endpoint.connections == []


def test_late_datagrams_of_a_closed_connection_are_not_answered() -> None:
    late = LinkConfig(delay=10 * MS, reorder=0.3, duplicate=0.5, jitter=9 * MS)
    world = NativeWorld(late, seed=15)
    check(world, start(world, [20_000] * 3))
    stats = world.server.endpoint.stats
    assert stats.unknown == 0


@pytest.mark.parametrize("prefix", [b"", b"ab", b"host"])
def test_all_datagrams_to_a_side_begin_with_its_prefix(prefix: bytes) -> None:
    class Watch:
        prefixes: set[bytes] = set()

        def on_sent(self, source: object, destination: object, datagram: bytes, now: int) -> None:
            if datagram[0] != 0x80:  # all but HELLOs, whose destination has no id yet
                self.prefixes.add(datagram[1 : 1 + len(prefix)])

        def on_delivered(self, source: object, destination: object, datagram: bytes, now: int) -> None: ...

    watch = Watch()
    world = NativeWorld(seed=16, config=NativeConfig(connection_id_prefix=prefix), tap=watch)
    check(world, start(world, [1_000] * 4))
    assert watch.prefixes == {prefix}


class LosesTheEnd:
    """A link that loses the first `count` datagrams that a side sends when its connections are over."""

    def __init__(self, link: OneWayLink, connections: list[Connection], count: int) -> None:
        self._link = link
        self._connections = connections
        self.left = count

    def transmit(self, datagram: bytes, *, now: int) -> list[Delivery]:
        if self.left and self._connections and all(connection.is_closed for connection in self._connections):
            self.left -= 1
            return []
        return self._link.transmit(datagram, now=now)


@pytest.mark.parametrize("count", [1, 4])
def test_a_lost_last_word_is_said_again(count: int) -> None:
    world = NativeWorld(seed=18, on_accept=lambda connection: Silent())
    client = world.clients[0]
    link = LosesTheEnd(Link(GOOD, random.Random(1)), world.server.accepted, count)
    world.network.connect(world.server.host, client.host, link)
    player = Silent()
    world.connect(player)
    world.run(1)
    (accepted,) = world.server.accepted
    accepted.abort(5, "over", now=world.now)
    world.server.endpoint.touch(accepted)
    world.network.service(world.server.host)
    for _ in range(20):
        if player.closed is None:
            (connection,) = client.endpoint.connections
            connection.write(b"are you there?", now=world.now)
            client.endpoint.touch(connection)
            world.network.service(client.host)
        world.run(1)
    assert link.left == 0
    assert player.closed is not None and isinstance(player.closed.error, Reset) and player.closed.error.code == 5
    assert player.closed_at is not None and player.closed_at < 10 * NS_PER_S
