"""RDP's decoder: any bytes are refused by `MalformedSegment`, or decode, encode and decode to the same.

The first byte says under which key, and whether the checksum is put right: a fuzzer never guesses one.
"""

from __future__ import annotations

import re
from zlib import crc32

from surewire.errors import MalformedSegment
from surewire.wire import text
from surewire.wire.segment import Extension, Offer, PacketType, Segment

SESSION = 0x1122334455667788
KEY = text.session_key(SESSION)
MAGIC = b"CSC361"

_CHECK = re.compile(rb"\nCheck: ([0-9a-f]{8})\n")


def feed(data: bytes) -> None:
    """Decode what `data` says."""
    flags, datagram = data[:1], data[1:]
    key = KEY if flags and flags[0] & 1 else 0
    if flags and flags[0] & 2:
        datagram = put_right(datagram, key)
    quick = text.parse_our_dat(memoryview(datagram), key=key, magic=MAGIC)
    try:
        segment = text.parse(datagram, key=key)
    except MalformedSegment:
        assert quick is None or len(datagram) > text.MAX_PACKET
        return
    check(segment)
    if quick is not None:
        assert segment.extension is not None
        assert quick == (segment.number, segment.extension.packet_number, segment.payload)
    if segment.type is PacketType.SYN and segment.extension is not None:
        return  # harmless, and nothing of ours writes such a thing
    again = encode(segment, key)
    if len(again) > text.MAX_PACKET:
        return  # the full spelling is longer than the one that came
    second = text.parse(again, key=key)
    names = ("type", "magic", "number", "length", "payload", "offer")
    assert all(getattr(second, name) == getattr(segment, name) for name in names)
    assert (second.extension is None) is (segment.extension is None)
    assert encode(second, key) == again


def put_right(datagram: bytes, key: int) -> bytes:
    """The datagram with the right digits in its last checksum field, an offer's or a header's."""
    found = list(_CHECK.finditer(datagram))
    if not found:
        return datagram
    at = found[-1].start(1)
    is_offer = b"\nSurewire: " in datagram[:at]
    rest = b"" if is_offer else datagram[found[-1].end() + 1 :]
    digits = b"%08x" % crc32(rest, crc32(datagram[:at], 0 if is_offer else key))
    return datagram[:at] + digits + datagram[at + 8 :]


def check(segment: Segment) -> None:
    """Whatever is accepted holds legal values only."""
    assert 1 <= len(segment.magic) <= 32 and 0 <= segment.number < 10**18
    assert segment.window is None or 0 <= segment.window < 10**18
    assert (segment.type is PacketType.DAT) == bool(segment.payload)
    assert segment.length == (len(segment.payload) or None)
    assert (segment.extension is not None) == segment.has_check
    if segment.extension is not None:
        received = segment.extension.received
        assert all(start < stop for start, stop in received)
        assert all(high[0] >= low[1] for high, low in zip(received, received[1:], strict=False))


def encode(segment: Segment, key: int) -> bytes:
    """The packet in our spelling."""
    extension, magic, number = segment.extension, segment.magic, segment.number
    if segment.type is PacketType.SYN:
        return text.emit_syn(magic, number, segment.offer)
    if segment.type is PacketType.DAT:
        payload = bytes(segment.payload)
        if extension is None:
            return text.emit_plain_dat(magic, number, payload)
        packet_number = extension.packet_number or 0
        return b"".join(
            text.emit_dats(magic, number, payload, segment=len(payload), packet_number=packet_number, key=key)
        )
    if segment.type is PacketType.ACK:
        return text.emit_ack(magic, number, segment.window or 0, extension=extension, key=key)
    if segment.type is PacketType.FIN:
        return text.emit_fin(magic, number, extension=extension, key=key)
    return text.emit_rst(magic, extension=extension, key=key)


def seeds() -> list[bytes]:
    """Inputs to begin with: a real packet of each kind."""
    ours = Extension(received=((5, 9), (0, 2)), echo=8, ack_delay=9_000)
    packets = [
        text.emit_syn(MAGIC, 10, Offer(1, SESSION, 0, 90)),
        text.emit_syn(MAGIC, 10, None),
        text.emit_plain_dat(MAGIC, 11, b"plain payload"),
        b"".join(text.emit_dats(MAGIC, 11, b"checked payload" * 6, segment=900, packet_number=1, key=KEY)),
        text.emit_ack(MAGIC, 11, 10_240),
        text.emit_ack(MAGIC, 11, 1 << 24, extension=ours, key=KEY),
        text.emit_fin(MAGIC, 101),
        text.emit_fin(MAGIC, 101, extension=Extension(packet_number=3, digest=bytes(32)), key=KEY),
        text.emit_rst(MAGIC),
        text.emit_rst(MAGIC, extension=Extension(reason="disk full"), key=KEY),
    ]
    return [bytes((flags,)) + packet for packet in packets for flags in (0, 1, 3)]
