"""Damage to packets with an extension: no single flipped bit gets through, in any packet, at any place."""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

import pytest

from surewire.errors import MalformedSegment
from surewire.wire import text
from surewire.wire.segment import Extension, Offer, PacketType

KEY = text.session_key(0xFEEDFACECAFEBEEF)
MAGIC = b"CSC361"
_DATS = text.emit_dats(
    MAGIC, 4711, b"Magic: CSC361\nType: DAT\n\n" + bytes(range(40)), segment=99, packet_number=17, key=KEY
)

PACKETS = {
    PacketType.SYN: text.emit_syn(MAGIC, 4710, Offer(1, 0xFEEDFACECAFEBEEF, 0, 65)),
    PacketType.DAT: b"".join(_DATS),
    PacketType.ACK: text.emit_ack(
        MAGIC, 4711, 16 << 20, extension=Extension(received=((16, 18), (3, 15)), echo=9, ack_delay=250_000), key=KEY
    ),
    PacketType.FIN: text.emit_fin(MAGIC, 4776, extension=Extension(packet_number=19, digest=bytes(range(32))), key=KEY),
    PacketType.RST: text.emit_rst(MAGIC, extension=Extension(reason="disk full"), key=KEY),
}


def flips(packet: bytes) -> Iterator[tuple[int, bytes]]:
    """Every packet that differs in one bit, with the place of the bit."""
    for bit in range(8 * len(packet)):
        damaged = bytearray(packet)
        damaged[bit >> 3] ^= 1 << (bit & 7)
        yield bit, bytes(damaged)


def accepted_proof(packet: bytes) -> object:
    """What makes a receiver believe the packet: its extension, or a SYN's offer; None when nothing does."""
    try:
        segment = text.parse(packet, key=KEY)
    except MalformedSegment:
        return None
    return segment.extension or segment.offer


@pytest.mark.parametrize("kind", PACKETS)
def test_the_packet_itself_is_believed(kind: PacketType) -> None:
    assert accepted_proof(PACKETS[kind]) is not None


@pytest.mark.parametrize("kind", PACKETS)
def test_no_flipped_bit_leaves_a_believed_packet(kind: PacketType) -> None:
    for bit, damaged in flips(PACKETS[kind]):
        assert accepted_proof(damaged) is None, f"bit {bit} of {kind.value}"


def test_no_flipped_bit_passes_the_quick_way() -> None:
    for bit, damaged in flips(PACKETS[PacketType.DAT]):
        assert text.parse_our_dat(memoryview(damaged), key=KEY, magic=MAGIC) is None, f"bit {bit}"


def test_a_damaged_syn_is_never_one_that_offers_nothing() -> None:
    """A SYN without a trailer would be taken as a plain peer's, and the transfer would have no checksums."""
    for bit, damaged in flips(PACKETS[PacketType.SYN]):
        try:
            segment = text.parse(damaged, key=KEY)
        except MalformedSegment:
            continue
        assert segment.trailer, f"bit {bit}"


@pytest.mark.parametrize("kind", PACKETS)
def test_every_truncation_is_refused_or_unproved(kind: PacketType) -> None:
    for length in range(len(PACKETS[kind])):
        assert accepted_proof(PACKETS[kind][:length]) is None, f"{length} bytes of {kind.value}"


@pytest.mark.parametrize("kind", [kind for kind in PACKETS if kind is not PacketType.SYN])
def test_a_packet_of_another_session_is_refused(kind: PacketType) -> None:
    with pytest.raises(MalformedSegment):
        text.parse(PACKETS[kind], key=KEY ^ 1)


@pytest.mark.parametrize("kind", [kind for kind in PACKETS if kind is not PacketType.SYN])
def test_bytes_after_a_checked_packet_are_refused(kind: PacketType) -> None:
    with pytest.raises(MalformedSegment):
        text.parse(PACKETS[kind] + b"\n", key=KEY)


def test_a_burst_of_32_bits_is_found_wherever_it_lies() -> None:
    """CRC-32 finds every burst of at most 32 bits; here over the whole DAT, four bytes wide."""
    packet = PACKETS[PacketType.DAT]
    for start in range(len(packet) - 3):
        damaged = bytearray(packet)
        for place in range(start, start + 4):
            damaged[place] ^= 0xA5
        assert accepted_proof(bytes(damaged)) is None, f"bytes from {start}"


HAND_MADE_ACKS = {
    "ascending ranges": b"Received: 1-2 5-6",
    "overlapping ranges": b"Received: 5-9 3-5",
    "backwards range": b"Received: 9-5",
    "a range of words": b"Received: a-b",
    "too many ranges": b"Received: " + b" ".join(b"%d-%d" % (n, n) for n in range(200, 60, -2)),
    "delay no number": b"Received: 1-2\nDelay: soon",
    "digest too short": b"Digest: abcd",
    "packet no number": b"Packet: x",
}


@pytest.mark.parametrize("name", HAND_MADE_ACKS)
def test_a_right_checksum_does_not_excuse_wrong_fields(name: str) -> None:
    from_checked = text.emit_ack(MAGIC, 1, 2, extension=Extension(), key=KEY)
    assert text.parse(from_checked, key=KEY).extension == Extension()
    with pytest.raises(MalformedSegment):
        text.parse(_checked(b"Magic: CSC361\nType: ACK\nAcknowledgment: 1\n%b\n" % HAND_MADE_ACKS[name]), key=KEY)


QUICK_ACK = b"Magic: CSC361\nType: ACK\nAcknowledgment: 1\nWindow: 2\nReceived: %b\nEcho: 9\nDelay: 3\n"
QUICK_RANGES = {name: field[10:] for name, field in HAND_MADE_ACKS.items() if field.count(b"\n") == 0 and b"-" in field}


@pytest.mark.parametrize("name", QUICK_RANGES)
def test_wrong_ranges_are_refused_the_quick_way_too(name: str) -> None:
    assert text.parse(_checked(QUICK_ACK % b"5-9 3-3"), key=KEY).extension is not None
    with pytest.raises(MalformedSegment):
        text.parse(_checked(QUICK_ACK % QUICK_RANGES[name]), key=KEY)


def _checked(head: bytes) -> bytes:
    """A header with the checksum line a peer of ours would put under it."""
    head += b"Check: "
    return b"%b%08x\n\n" % (head, crc32(head, KEY))
