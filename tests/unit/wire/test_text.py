"""What our side writes: exact bytes towards a plain peer, every packet within 1,024 bytes, and what comes back out."""

from __future__ import annotations

from zlib import crc32

import pytest

from surewire.wire import text
from surewire.wire.segment import Extension, Offer, PacketType

KEY = text.session_key(0x0123456789ABCDEF)
LONGEST_MAGIC = b"M" * 32
LARGEST = 10**18 - 1  # the longest number the format takes
DIGEST = bytes(range(32))


def our_dats(magic: bytes, number: int, data: bytes, *, segment: int, packet_number: int = 0) -> list[bytes]:
    """The datagrams `emit_dats` makes, each as one string of bytes."""
    buffers = text.emit_dats(magic, number, data, segment=segment, packet_number=packet_number, key=KEY)
    return [b"".join(buffers[i : i + 2]) for i in range(0, len(buffers), 2)]


# Towards a plain peer: the assignment's table, nothing else, in its order, with LF.

MINIMAL = {
    "SYN": (text.emit_syn(b"CSC361", 0, None), b"Magic: CSC361\nType: SYN\nSequence: 0\n\n"),
    "DAT": (
        text.emit_plain_dat(b"CSC361", 1, b"x" * 900),
        b"Magic: CSC361\nType: DAT\nSequence: 1\nPayload: 900\n\n" + b"x" * 900,
    ),
    "ACK": (
        text.emit_ack(b"CSC361", 900, 10240),
        b"Magic: CSC361\nType: ACK\nAcknowledgment: 900\nWindow: 10240\n\n",
    ),
    "FIN": (text.emit_fin(b"CSC361", 901), b"Magic: CSC361\nType: FIN\nSequence: 901\n\n"),
    "RST": (text.emit_rst(b"CSC361"), b"Magic: CSC361\nType: RST\n\n"),
}


@pytest.mark.parametrize("kind", MINIMAL)
def test_the_minimal_header_is_the_assignments_table_byte_for_byte(kind: str) -> None:
    packet, expected = MINIMAL[kind]
    assert packet == expected
    assert b"\r" not in packet


def test_an_acknowledgment_is_spelled_as_the_peer_spells_it() -> None:
    packet = text.emit_ack(b"CSc361", 7, 8, field=b"Acknowledgement")
    assert packet == b"Magic: CSc361\nType: ACK\nAcknowledgement: 7\nWindow: 8\n\n"


def test_a_syn_with_an_offer_begins_with_the_minimal_syn() -> None:
    packet = text.emit_syn(b"CSC361", 5, Offer(1, 2**64 - 1, 0, 3))
    minimal = text.emit_syn(b"CSC361", 5, None)
    assert packet.startswith(minimal + b"Surewire: 1\nSession: ffffffffffffffff\nPacket: 0\nSize: 3\nCheck: ")


def test_the_documented_layout_of_a_packet_with_extension() -> None:
    (packet,) = our_dats(b"CSC361", 4711, b"abc", segment=900, packet_number=17)
    head, check, payload = packet[:-14], packet[-13:-5], packet[-3:]
    assert head == b"Magic: CSC361\nType: DAT\nSequence: 4711\nPayload: 3\nPacket: 17\nCheck:"
    assert int(check, 16) >= 0 and packet[-5:-3] == b"\n\n" and payload == b"abc"


# Sizes: 1,024 bytes are the limit whatever the numbers are.


def test_no_control_packet_is_longer_than_the_limit() -> None:
    ranges = tuple((start, start + 1) for start in range(LARGEST - 1, LARGEST - 200, -3))
    assert len(ranges) > 64
    longest = [
        text.emit_syn(LONGEST_MAGIC, LARGEST, Offer(9999, 2**64 - 1, LARGEST, LARGEST)),
        text.emit_fin(LONGEST_MAGIC, LARGEST, extension=Extension(packet_number=LARGEST, digest=DIGEST), key=KEY),
        text.emit_rst(LONGEST_MAGIC, extension=Extension(reason="r" * 5_000), key=KEY),
        text.emit_ack(
            LONGEST_MAGIC,
            LARGEST,
            LARGEST,
            field=b"Acknowledgement",
            extension=Extension(received=ranges, echo=LARGEST, ack_delay=10**18),
            key=KEY,
        ),
    ]
    for packet in longest:
        assert len(packet) <= text.MAX_PACKET
        assert text.parse(packet, key=KEY).magic == LONGEST_MAGIC


@pytest.mark.parametrize("width", [1, 6, 9, 12, 18])
@pytest.mark.parametrize("count", [1, 24, 63, 64, 65, 200])
def test_an_ack_lists_as_many_ranges_as_fit_and_the_newest_first(width: int, count: int) -> None:
    top = 10**width - 1 if width > 3 else 10**4
    ranges = tuple((top - 3 * i, top - 3 * i + 1) for i in range(count))
    packet = text.emit_ack(LONGEST_MAGIC, LARGEST, LARGEST, extension=Extension(received=ranges), key=KEY)
    assert len(packet) <= text.MAX_PACKET
    extension = text.parse(packet, key=KEY).extension
    assert extension is not None
    listed = extension.received
    assert listed == ranges[: len(listed)]
    assert len(listed) >= min(count, 20)
    assert len(listed) == min(count, 64) or len(packet) > text.MAX_PACKET - 60


@pytest.mark.parametrize("magic", [b"C", b"CSC361", LONGEST_MAGIC])
@pytest.mark.parametrize("number", [0, 999_999_999, LARGEST - 2_000])
def test_header_sizes_are_what_the_encoders_write(magic: bytes, number: int) -> None:
    for length in (1, 99, 100, 900):
        plain = text.emit_plain_dat(magic, number, b"x" * length)
        assert len(plain) - length == text.plain_header_size(magic, number, length)
        (ours,) = our_dats(magic, number, b"x" * length, segment=length, packet_number=123_456)
        assert len(ours) - length == text.our_header_size(magic, number, length, 123_456)


def test_the_largest_plain_payload_fits_with_sixteen_digits() -> None:
    packet = text.emit_plain_dat(text.DEFAULT_MAGIC, 10**16 - 1, b"x" * text.MAX_PLAIN_PAYLOAD)
    assert len(packet) == text.MAX_PACKET


def test_the_assignments_1000_byte_payload_cannot_fit() -> None:
    assert text.plain_header_size(b"CSC361", 0, 1000) + 1000 > text.MAX_PACKET


# What is written comes back.


def test_consecutive_packets_carry_consecutive_numbers_and_bytes() -> None:
    data = bytes(range(256)) * 10
    packets = our_dats(b"CSC361", 95, data, segment=900, packet_number=9)
    assert len(packets) == 3
    offset = 95
    for index, packet in enumerate(packets):
        segment = text.parse(packet, key=KEY)
        assert segment.type is PacketType.DAT and segment.number == offset
        assert segment.extension == Extension(packet_number=9 + index)
        assert bytes(segment.payload) == data[offset - 95 : offset - 95 + 900]
        offset += len(segment.payload)
    assert offset == 95 + len(data)


def test_the_quick_way_and_the_long_way_agree() -> None:
    for packet in our_dats(b"CSC361", 7, bytes(2_000), segment=900):
        segment, quick = text.parse(packet, key=KEY), text.parse_our_dat(memoryview(packet), key=KEY, magic=b"CSC361")
        assert quick is not None and segment.extension is not None
        assert quick == (segment.number, segment.extension.packet_number, segment.payload)


@pytest.mark.parametrize("received", [(), ((3, 15),), ((30, 31), (3, 15), (0, 1))])
@pytest.mark.parametrize("echo", [None, 0, 30])
def test_the_quick_way_and_the_long_way_to_read_an_ack_agree(
    received: tuple[tuple[int, int], ...], echo: int | None
) -> None:
    extension = Extension(received=received, echo=echo, ack_delay=5000)
    packet = text.emit_ack(b"CSC361", 7, 9, extension=extension, key=KEY)
    lines = packet.removesuffix(b"\n\n").split(b"\n")[:-1]
    head = b"\n".join([lines[1], lines[0], *lines[2:], b"Check: "])  # the quick way knows one order only
    slow = text.parse(b"%b%08x\n\n" % (head, crc32(head, KEY)), key=KEY)
    assert text.parse(packet, key=KEY) == slow
    assert slow.extension == extension


@pytest.mark.parametrize("change", ["key", "magic", "shorter", "longer", "empty"])
def test_the_quick_way_takes_nothing_but_its_own(change: str) -> None:
    (packet,) = our_dats(b"CSC361", 7, b"data", segment=900)
    if change == "shorter":
        packet = packet[:-1]
    elif change == "longer":
        packet += b"!"
    elif change == "empty":
        packet = packet.replace(b"Payload: 4", b"Payload: 0")[:-4]
    key = KEY ^ 1 if change == "key" else KEY
    magic = b"CSc361" if change == "magic" else b"CSC361"
    assert text.parse_our_dat(memoryview(packet), key=key, magic=magic) is None


def test_a_delay_keeps_its_microseconds() -> None:
    extension = Extension(received=((3, 15), (0, 1)), echo=7, ack_delay=250_999)
    segment = text.parse(text.emit_ack(b"CSC361", 1, 2, extension=extension, key=KEY), key=KEY)
    assert segment.extension == Extension(received=((3, 15), (0, 1)), echo=7, ack_delay=250_000)


def test_a_reason_with_line_breaks_still_makes_one_valid_packet() -> None:
    """An error's text may hold a file name, and a file name may hold a newline."""
    packet = text.emit_rst(
        b"CSC361", extension=Extension(reason="cannot write 'a\n\nb\r\tc': disk full \u00e9"), key=KEY
    )
    segment = text.parse(packet, key=KEY)
    assert segment.type is PacketType.RST
    assert segment.extension is not None and segment.extension.reason is not None
    assert segment.extension.reason.isprintable()
    assert segment.extension.reason.startswith("cannot write 'a") and "disk full" in segment.extension.reason


def test_the_key_depends_on_every_bit_of_the_session() -> None:
    session = 0x0123456789ABCDEF
    keys = {text.session_key(session ^ (1 << bit)) for bit in range(64)}
    assert len(keys) == 64 and text.session_key(session) not in keys
