"""Sealed connections behind an endpoint: whose key is wrong gets nothing, and leaves nothing."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from surewire.core.trains import Address
from surewire.core.units import NS_PER_MS
from surewire.crypto.crc32c import crc32c
from surewire.errors import HandshakeFailed, HandshakeTimeout
from surewire.impair import LinkConfig
from surewire.native.admission import AdmissionConfig
from surewire.native.endpoint import Endpoint
from surewire.wire import native_datagram as wire
from tests.sim.native_world import Exchange, NativeWorld

sealed = pytest.importorskip("surewire.crypto.sealed", exc_type=ImportError)
checked = pytest.importorskip("surewire.crypto.checked")

KEY, OTHER_KEY = random.Random(1).randbytes(32), random.Random(2).randbytes(32)
BAD = LinkConfig(delay=10 * NS_PER_MS, jitter=5 * NS_PER_MS, loss=0.1, duplicate=0.05, corrupt=0.02, reorder=0.05)


def test_many_with_a_shared_key_on_a_bad_path() -> None:
    world = NativeWorld(
        BAD,
        clients=3,
        seed=1,
        security=sealed.PskClient(KEY),
        server_security=sealed.PskServer(KEY),
        limits=AdmissionConfig(max_unproven=2),
    )
    data = random.Random(3).randbytes(30_000)
    players = [Exchange(data) for _ in range(9)]
    for number, player in enumerate(players):
        world.connect(player, client=number % 3)
    assert world.run(60, stop=lambda: all(player.closed is not None for player in players))
    assert all(player.is_success and bytes(player.received) == data for player in players)
    assert world.server.endpoint.stats.retries > 0


def test_a_wrong_key_is_computed_once_and_never_answered() -> None:
    world = NativeWorld(seed=2, security=sealed.PskClient(OTHER_KEY), server_security=sealed.PskServer(KEY))
    player = Exchange(b"secret")
    world.connect(player)
    world.run(60)
    assert player.closed is not None and isinstance(player.closed.error, HandshakeTimeout)
    stats = world.server.endpoint.stats
    assert stats.failed == 1 and stats.late > 10
    assert world.server.host.datagrams == 0
    assert world.server.endpoint.half_open == 0


class Forger:
    """Sees HELLOs, cannot keep them from arriving, and has another with their ids and address arrive first."""

    def __init__(self, message: Callable[[wire.Hello], bytes]) -> None:
        self.server: Endpoint | None = None
        self._message = message

    def on_sent(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        if self.server is None or datagram[0] != 0x80:
            return
        seen = wire.parse(datagram, crc32c)
        assert isinstance(seen, wire.Hello)
        forged = wire.emit(seen._replace(message=self._message(seen)), crc32c)
        self.server.handle_datagrams(forged, len(forged), source, now=now)

    def on_delivered(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        """He only has to be first."""


@pytest.mark.parametrize("has_shared_key", [True, False])
def test_a_forged_hello_that_overtakes_the_genuine_one(has_shared_key: bool) -> None:
    def spoilt(hello: wire.Hello) -> bytes:
        return hello.message[:-1] + bytes((hello.message[-1] ^ 1,))

    def with_another_key(hello: wire.Hello) -> bytes:
        return random.Random(7).randbytes(32) + hello.message[32:]

    forger = Forger(spoilt if has_shared_key else with_another_key)
    world = NativeWorld(
        seed=5,
        security=sealed.PskClient(KEY) if has_shared_key else sealed.KeyClient(lambda key: None),
        server_security=sealed.PskServer(KEY) if has_shared_key else sealed.KeyServer(KEY),
        tap=forger,
    )
    forger.server = world.server.endpoint
    player = Exchange(b"all the same")
    world.connect(player)
    world.run(20, stop=lambda: player.closed is not None)
    assert player.is_success and bytes(player.received) == b"all the same"


def test_a_client_that_wants_no_seal_is_told_what_there_is() -> None:
    world = NativeWorld(seed=3, security=checked.CheckedClient(), server_security=sealed.PskServer(KEY))
    player = Exchange(b"open")
    world.connect(player)
    world.run(1)
    assert player.closed is not None and isinstance(player.closed.error, HandshakeFailed)
    assert world.server.endpoint.stats.versions == 1


def test_a_server_of_several_kinds() -> None:
    private = random.Random(4).randbytes(32)
    shown: list[bytes] = []
    server = sealed.AnyServer(sealed.KeyServer(private), sealed.PskServer(KEY))
    world = NativeWorld(seed=4, server_security=server)
    players = [Exchange(b"one"), Exchange(b"two")]
    world.connect(players[0], security=sealed.KeyClient(shown.append))
    world.connect(players[1], security=sealed.PskClient(KEY))
    world.run(5)
    assert all(player.is_success for player in players)
    assert [bytes(player.received) for player in players] == [b"one", b"two"]
    assert len(shown) == 1 and len(shown[0]) == 32
