"""The UDP driver over sockets that are full, refuse offloads or report network errors."""

from __future__ import annotations

import errno
import select
import socket
import struct
from contextlib import closing
from typing import Any

import pytest

from surewire.core.trains import Train
from surewire.drivers.udp import UdpSocket
from surewire.drivers.udp_options import (
    SO_RXQ_OVFL,
    SOL_UDP,
    UDP_GRO,
    UDP_SEGMENT,
)
from surewire.errors import LocalProtocolError
from tests.drivers.fake_udp import LOCALHOST, PEER, FakeRaw, UnixRaw, random_train

TWO_SECONDS = 2_000_000_000


def over(raw: FakeRaw, **options: Any) -> UdpSocket:
    return UdpSocket(LOCALHOST, raw=raw, **options)


def test_a_full_socket_keeps_the_rest_until_flushed() -> None:
    """A Unix datagram socket stands in for a full UDP socket, which loopback never is."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    near.setblocking(False)
    raw = UnixRaw(near)
    with closing(far), UdpSocket(LOCALHOST, remote=PEER, raw=raw) as sender:
        sent = Train([bytes([i]) * 100 for i in range(200)] * 10, 100, 200_000, PEER)
        done = sender.send(sent)
        assert not done
        assert sender.pending
        with pytest.raises(LocalProtocolError):
            sender.send(sent)
        got: list[bytes] = []
        while len(got) < 2000:
            if select.select([far], [], [], 0)[0]:
                got.append(far.recv(200))
            elif not done:
                sender.wait(TWO_SECONDS, writable=True)
                done = sender.flush()
        assert got == sent.datagrams()
        assert done
        assert sender.stats.would_block > 0


def test_one_datagram_needs_no_control_message() -> None:
    raw = FakeRaw()
    sender = over(raw)
    assert sender.send(random_train([10, 20], 30, PEER))
    assert raw.calls == ["sendto"]
    assert raw.addresses == [PEER]
    connected = over(raw, remote=PEER)
    assert connected.send(random_train([10, 20], 30, PEER))
    assert raw.calls == ["sendto", "send"]


def test_no_segmentation_is_tried_without_the_option() -> None:
    raw = FakeRaw(has_segment=False)
    sender = over(raw)
    sent = random_train([1000] * 5 + [3], 1000, PEER)
    assert sender.send(sent)
    assert raw.calls == ["sendto"] * 6
    assert raw.datagrams == sent.datagrams()
    assert not sender.stats.segmentation
    assert not sender.stats.coalescing


@pytest.mark.parametrize("code", [errno.EIO, errno.EINVAL, errno.ENOPROTOOPT])
def test_refused_segmentation_is_switched_off_and_nothing_is_lost(code: int) -> None:
    raw = FakeRaw()
    raw.script.extend([0, code])
    sender = over(raw)
    trains = [random_train([1000] * 100, 1000, PEER), random_train([1000] * 3, 1000, PEER)]
    for sent in trains:
        assert sender.send(sent)
    assert raw.datagrams == [d for sent in trains for d in sent.datagrams()]
    assert raw.calls == ["sendmsg", "sendmsg"] + ["sendto"] * (36 + 3)
    assert sender.stats.offload_failures == 1
    assert not sender.stats.segmentation
    assert sender.stats.datagrams_sent == 103


def test_a_stride_too_large_to_segment_leaves_smaller_ones_alone() -> None:
    raw = FakeRaw()
    raw.script.append(errno.EMSGSIZE)
    sender = over(raw)
    trains = [
        random_train([9000] * 3, 9000, PEER),
        random_train([9000] * 2, 9000, PEER),
        random_train([1000] * 3, 1000, PEER),
    ]
    for sent in trains:
        assert sender.send(sent)
    assert raw.datagrams == [d for sent in trains for d in sent.datagrams()]
    assert raw.calls == ["sendmsg"] + ["sendto"] * 5 + ["sendmsg"]
    assert sender.stats.offload_failures == 1


def test_a_train_of_more_buffers_than_a_call_can_take_is_joined() -> None:
    raw = FakeRaw()
    sent = random_train([1] * 2000, 100, PEER)
    assert over(raw).send(sent)
    assert raw.calls == ["sendmsg"]
    assert raw.datagrams == sent.datagrams()


@pytest.mark.parametrize("segmentation", ["works", "absent", "refused"])
@pytest.mark.parametrize("room", [0, 1, 5, 64, 70])
def test_blocking_half_way_sends_nothing_twice(room: int, segmentation: str) -> None:
    raw = FakeRaw(has_segment=segmentation != "absent")
    raw.refuse_segments_with = errno.EIO if segmentation == "refused" else 0
    raw.room = room
    sender = over(raw)
    sent = random_train([1000] * 130 + [4], 1000, PEER)
    assert not sender.send(sent)
    assert not sender.flush()
    assert raw.datagrams == sent.datagrams()[: len(raw.datagrams)]
    raw.room = None
    assert sender.flush()
    assert sender.flush()
    assert raw.datagrams == sent.datagrams()
    assert sender.stats.datagrams_sent == 131
    assert sender.stats.trains_sent == 1


def test_what_is_pending_is_a_copy() -> None:
    raw = FakeRaw()
    raw.room = 0
    content = bytearray(b"a" * 300)
    sender = over(raw)
    assert not sender.send(Train([content], 100, 300, PEER))
    content[:] = b"b" * 300
    raw.room = None
    assert sender.flush()
    assert raw.datagrams == [b"a" * 100] * 3


def test_a_full_device_counts_as_would_block() -> None:
    raw = FakeRaw()
    raw.script.append(errno.ENOBUFS)
    sender = over(raw)
    assert not sender.send(random_train([10], 10, PEER))
    assert sender.stats.would_block == 1
    assert sender.flush()


@pytest.mark.parametrize("count", [1, 3])
def test_a_refusal_is_noted_and_the_datagrams_go_out(count: int) -> None:
    raw = FakeRaw()
    raw.script.append(errno.ECONNREFUSED)
    sender = over(raw, remote=PEER)
    sent = random_train([10] * count, 10, PEER)
    assert sender.send(sent)
    assert raw.datagrams == sent.datagrams()
    assert sender.take_refused()
    assert sender.stats.refusals == 1
    assert not sender.stats.send_errors


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", ["ENETUNREACH", "EHOSTUNREACH", "EPERM", "ECONNREFUSED"])
def test_a_passing_network_error_counts_as_loss(name: str, count: int) -> None:
    raw = FakeRaw()
    raw.script.extend([getattr(errno, name)] * (2 if name == "ECONNREFUSED" else 1))
    sender = over(raw)
    assert sender.send(random_train([10] * count, 10, PEER))
    assert raw.datagrams == []
    assert sender.stats.send_errors == {name: 1}
    assert sender.stats.datagrams_dropped == count
    assert sender.stats.segmentation


@pytest.mark.parametrize("count", [1, 3])
def test_an_unusable_destination_is_an_error(count: int) -> None:
    raw = FakeRaw()
    raw.script.extend([errno.EINVAL] * 4)
    sender = over(raw)
    with pytest.raises(OSError) as caught:
        sender.send(random_train([10] * count, 10, PEER))
    assert caught.value.errno == errno.EINVAL
    assert not sender.pending


def test_errors_of_reads_are_counted_and_the_next_datagram_is_read() -> None:
    raw = FakeRaw()
    raw.reads.extend([errno.ECONNREFUSED, errno.EHOSTUNREACH, (b"hello", [], PEER)])
    reader = over(raw)
    received = reader.receive()
    assert received is not None
    assert bytes(received.buffer) == b"hello"
    assert reader.take_refused()
    assert reader.stats.receive_errors == {"EHOSTUNREACH": 1}
    assert reader.receive() is None
    raw.reads.append(errno.ENOMEM)
    with pytest.raises(OSError):
        reader.receive()


def test_control_messages_of_a_read_give_stride_and_drops() -> None:
    raw = FakeRaw()
    control = [
        (socket.SOL_SOCKET, SO_RXQ_OVFL, struct.pack("=I", 7)),
        (SOL_UDP, UDP_GRO, struct.pack("=i", 1000)),
    ]
    raw.reads.append((bytes(2500), control, PEER))
    reader = over(raw)
    received = reader.receive()
    assert received is not None
    assert (len(received.buffer), received.stride, received.source) == (2500, 1000, PEER)
    assert reader.stats.datagrams_received == 3
    assert reader.stats.kernel_drops == 7


def test_an_answer_goes_out_though_the_address_asked_at_is_gone() -> None:
    raw = FakeRaw(host="0.0.0.0")
    asked_at = socket.inet_aton("192.0.2.1")
    told = (socket.IPPROTO_IP, 8, struct.pack("=I4s4s", 3, asked_at, asked_at))
    raw.reads.append((b"hello", [told], PEER))
    server = over(raw)
    server.receive()
    assert server.local_address(PEER) == ("192.0.2.1", 9)
    answer = (socket.IPPROTO_IP, 8, struct.pack("=I4s4s", 0, asked_at, bytes(4)))
    assert server.send(random_train([10], 10, PEER))
    assert raw.control == [[answer]]
    raw.script.append(errno.EINVAL)
    sent = random_train([10] * 2, 10, PEER)
    assert server.send(sent)
    assert raw.datagrams[1:] == sent.datagrams()
    assert (SOL_UDP, UDP_SEGMENT) in {(level, kind) for level, kind, _ in raw.control[-1]}
    assert answer not in raw.control[-1]
    assert server.stats.segmentation
