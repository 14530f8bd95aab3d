"""Watches the packets of one Streamer connection and holds them against docs/format-streamer.md.

A `Tap` for a network, a router or a capture. It decodes with the wire's decoder, whose references it completes from
its own books: what a side could know is what reached it. Checked, of both sides:

* every packet at most 1,472 bytes, and readable by whoever has seen all packets so far;
* packet numbers count 0, 1, 2, ... without one used twice or left out;
* a number goes in one byte only within 128 of the largest that was acknowledged to its sender;
* the same offset always carries the same bytes, nothing is left out, and nothing follows the FIN's place;
* one segment at most until the peer has answered; nothing new while the peer says that it is full;
* only numbers that arrived are acknowledged, and the largest of them never falls.

A datagram that reaches a side but was never sent to it is damaged, forged, or of another connection: its hash
is wrong, so it must not have any effect, and counts for nothing here.
"""

from __future__ import annotations

from surewire.core.trains import Address
from surewire.errors import MalformedSegment
from surewire.lab.proof.observed import Arrivals, SeenBytes
from surewire.lab.proof.violations import Findings
from surewire.wire import compact

_WIDE = 0x02
_FLAGS_AT = 4


class StreamerWireChecker:
    """A tap on a network with two sides."""

    def __init__(self, addresses: tuple[Address, Address], findings: Findings | None = None, *, lag: int = 0) -> None:
        """A checker of one connection.

        Args:
            addresses: of the two sides, as the other one calls them.
            findings: where to put what is found.
            lag: ns that may pass between a packet's making and its leaving, as with a sendto that blocks.
        """
        self.findings = findings or Findings()
        self.forged = 0  # datagrams that reached a side but were never sent to it
        self._second = addresses[1]
        self._lag = lag
        self._sides = (_Side("side 1"), _Side("side 2"))
        self._sent: tuple[dict[bytes, compact.Packet], ...] = ({}, {})

    def on_sent(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        """A host's socket took a datagram."""
        index = int(source == self._second)
        side, peer = self._sides[index], self._sides[1 - index]
        if len(datagram) > compact.MAX_PACKET:
            self.findings.add("packet size", f"{side.name}: {len(datagram)} bytes", now)
            return
        own = side.nonce or compact.peek_nonce(datagram) or 0
        packet = _read(side, datagram, sender_nonce=own, receiver_nonce=peer.nonce or 0)
        if packet is None:
            self.findings.add("readable", f"{side.name} sent {len(datagram)} bytes that nobody can read", now)
            return
        side.nonce = own
        self._sent[index][datagram] = packet
        self._check_number(side, packet, is_wide=bool(datagram[_FLAGS_AT] & _WIDE), now=now)
        if packet.offset is not None:
            self._check_data(side, packet.offset, packet, now)
        if packet.ack is not None:
            self._check_ack(side, packet.ack, now)

    def on_delivered(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        """A datagram is about to reach a host."""
        index = int(destination == self._second)
        side = self._sides[index]
        packet = self._sent[1 - index].get(datagram)
        if packet is None:
            self.forged += 1
            return
        if packet.number is not None:
            side.arrived.add(packet.number, packet.number + 1)
        if packet.offset is not None and packet.payload:
            side.bytes_arrived.add(packet.offset, packet.offset + len(packet.payload))
        if packet.ack is not None:
            side.largest_acked = max(side.largest_acked, packet.ack.largest)
        side.is_answered = side.is_answered or packet.ack is not None or packet.nonce is None
        if not packet.full:
            side.held_at = None
        elif side.held_at is None:
            side.held_at = now

    def arrived(self, index: int) -> int:
        """Bytes of the stream from its front that have reached side `index`, whether it took them or not."""
        return self._sides[index].bytes_arrived.contiguous

    def _check_number(self, side: _Side, packet: compact.Packet, *, is_wide: bool, now: int) -> None:
        if packet.number is None:
            return
        if packet.number != side.next_number:
            self.findings.add("packet numbers", f"{side.name}: {packet.number}, not {side.next_number}", now)
        side.next_number = max(side.next_number, packet.number + 1)
        if not is_wide and packet.number - side.largest_acked > compact.MAX_NARROW_LEAD:
            self.findings.add(
                "narrow numbers", f"{side.name}: {packet.number} in one byte, {side.largest_acked} acknowledged", now
            )

    def _check_data(self, side: _Side, offset: int, packet: compact.Packet, now: int) -> None:
        add, known, stop = self.findings.add, len(side.seen.data), offset + len(packet.payload)
        if stop > known:
            if not side.is_answered and stop > compact.MAX_PACKET:
                add("opening", f"{side.name}: {stop} bytes sent before the peer has answered", now)
            if side.held_at is not None and now - side.held_at > self._lag:
                add("full peer", f"{side.name}: new bytes {known} to {stop - 1} for a peer that is full", now)
        wrong = side.seen.check(offset, packet.payload if isinstance(packet.payload, bytes) else bytes(packet.payload))
        if wrong is not None:
            add("same bytes", f"{side.name}: {wrong}", now)
        if packet.fin:
            if side.size not in (None, stop):
                add("end of the stream", f"{side.name}: FIN at {stop}, before at {side.size}", now)
            side.size = stop
        if side.size is not None and len(side.seen.data) > side.size:
            add("end of the stream", f"{side.name}: {len(side.seen.data)} bytes sent, FIN at {side.size}", now)

    def _check_ack(self, side: _Side, ack: compact.Ack, now: int) -> None:
        for start, stop in ack.ranges():
            if not side.arrived.has_all(start, stop):
                self.findings.add(
                    "acknowledged", f"{side.name}: numbers {start} to {stop - 1}, not all reached it", now
                )
        if ack.largest < side.largest_said:
            self.findings.add("no retreat", f"{side.name}: acknowledges {ack.largest} after {side.largest_said}", now)
        side.largest_said = max(side.largest_said, ack.largest)


def _read(side: _Side, datagram: bytes, *, sender_nonce: int, receiver_nonce: int) -> compact.Packet | None:
    """Decode what a side sent; None when nobody could."""
    # Its acknowledgment names what arrived last, or, where nothing after it could be read, what it said before.
    for ack in (side.arrived.stop, side.largest_said + compact.MAX_ACK_LAG):
        expected = compact.Expected(number=side.next_number, offset=len(side.seen.data), ack=ack)
        try:
            return compact.parse(datagram, sender_nonce=sender_nonce, receiver_nonce=receiver_nonce, expected=expected)
        except MalformedSegment:
            continue
    return None


class _Side:
    """What one side has sent, and what it can know."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nonce: int | None = None
        self.next_number = 0
        self.seen = SeenBytes()
        self.size: int | None = None  # by its first FIN
        self.largest_said = -1  # in its acknowledgments
        self.arrived = Arrivals()  # the peer's numbers that reached it
        self.bytes_arrived = Arrivals()  # the peer's bytes that did
        self.largest_acked = -1  # of its own numbers, by acknowledgments that reached it
        self.is_answered = False
        self.held_at: int | None = None  # since when the peer has been full
