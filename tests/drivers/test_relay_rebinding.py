"""What a NAT that forgets does to the server's view, and what a tap sees of a relay."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest

from surewire.drivers.relay import Relay
from surewire.drivers.relay_config import RelayConfig
from surewire.drivers.relay_sockets import Endpoint
from surewire.drivers.udp_options import ON_LINUX
from surewire.errors import ConfigError
from surewire.impair import LinkConfig, Rebinding
from tests.drivers.relay_bench import MS, Bench, bench, round_trip, udp_socket, waiting

HOUR = 3_600_000 * MS


def source_of(b: Bench, client: socket.socket, payload: bytes = b"x") -> tuple[str, int]:
    """Where the server sees the client."""
    client.send(payload)
    ((datagram, source),) = b.receive(b.server)
    assert datagram == payload
    return source


def test_every_client_gets_another_port_and_the_old_one_is_dead() -> None:
    with bench() as b:
        clients = [b.client() for _ in range(2)]
        before = [source_of(b, client) for client in clients]
        b.relay.rebind()
        for source in before:
            b.server.sendto(b"to the old port", source)
        after = [source_of(b, client) for client in clients]
        assert not set(before) & set(after)
        for client, source in zip(clients, after, strict=True):
            b.server.sendto(b"to the new port", source)
            assert [datagram for datagram, _ in b.receive(client)] == [b"to the new port"]
        assert b.relay.snapshot().rebindings == 2
        assert b.relay.down.offered == 2


def test_a_connected_server_is_not_told_that_the_old_port_is_gone() -> None:
    with bench() as b:
        client = b.client()
        b.server.connect(source_of(b, client))
        b.relay.rebind()
        for _ in range(3):
            assert b.server.send(b"lost without a word") > 0


def test_what_is_under_way_leaves_from_the_new_port() -> None:
    with bench(RelayConfig(up=LinkConfig(delay=30 * MS))) as b:
        client = b.client()
        before = source_of(b, client)
        client.send(b"under way")
        b.until(lambda: b.relay.up.offered == 2)
        b.relay.rebind()
        ((datagram, source),) = b.receive(b.server)
        assert datagram == b"under way"
        assert source != before


@pytest.mark.parametrize(("every", "least", "most"), [(None, 1, 1), (10 * MS, 3, 10**6)])
def test_rebinding_happens_by_itself_from_the_first_datagram_on(every: int | None, least: int, most: int) -> None:
    with bench(RelayConfig(rebinding=Rebinding(first=10 * MS, every=every))) as b:
        b.relay.run(20 * MS)
        assert b.relay.snapshot().rebindings == 0
        client = b.client()
        before = source_of(b, client)
        began = time.monotonic_ns()
        b.until(lambda: time.monotonic_ns() - began > 60 * MS and b.relay.snapshot().rebindings >= least)
        assert least <= b.relay.snapshot().rebindings <= most
        assert source_of(b, client) != before
        if every is None:  # otherwise an answer may come just too late
            round_trip(b, client, b"still there")


@pytest.mark.skipif(not ON_LINUX, reason="elsewhere only 127.0.0.1 is there")
def test_the_address_changes_each_time() -> None:
    with bench() as b:
        client = b.client()
        hosts = [source_of(b, client)[0]]
        for _ in range(3):
            b.relay.rebind(address=True)
            round_trip(b, client, b"from elsewhere")
            hosts.append(source_of(b, client)[0])
        assert hosts == ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"]
        assert source_of(b, b.client())[0] == "127.0.0.4"


def test_an_address_that_cannot_change_is_refused() -> None:
    config = RelayConfig(rebinding=Rebinding(first=0, address=True))
    here, elsewhere = Endpoint.resolve("127.0.0.1", 0), Endpoint.resolve("192.0.2.1", 9)
    with pytest.raises(ConfigError, match="192.0.2.1:9"):
        Relay(here, elsewhere, config)
    with Relay(here, elsewhere, RelayConfig()) as relay, pytest.raises(ConfigError):
        relay.rebind(address=True)


def test_a_client_may_be_admitted_before_it_sends() -> None:
    with bench() as b, udp_socket() as client:
        port = b.relay.admit(client.getsockname())
        b.server.sendto(b"you first", port)
        assert b.receive(client)[0] == (b"you first", b.relay.endpoint.address)
        client.connect(b.relay.endpoint.address)
        assert source_of(b, client) == port
        assert b.relay.admit(client.getsockname()) == port


def test_no_port_is_left_behind() -> None:
    with contextlib.ExitStack() as stack:
        b = stack.enter_context(bench())
        source_of(b, b.client())
        for _ in range(2000):  # more than there may be descriptors
            b.relay.rebind()
        assert b.relay.snapshot().rebindings == 2000
        assert b.relay.snapshot().rebindings_failed == 0


class Notes:
    """A tap that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object, object, bytes]] = []
        self.times: list[int] = []

    def on_sent(self, source: object, destination: object, datagram: bytes, now: int) -> None:
        self.told.append(("sent", source, destination, datagram))
        self.times.append(now)

    def on_delivered(self, source: object, destination: object, datagram: bytes, now: int) -> None:
        self.told.append(("delivered", source, destination, datagram))
        self.times.append(now)


def test_a_tap_is_told_of_every_datagram() -> None:
    notes = Notes()
    with bench(RelayConfig(up=LinkConfig(delay=5 * MS), down=LinkConfig(loss=1)), tap=notes) as b:
        client = b.client()
        source = source_of(b, client, b"up")
        b.server.sendto(b"lost", source)
        b.until(lambda: b.relay.down.lost == 1)
        here, there = client.getsockname(), b.server.getsockname()
    assert notes.told == [
        ("sent", here, there, b"up"),
        ("delivered", here, there, b"up"),
        ("sent", there, here, b"lost"),
    ]
    assert notes.times == sorted(notes.times)
    assert notes.times[1] - notes.times[0] >= 5 * MS


def test_a_change_holds_from_then_on() -> None:
    with bench() as b:
        client = b.client()
        source_of(b, client)
        b.relay.change(up=LinkConfig(loss=1))
        client.send(b"lost")
        b.until(lambda: b.relay.up.lost == 1)
        b.relay.change(up=LinkConfig())
        round_trip(b, client, b"again")
        assert waiting(b.server) == []
        assert (b.relay.up.offered, b.relay.up.delivered) == (3, 2)
        assert b.relay.up_config == b.relay.down_config == LinkConfig()
