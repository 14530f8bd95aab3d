"""The relay on real loopback sockets, run in slices by the test itself: no threads but in one test."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import threading
import time
from collections.abc import Callable

import pytest

from surewire.drivers.relay import BATCH, Relay
from surewire.drivers.relay_config import LATE, RelayConfig
from surewire.drivers.relay_sockets import Endpoint
from surewire.errors import ConfigError
from surewire.impair import LinkConfig
from tests.drivers.relay_bench import MS, PATIENCE_S, Bench, bench, round_trip, udp_socket, waiting

HOUR = 3600 * 1_000 * MS


# Relaying and NAT


@pytest.mark.parametrize("payload", [b"hello", b"", bytes(range(256)) * 32], ids=["short", "empty", "8 KiB"])
def test_datagrams_pass_both_ways_unchanged(payload: bytes) -> None:
    with bench() as b:
        round_trip(b, b.client(), payload)
        assert (b.relay.up.delivered, b.relay.down.delivered) == (1, 1)


def test_each_client_has_a_source_port_of_its_own_at_the_server() -> None:
    with bench() as b:
        clients = [b.client() for _ in range(3)]
        own_ports = {client.getsockname()[1] for client in clients}
        seen: dict[bytes, int] = {}
        for _ in range(2):
            for i, client in enumerate(clients):
                client.send(b"%d" % i)
                ((datagram, source),) = b.receive(b.server)
                assert seen.setdefault(datagram, source[1]) == source[1]
        ports = set(seen.values())
        assert len(ports) == 3
        assert not ports & (own_ports | {b.relay.endpoint.address[1]})
        for name, port in seen.items():
            b.server.sendto(b"to " + name, ("127.0.0.1", port))
        for i, client in enumerate(clients):
            ((answer, source),) = b.receive(client)
            assert answer == b"to %d" % i
            assert source == b.relay.endpoint.address


def test_a_stranger_cannot_reach_a_client() -> None:
    with bench() as b, udp_socket() as stranger:
        client = b.client()
        client.send(b"x")
        ((_, source),) = b.receive(b.server)
        stranger.sendto(b"from a stranger", source)
        b.server.sendto(b"from the server", source)
        assert [datagram for datagram, _ in b.receive(client)] == [b"from the server"]


def test_order_is_kept_over_many_batches() -> None:
    count = 5 * BATCH
    with bench() as b:
        client = b.client()
        for i in range(count):
            client.send(b"%d" % i)
        assert [datagram for datagram, _ in b.receive(b.server, count)] == [b"%d" % i for i in range(count)]


def test_a_flood_in_one_direction_leaves_the_other_its_turn() -> None:
    with bench() as b:
        client = b.client()
        client.send(b"x")
        ((_, source),) = b.receive(b.server)
        for _ in range(5 * BATCH):
            client.send(b"flood")
        b.server.sendto(b"answer", source)
        b.relay.run(0)
        assert b.relay.up.offered == 1 + BATCH
        assert b.relay.down.offered == 1
        b.receive(b.server, 5 * BATCH)


def test_ipv6_and_a_change_of_family() -> None:
    try:
        server = Endpoint.resolve("::1", 0)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(server.address)
    except OSError:
        pytest.skip("no IPv6 here")
    with contextlib.ExitStack() as cleanup:
        sock = cleanup.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        sock.bind(server.address)
        sock.setblocking(False)
        to = Endpoint(socket.AF_INET6, sock.getsockname())
        relay = cleanup.enter_context(Relay(Endpoint.resolve("127.0.0.1", 0), to, RelayConfig()))
        b = Bench(relay, sock, cleanup)
        round_trip(b, b.client(), b"across")
        assert str(to) == f"[::1]:{to.address[1]}"
        assert str(relay.endpoint) == f"127.0.0.1:{relay.endpoint.address[1]}"


# Impairments, each direction by itself

ALL_LOST = LinkConfig(loss=1)


def test_loss_up_only() -> None:
    with bench(RelayConfig(up=ALL_LOST)) as b:
        client = b.client()
        for _ in range(5):
            client.send(b"x")
        b.until(lambda: b.relay.up.lost == 5)
        assert waiting(b.server) == []
        assert b.relay.down.offered == 0


def test_loss_down_only() -> None:
    with bench(RelayConfig(down=ALL_LOST)) as b:
        client = b.client()
        client.send(b"x")
        ((_, source),) = b.receive(b.server)
        b.server.sendto(b"y", source)
        b.until(lambda: b.relay.down.lost == 1)
        assert waiting(client) == []
        assert b.relay.up.lost == 0


def test_corruption_reaches_the_application() -> None:
    payload = bytes(500)
    with bench(RelayConfig(down=LinkConfig(corrupt=1))) as b:
        client = b.client()
        client.send(payload)
        ((datagram, source),) = b.receive(b.server)
        assert datagram == payload
        b.server.sendto(payload, source)
        ((answer, _),) = b.receive(client)
        assert len(answer) == 500
        assert 1 <= sum(byte.bit_count() for byte in answer) <= 3


def test_duplicates_arrive() -> None:
    with bench(RelayConfig(up=LinkConfig(duplicate=1))) as b:
        b.client().send(b"twice")
        assert [datagram for datagram, _ in b.receive(b.server, 2)] == [b"twice"] * 2


def test_delay_is_a_lower_bound() -> None:
    with bench(RelayConfig(up=LinkConfig(delay=30 * MS))) as b:
        sent = time.monotonic_ns()
        b.client().send(b"x")
        b.receive(b.server)
        assert time.monotonic_ns() - sent >= 30 * MS


def test_a_reordered_datagram_falls_behind() -> None:
    with bench(RelayConfig(seed=1, up=LinkConfig(reorder=0.3, delay=30 * MS))) as b:
        client = b.client()
        for i in range(40):
            client.send(b"%d" % i)
        got = [int(datagram) for datagram, _ in b.receive(b.server, 40)]
        assert sorted(got) == list(range(40))
        assert got != sorted(got)


def test_a_blackout_hits_both_directions_from_the_first_datagram() -> None:
    with bench(RelayConfig(up=LinkConfig(blackouts=((0, HOUR),)))) as b:
        b.client().send(b"x")
        b.until(lambda: b.relay.up.blacked_out == 1)
        assert waiting(b.server) == []
    later = LinkConfig(blackouts=((HOUR, 2 * HOUR),))
    with bench(RelayConfig(up=later, down=later)) as b:
        round_trip(b, b.client(), b"before the blackout")
    # Zero is the first datagram of either direction: the answer comes when the interval is over.
    with bench(RelayConfig(down=LinkConfig(blackouts=((0, 20 * MS),)))) as b:
        client = b.client()
        client.send(b"x")
        ((_, source),) = b.receive(b.server)
        b.relay.run(20 * MS)
        b.server.sendto(b"y", source)
        assert b.receive(client)[0][0] == b"y"


def arrivals(seed: int) -> list[bytes]:
    with bench(RelayConfig(seed=seed, up=LinkConfig(loss=0.5), down=LinkConfig(loss=0.5))) as b:
        client = b.client()
        for i in range(64):
            client.send(b"%d" % i)
        b.until(lambda: b.relay.up.offered == 64)
        return [datagram for datagram, _ in b.receive(b.server, b.relay.up.delivered)]


def test_the_same_seed_makes_the_same_decisions() -> None:
    first = arrivals(5)
    assert 0 < len(first) < 64
    assert arrivals(5) == first
    assert arrivals(6) != first


# What must not end it


def test_a_closed_server_port_is_survived() -> None:
    with bench() as b:
        port = b.server.getsockname()[1]
        b.server.close()
        client = b.client()
        client.send(b"nobody there")
        b.until(lambda: b.relay.snapshot().icmp_errors > 0)
        with udp_socket(port) as server:
            b.server = server
            round_trip(b, client, b"now somebody")


def test_a_client_that_left_does_not_disturb_the_others() -> None:
    with bench() as b:
        gone, stays = b.client(), b.client()
        gone.send(b"x")
        ((_, source),) = b.receive(b.server)
        gone.close()
        for _ in range(3):
            b.server.sendto(b"y", source)
        b.until(lambda: b.relay.down.offered == 3)
        round_trip(b, stays, b"still here")


# Limits, counted


def test_clients_above_the_limit_are_refused_and_counted() -> None:
    with bench(RelayConfig(max_clients=1)) as b:
        first, second = b.client(), b.client()
        round_trip(b, first, b"a")
        second.send(b"b")
        b.until(lambda: b.relay.snapshot().clients_refused == 1)
        round_trip(b, first, b"c")
        assert b.relay.snapshot().clients == b.relay.active_clients == 1


def test_idle_clients_are_forgotten_and_may_come_back() -> None:
    with bench(RelayConfig(idle_timeout=MS)) as b:
        client = b.client()
        client.send(b"a")
        b.receive(b.server)
        b.until(lambda: b.relay.active_clients == 0)
        assert b.relay.snapshot().clients_evicted == 1
        client.send(b"b")
        b.receive(b.server)
        assert b.relay.snapshot().clients == 2


def test_a_client_with_a_datagram_under_way_is_not_idle() -> None:
    with bench(RelayConfig(idle_timeout=MS, up=LinkConfig(delay=50 * MS))) as b:
        b.client().send(b"slow")
        assert b.receive(b.server)[0][0] == b"slow"
        assert b.relay.snapshot().unsent == 0


def test_what_waits_for_delivery_is_limited() -> None:
    with bench(RelayConfig(max_pending_bytes=1_000, up=LinkConfig(delay=HOUR))) as b:
        client = b.client()
        for _ in range(3):
            client.send(bytes(300))
        b.until(lambda: b.relay.snapshot().overflowed == 1)
        assert b.relay.snapshot().pending == 2
        assert b.relay.up.offered == 2


def test_empty_datagrams_take_memory_too() -> None:
    with bench(RelayConfig(max_pending_bytes=1_000, up=LinkConfig(delay=HOUR))) as b:
        client = b.client()
        for _ in range(10):
            client.send(b"")
        b.until(lambda: b.relay.snapshot().overflowed == 5)
        assert b.relay.snapshot().pending == 5


def test_a_process_with_too_many_open_files_is_told_at_once() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1_200:
        pytest.skip("so many files may not be opened here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1_200), hard))
    files: list[int] = []
    try:
        while not files or files[-1] < 1_024:
            files.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(OSError, match="too many open files"), bench(RelayConfig()):
            pass
    finally:
        for descriptor in files:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_late_deliveries_are_counted() -> None:
    with bench(RelayConfig(up=LinkConfig(delay=20 * MS))) as b:
        b.client().send(b"x")
        give_up = time.monotonic() + PATIENCE_S
        while b.relay.up.offered == 0 and time.monotonic() < give_up:
            b.relay.run(0)
        time.sleep((20 * MS + 2 * LATE) / 1e9)
        b.receive(b.server)
        stats = b.relay.snapshot()
        assert stats.late == 1
        assert stats.worst_lateness > LATE


def test_what_the_system_drops_unread_is_counted() -> None:
    with bench() as b:
        if b.relay.snapshot().receive_drops is None:
            pytest.skip("this system does not tell")
        assert b.relay.snapshot().receive_drops == 0
        client = b.client()
        # 18 MB into a socket that asked for 4 MiB and that nobody reads.
        for _ in range(300):
            with contextlib.suppress(BlockingIOError):
                client.send(bytes(60_000))
        assert (b.relay.snapshot().receive_drops or 0) > 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: RelayConfig(max_clients=0),
        lambda: RelayConfig(max_clients=901),
        lambda: RelayConfig(idle_timeout=0),
        lambda: RelayConfig(max_pending_bytes=0),
    ],
)
def test_limits_that_make_no_sense_are_refused(make: Callable[[], RelayConfig]) -> None:
    with pytest.raises(ConfigError):
        make()


# Starting and ending


def test_a_busy_port_is_an_error() -> None:
    with udp_socket() as other, pytest.raises(OSError):
        Relay(Endpoint.resolve(*other.getsockname()), Endpoint.resolve("127.0.0.1", 9), RelayConfig())


def test_stop_ends_run_from_another_thread_and_stays() -> None:
    with bench() as b:
        results: list[bool] = []
        runner = threading.Thread(target=lambda: results.append(b.relay.run()), daemon=True)
        runner.start()
        b.relay.stop()
        runner.join(PATIENCE_S)
        assert results == [True]
        assert b.relay.run() is True
    b.relay.stop()


def test_run_ends_when_its_time_is_over() -> None:
    with bench() as b:
        assert b.relay.run(MS) is False
