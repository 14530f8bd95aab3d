"""Watches the packets of one RDP transfer and holds them against the rules of docs/format-rdp.md.

A `Tap` for a network, a router or a capture. It decodes with the wire's decoder and keeps its own books: what the
two sides could know is what reached them, and what they say must follow from it. Checked:

sender      every packet readable and at most 1,024 bytes; one opening; packet numbers rise, none twice; the same
            offset always the same bytes; nothing beyond the widest window that reached it, but one byte as a
            probe; one place of the FIN, behind all data, with the digest of what was sent; a farewell only
            after the ACK of the FIN; after RST only RST
receiver    nothing before a SYN reached it; acknowledges only what reached it, bytes and packet numbers; position
            and right edge of the window never retreat; after RST only RST

A datagram that reaches a side but was not sent by the other one is damaged or forged. It counts as what the
decoder makes of it, with the key that side knows; one without a checksum only for a side that goes without.
"""

from __future__ import annotations

import hashlib

from surewire.core.trains import Address
from surewire.errors import MalformedSegment
from surewire.lab.proof.observed import Arrivals, SeenBytes
from surewire.lab.proof.violations import Findings
from surewire.wire import text
from surewire.wire.segment import Extension, PacketType, Segment

_ASSUMED_WINDOW = 10_240  # of an ACK that states none, see docs/format-rdp.md
_FROM_SENDER = {PacketType.SYN, PacketType.DAT, PacketType.FIN, PacketType.ACK, PacketType.RST}
_FROM_RECEIVER = {PacketType.ACK, PacketType.RST}


class RdpWireChecker:
    """A tap on a network with one sender and one receiver."""

    def __init__(self, receiver: Address, findings: Findings | None = None, *, assumed_window: int = 0) -> None:
        """`receiver` is where the receiver is found; whoever else sends to it is the sender, wherever it is."""
        self.findings = findings or Findings()
        self.forged = 0  # datagrams that reached a side but were never sent as such by the other one
        self._receiver = receiver
        self._sender_at: Address = None  # where the sender was last
        self._books = _Books(assumed_window or _ASSUMED_WINDOW)
        self._sender_rules = _SenderRules(self._books, self.findings)
        self._receiver_rules = _ReceiverRules(self._books, self.findings)
        self._sent: dict[bytes, Segment] = {}

    def on_sent(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        """A host's socket took a datagram."""
        is_senders = source != self._receiver
        who = "sender" if is_senders else "receiver"
        if len(datagram) > text.MAX_PACKET:
            self.findings.add("packet size", f"{who}: {len(datagram)} bytes", now)
        segment = self._sent.get(datagram)
        if segment is None:
            key = self._books.key if self._books.key is not None else _offered_key(datagram)
            try:
                segment = text.parse(datagram, key=key)
            except MalformedSegment as error:
                self.findings.add("readable", f"{who} sent what nobody can read: {error}", now)
                return
            self._sent[datagram] = segment
        if segment.type not in (_FROM_SENDER if is_senders else _FROM_RECEIVER):
            self.findings.add("direction", f"{who} sent a {segment.type}", now)
        elif is_senders:
            self._sender_at = source
            self._sender_rules.check(segment, now)
        else:
            # The minimal form of RST also answers strangers, and what comes late from where the sender was.
            is_stray = segment.extension is None and (self.forged > 0 or destination != self._sender_at)
            self._receiver_rules.check(segment, now, is_stray=is_stray)

    def on_delivered(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        """A datagram is about to reach a host."""
        segment = self._sent.get(datagram)
        if segment is None:
            self.forged += 1
            try:
                segment = text.parse(datagram, key=self._books.key or 0)
            except MalformedSegment:
                return
        if destination == self._receiver:
            self._books.on_reached_receiver(segment)
        else:
            self._books.on_reached_sender(segment)


def _offered_key(datagram: bytes) -> int:
    """The key of the session that a SYN offers, so that its sender's later packets can be read; 0 for none."""
    try:
        segment = text.parse(datagram)
    except MalformedSegment:
        return 0
    return text.session_key(segment.offer.session) if segment.offer is not None else 0


class _Books:
    """What each side can know."""

    def __init__(self, assumed_window: int) -> None:
        self.assumed_window = assumed_window
        self.isn: int | None = None
        self.key: int | None = None  # of the session the sender offers
        self.is_checked_receiver = False  # the receiver has taken up the extension
        self.is_checked_sender = False  # so has the sender
        self.window_end: int | None = None  # stream offset, by the widest ACK that reached the sender
        self.sent = 0  # stream offset behind all that was sent, the FIN included
        self.acked = 0  # stream offset, by the ACK that says most of those that reached the sender
        self.bytes_at_receiver = Arrivals()
        self.numbers_at_receiver = Arrivals()
        self.has_opened = False  # a SYN has reached the receiver
        self.fin_offsets: set[int] = set()  # of FINs that reached it

    def offset(self, number: int) -> int:
        """The stream offset of a sequence number."""
        return number - (self.isn or 0) - 1

    def on_reached_sender(self, segment: Segment) -> None:
        if segment.type is not PacketType.ACK or (self.is_checked_sender and segment.extension is None):
            return
        self.is_checked_sender = self.is_checked_sender or segment.extension is not None
        position = self.offset(segment.number)
        if position > self.sent:
            return  # of bytes never sent: damage that made a packet look plain; it must have no effect
        end = position + (self.assumed_window if segment.window is None else segment.window)
        self.window_end = max(self.window_end or 0, end)
        self.acked = max(self.acked, position)

    def on_reached_receiver(self, segment: Segment) -> None:
        if segment.type is PacketType.SYN:
            self.has_opened = True
            if segment.offer is not None:
                self._on_number(segment.offer.packet_number)
            return
        if self.is_checked_receiver and segment.extension is None:
            return
        offset = self.offset(segment.number)
        if segment.type is PacketType.DAT and offset >= 0:
            self.bytes_at_receiver.add(offset, offset + len(segment.payload))
        elif segment.type is PacketType.FIN:
            self.fin_offsets.add(offset)
        if segment.extension is not None and segment.extension.packet_number is not None:
            self._on_number(segment.extension.packet_number)

    def _on_number(self, number: int) -> None:
        self.numbers_at_receiver.add(number, number + 1)


class _SenderRules:
    """What a sender must keep to."""

    def __init__(self, books: _Books, findings: Findings) -> None:
        self._books = books
        self._findings = findings
        self._seen = SeenBytes()
        self._last_number = -1
        self._size: int | None = None  # by the first FIN
        self._has_reset = False

    def check(self, segment: Segment, now: int) -> None:
        add, books = self._findings.add, self._books
        if self._has_reset and segment.type is not PacketType.RST:
            add("silence after RST", f"sender: {segment.type} after its RST", now)
        if segment.type is PacketType.SYN:
            self._check_syn(segment, now)
        elif segment.type is PacketType.RST:
            self._has_reset = True
        elif books.isn is None or books.window_end is None:
            add("opening", f"sender: {segment.type} before an ACK of its SYN reached it", now)
        elif segment.type is PacketType.DAT:
            self._check_dat(segment, books.offset(segment.number), books.window_end, now)
        elif segment.type is PacketType.FIN:
            self._check_fin(segment, books.offset(segment.number), now)
        elif self._size is None or books.acked != self._size + 1 or books.offset(segment.number) != books.acked:
            add("farewell", f"sender: ACK {segment.number} before the ACK of its FIN reached it", now)

    def _check_syn(self, segment: Segment, now: int) -> None:
        books = self._books
        if books.isn not in (None, segment.number):
            self._findings.add("opening", f"sender: a second initial number, {segment.number}", now)
        books.isn = segment.number
        if segment.offer is not None:
            key = text.session_key(segment.offer.session)
            if books.key not in (None, key):
                self._findings.add("opening", "sender: a second session in the same transfer", now)
            books.key = key
            self._check_number(segment.offer.packet_number, now)

    def _check_number(self, number: int | None, now: int) -> None:
        if number is None or number <= self._last_number:
            self._findings.add("packet numbers", f"sender: number {number} after {self._last_number}", now)
        else:
            self._last_number = number

    def _check_dat(self, segment: Segment, offset: int, window_end: int, now: int) -> None:
        add, stop = self._findings.add, offset + len(segment.payload)
        if segment.extension is not None:
            self._check_number(segment.extension.packet_number, now)
        is_probe = offset == window_end and stop == offset + 1
        if stop > window_end and not is_probe:
            add("window", f"sender: bytes {offset} to {stop - 1}, the window ends at {window_end}", now)
        if offset < 0 or (self._size is not None and stop > self._size):
            add("end of the stream", f"sender: bytes {offset} to {stop - 1} lie outside of it", now)
            return
        self._books.sent = max(self._books.sent, stop)
        wrong = self._seen.check(offset, bytes(segment.payload))
        if wrong is not None:
            add("same bytes", f"sender: {wrong}", now)

    def _check_fin(self, segment: Segment, offset: int, now: int) -> None:
        add, sent = self._findings.add, len(self._seen.data)
        if offset != sent or self._size not in (None, offset):
            add("end of the stream", f"sender: FIN at {offset}, after {sent} bytes, was {self._size} before", now)
        self._size = offset
        self._books.sent = max(self._books.sent, offset + 1)
        if segment.extension is None:
            if self._books.acked < offset:
                add("end of the stream", f"sender: FIN at {offset} while {self._books.acked} are acknowledged", now)
            return
        self._check_number(segment.extension.packet_number, now)
        if segment.extension.digest != hashlib.sha256(self._seen.data).digest():
            add("digest", "sender: the FIN's digest is not that of the bytes it sent", now)


class _ReceiverRules:
    """What a receiver must keep to."""

    def __init__(self, books: _Books, findings: Findings) -> None:
        self._books = books
        self._findings = findings
        self._position = 0
        self._edge = 0
        self._has_reset = False

    def check(self, segment: Segment, now: int, *, is_stray: bool) -> None:
        add, books = self._findings.add, self._books
        if segment.type is PacketType.RST:
            self._has_reset = self._has_reset or not is_stray
            return
        if self._has_reset:
            add("silence after RST", "receiver: ACK after its RST", now)
        if not books.has_opened:
            add("opening", "receiver: ACK before a SYN reached it", now)
            return
        books.is_checked_receiver = books.is_checked_receiver or segment.extension is not None
        self._check_position(books.offset(segment.number), segment.window or 0, now)
        if segment.extension is not None:
            self._check_numbers(segment.extension, now)

    def _check_position(self, position: int, window: int, now: int) -> None:
        add, arrived = self._findings.add, self._books.bytes_at_receiver.contiguous
        # The FIN takes a number of its own, also where a foreign sender's idea of it is one off.
        may_end = any(position == fin + 1 and fin <= arrived + 1 for fin in self._books.fin_offsets)
        if position > arrived and not may_end:
            add("acknowledged", f"receiver: position {position}, only {arrived} bytes have reached it", now)
        if position < self._position:
            add("no retreat", f"receiver: position {position} after {self._position}", now)
        if position + window < self._edge:
            add("no retreat", f"receiver: window ends at {position + window}, was {self._edge}", now)
        self._position = max(self._position, position)
        self._edge = max(self._edge, position + window)

    def _check_numbers(self, extension: Extension, now: int) -> None:
        arrived = self._books.numbers_at_receiver
        for start, stop in extension.received:
            if not arrived.has_all(start, stop):
                self._findings.add("acknowledged", f"receiver: numbers {start} to {stop - 1}, not all reached it", now)
        echo = extension.echo
        if echo is not None and not arrived.has_all(echo, echo + 1):
            self._findings.add("acknowledged", f"receiver: echo of {echo}, which never reached it", now)
