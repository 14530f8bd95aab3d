"""The other end of a session, played by a test: datagrams by hand, one at a time."""

from __future__ import annotations

import random

from surewire.core.events import Closed, Event
from surewire.core.trains import Address
from surewire.errors import SurewireError
from surewire.rdp.config import RdpConfig
from surewire.rdp.receiver import RdpReceiver
from surewire.rdp.sender import RdpSender
from surewire.transfer.files import MemorySink, MemorySource
from surewire.wire import text
from surewire.wire.segment import Extension, Offer, PacketType, Segment

MS = 1_000_000
S = 1_000_000_000
MAGIC = b"CSC361"
US: Address = ("192.168.1.100", 8080)
PEER: Address = ("10.10.1.100", 8080)
STRANGER: Address = ("203.0.113.66", 6666)
SESSION = 0x0123456789ABCDEF
KEY = text.session_key(SESSION)
PLAIN = RdpConfig(extensions=False)


class SenderScript:
    """A sender under test; the test plays the receiver at `PEER`."""

    def __init__(self, data: bytes = bytes(5_000), *, config: RdpConfig | None = None, now: int = S) -> None:
        self.now = now
        self.data = data
        self.sender = RdpSender(MemorySource(data), PEER, rng=random.Random(1), now=now, config=config)
        self.raw = self.drain()
        syn = text.parse(self.raw[0])
        self.isn = syn.number
        self.key = text.session_key(syn.offer.session) if syn.offer is not None else 0
        self.parse_key = 0

    def drain(self) -> list[bytes]:
        """Everything the sender wants to send now."""
        datagrams: list[bytes] = []
        while (train := self.sender.poll_transmit(now=self.now)) is not None:
            assert train.destination == PEER
            datagrams += train.datagrams()
        assert all(len(datagram) <= text.MAX_PACKET for datagram in datagrams)
        return datagrams

    def packets(self) -> list[Segment]:
        """What it sends now, decoded."""
        return [text.parse(datagram, key=self.key if self.sender.is_ours else 0) for datagram in self.drain()]

    def feed(self, datagram: bytes, source: Address = PEER) -> None:
        self.sender.handle_datagrams(datagram, max(len(datagram), 1), source, now=self.now)

    def ack(
        self, position: int, window: int = 65_536, *, received: tuple[tuple[int, int], ...] | None = None, key: int = -1
    ) -> None:
        """Acknowledge everything below a stream offset; with `received`, as a peer of ours."""
        extension = None if received is None else Extension(received=received)
        use = self.key if key < 0 else key
        self.feed(text.emit_ack(MAGIC, self.isn + 1 + position, window, extension=extension, key=use))

    def wait(self, until: int) -> list[Segment]:
        """Let time pass up to `until`, ringing every deadline; return what was sent."""
        sent: list[Segment] = []
        while (deadline := self.sender.poll_timeout()) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.sender.handle_timeout(now=self.now)
            sent += self.packets()
        self.now = until
        return sent

    def closed(self) -> Closed | None:
        return last_closed(events(self.sender))


class ReceiverScript:
    """A receiver under test; the test plays the sender at `PEER`."""

    def __init__(self, *, config: RdpConfig | None = None, now: int = S, isn: int = 1_000) -> None:
        self.now = now
        self.isn = isn
        self.sink = MemorySink()
        self.receiver = RdpReceiver(self.sink, config=config)
        self.packet_number = 0

    def drain(self) -> list[tuple[bytes, Address]]:
        """Everything the receiver wants to send now, with where to."""
        datagrams: list[tuple[bytes, Address]] = []
        while (train := self.receiver.poll_transmit(now=self.now)) is not None:
            datagrams += [(datagram, train.destination) for datagram in train.datagrams()]
        assert all(len(datagram) <= text.MAX_PACKET for datagram, _ in datagrams)
        return datagrams

    def answers(self) -> list[Segment]:
        """What it sends now, decoded."""
        return [text.parse(datagram, key=KEY) for datagram, _ in self.drain()]

    def feed(self, datagram: bytes, source: Address = PEER) -> None:
        self.receiver.handle_datagrams(datagram, max(len(datagram), 1), source, now=self.now)

    def open(self, *, ours: bool, size: int = 0, source: Address = PEER) -> list[Segment]:
        """Send a SYN; return the answers."""
        offer = Offer(1, SESSION, self._number(), size) if ours else None
        self.feed(text.emit_syn(MAGIC, self.isn, offer), source)
        return self.answers()

    def dat(self, offset: int, data: bytes, source: Address = PEER) -> list[Segment]:
        """Send a DAT of the stream; return the answers."""
        number = self.isn + 1 + offset
        if not self.receiver.is_ours:
            self.feed(text.emit_plain_dat(MAGIC, number, data), source)
        else:
            buffers = text.emit_dats(MAGIC, number, data, segment=1_000, packet_number=self._number(), key=KEY)
            self.feed(b"".join(buffers), source)
        return self.answers()

    def fin(self, size: int, *, digest: bytes | None = None, source: Address = PEER) -> list[Segment]:
        """Send a FIN; return the answers."""
        extension = Extension(packet_number=self._number(), digest=digest) if self.receiver.is_ours else None
        self.feed(text.emit_fin(MAGIC, self.isn + 1 + size, extension=extension, key=KEY), source)
        return self.answers()

    def wait(self, until: int) -> list[Segment]:
        """Let time pass up to `until`, ringing every deadline; return what was sent."""
        sent: list[Segment] = []
        while (deadline := self.receiver.poll_timeout()) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.receiver.handle_timeout(now=self.now)
            sent += self.answers()
        self.now = until
        return sent

    def position(self, answers: list[Segment]) -> int:
        """The stream offset that the last of some ACKs acknowledges."""
        assert answers and answers[-1].type is PacketType.ACK
        return answers[-1].number - self.isn - 1

    def _number(self) -> int:
        self.packet_number += 1
        return self.packet_number - 1


def events(session: RdpSender | RdpReceiver) -> list[Event]:
    """Every event the session has."""
    found: list[Event] = []
    while (event := session.poll_event()) is not None:
        found.append(event)
    return found


def last_closed(found: list[Event]) -> Closed | None:
    """The Closed among events; it must be the last."""
    assert not any(isinstance(event, Closed) for event in found[:-1])
    return found[-1] if found and isinstance(found[-1], Closed) else None


def error_of(session: RdpSender | RdpReceiver) -> SurewireError | None:
    """The error the session closed with; it must have closed."""
    closed = last_closed(events(session))
    assert closed is not None, "the session has not closed"
    return closed.error
