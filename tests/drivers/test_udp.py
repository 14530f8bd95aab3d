"""The UDP driver on the loopback interface; what the kernel rarely does is in test_udp_fallback.py."""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from surewire.core.trains import Train
from surewire.drivers.udp import MAX_BATCH_BYTES, MAX_SEGMENTS, UdpSocket
from surewire.drivers.udp_options import (
    ON_LINUX,
    host_port,
    socket_address,
)
from tests.drivers.fake_udp import LOCALHOST, PEER, random_train

TWO_SECONDS = 2_000_000_000


def read(receiver: UdpSocket, nbytes: int) -> list[bytes]:
    """Read until `nbytes` have come or nothing comes for two seconds; return the datagrams."""
    datagrams: list[bytes] = []
    got = 0
    while got < nbytes:
        received = receiver.receive()
        if received is None:
            before = receiver.stats.receive_calls
            receiver.wait(TWO_SECONDS)
            received = receiver.receive()
            if received is None and receiver.stats.receive_calls == before:
                break
        if received is not None:
            whole = bytes(received.buffer)
            datagrams += [whole[i : i + received.stride] for i in range(0, len(whole), received.stride)]
            got += len(whole)
    return datagrams


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback")


@pytest.fixture
def pair() -> Iterator[tuple[UdpSocket, UdpSocket]]:
    with UdpSocket(LOCALHOST) as one, UdpSocket(LOCALHOST) as two:
        yield one, two


@pytest.mark.parametrize("offload", [True, False])
@pytest.mark.parametrize(
    ("sizes", "stride"),
    [([1], 1), ([40, 960], 1000), ([40, 960] * 44, 1000), ([700] * 7, 1000), ([1200] * 150 + [7], 1200), ([1] * 64, 1)],
    ids=["one byte", "one datagram", "train", "uneven buffers", "more than one call can take", "64 of 1 byte"],
)
def test_datagrams_arrive_as_the_train_says(sizes: list[int], stride: int, offload: bool) -> None:
    with UdpSocket(LOCALHOST, offload=offload) as sender, UdpSocket(LOCALHOST, offload=offload) as receiver:
        sent = random_train(sizes, stride, receiver.address)
        assert sender.send(sent)
        assert not sender.pending
        assert read(receiver, sent.nbytes) == sent.datagrams()
        assert receiver.receive() is None
        datagrams = len(sent.datagrams())
        assert (sender.stats.trains_sent, sender.stats.datagrams_sent) == (1, datagrams)
        assert sender.stats.bytes_sent == receiver.stats.bytes_received == sent.nbytes
        assert receiver.stats.datagrams_received == datagrams
        assert sender.stats.offload_failures == 0
        if not offload:
            assert sender.stats.send_calls == receiver.stats.receive_calls == datagrams
        elif sender.stats.segmentation:
            assert sender.stats.send_calls == -(-datagrams // min(MAX_SEGMENTS, MAX_BATCH_BYTES // stride))


def test_a_read_names_its_sender_and_reuses_its_buffer(pair: tuple[UdpSocket, UdpSocket]) -> None:
    one, two = pair
    one.send(Train([b"first"], 5, 5, two.address))
    one.send(Train([b"other!"], 6, 6, two.address))
    two.wait(TWO_SECONDS)
    first = two.receive()
    assert first is not None
    assert (bytes(first.buffer), first.stride, first.source) == (b"first", 5, one.address)
    two.wait(TWO_SECONDS)
    assert two.receive() is not None
    assert bytes(first.buffer) == b"other"


def test_an_empty_datagram_is_skipped(pair: tuple[UdpSocket, UdpSocket]) -> None:
    _, two = pair
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as plain:
        plain.sendto(b"", two.address)
        plain.sendto(b"x", two.address)
    assert read(two, 1) == [b"x"]
    assert two.stats.datagrams_received == 2


def test_the_largest_datagram_passes_and_a_larger_one_counts_as_lost(pair: tuple[UdpSocket, UdpSocket]) -> None:
    one, two = pair
    largest = random_train([65_507], 65_507, two.address)
    assert one.send(largest)
    assert read(two, largest.nbytes) == largest.datagrams()
    assert one.send(random_train([65_508], 65_508, two.address))
    assert one.stats.send_errors == {"EMSGSIZE": 1}
    assert one.stats.datagrams_dropped == 1


def test_a_connected_socket_learns_that_nobody_listens() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as taken:
        taken.bind(LOCALHOST)
        nobody = taken.getsockname()
    with UdpSocket(LOCALHOST, remote=nobody) as sender:
        assert sender.send(Train([b"anyone?"], 7, 7, nobody))
        sender.wait(TWO_SECONDS)
        assert sender.receive() is None
        assert sender.take_refused()
        assert not sender.take_refused()
        assert sender.stats.refusals == 1
        # The refusal of this one is met by the next send, which goes out all the same.
        assert sender.send(Train([b"anyone?"], 7, 7, nobody))
        sender.wait(TWO_SECONDS)
        assert sender.send(Train([b"anyone?"], 7, 7, nobody))
        assert sender.take_refused()
        assert sender.stats.datagrams_sent == 3
        assert sender.stats.datagrams_dropped == 0


def test_a_connected_socket_hears_only_its_remote() -> None:
    with (
        UdpSocket(LOCALHOST) as remote,
        UdpSocket(LOCALHOST) as stranger,
        UdpSocket(LOCALHOST, remote=remote.address) as local,
    ):
        assert local.remote == remote.address
        stranger.send(Train([b"stranger"], 8, 8, local.address))
        remote.send(Train([b"remote"], 6, 6, local.address))
        assert read(local, 6) == [b"remote"]


def test_names_are_resolved_and_ipv4_is_preferred() -> None:
    with UdpSocket(("localhost", 0)) as receiver:
        assert receiver.address[0] == "127.0.0.1"
        with UdpSocket(("localhost", 0), remote=("localhost", receiver.address[1])) as sender:
            assert sender.remote == receiver.address
            sender.send(Train([b"hello"], 5, 5, receiver.address))
            assert read(receiver, 5) == [b"hello"]


def test_the_error_of_a_taken_port_comes_as_it_is(pair: tuple[UdpSocket, UdpSocket]) -> None:
    with pytest.raises(OSError) as caught:
        UdpSocket(pair[0].address)
    assert caught.value.errno == errno.EADDRINUSE


def test_ends_of_two_families_are_an_error() -> None:
    with pytest.raises(OSError) as caught:
        UdpSocket(LOCALHOST, remote=("::1", 9))
    assert caught.value.errno == errno.EAFNOSUPPORT


@needs_ipv6
def test_ipv6_addresses_have_two_parts() -> None:
    with UdpSocket(("::1", 0)) as one, UdpSocket(("::1", 0)) as two:
        sent = random_train([500] * 20, 500, two.address)
        assert one.send(sent)
        assert read(two, sent.nbytes) == sent.datagrams()
        one.send(Train([b"x"], 1, 1, two.address))
        two.wait(TWO_SECONDS)
        received = two.receive()
        assert received is not None
        assert received.source == one.address == ("::1", one.address[1])


def test_an_ipv6_scope_survives_the_way_to_an_endpoint_and_back() -> None:
    assert host_port(("fe80::1", 9, 0, 3)) == ("fe80::1%3", 9)
    assert socket_address(("fe80::1%3", 9)) == ("fe80::1", 9, 0, 3)
    assert socket_address(("::1", 9)) == ("::1", 9)


@pytest.mark.skipif(not ON_LINUX, reason="other systems have no 127.0.0.2")
@pytest.mark.parametrize(
    ("wildcard", "asked_at"), [("0.0.0.0", "127.0.0.2"), pytest.param("::", "::1", marks=needs_ipv6)]
)
def test_a_wildcard_socket_answers_from_the_address_it_was_asked_at(wildcard: str, asked_at: str) -> None:
    with UdpSocket((wildcard, 0)) as server:
        port = server.address[1]
        client_host = "127.0.0.1" if wildcard == "0.0.0.0" else "::1"
        with UdpSocket((client_host, 0), remote=(asked_at, port)) as client:
            assert server.local_address(client.address) == (client_host, port)  # the routing table's choice
            client.send(random_train([900] * 5, 900, (asked_at, port)))
            assert len(read(server, 4500)) == 5
            assert server.local_address(client.address) == (asked_at, port)
            # A connected client hears an answer from this address only.
            answer = random_train([900] * 5, 900, client.address)
            assert server.send(Train([b"one"], 3, 3, client.address))
            assert server.send(answer)
            assert read(client, 4503) == [b"one", *answer.datagrams()]


def test_a_bound_socket_knows_its_local_address(pair: tuple[UdpSocket, UdpSocket]) -> None:
    assert pair[0].local_address(PEER) == pair[0].address


def test_buffers_are_asked_for_and_the_answer_is_shown() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100_000)
        granted = plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    with UdpSocket(LOCALHOST, receive_buffer=300_000) as small:
        assert small.stats.receive_buffer >= granted


def test_drops_of_the_kernel_are_counted() -> None:
    with UdpSocket(LOCALHOST, receive_buffer=1, offload=False) as receiver, UdpSocket(LOCALHOST) as sender:
        for _ in range(200):
            sender.send(random_train([1400], 1400, receiver.address))
        while receiver.receive() is not None:
            pass
        sender.send(random_train([1400], 1400, receiver.address))
        receiver.wait(TWO_SECONDS)
        assert receiver.receive() is not None
        assert receiver.stats.datagrams_received + receiver.stats.kernel_drops == 201
        assert receiver.stats.kernel_drops > 0


def test_wait_returns_for_time_and_for_room(pair: tuple[UdpSocket, UdpSocket]) -> None:
    one, _ = pair
    one.wait(0)
    one.wait(-5)
    one.wait(1_000)
    one.wait(None, writable=True)


def test_wait_works_for_high_descriptors(pair: tuple[UdpSocket, UdpSocket]) -> None:
    _, two = pair
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft <= 1100:
        pytest.skip("too few descriptors allowed")
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as plain:
        plain.bind(LOCALHOST)
        plain.setblocking(False)
        os.dup2(plain.fileno(), 1099)
        with UdpSocket(LOCALHOST, raw=socket.socket(fileno=1099)) as high:
            assert high.fileno() == 1099
            high.wait(1_000)
            high.wait(None, writable=True)
            two.send(Train([b"x"], 1, 1, high.address))
            high.wait(None)
            assert read(high, 1) == [b"x"]


def test_close_can_be_repeated() -> None:
    one = UdpSocket(LOCALHOST)
    one.close()
    one.close()
    assert one.fileno() == -1
