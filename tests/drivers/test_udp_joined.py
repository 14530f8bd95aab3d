"""Where the kernel joins no datagrams, the socket does: what `receive` gives, and that nothing is lost or mixed up."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from surewire.core.trains import Train
from surewire.drivers.udp import UdpSocket
from surewire.drivers.udp_options import IP_PKTINFO, SOL_UDP, UDP_GRO, ControlMessage
from surewire.drivers.udp_reads import MOST_JOINED
from tests.drivers.fake_udp import PEER, FakeRaw

LOOPBACK = ("127.0.0.1", 0)


@pytest.fixture
def receiver() -> Iterator[UdpSocket]:
    with UdpSocket(LOOPBACK, offload=False) as opened:
        yield opened


def send(sender: UdpSocket, to: UdpSocket, *datagrams: bytes) -> None:
    for datagram in datagrams:
        assert sender.send(Train([datagram], max(len(datagram), 1), len(datagram), to.address))


def asked_at(host: str) -> list[ControlMessage]:
    """What the kernel says of a datagram that came to this address of ours."""
    address = socket.inet_aton(host)
    return [(socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=I4s4s", 1, address, address))]


def received(receiver: UdpSocket, count: int) -> list[tuple[list[bytes], tuple[str, int]]]:
    """Reads until `count` datagrams have come."""
    reads = []
    while count > 0:
        receiver.wait(10**9)
        got = receiver.receive()
        assert got is not None
        whole = bytes(got.buffer)
        pieces = [whole[at : at + got.stride] for at in range(0, len(whole), got.stride)]
        reads.append((pieces, got.source))
        count -= len(pieces)
    return reads


def test_equal_ones_come_together_and_a_shorter_one_ends_them(receiver: UdpSocket) -> None:
    with UdpSocket(LOOPBACK, offload=False) as sender:
        sent = [bytes([i]) * 1000 for i in range(5)]
        send(sender, receiver, *sent, b"short", b"other")
        assert received(receiver, 7) == [([*sent, b"short"], sender.address), ([b"other"], sender.address)]
        assert receiver.stats.datagrams_received == 7
        assert receiver.stats.bytes_received == 5010


def test_a_longer_one_is_kept_for_the_next_read(receiver: UdpSocket) -> None:
    with UdpSocket(LOOPBACK, offload=False) as sender:
        send(sender, receiver, b"a" * 10, b"b" * 10, b"c" * 2000, b"d" * 2000)
        first = received(receiver, 2)
        assert first == [([b"a" * 10, b"b" * 10], sender.address)]
        assert receiver.holds_datagram
        receiver.wait(None)  # would not end if it only looked at the descriptor, were this one the last
        assert received(receiver, 2) == [([b"c" * 2000, b"d" * 2000], sender.address)]
        assert not receiver.holds_datagram


def test_a_kept_one_is_waited_for_in_vain_by_nobody(receiver: UdpSocket) -> None:
    with UdpSocket(LOOPBACK, offload=False) as sender:
        send(sender, receiver, b"a" * 10, b"c" * 20)
        assert received(receiver, 1) == [([b"a" * 10], sender.address)]
        receiver.wait(None)
        assert received(receiver, 1) == [([b"c" * 20], sender.address)]


def test_senders_are_kept_apart(receiver: UdpSocket) -> None:
    with UdpSocket(LOOPBACK, offload=False) as one, UdpSocket(LOOPBACK, offload=False) as two:
        send(one, receiver, b"1" * 10)
        send(two, receiver, b"2" * 10, b"3" * 10)
        send(one, receiver, b"4" * 10)
        assert received(receiver, 4) == [
            ([b"1" * 10], one.address),
            ([b"2" * 10, b"3" * 10], two.address),
            ([b"4" * 10], one.address),
        ]


def test_a_batch_is_bounded_and_the_longest_datagrams_fit(receiver: UdpSocket) -> None:
    with UdpSocket(LOOPBACK, offload=False) as sender:
        send(sender, receiver, *[b"x"] * (MOST_JOINED + 3))
        reads = received(receiver, MOST_JOINED + 3)
        assert [len(pieces) for pieces, _ in reads] == [MOST_JOINED, 3]
        long = [bytes([i]) * 65_507 for i in range(3)]
        send(sender, receiver, *long)
        assert [piece for pieces, _ in received(receiver, 3) for piece in pieces] == long


def test_an_empty_datagram_between_is_skipped(receiver: UdpSocket) -> None:
    with UdpSocket(LOOPBACK, offload=False) as sender, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.connect(receiver.address)
        plain.send(b"a" * 10)
        plain.send(b"")
        plain.send(b"b" * 10)
        send(sender, receiver, b"c" * 10)
        assert [piece for pieces, _ in received(receiver, 3) for piece in pieces] == [b"a" * 10, b"b" * 10, b"c" * 10]
        assert receiver.stats.datagrams_received == 4


def test_what_the_kernel_has_joined_is_not_joined_any_further() -> None:
    """It says of how many bytes they are, with the read: shorter ones do not end those that were read before."""
    raw = FakeRaw()
    joined: list[ControlMessage] = [(SOL_UDP, UDP_GRO, struct.pack("=i", 2))]
    raw.reads.extend([(b"a" * 8, [], PEER), (b"b" * 8, [], PEER), (b"ccdde", joined, PEER)])
    udp = UdpSocket(LOOPBACK, raw=raw)
    assert udp.stats.coalescing
    reads = [udp.receive(), udp.receive()]
    assert [(None if each is None else each.stride) for each in reads] == [8, 2]
    assert udp.stats.datagrams_received == 5 and udp.stats.receive_calls == 3


def test_who_a_kept_one_is_from_is_learnt_with_it() -> None:
    """On a socket for all addresses, answers leave from the one that was asked: for each peer another."""
    raw = FakeRaw(host="0.0.0.0")
    here, there = ("192.0.2.1", "192.0.2.2")
    other = ("192.0.2.9", 5000)
    raw.reads.extend([(b"a", asked_at(here), PEER), (b"b", asked_at(there), other)])
    udp = UdpSocket(("0.0.0.0", 0), raw=raw)
    assert udp.receive() is not None and udp.receive() is not None
    assert (udp.local_address(PEER)[0], udp.local_address(other)[0]) == (here, there)


def test_what_has_been_seen_to_be_empty_need_not_be_asked_again(receiver: UdpSocket) -> None:
    def look() -> tuple[bool, bool]:
        return receiver.receive() is not None, receiver.is_dry

    with UdpSocket(LOOPBACK) as sender:
        send(sender, receiver, b"a", b"bb")
        assert [look(), look()] == [(True, False), (True, True)]
        send(sender, receiver, b"c")
        assert look() == (True, True), "who asks nevertheless is told of what came meanwhile"
        assert look() == (False, True)
