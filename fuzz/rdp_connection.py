"""RDP's sessions: a peer that knows every key may send anything at any time; nothing is raised, no bound is broken.

The input is a list of acts: packets made of its bytes with the right checksum, or the bytes themselves, pauses, and
the application's verbs.
"""

from __future__ import annotations

import random

from fuzz.decode_text import put_right
from fuzz.reading import Reader
from surewire.core.config import TransportConfig
from surewire.core.events import Closed, ReceivedAll
from surewire.core.state import State
from surewire.core.trains import Address
from surewire.errors import SurewireError
from surewire.rdp.config import RdpConfig
from surewire.rdp.receiver import RdpReceiver
from surewire.rdp.sender import RdpSender
from surewire.transfer.files import MemorySink, MemorySource
from surewire.wire import text
from surewire.wire.segment import Extension, Offer

S, MS = 1_000_000_000, 1_000_000
MAGIC = b"CSC361"
SIZE = 6_000  # of the sender's file
WINDOW = 20_000
SESSION = 0x0123456789ABCDEF
PEER: Address = ("192.0.2.1", 8080)
OTHERS: tuple[Address, ...] = (PEER, PEER, PEER, PEER, PEER, ("192.0.2.1", 9), ("192.0.2.9", 8080))

_MAX_ACTS = 200
_CONFIG = RdpConfig(transport=TransportConfig(receive_window=WINDOW, max_gaps=8))


class Game:
    """A session and its peer, which is the input."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.now = S
        self.closed: Closed | None = None
        self.sink = MemorySink()
        self.is_sender, ours = reader.flag(), reader.flag()
        self.session: RdpSender | RdpReceiver
        self.base, self.key, self.next_number = 1_000, text.session_key(SESSION), 0
        if self.is_sender:
            self.session = RdpSender(MemorySource(bytes(SIZE)), PEER, rng=random.Random(1), now=S, config=_CONFIG)
            syn = text.parse(self.drain()[0])
            assert syn.offer is not None
            self.base, self.key = syn.number, text.session_key(syn.offer.session)
            extension = Extension(received=((0, 1),)) if ours else None
            self.deliver(text.emit_ack(MAGIC, self.base + 1, WINDOW, extension=extension, key=self.key), PEER)
        else:
            self.session = RdpReceiver(self.sink, config=_CONFIG)
            self.deliver(text.emit_syn(MAGIC, self.base, Offer(1, SESSION, 0, SIZE) if ours else None), PEER)

    def drain(self) -> list[bytes]:
        """Poll it as a driver does."""
        sent: list[bytes] = []
        while (train := self.session.poll_transmit(now=self.now)) is not None:
            sent += train.datagrams()
            assert len(sent) < 2_000, "it never stops sending"
        assert all(0 < len(datagram) <= text.MAX_PACKET for datagram in sent)
        while (event := self.session.poll_event()) is not None:
            assert self.closed is None, "something follows the end"
            if isinstance(event, Closed):
                self.closed = event
                assert event.error is None or isinstance(event.error, SurewireError)
            elif isinstance(event, ReceivedAll):
                assert len(self.sink.data) == event.size
        assert (self.closed is not None) is (self.session.state is State.CLOSED)
        assert self.closed is None or self.session.poll_timeout() is None
        return sent

    def deliver(self, datagram: bytes, source: Address) -> None:
        self.session.handle_datagrams(datagram, max(len(datagram), 1), source, now=self.now)
        self.drain()

    def act(self) -> None:
        """Do the next thing."""
        reader = self.reader
        kind = reader.below(10)
        if kind == 0:
            self.pause(reader.pick(0, MS, 6 * MS, 100 * MS, 400 * MS, 3 * S, 31 * S))
        elif kind == 1:
            self.verb(reader.below(6))
        else:
            datagram = self.packet(kind)
            if reader.below(8) == 1 and len(datagram) < 30_000:
                datagram += self.packet(kind)  # both by one call, perhaps cut wrongly
            self.session.handle_datagrams(
                datagram,
                max(len(datagram) // reader.pick(1, 1, 1, 2), 1),
                OTHERS[reader.below(len(OTHERS))],
                now=self.now,
            )
        self.drain()

    def pause(self, duration: int) -> None:
        until = self.now + duration
        for _ in range(1_000):
            deadline = self.session.poll_timeout()
            if deadline is None or deadline > until:
                break
            self.now = max(self.now, deadline)
            self.session.handle_timeout(now=self.now)
            self.drain()
        else:
            raise AssertionError("its timers never rest")
        self.now = until

    def verb(self, which: int) -> None:
        session = self.session
        if which == 0:
            session.abort("enough", now=self.now)
        elif which == 1:
            session.handle_refused(now=self.now)
        elif which == 2:
            session.handle_timeout(now=self.now)
        elif isinstance(session, RdpReceiver):
            if which == 3:
                session.leave(now=self.now)
            else:
                session.confirm(now=self.now)

    def packet(self, kind: int) -> bytes:
        reader, key = self.reader, self.key
        number = reader.pick(0, self.base, 10**18 - 1, 2**31, *(self.base + 1 + at for at in (-1, 0, SIZE, SIZE + 1)))
        number = max(number + reader.below(4_096), 0) % 10**18
        extension = self.extension() if reader.flag() else None
        if kind <= 3:
            return put_right(reader.take(reader.below(1_100)), key)
        if kind == 4:
            offer = Offer(reader.pick(1, 1, 2, 0), reader.pick(SESSION, 7), reader.number(2), reader.number(3))
            return text.emit_syn(MAGIC, number, offer if reader.flag() else None)
        if kind in (5, 6):
            payload = bytes(1 + reader.below(900))
            if extension is None:
                return text.emit_plain_dat(MAGIC, number, payload)
            packet_number = extension.packet_number or 0
            return b"".join(text.emit_dats(MAGIC, number, payload, segment=900, packet_number=packet_number, key=key))
        if kind == 7:
            window = reader.pick(0, 1, 500, WINDOW, 10**18 - 1)
            return text.emit_ack(MAGIC, number, window, extension=extension, key=key)
        if kind == 8:
            return text.emit_fin(MAGIC, number, extension=extension, key=key)
        return text.emit_rst(MAGIC, extension=extension, key=key)

    def extension(self) -> Extension:
        reader = self.reader
        self.next_number += reader.pick(1, 1, 1, 0, 2, 300, 10**15)
        received, below = [], reader.number(1 + reader.below(2))
        for _ in range(reader.below(8)):
            stop = below - reader.below(4)
            start = stop - 1 - reader.below(6)
            if start < 0:
                break
            received.append((start, stop))
            below = start - 1
        return Extension(
            packet_number=self.next_number % 10**17,
            received=tuple(received),
            echo=reader.number() if reader.flag() else None,
            ack_delay=reader.pick(0, MS, S, 10**18 - 1000) // 1000 * 1000,
            digest=bytes(32) if reader.flag() else None,
            reason="disk full" if reader.flag() else None,
        )

    def check(self) -> None:
        """What has to hold after anything."""
        session = self.session
        if isinstance(session, RdpSender):
            assert 0 <= session.acked_bytes <= SIZE
        else:
            assert session.contiguous <= session.received <= len(self.sink.data) <= 400_000


def feed(data: bytes) -> None:
    """Play what `data` says."""
    reader = Reader(data)
    is_to_end = reader.below(4) == 0  # it takes longest, so not each time
    game = Game(reader)
    for _ in range(_MAX_ACTS):
        if game.reader.is_used_up or game.closed is not None:
            break
        game.act()
        game.check()
    if not is_to_end:
        return
    game.pause(120 * S)
    if game.session.state is not State.LISTEN and game.session.state is not State.CLOSE_WAIT:
        assert game.closed is not None, f"two minutes of silence, and it is {game.session.state}"


def seeds() -> list[bytes]:
    """Inputs to begin with: both roles, with and without extension, and a few acts of every kind."""
    rng = random.Random(1)
    heads = [bytes((ours + 1 - role, role, ours)) for role in (0, 1) for ours in (0, 1)]
    return [head + rng.randbytes(size) for head in heads for size in (8, 40, 200, 600)]
