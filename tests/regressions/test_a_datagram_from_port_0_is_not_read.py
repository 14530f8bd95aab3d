"""One datagram with source port 0, which only a raw socket can send, ended `rdpr`.

No answer can be sent to port 0: the kernel refuses with EINVAL, which the driver takes for an unusable socket.
"""

from __future__ import annotations

import errno
import struct
from typing import Any

import pytest

from surewire.core.events import Established
from surewire.core.trains import Buffer
from surewire.drivers.udp import UdpSocket
from surewire.drivers.udp_options import SOL_UDP, UDP_GRO, ControlMessage
from surewire.rdp.receiver import RdpReceiver
from surewire.transfer.files import MemorySink
from surewire.wire import text
from tests.drivers.fake_udp import FakeRaw

NOBODY = ("192.0.2.66", 0)
PEER = ("192.0.2.7", 4000)
SYN = text.emit_syn(b"CSC361", 7, None)


class Kernel(FakeRaw):
    """Refuses port 0 as Linux does."""

    def sendto(self, data: Buffer, address: tuple[Any, ...], /) -> int:
        if not address[1]:
            raise OSError(errno.EINVAL, "Invalid argument")
        return super().sendto(data, address)


def in_batches_of(nbytes: int) -> list[ControlMessage]:
    return [(SOL_UDP, UDP_GRO, struct.pack("=i", nbytes))]


@pytest.mark.parametrize("control", [[], in_batches_of(1)], ids=["one", "three at once"])
@pytest.mark.parametrize("source", [NOBODY, ("2001:db8::66", 0, 0, 0)], ids=["IPv4", "IPv6"])
def test_it_is_counted_and_skipped(source: Any, control: list[ControlMessage]) -> None:
    raw = FakeRaw()
    raw.reads.extend([(b"abc", control, source), (b"good", [], PEER)])
    with UdpSocket(("127.0.0.1", 0), raw=raw) as socket:
        received = socket.receive()
        assert received is not None
        assert (bytes(received.buffer), received.source) == (b"good", PEER)
        assert socket.receive() is None
        assert socket.stats.datagrams_received == (3 if control else 1) + 1


@pytest.mark.parametrize("datagram", [SYN, text.emit_plain_dat(b"CSC361", 8, b"x")], ids=["SYN", "DAT"])
def test_a_receiver_serves_the_next_sender(datagram: bytes) -> None:
    raw = Kernel()
    raw.reads.extend([(datagram, [], NOBODY), (SYN, [], PEER)])
    receiver = RdpReceiver(MemorySink())
    with UdpSocket(("127.0.0.1", 0), raw=raw) as socket:
        while (received := socket.receive()) is not None:
            receiver.handle_datagrams(received.buffer, received.stride, received.source, now=0)
            while (train := receiver.poll_transmit(now=0)) is not None:
                assert socket.send(train)
    assert receiver.poll_event() == Established(PEER, False)
    assert raw.addresses == [PEER]
