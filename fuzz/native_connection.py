"""Native connections: a peer with genuine keys may say anything at any time; nothing is raised, no bound is broken.

The input is a list of acts: frames made of its bytes in datagrams that are sealed as they should be, datagrams of the
handshake, bytes without meaning, pauses, and the application's verbs. Both streams carry the same known bytes, so
whatever is sent or read can be compared with them. So the peer tells no lies about them: its sums of datagrams, too,
are what they say.
"""

from __future__ import annotations

from dataclasses import replace

from fuzz.native_peer import CLIENT_ID, SERVER_ID, Rogue, checked
from fuzz.reading import Reader
from surewire.core.events import Closed
from surewire.core.state import State
from surewire.core.trains import Address
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.crypto.sealed import PskClient, PskServer
from surewire.errors import LocalProtocolError, MalformedSegment, SurewireError
from surewire.native.config import DEFAULT_TRANSPORT, NativeConfig
from surewire.native.ending import LAST_COPIES
from surewire.transfer.files import MemorySink, MemorySource
from surewire.wire import native_datagram as wire
from surewire.wire import native_frames as frames
from surewire.wire.native_repairs import Repair, emit_repair, emit_symbol, participants
from surewire.wire.varint import MAX_VARINT

S, MS = NS_PER_S, NS_PER_MS
WINDOW, SEND_BUFFER = 20_000, 30_000
STREAM = bytes((at * 7 + (at >> 8) * 13 + (at >> 16)) & 0xFF for at in range(400_000))
ELSEWHERE: tuple[Address, ...] = (("198.18.0.1", 9), ("192.0.2.9", 8_080))

_MAX_ACTS = 200
_SECRET = bytes(32)
_CONFIG = NativeConfig(
    transport=replace(DEFAULT_TRANSPORT, receive_window=WINDOW, max_gaps=8, max_tracked_ranges=32),
    send_buffer=SEND_BUFFER,
    update_keys_after=40,
)


class Game:
    """A connection and its peer, which is the input."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        security = (PskClient(_SECRET), PskServer(_SECRET)) if reader.below(4) == 3 else checked()
        is_server = reader.flag()
        window = reader.pick(1 << 20, 5_000, 0, MAX_VARINT)
        repairs = reader.pick(1 << 20, 0, 3_000)
        self.peer = Rogue(is_server=is_server, security=security, config=_CONFIG, window=window, repair_window=repairs)
        self.target = self.peer.target
        self.closed: Closed | None = None
        self.read = 0  # stream bytes that the application has had, those of sinks included
        self.sinks: list[tuple[int, int, MemorySink]] = []
        self.came: dict[Address, int] = {self.peer.home: 1_200}
        self.went: dict[Address, int] = {}
        self.next_key = self.peer.sending.successor()
        self.old: list[bytes] = []
        self.highest = 0  # of the numbers that the peer has used
        self.used: set[int] = set()  # those numbers
        self.doubtful: set[int] = set()  # and those that were used twice, which no sum may cover
        self.pieces: dict[int, frames.Data] = {}  # what they carried of the stream
        self.summed = 0  # no number below it is used again, since a sum may have taken it for unused
        if not is_server and reader.below(8):
            self.note(self.peer.number, b"")
            self.deliver(self.peer.datagram(frames.emit_ping()), self.peer.home)
        self.drain()

    # Both sides.

    def deliver(self, datagram: bytes, source: Address, copies: int = 1) -> None:
        """Let it arrive; what is too short for a header and a trailer is the endpoint's business."""
        if len(datagram) < wire.HEADER_SIZE + self.target.trailer:
            return
        self.came[source] = self.came.get(source, 0) + len(datagram) * copies
        self.peer.throw(*[datagram] * copies, source=source)

    def drain(self) -> None:
        """Poll it as a driver does, and look at what it says."""
        target, count = self.target, 0
        while (train := target.poll_transmit(now=self.peer.now)) is not None:
            count += train.datagram_count
            assert count < 2_000, "it never stops sending"
            where, is_last = train.destination, target.is_closed
            self.went[where] = self.went.get(where, 0) + train.nbytes
            if where != target.peer:
                assert self.went[where] <= 3 * self.came.get(where, 0), "it floods somebody who asked for nothing"
            assert not is_last or count <= LAST_COPIES, "more than its last word after the end"
            for data in train.datagrams():
                self.look_at(data)
        while (event := target.poll_event()) is not None:
            assert self.closed is None, "something follows the end"
            if isinstance(event, Closed):
                self.closed = event
                assert event.error is None or isinstance(event.error, SurewireError)
        assert (self.closed is not None) is (target.state is State.CLOSED)
        assert self.closed is None or target.poll_timeout() is None

    def look_at(self, data: bytes) -> None:
        if wire.is_long(data[0]):
            return
        for frame in self.peer.open(data):
            if isinstance(frame, frames.Data):
                stop = frame.offset + len(frame.payload)
                assert stop <= self.target.written and frame.payload == STREAM[frame.offset : stop], "wrong bytes"
            elif isinstance(frame, frames.Ack):
                assert frame.position + frame.window <= self.read + WINDOW + 1, "a window beyond what it has room for"
                assert frame.latest <= self.highest

    def check(self) -> None:
        """What has to hold after anything."""
        target = self.target
        assert target.held_bytes <= WINDOW
        assert 0 <= target.room <= SEND_BUFFER and target.acknowledged <= target.written
        for start, length, sink in self.sinks:
            done = length - target.diverted_left if sink is self.sinks[-1][2] else length
            assert sink.data[:done] == STREAM[start : start + done], "the sink has other bytes"

    # Acts.

    def act(self) -> None:
        """Do the next thing."""
        reader = self.reader
        kind = reader.below(14)
        if kind == 0:
            self.pause(reader.pick(0, MS, 6 * MS, 100 * MS, 400 * MS, 3 * S, 11 * S, 31 * S))
        elif kind <= 2:
            self.verb(reader.below(11))
        elif kind == 3:
            self.oddity(reader.below(6))
        elif kind == 12:
            self.deliver(self.sum(), self.source())
        else:
            body = b"".join(self.frame(reader.below(20)) for _ in range(1 + reader.below(3)))
            if reader.below(3):
                body += self.data()
            data = self.sealed(body)
            if kind != 13:  # or else it is lost
                self.deliver(data, self.source(), copies=reader.pick(1, 1, 1, 2))
        self.drain()

    def source(self) -> Address:
        return self.peer.home if self.reader.below(6) else ELSEWHERE[self.reader.below(2)]

    def pause(self, duration: int) -> None:
        """Let time pass, and the timers expire."""
        peer, until, stands = self.peer, self.peer.now + duration, 0
        while (deadline := self.target.poll_timeout()) is not None and deadline <= until:
            stands = stands + 1 if deadline <= peer.now else 0
            assert stands < 50, "its timers never rest"
            peer.now = max(peer.now, deadline)
            self.target.handle_timeout(now=peer.now)
            self.drain()
        peer.now = until

    def verb(self, which: int) -> None:
        target, now, reader = self.target, self.peer.now, self.reader
        try:
            if which <= 2:
                start = target.written
                target.write(STREAM[start : start + reader.pick(1, 100, 5_000, 30_000)], now=now)
            elif which == 3:
                start, length = target.written, reader.pick(1, 3_000, 20_000)
                if start + length <= len(STREAM):
                    target.send_source(MemorySource(STREAM), start, length, now=now)
            elif which <= 6:
                self.take(target.read(reader.pick(1, 500, 50_000), now=now))
            elif which == 7:
                buffer = bytearray(2_000)
                self.take(bytes(buffer[: target.read_into(memoryview(buffer), now=now)]))
            elif which == 8:
                self.divert(reader.pick(0, 10, 5_000, 60_000))
            else:
                self.end(reader.below(12))
        except LocalProtocolError:
            pass  # said in the wrong state: refused, and nothing else

    def take(self, data: bytes) -> None:
        assert data == STREAM[self.read : self.read + len(data)], "the application got other bytes"
        self.read += len(data)

    def divert(self, length: int) -> None:
        sink = MemorySink()
        self.target.divert(sink, length, now=self.peer.now)
        self.sinks.append((self.read, length, sink))
        self.read += length

    def end(self, which: int) -> None:
        target, now = self.target, self.peer.now
        if which == 0:
            target.abort(7, "enough", now=now)
        elif which == 1:
            target.handle_refused(now=now)
        elif which == 2:
            target.handle_too_long(self.reader.pick(100, 1_200, 1_201, 65_000), now=now)
        elif which == 3:
            target.handle_timeout(now=now)
        else:
            target.finish(now=now)

    def oddity(self, which: int) -> None:
        """What is no new datagram with the right key."""
        reader, peer = self.reader, self.peer
        if which == 0:
            self.deliver(bytes((0x40 | reader.below(2),)) + reader.take(reader.below(80)), self.source())
        elif which == 1 and self.old:
            self.deliver(self.old[reader.below(len(self.old))], self.source())
        elif which == 2:
            peer.sending, self.next_key = self.next_key, self.next_key.successor()  # perhaps it was never heard of
        elif which == 3:
            self.highest = max(self.highest, peer.number)
            self.note(peer.number, b"")
            self.deliver(peer.datagram(self.frame(1), phase=1, key=self.next_key), self.source())
        elif which >= 4:
            self.target.handle_long(self.long(), self.source(), 1_200, now=peer.now)

    def long(self) -> wire.LongDatagram:
        reader, attempt = self.reader, self.target.opening.attempt_id
        scid = attempt if reader.flag() else bytes(8)
        kind = reader.below(5)
        if kind == 0:
            return wire.Hello(attempt, 1, CLIENT_ID, reader.below(3), b"", reader.take(40))
        if kind == 1:
            return wire.Retry(CLIENT_ID, 1, scid, reader.take(9) or b"x")
        if kind == 2:
            return wire.Welcome(CLIENT_ID, 1, SERVER_ID, reader.take(60))
        if kind == 3:
            return wire.Versions(CLIENT_ID, scid, (2,), (reader.below(4),))
        return wire.Refused(CLIENT_ID, 1, scid, reader.below(5), "no")

    # What the peer says.

    def sealed(self, body: bytes) -> bytes:
        peer, reader = self.peer, self.reader
        jump = reader.below(40)
        if jump == 1:
            peer.number += reader.pick(1, 300, 2**20, 2**31 - 1)
        elif jump == 2:
            number = max(reader.number(1 + reader.below(3)), self.summed)
            self.highest = max(self.highest, number)
            self.note(number, body)
            return peer.datagram(body, number=number)
        elif jump == 3:
            body = reader.take(reader.below(60)) or b"\0"
            if is_sum(body):
                body = b"\0"  # it would be none
        self.highest = max(self.highest, peer.number)
        self.note(peer.number, body)
        data = peer.datagram(body)
        self.old = [*self.old[-20:], data]
        return data

    def note(self, number: int, body: bytes) -> None:
        """A number is used, for what it carries of the stream."""
        (self.doubtful if number in self.used else self.used).add(number)
        for frame in parsed(body):
            if isinstance(frame, frames.Data):
                self.pieces[number] = frame

    def sum(self) -> bytes:
        """A datagram with the sum of some of those before it."""
        peer, reader = self.peer, self.reader
        number, back, count, halvings = peer.number, 1 + reader.below(3), 1 + reader.below(12), reader.below(3)
        length, start = reader.pick(904, 1_404, 5, 905, 30), number - back - count + 1
        block = range(start, start + count)
        if start < 0 or not self.doubtful.isdisjoint(block):
            return self.sealed(frames.emit_ping())
        total, mask = 0, participants(number, count, halvings)
        for one in block:
            data = self.pieces.get(one)
            if data is not None and mask >> one - start & 1:
                symbol = emit_symbol(data.offset, data.payload, is_last=data.is_last, length=length)
                total ^= int.from_bytes(symbol or b"", "big")
        self.note(number, b"")
        self.highest, self.summed = max(self.highest, number), number + 1
        return peer.datagram(emit_repair(back, count, halvings, total.to_bytes(length, "big")))

    def frame(self, kind: int) -> bytes:
        reader = self.reader
        if kind <= 10:
            return self.ack()
        if kind == 11:
            return frames.emit_path_challenge(reader.take(8).ljust(8, b"?"))
        if kind == 12:
            return frames.emit_path_response(reader.take(8).ljust(8, b"?"))
        if kind == 13:
            return frames.emit_done()
        if kind == 14 and reader.below(8) == 1:
            return frames.emit_reset(reader.number(2), "because")
        return frames.emit_padding(reader.below(20)) + frames.emit_ping()

    def ack(self) -> bytes:
        reader, heard = self.reader, self.peer.expected
        largest = max(heard - 1 + reader.pick(0, 0, 0, 0, -1, -5, -40, 1, 1_000), 0)
        ranges, top = [], largest + 1
        for _ in range(1 + reader.below(6)):
            start = top - 1 - reader.pick(0, 0, 1, 5, 100)
            if start < 0:
                start = 0
            ranges.append((start, top))
            top = start - 1 - reader.pick(0, 0, 1, 3)
            if top < 1:
                break
        target = self.target
        position = max(target.acknowledged + reader.pick(0, 1, 100, 1_166, 9_000, -1, -3_000), 0)
        if reader.below(3) == 0:
            position = target.written + reader.pick(0, 1, 0, 1, 2)
        window = reader.pick(1 << 20, 0, 1, 3_000, 60_000, MAX_VARINT - position)
        latest = min(largest, reader.pick(largest, 0, largest // 2))
        return frames.emit_ack(position, window, latest, reader.pick(0, MS, 5 * MS, 60 * S), ranges)

    def data(self) -> bytes:
        reader = self.reader
        at = self.read + reader.pick(0, 0, 0, 1, 900, 5_000, WINDOW - 1, WINDOW)
        start = max(at + reader.pick(0, 0, 500, 900, -900), 0)
        length = reader.pick(1, 900, 900, 1_400, 0)
        is_last = reader.below(16) == 15 or not length
        if reader.below(50) == 49:
            return frames.DATA_HEAD.pack(frames.FrameType.DATA, (1 << 64) - 1 - length) + bytes(length)
        return frames.emit_data(start, STREAM[start : start + length], is_last=is_last)


def parsed(body: bytes) -> list[frames.Frame]:
    """Its frames; none when it is malformed, as it counts as nothing then."""
    try:
        return frames.parse(memoryview(body))
    except MalformedSegment:
        return []


def is_sum(body: bytes) -> bool:
    return any(isinstance(frame, Repair) for frame in parsed(body))


def feed(data: bytes) -> None:
    """Play what `data` says."""
    reader = Reader(data)
    is_to_end = reader.below(8) == 0  # it takes longest, so not each time
    game = Game(reader)
    for _ in range(_MAX_ACTS):
        if reader.is_used_up or game.closed is not None:
            break
        game.act()
        game.check()
    if is_to_end:
        game.pause(300 * S)
        assert game.closed is not None, f"five minutes of silence, and it is {game.target.state}"


def seeds() -> list[bytes]:
    """Inputs to begin with: both roles, both modes, and a few acts of every kind."""
    heads = [bytes((1, mode, role, 0, 1)) for mode in (0, 3) for role in (0, 1)]
    acts = bytes(range(4, 12)) * 12 + bytes((1, 1, 3, 1, 4, 0, 3))
    return [head + acts[start:] for head in heads for start in (0, 1, 5, 30)]
