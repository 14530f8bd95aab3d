"""The wire between two datagram sockets, which stand in for TUN devices."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from surewire.impair import LinkConfig
from surewire.lab.wired.wire import BATCH, Wire, WireConfig
from tests.drivers.wired_rooms import until

MS = 1_000_000
PATIENCE_S = 10.0


class Ends:
    """Both ends of a running wire, as the hosts see them."""

    def __init__(self, config: WireConfig) -> None:
        self.client, client = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.server, server = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sockets = (self.client, client, self.server, server)
        for sock in self.sockets:
            sock.setblocking(False)
        for sock in (self.client, self.server):
            sock.settimeout(PATIENCE_S)
        self.seen: list[tuple[str, str, bytes]] = []
        self.firsts = 0
        self.wire = Wire(client.fileno(), server.fileno(), config, lambda *what: self.seen.append(what[:3]))
        self._until, self._stop = os.pipe()
        self._thread = threading.Thread(target=self.wire.run, args=(self._until, self._first))
        self._thread.start()

    def _first(self) -> None:
        self.firsts += 1

    def stop(self) -> None:
        if self._thread.is_alive():
            os.write(self._stop, b"x")
            self._thread.join(PATIENCE_S)


@contextmanager
def running(up: LinkConfig | None = None, down: LinkConfig | None = None, **more: bool) -> Iterator[Ends]:
    ends = Ends(WireConfig(up=up or LinkConfig(overhead=0), down=down or LinkConfig(overhead=0), seed=1, **more))
    try:
        yield ends
    finally:
        ends.stop()
        for sock in ends.sockets:
            sock.close()


def packet(number: int, size: int = 100) -> bytes:
    """Something that begins as IPv4 does."""
    return b"\x45" + number.to_bytes(4, "big") + bytes(size - 5)


def test_packets_go_both_ways_in_order() -> None:
    with running() as ends:
        for number in range(3 * BATCH):
            ends.client.send(packet(number))
            ends.server.send(packet(number, 40))
        ups = [ends.server.recv(2000) for _ in range(3 * BATCH)]
        downs = [ends.client.recv(2000) for _ in range(3 * BATCH)]

    assert ups == [packet(number) for number in range(3 * BATCH)]
    assert downs == [packet(number, 40) for number in range(3 * BATCH)]
    assert ends.wire.up.stats.delivered == ends.wire.down.stats.delivered == 3 * BATCH
    assert ends.firsts == 1


def test_each_way_has_its_own_link() -> None:
    with running(up=LinkConfig(loss=1.0, overhead=0)) as ends:
        ends.client.send(packet(1))
        ends.server.send(packet(2))
        assert ends.client.recv(2000) == packet(2)
        # What is offered after the loss comes back only when the lost one has been dealt with.
        ends.server.send(packet(3))
        assert ends.client.recv(2000) == packet(3)
        ends.stop()
        ends.server.setblocking(False)
        with pytest.raises(BlockingIOError):
            ends.server.recv(2000)

    assert (ends.wire.up.stats.lost, ends.wire.down.stats.lost) == (1, 0)


def test_a_delay_is_kept_and_what_is_under_way_at_the_end_is_counted() -> None:
    with running(up=LinkConfig(delay=3_600_000 * MS, overhead=0)) as ends:
        ends.client.send(packet(1))
        ends.server.send(packet(2))
        ends.client.recv(2000)
        ends.stop()

    assert ends.wire.stats.pending == 1


def test_ipv6_and_nonsense_are_not_carried() -> None:
    with running() as ends:
        ends.client.send(b"\x60" + bytes(39))
        ends.client.send(b"\x00")
        ends.client.send(packet(1))
        assert ends.server.recv(2000) == packet(1)

    assert ends.wire.stats.not_ip == 2
    assert ends.wire.up.stats.offered == 1


def test_the_observer_sees_what_was_offered_and_what_arrived() -> None:
    with running(down=LinkConfig(loss=1.0, overhead=0)) as ends:
        ends.server.send(packet(1))
        ends.client.send(packet(2))
        ends.server.recv(2000)
        ends.stop()

    assert sorted(ends.seen) == sorted(
        [("down", "offered", packet(1)), ("up", "offered", packet(2)), ("up", "delivered", packet(2))]
    )


def test_what_the_system_refuses_is_counted() -> None:
    with running() as ends:
        ends.server.close()
        ends.client.send(packet(1))
        ends.client.send(packet(2))
        assert until(lambda: ends.wire.stats.unsent == 2)

    assert ends.wire.stats.unsent == 2


def test_same_seed_same_fate() -> None:
    first, second = arrivals(), arrivals()

    assert first == second
    assert 50 < len(first) < 150


def arrivals() -> list[bytes]:
    """Which of 200 packets a link that loses half of them delivers."""
    with running(up=LinkConfig(loss=0.5, overhead=0)) as ends:
        for number in range(200):
            ends.client.send(packet(number))
        assert until(lambda: ends.wire.up.stats.offered == 200)
        ends.stop()
    return [data for _, event, data in ends.seen if event == "delivered"]
