"""Streamer's decoder: any bytes are refused by `MalformedSegment`, or decode and encode to the very same bytes.

The first byte says which references the receiver has, and whether the hash is put right: a fuzzer never guesses one.
"""

from __future__ import annotations

from struct import Struct
from zlib import crc32

from surewire.errors import MalformedSegment
from surewire.wire import compact
from surewire.wire.compact import Ack, Expected, Packet

SENDER, RECEIVER = 0x0102, 0x0304
EXPECTED = (Expected(0, 0, 256), Expected(250, 2**24 - 9000, 257), Expected(), Expected(2**40, 2**40, 2**40))

_CONTEXT = Struct("!HHQQQ")  # docs/format-streamer.md
_SYN, _ACK, _WIDE = 0x80, 0x08, 0x02


def feed(data: bytes) -> None:
    """Decode what `data` says."""
    choice, datagram = (data[0] if data else 0), data[1:]
    expected = EXPECTED[choice >> 1 & 3]
    if choice & 1:
        datagram, expected = put_right(datagram), EXPECTED[0]
    nonce = compact.peek_nonce(datagram)
    assert nonce is None or 0 < nonce < 1 << 16
    sender = nonce or SENDER
    try:
        packet = compact.parse(datagram, sender_nonce=sender, receiver_nonce=RECEIVER, expected=expected)
    except MalformedSegment:
        return
    check(packet, expected)
    wide = bool(datagram[4] & _WIDE)
    assert compact.emit(packet, sender_nonce=sender, receiver_nonce=RECEIVER, wide=wide) == datagram


def put_right(datagram: bytes) -> bytes:
    """The datagram with the right hash, for a receiver whose references make all parts that are not sent 0."""
    if len(datagram) < 5:
        return datagram
    is_syn, has_ack = bool(datagram[4] & _SYN), bool(datagram[4] & _ACK)
    context = _CONTEXT.pack(0 if is_syn else SENDER, 0 if is_syn and not has_ack else RECEIVER, 0, 0, 0)
    return crc32(datagram[4:], crc32(context)).to_bytes(4, "big") + datagram[4:]


def check(packet: Packet, expected: Expected) -> None:
    """Whatever is accepted holds legal values only."""
    assert packet.number is None or packet.number >= 0
    assert packet.offset is None or packet.offset >= 0
    assert packet.nonce is None or 0 < packet.nonce < 1 << 16
    assert packet.number is not None or packet.ack is not None
    assert packet.offset is not None or not (packet.payload or packet.fin)
    if packet.ack is not None:
        assert 0 <= packet.ack.largest < expected.ack
        ranges = packet.ack.ranges()
        assert ranges[0][1] == packet.ack.largest + 1
        assert all(0 <= start < stop for start, stop in ranges)
        assert all(high[0] > low[1] for high, low in zip(ranges, ranges[1:], strict=False))


def seeds() -> list[bytes]:
    """Inputs to begin with: a real packet of each kind."""
    packets = [
        Packet(0, 0, b"0 1 2 3 ", nonce=SENDER),
        Packet(0, nonce=SENDER, ack=Ack(0)),
        Packet(254, 2**23, bytes(range(256)), ack=Ack(255)),
        Packet(7, 0, b"x" * 60, ack=Ack(3), full=True),
        Packet(ack=Ack.from_ranges([(200, 256), (0, 130)])),
        Packet(ack=Ack.from_ranges([(8, 9), (2, 4)])),
        Packet(30),
        Packet(56, 2**22, b"", fin=True),
    ]
    found = []
    for packet in packets:
        for wide in (False, True):
            datagram = compact.emit(packet, sender_nonce=SENDER, receiver_nonce=RECEIVER, wide=wide)
            found += [bytes((choice,)) + datagram for choice in (0, 1, 2)]
    return found
