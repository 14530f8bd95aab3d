"""Streamer's session: a peer that knows both nonces may send anything; nothing is raised, no bound is broken.

The input is a list of acts: packets made of its bytes with the right hash, or the bytes themselves, pauses, and the
application's verbs.
"""

from __future__ import annotations

import random

from fuzz.reading import Reader
from surewire.core.events import Closed
from surewire.core.state import State
from surewire.errors import SurewireError
from surewire.streamer.config import AckPolicy, Pipelining, StreamerConfig
from surewire.streamer.session import StreamerSession
from surewire.wire import compact
from surewire.wire.compact import Ack, Packet

S, MS = 1_000_000_000, 1_000_000
NONCE = 0xABCD  # the peer's
PEER = ("192.0.2.1", 8000)

_MAX_ACTS = 200


class Game:
    """A session and its peer, which is the input."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.now = S
        self.closed: Closed | None = None
        self.written = self.read = 0
        self.next_number = 0
        modes = list(Pipelining)
        config = StreamerConfig(
            pipelining=modes[reader.below(len(modes))],
            acks=AckPolicy.EACH if reader.flag() else AckPolicy.DELAYED,
            nagle=reader.flag(),
            fin_rides=reader.flag(),
            send_buffer=reader.pick(500, 4_000, 1 << 20),
            receive_buffer=reader.pick(100, 4_000, 1 << 20),
        )
        self.session = StreamerSession(PEER, rng=random.Random(1), now=S, config=config)
        self.written += self.session.write(b"hello", now=S)
        self.session.flush(now=S)
        nonce = compact.peek_nonce(self.drain()[0])
        assert nonce is not None
        self.nonce = nonce

    def drain(self) -> list[bytes]:
        """Poll it as a driver does."""
        sent: list[bytes] = []
        while (train := self.session.poll_transmit(now=self.now)) is not None:
            sent += train.datagrams()
            assert len(sent) < 3_000, "it never stops sending"
        assert all(0 < len(datagram) <= compact.MAX_PACKET for datagram in sent)
        while (event := self.session.poll_event()) is not None:
            assert self.closed is None, "something follows the end"
            if isinstance(event, Closed):
                self.closed = event
                assert event.error is None or isinstance(event.error, SurewireError)
        assert (self.closed is not None) is (self.session.state is State.CLOSED)
        assert self.closed is None or self.session.poll_timeout() is None
        return sent

    def act(self) -> None:
        """Do the next thing."""
        reader = self.reader
        kind = reader.below(8)
        if kind == 0:
            self.pause(reader.pick(0, 10 * MS, 30 * MS, 120 * MS, 300 * MS, 3 * S, 31 * S))
        elif kind in (1, 2):
            self.verb(reader.below(8))
        else:
            datagram = reader.take(reader.below(60)) if kind == 3 else self.packet()
            self.session.handle_datagrams(datagram, max(len(datagram), 1), PEER, now=self.now)
        self.drain()

    def pause(self, duration: int) -> None:
        until = self.now + duration
        for _ in range(5_000):
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
        if which <= 2:
            if session.state in (State.ESTABLISHED, State.CLOSE_WAIT):
                self.written += session.write(bytes(self.reader.pick(1, 4, 1_456, 5_000)), now=self.now)
        elif which == 3:
            session.flush(now=self.now)
        elif which <= 5:
            self.read += len(session.read())
        elif which == 6:
            session.finish(now=self.now)
        elif self.reader.below(8) == 1:
            session.abort("enough", now=self.now)

    def packet(self) -> bytes:
        """One with the right hash."""
        reader = self.reader
        self.next_number += reader.pick(1, 1, 1, 1, 0, 2, 60, 1 << 20)
        number = self.next_number if reader.below(4) else None
        ack = self.ack() if number is None or reader.flag() else None
        offset, payload, fin = None, b"", False
        is_syn = reader.below(4) == 1
        if number is not None and reader.below(4):
            place = self.read + reader.pick(0, 0, 1, 100, 1_456, 90_000) + reader.below(300)
            offset = 0 if is_syn else place
            payload, fin = bytes(reader.pick(0, 1, 60, 1_400)), reader.below(6) == 1
        packet = Packet(number, offset, payload, fin, NONCE if is_syn else None, ack, reader.below(8) == 1)
        return compact.emit(packet, sender_nonce=NONCE, receiver_nonce=self.nonce, wide=reader.flag())

    def ack(self) -> Ack:
        reader = self.reader
        largest = max(self.session.outbound.log.next_number - 1 - reader.below(4), 0)
        if reader.flag():
            return Ack(largest)
        length = 1 + reader.below(16)
        bits = reader.number(length)
        below_zero = max(8 * length - largest, 0)
        bitmap = (bits >> below_zero << below_zero).to_bytes(length, "big")
        return Ack(largest, bytes((reader.pick(0, 0x80) | length,)) + bitmap)

    def check(self) -> None:
        """What has to hold after anything."""
        assert 0 <= self.session.unacknowledged <= self.written
        assert self.session.room >= 0


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
    game.session.read()
    game.session.finish(now=game.now)
    game.drain()
    game.pause(400 * S)
    assert game.closed is not None, f"over six minutes of silence, and it is {game.session.state}"


def seeds() -> list[bytes]:
    """Inputs to begin with: every mode, and a few acts of every kind."""
    rng = random.Random(1)
    return [bytes((1, mode, 0, 1, 1, 2, 2)) + rng.randbytes(size) for mode in range(3) for size in (8, 40, 200, 600)]
