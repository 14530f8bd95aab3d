"""A session under test and its peer, played by the test: packets by hand, one at a time."""

from __future__ import annotations

import random
from typing import NamedTuple

from surewire.core.events import Closed, Event
from surewire.core.trains import Address
from surewire.errors import SurewireError
from surewire.streamer.config import StreamerConfig
from surewire.streamer.session import StreamerSession
from surewire.wire import compact
from surewire.wire.compact import Ack, Expected, Packet

MS = 1_000_000
S = 1_000_000_000
PEER: Address = ("10.10.1.100", 8000)
NONCE = 0xABCD  # the peer's


class Sent(NamedTuple):
    """A packet of the session's, and when it left."""

    at: int
    packet: Packet
    size: int


class Script:
    """A session whose peer is the test. The clock stands until `wait` moves it."""

    def __init__(self, config: StreamerConfig | None = None, *, seed: int = 1, nonce: int = NONCE) -> None:
        self.now = S
        self.session = StreamerSession(PEER, rng=random.Random(seed), now=S, config=config)
        self.nonce = nonce
        self.session_nonce = 0  # the session's, once it has sent a packet
        self.received: set[int] = set()  # numbers of the session's packets
        self.largest = -1  # of them
        self.next_number = 0  # of the peer's packets
        self.position = 0  # bytes of the session's stream seen in order
        self.log: list[Sent] = []
        self.events: list[Event] = []

    # What the session does

    def drain(self) -> list[Packet]:
        """Everything the session sends now."""
        packets = []
        for _ in range(10_000):
            train = self.session.poll_transmit(now=self.now)
            if train is None:
                break
            assert train.destination == PEER
            (datagram,) = train.datagrams()
            packets.append(self.read(datagram))
        else:
            raise AssertionError("it never stops sending")
        while (event := self.session.poll_event()) is not None:
            self.events.append(event)
        return packets

    def read(self, datagram: bytes) -> Packet:
        """Decode what the session sent, as a peer that has received everything before."""
        assert len(datagram) <= compact.MAX_PACKET
        self.session_nonce = compact.peek_nonce(datagram) or self.session_nonce
        packet = compact.parse(
            datagram,
            sender_nonce=self.session_nonce,
            receiver_nonce=self.nonce,
            expected=Expected(self.largest + 1, self.position, self.next_number),
        )
        if packet.number is not None:
            assert packet.number not in self.received, "a packet number used twice"
            self.received.add(packet.number)
            self.largest = max(self.largest, packet.number)
        if packet.offset == self.position:
            self.position += len(packet.payload)
        self.log.append(Sent(self.now, packet, len(datagram)))
        return packet

    def wait(self, duration: int) -> list[Sent]:
        """Let `duration` ns pass, ringing every deadline; return what was sent then."""
        begin, until = len(self.log), self.now + duration
        self.drain()
        for _ in range(100_000):
            deadline = self.session.poll_timeout()
            if deadline is None or deadline > until:
                break
            self.now = max(self.now, deadline)
            self.session.handle_timeout(now=self.now)
            self.drain()
        else:
            raise AssertionError("its timers never rest")
        self.now = until
        return self.log[begin:]

    def write(self, data: bytes) -> list[Packet]:
        """Write all of `data`, flush, and return what leaves."""
        taken = self.session.write(data, now=self.now)
        assert taken == len(data)
        self.session.flush(now=self.now)
        return self.drain()

    def finish(self) -> list[Packet]:
        self.session.finish(now=self.now)
        return self.drain()

    # What the peer does

    def feed(self, datagram: bytes) -> list[Packet]:
        """Deliver any datagram; return what the session sends at once."""
        self.session.handle_datagrams(datagram, max(len(datagram), 1), PEER, now=self.now)
        return self.drain()

    def emit(self, packet: Packet) -> bytes:
        """Encode a packet of the peer's."""
        return compact.emit(packet, sender_nonce=self.nonce, receiver_nonce=self.session_nonce, wide=True)

    def number(self) -> int:
        self.next_number += 1
        return self.next_number - 1

    def open(self, payload: bytes = b"") -> list[Packet]:
        """The peer's first packet: its nonce, data, and an acknowledgment of what the session has sent."""
        offset = 0 if payload else None
        return self.feed(self.emit(Packet(self.number(), offset, payload, nonce=self.nonce, ack=self.all())))

    def all(self) -> Ack | None:
        """An acknowledgment of all that the session has sent."""
        return acknowledging(*self.received)

    def ack(self, *numbers: int, full: bool = False) -> list[Packet]:
        """A packet that only acknowledges: these numbers, or everything."""
        ack = acknowledging(*numbers) if numbers else self.all()
        return self.feed(self.emit(Packet(ack=ack, full=full)))

    def data(self, offset: int, payload: bytes, *, fin: bool = False, ack: Ack | None = None) -> list[Packet]:
        """A packet with data."""
        return self.feed(self.emit(Packet(self.number(), offset, payload, fin, ack=ack)))

    def ping(self, ack: Ack | None = None) -> list[Packet]:
        return self.feed(self.emit(Packet(self.number(), ack=ack)))

    # The end

    @property
    def closed(self) -> Closed | None:
        """The session's last event, when it is `Closed`."""
        return next((event for event in self.events if isinstance(event, Closed)), None)

    @property
    def end(self) -> tuple[SurewireError | None, str | None]:
        """How it closed."""
        assert self.closed is not None, "it has not closed"
        assert self.session.poll_timeout() is None, "a timer is left"
        assert (self.session.error, self.session.note) == self.closed
        return self.closed.error, self.closed.note


def acknowledging(*numbers: int) -> Ack | None:
    """An acknowledgment of exactly these numbers, as far as its format reaches back."""
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers, reverse=True):
        if ranges and ranges[-1][0] == number + 1:
            ranges[-1] = (number, ranges[-1][1])
        else:
            ranges.append((number, number + 1))
    return Ack.from_ranges(ranges)


def opened(config: StreamerConfig | None = None) -> Script:
    """A connection on which both know each other: one byte went each way, and is acknowledged."""
    script = Script(config)
    script.write(b"a")
    script.open(b"b")
    script.ack()
    script.session.read()
    script.wait(200 * MS)
    return script
