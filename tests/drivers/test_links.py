"""`surewire.lab.link` and the stream pair, on loopback with their threads."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import surewire
import surewire.lab
from surewire.errors import ConfigError, LocalProtocolError
from surewire.impair import CrossTraffic, LinkConfig, Rebinding, Scenario
from surewire.lab.stream_pair import open_pair
from tests.drivers.streamer_room import eventually

PATIENCE_S = 20
SRC = Path(surewire.__file__).resolve().parent.parent


@contextlib.contextmanager
def udp_socket() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(PATIENCE_S)
        yield sock


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with udp_socket() as sock:
        yield sock


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with udp_socket() as sock:
        yield sock


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("surewire")]


def survivors(server: socket.socket, client: socket.socket, address: tuple[str, int], count: int = 60) -> list[bytes]:
    """Which of `count` datagrams arrive; the last is sent until one does, and marks the end."""
    for i in range(count):
        client.sendto(b"%d" % i, address)
    server.settimeout(0.05)
    arrived: list[bytes] = []
    for _ in range(400):
        client.sendto(b"end", address)
        with contextlib.suppress(TimeoutError):
            while (datagram := server.recv(100)) != b"end":
                arrived.append(datagram)
            return arrived
    pytest.fail("nothing arrived")


def test_datagrams_pass_both_ways_and_are_counted(server: socket.socket, client: socket.socket) -> None:
    with surewire.lab.link(to=server) as link:
        client.sendto(b"there", link.address)
        datagram, source = server.recvfrom(100)
        assert datagram == b"there"
        server.sendto(b"and back", source)
        assert client.recvfrom(100) == (b"and back", link.address)
        assert threads() == ["surewire-link"]
        report = link.stats
        assert (report.up.delivered_bytes, report.down.delivered_bytes, report.relay.clients) == (5, 8, 1)
    assert threads() == []
    assert link.stats.up.delivered == link.stats.down.delivered == 1
    link.close()


def test_a_server_may_be_given_as_address_as_port_or_as_socket(server: socket.socket, client: socket.socket) -> None:
    host, port = server.getsockname()
    for to in ((host, port), ("localhost", port), port, server):
        with surewire.lab.link(to=to) as link:
            client.sendto(b"x", link.address)
            assert server.recv(10) == b"x"


def test_a_server_on_all_addresses_is_reached_here(client: socket.socket) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", 0))
        server.settimeout(PATIENCE_S)
        with surewire.lab.link(to=server, listen=("0.0.0.0", 0)) as link:
            assert link.address[0] == "127.0.0.1"
            client.sendto(b"x", link.address)
            assert server.recv(10) == b"x"


def test_the_same_seed_decides_the_same(server: socket.socket, client: socket.socket) -> None:
    runs = []
    for seed in (1, 1, 2):
        with surewire.lab.link(to=server, up_loss=50, seed=seed) as link:
            assert link.seed == seed
            runs.append(survivors(server, client, link.address))
    assert 0 < len(runs[0]) < 60
    assert runs[0] == runs[1] != runs[2]


def test_without_a_seed_each_link_has_its_own(server: socket.socket) -> None:
    with surewire.lab.link(to=server) as one, surewire.lab.link(to=server) as other:
        assert one.seed != other.seed


def test_what_a_change_of_the_path_has_set_can_be_changed(server: socket.socket, client: socket.socket) -> None:
    with surewire.lab.link(to=server, change=["0:loss=100:delay=3600000", "3600:loss=50"]) as link:
        client.sendto(b"lost", link.address)
        eventually(lambda: link.stats.up.lost == 1)
        link.change(loss=0, delay=0)
        client.sendto(b"1", link.address)
        assert server.recv(10) == b"1"


def test_a_change_of_the_path_does_not_end_a_blackout(server: socket.socket, client: socket.socket) -> None:
    with surewire.lab.link(to=server, change="0:loss=0") as link:
        with link.blackout():
            client.sendto(b"gone", link.address)
            eventually(lambda: link.stats.up.offered == 1)
        client.sendto(b"1", link.address)
        assert server.recv(10) == b"1"
        assert link.stats.up.lost == 1


def test_a_tap_may_use_the_link(server: socket.socket, client: socket.socket) -> None:
    class Tap:
        def on_sent(self, source: Any, destination: Any, datagram: bytes, now: int) -> None:
            seen.append(link.stats.up.offered)
            link.change(duplicate=0)

        def on_delivered(self, source: Any, destination: Any, datagram: bytes, now: int) -> None:
            link.rebind()

    seen: list[int] = []
    with surewire.lab.link(to=server, duplicate=100, tap=Tap()) as link:
        client.sendto(b"1", link.address)
        assert server.recv(10) == b"1"
        eventually(lambda: link.stats.relay.rebindings == 1)
        assert link.stats.up.duplicated == 0
    assert seen == [0]


def test_values_can_be_changed_and_a_direction_overrides_both(server: socket.socket, client: socket.socket) -> None:
    with surewire.lab.link(to=server, loss=100, up_loss=0) as link:
        client.sendto(b"1", link.address)
        _, source = server.recvfrom(10)
        server.sendto(b"lost", source)
        eventually(lambda: link.stats.down.lost == 1)
        link.change(down_loss=0, up_duplicate=100)
        client.sendto(b"2", link.address)
        assert [server.recv(10), server.recv(10)] == [b"2", b"2"]
        server.sendto(b"not lost", source)
        assert client.recv(10) == b"not lost"
        with pytest.raises(ConfigError, match="nonsense"):
            link.change(nonsense=1)
        assert (link.stats.up.duplicated, link.stats.down.lost) == (1, 1)


def test_a_blackout_lasts_as_long_as_its_block(server: socket.socket, client: socket.socket) -> None:
    with surewire.lab.link(to=server, delay=1, max_loss_run=3) as link:
        with link.blackout():
            for _ in range(10):
                client.sendto(b"lost", link.address)
            eventually(lambda: link.stats.up.lost == 10)
        client.sendto(b"after", link.address)
        assert server.recv(10) == b"after"
        assert link.stats.up.lost == 10
        with link.blackout():
            link.close()


def test_rebinding_and_the_way_back(server: socket.socket, client: socket.socket) -> None:
    with surewire.lab.link(to=server) as link:
        port = link.reverse(client)
        server.sendto(b"unasked", port)
        assert client.recv(10) == b"unasked"
        client.sendto(b"x", link.address)
        assert server.recvfrom(10) == (b"x", port)
        link.rebind()
        client.sendto(b"y", link.address)
        datagram, source = server.recvfrom(10)
        assert (datagram, source[0]) == (b"y", port[0])
        assert source != port


def test_a_scenario_by_name_as_object_and_overridden(server: socket.socket, client: socket.socket) -> None:
    with surewire.lab.link(to=server, scenario="loss10", up_loss=0, delay=0, rate="none", seed=1) as link:
        assert len(survivors(server, client, link.address)) == 60
    rebinding = Scenario(name="mine", up=LinkConfig(), down=LinkConfig(), rebinding=Rebinding(first=0, every=1_000_000))
    with surewire.lab.link(to=server, scenario=rebinding) as link:
        client.sendto(b"x", link.address)
        eventually(lambda: link.stats.relay.rebindings >= 3)


def test_what_cannot_be_is_refused(server: socket.socket) -> None:
    flows = Scenario(
        name="busy", up=LinkConfig(rate=10**6), down=LinkConfig(), cross_traffic=(CrossTraffic(algorithm="cubic"),)
    )
    with pytest.raises(ConfigError, match="busy has cross traffic"):
        surewire.lab.link(to=server, scenario=flows)
    with pytest.raises(ConfigError, match="there is no scenario"):
        surewire.lab.link(to=server, scenario="no-such")
    wrong: tuple[dict[str, Any], ...] = ({"loss": 101}, {"up_nonsense": 1}, {"sideways_loss": 1})
    for options in wrong:
        with pytest.raises(ConfigError, match=next(iter(options)).removeprefix("up_").replace("_", ".")):
            surewire.lab.link(to=server, **options)
    with pytest.raises(OSError):
        surewire.lab.link(to=server, listen=server)
    assert threads() == []


class Sabotage(Exception):
    """What the tap below raises."""


class BadTap:
    def on_sent(self, source: object, destination: object, datagram: bytes, now: int) -> None:
        raise Sabotage("in the thread")

    def on_delivered(self, source: object, destination: object, datagram: bytes, now: int) -> None: ...


def ended_by_its_tap(server: socket.socket, client: socket.socket) -> surewire.lab.LossyLink:
    link = surewire.lab.link(to=server, tap=BadTap())
    client.sendto(b"x", link.address)
    eventually(lambda: "surewire-link" not in threads())
    return link


def test_an_error_in_the_thread_comes_out_at_the_end(server: socket.socket, client: socket.socket) -> None:
    link = ended_by_its_tap(server, client)
    with pytest.raises(LocalProtocolError):
        link.change(loss=1)
    with pytest.raises(Sabotage):
        link.close()
    link.close()


def test_an_error_of_the_block_is_not_hidden_by_the_threads(server: socket.socket, client: socket.socket) -> None:
    with pytest.raises(ZeroDivisionError) as caught, ended_by_its_tap(server, client):
        raise ZeroDivisionError
    assert any("Sabotage" in note for note in caught.value.__notes__)


def test_a_closed_link_refuses(server: socket.socket) -> None:
    with surewire.lab.link(to=server) as link:
        pass
    for call in (link.change, link.rebind, lambda: link.reverse(1)):
        with pytest.raises(LocalProtocolError):
            call()


def test_importing_the_laboratory_loads_no_link_until_it_is_asked_for() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import surewire.lab; "
        "before = 'surewire.lab.links' in sys.modules; surewire.lab.link; "
        "print(before, 'surewire.lab.links' in sys.modules)"
    )
    command = [sys.executable, "-I", "-c", program, str(SRC)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.stdout.split() == ["False", "True"]
    with pytest.raises(AttributeError, match="nothing_such"):
        surewire.lab.nothing_such  # noqa: B018


# The stream pair


def test_a_pair_carries_bytes_both_ways_over_loss() -> None:
    pair = open_pair(loss=20, corrupt=10, delay=2, seed=3)
    client, server = pair
    message = bytes(range(256)) * 400
    client.send(message)
    server.send(b"meanwhile")
    received = b""
    while len(received) < len(message):
        received += server.recv()
    assert received == message
    client.close()
    assert server.recv() == b""
    answer = b""
    server.send(b", the other way")
    server.close()
    while piece := client.recv():
        answer += piece
    assert answer == b"meanwhile, the other way"
    pair.close()
    assert pair.link.stats.up.lost > 0
    assert pair.link.stats.up.corrupted > 0
    assert threads() == []


def test_a_pair_survives_rebinding() -> None:
    pair = open_pair(delay=1)
    pair.client.send(b"before")
    assert pair.server.recv() == b"before"
    pair.link.rebind()
    pair.server.send(b"to a port that is gone")
    pair.client.send(b"after")
    assert pair.server.recv() == b"after"
    assert pair.client.recv() == b"to a port that is gone"
    pair.close()


def test_a_pair_can_be_abandoned_with_bytes_under_way() -> None:
    pair = open_pair(loss=100)
    pair.client.send(bytes(10_000))
    pair.abandon()
    assert threads() == []
    with pytest.raises(LocalProtocolError):
        pair.client.send(b"x")
