"""A stream was cut off in silence: both sides closed well, and the receiver lacked its last bytes.

At the end of a long stream a repair is sent twice (`TailEffort`). When the front of the repair was acknowledged before
the second copy left, the copy still began there, where the send buffer holds nothing any more. It went out with fewer
bytes than it stood for and with the FIN behind them, so the receiver took the stream to end early and acknowledged all.
"""

from __future__ import annotations

import random

import pytest

from surewire.core.stream_buffers import SendBuffer
from surewire.core.units import NS_PER_MS
from surewire.errors import LocalProtocolError
from surewire.streamer.session import StreamerSession

LONG = random.Random(3).randbytes(150_000)  # enough for 2% of it to pay for a copy
PING = 60  # bytes that no packet with data has here


class Pair:
    """A sender and a receiver; the test carries the packets."""

    def __init__(self) -> None:
        self.now = 10**9
        self.sender = StreamerSession(("b", 2), rng=random.Random(1), now=self.now)
        self.receiver = StreamerSession(("a", 1), rng=random.Random(2), now=self.now)

    def wait(self, milliseconds: int) -> None:
        self.now += milliseconds * NS_PER_MS
        for session in (self.sender, self.receiver):
            deadline = session.poll_timeout()
            if deadline is not None and deadline <= self.now:
                session.handle_timeout(now=self.now)

    def packet(self) -> bytes | None:
        train = self.sender.poll_transmit(now=self.now)
        return None if train is None else bytes(train.datagrams()[0])

    def deliver(self, packet: bytes) -> None:
        self.receiver.handle_datagrams(packet, len(packet), ("a", 1), now=self.now)

    def answer(self) -> None:
        while (train := self.receiver.poll_transmit(now=self.now)) is not None:
            self.sender.handle_datagrams(train.datagrams()[0], train.nbytes, ("b", 2), now=self.now)

    def run(self, milliseconds: int) -> None:
        for _ in range(milliseconds // 10):
            self.wait(10)
            if (packet := self.packet()) is not None:
                self.deliver(packet)
            self.answer()

    def write(self, data: bytes) -> None:
        assert self.sender.write(data, now=self.now) == len(data)
        self.sender.flush(now=self.now)


def test_the_stream_is_whole() -> None:
    pair = Pair()
    pair.write(LONG)
    pair.run(3_000)
    assert pair.receiver.read() == LONG

    pair.write(b"x" * 600)
    late = pair.packet()
    assert late is not None
    pair.wait(5)
    pair.write(b"y" * 600)
    pair.sender.finish(now=pair.now)
    assert pair.packet() is not None  # lost, and the one before is late: a ping will show that both are missing
    for _ in range(100):
        pair.wait(10)
        packet = pair.packet()
        if packet is not None and len(packet) > PING:
            break  # the repair of both in one, lost as well
        if packet is not None:
            pair.deliver(packet)
        pair.answer()
    else:
        pytest.fail("nothing was repaired")

    pair.deliver(late)
    pair.wait(100)
    pair.answer()
    pair.run(3_000)
    assert pair.receiver.read() == b"x" * 600 + b"y" * 600
    assert pair.receiver.has_ended
    assert pair.sender.unacknowledged == 0


def test_the_send_buffer_gives_nothing_but_what_it_holds() -> None:
    buffer = SendBuffer(100)
    buffer.write(b"0123456789")
    buffer.discard_below(4)
    assert buffer.get(4, 10) == b"456789"
    for start, stop in ((3, 10), (4, 11), (8, 6)):
        with pytest.raises(LocalProtocolError):
            buffer.get(start, stop)
