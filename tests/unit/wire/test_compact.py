"""Streamer's codec: each part of a packet, each refusal, and docs/format-streamer.md against it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest

from surewire.errors import LocalProtocolError, MalformedSegment
from surewire.wire import compact
from surewire.wire.compact import MAX_PACKET, Ack, Expected, Packet, emit, header_size, parse, peek_nonce

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "format-streamer.md").read_text(encoding="ascii")
OURS, THEIRS = 0x1234, 0xABCD
ALL = Ack(largest=9)
GAPS = Ack.from_ranges([(9, 10), (0, 7)])
assert GAPS is not None


def sent(packet: Packet, *, wide: bool = False) -> bytes:
    return emit(packet, sender_nonce=OURS, receiver_nonce=THEIRS, wide=wide)


def received(datagram: bytes, number: int = 0, offset: int = 0, ack: int = 0) -> Packet:
    expected = Expected(number, offset, ack)
    return parse(datagram, sender_nonce=OURS, receiver_nonce=THEIRS, expected=expected)


def hashed(body: bytes, context: bytes | None = None) -> bytes:
    """A packet with these bytes behind a right hash, however malformed they are."""
    if context is None:
        context = OURS.to_bytes(2, "big") + THEIRS.to_bytes(2, "big") + bytes(24)
    return crc32(body, crc32(context)).to_bytes(4, "big") + body


# Parts.


@pytest.mark.parametrize(
    ("packet", "wide", "size"),
    [
        (Packet(5), False, 6),
        (Packet(5), True, 9),
        (Packet(ack=ALL), False, 6),
        (Packet(ack=GAPS, full=True), False, 8),
        (Packet(5, 70, b"abc"), False, 9 + 3),
        (Packet(5, 70, b"abc", ack=ALL), False, 10 + 3),
        (Packet(5, 70, b"", fin=True, ack=GAPS), True, 15),
        (Packet(0, 0, b"abc", nonce=OURS), False, 8 + 3),
        (Packet(0, 0, b"abc", fin=True, nonce=OURS, ack=GAPS, full=True), True, 14 + 3),
        (Packet(None, None, nonce=OURS, ack=ALL), False, 8),
    ],
)
def test_a_packet_comes_back_and_has_its_size(packet: Packet, wide: bool, size: int) -> None:
    datagram = sent(packet, wide=wide)
    assert received(datagram, ack=10) == packet
    assert received(bytes(memoryview(datagram)), ack=10) == packet
    assert len(datagram) == size
    numbered, data = packet.number is not None, packet.offset is not None
    head = header_size(packet.ack, numbered=numbered, data=data, syn=packet.nonce is not None, wide=wide)
    assert head == size - len(packet.payload)


def test_a_payload_of_a_view_is_a_copy() -> None:
    buffer = bytearray(sent(Packet(0, 0, memoryview(b"abc"))))
    payload = parse(memoryview(buffer), sender_nonce=OURS, receiver_nonce=THEIRS, expected=Expected()).payload
    buffer[-1] = 0
    assert payload == b"abc"


def test_the_largest_packet() -> None:
    room = MAX_PACKET - header_size(ALL)
    packet = Packet(1, 2, bytes(room), ack=ALL)
    assert len(sent(packet)) == MAX_PACKET == 1472
    assert received(sent(packet), ack=10) == packet
    with pytest.raises(LocalProtocolError):
        sent(packet._replace(payload=bytes(room + 1)))
    with pytest.raises(MalformedSegment):
        received(hashed(b"\x60" + bytes(MAX_PACKET - 4)))


@pytest.mark.parametrize(
    "packet",
    [
        Packet(),
        Packet(None, 5, b"x", ack=ALL),
        Packet(5, None, b"x"),
        Packet(5, None, fin=True),
        Packet(nonce=OURS),
        Packet(0, 0, nonce=OURS + 1),
        Packet(0, 1, b"x", nonce=OURS),
    ],
)
def test_parts_that_contradict_each_other_are_refused(packet: Packet) -> None:
    with pytest.raises(LocalProtocolError):
        sent(packet)


def test_a_nonce_of_zero_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        emit(Packet(0, nonce=0), sender_nonce=0, receiver_nonce=THEIRS, wide=False)
    with pytest.raises(MalformedSegment):
        parse(hashed(bytes.fromhex("c0 00 00 00"), bytes(28)), sender_nonce=0, receiver_nonce=0, expected=Expected())


def test_a_header_of_no_packet_has_no_size() -> None:
    with pytest.raises(LocalProtocolError):
        header_size(None, numbered=False)


def test_the_nonce_can_be_read_first() -> None:
    syn = sent(Packet(0, nonce=OURS))
    assert peek_nonce(syn) == peek_nonce(memoryview(syn)) == OURS
    assert peek_nonce(syn[:6]) is None
    assert peek_nonce(b"") is None
    assert peek_nonce(sent(Packet(0, 0, b"abc"))) is None
    assert peek_nonce(syn[:5] + bytes(2)) is None


# What the hash holds besides the bytes.


def rejected(datagram: bytes, sender: int, receiver: int) -> bool:
    try:
        parse(datagram, sender_nonce=sender, receiver_nonce=receiver, expected=Expected(ack=10))
    except MalformedSegment:
        return True
    return False


@pytest.mark.parametrize(
    ("packet", "is_receiver_bound"),
    [
        (Packet(0, 0, b"x"), True),
        (Packet(0, nonce=OURS), False),
        (Packet(0, nonce=OURS, ack=ALL), True),
        (Packet(ack=ALL), True),
    ],
)
def test_it_is_of_one_connection(packet: Packet, is_receiver_bound: bool) -> None:
    datagram = sent(packet)
    assert not rejected(datagram, OURS, THEIRS)
    assert all(rejected(datagram, other, THEIRS) for other in range(1 << 16) if other != OURS)
    assert all(rejected(datagram, OURS, other) is is_receiver_bound for other in range(1 << 16) if other != THEIRS)


@pytest.mark.parametrize("reference", [(164 + 256, 0, 0), (0, (1 << 22) + (1 << 24), 0), (0, 0, 10 + 256)])
def test_a_value_completed_wrongly_is_rejected(reference: tuple[int, int, int]) -> None:
    datagram = sent(Packet(100, 0, b"x", ack=ALL))
    with pytest.raises(MalformedSegment, match="hash|never sent"):
        received(datagram, *reference)


# Malformed bytes behind a right hash: it is not the hash that refuses them.


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("00 00", "flags"),
        ("01 00", "flags"),
        ("20 00 00 00 00 00", "flags"),  # DATA alone
        ("28 00 00 00 00 00 00", "flags"),  # DATA and ACK
        ("50 00", "flags"),  # FIN without DATA
        ("0a 00 00 00 00 00", "flags"),  # WIDE without NUMBERED
        ("44 00 81 00", "flags"),  # HOLES without ACK
        ("60 00 00 00", "flags"),  # an offset cut short
        ("42 00 00", "flags"),
        ("0c 05", "holes"),
        ("0c 05 80", "holes"),  # no bitmap
        ("0c 05 82 00", "holes"),  # a bitmap cut short
        ("0c 05 91" + " 00" * 17, "holes"),
        ("0c 05 01 04", "negative"),
        ("08 05 00", "behind the end"),
        ("40 05 00", "behind the end"),
        ("0c 05 01 00 00", "behind the end"),
        ("08 ff", "never sent"),
        ("40", "too short"),
        ("", "too short"),
    ],
)
def test_it_is_malformed(body: str, why: str) -> None:
    with pytest.raises(MalformedSegment, match=why):
        received(hashed(bytes.fromhex(body)), ack=6)


def test_bits_down_to_number_zero_are_fine() -> None:
    packet = received(hashed(bytes.fromhex("0c 05 01 08")), ack=6)
    assert packet.ack is not None
    assert packet.ack.ranges() == [(5, 6), (0, 1)]


# Acknowledgments.


@pytest.mark.parametrize(
    ("ranges", "limit", "holes"),
    [
        ([(0, 10)], 0, ""),
        ([(9, 10), (0, 8)], 17, "81 7f"),
        ([(9, 10), (0, 8)], 2, "81 7f"),
        ([(9, 10)], 17, "01 00"),
        ([(9, 10), (5, 7)], 17, "01 30"),
        ([(100, 110), (0, 99)], 17, "82 ff bf"),
        ([(100, 110), (0, 99)], 2, "01 ff"),  # no room to reach the gap: nothing about what is below
        ([(109, 110), (0, 40)], 4, "01 00"),  # nothing there to say
        ([(1009, 1010), (0, 881)], 17, "90" + " 00" * 16),
        ([(1009, 1010), (0, 880)], 17, "01 00"),
    ],
)
def test_what_an_acknowledgment_says(ranges: list[tuple[int, int]], limit: int, holes: str) -> None:
    ack = Ack.from_ranges(ranges, limit)
    assert ack == Ack(ranges[0][1] - 1, bytes.fromhex(holes))


@pytest.mark.parametrize("limit", [0, 1])
def test_there_is_no_room_to_say_that_something_is_missing(limit: int) -> None:
    assert Ack.from_ranges([(9, 10), (0, 8)], limit) is None
    assert Ack.from_ranges([], limit) is None


# The hash itself.


def powers(count: int) -> Iterator[int]:
    """x**0, x**1, ... modulo CRC-32's polynomial."""
    power = 1
    for _ in range(count):
        yield power
        power <<= 1
        if power >> 32:
            power ^= 0x104C11DB7


def is_missed(flips: int, bits: int) -> bool:
    """Whether damage of `flips` bits, the first and the last of a code word of this length among them, can be missed.

    It is if it is a multiple of the code's polynomial. Wherever the lowest of its bits is, it can be shifted to x**0.
    """
    *inner, last = powers(bits)
    wanted, places = last ^ 1, set(inner[1:])
    if flips == 3:
        return wanted in places
    return any(wanted ^ place in places for place in places)


def test_three_bits_are_always_found_up_to_the_stated_length() -> None:
    places = set[int]()
    first = None
    for place, power in enumerate(powers(100_000)):
        if place and (power == 1 or power ^ 1 in places):
            first = place
            break
        places.add(power)
    assert first is not None
    assert f"distance 4 up to {first:,} bits" in DOCUMENT
    assert first >= 8 * MAX_PACKET
    assert is_missed(3, first + 1)


def test_four_bits_are_always_found_up_to_the_stated_length() -> None:
    found = list(powers(3_007))
    places = set(found[:-1])
    pairs = ((low, high) for index, low in enumerate(found[1:-1], 1) for high in found[1:index])
    assert not any(low ^ high ^ 1 in places for low, high in pairs)
    assert is_missed(4, 3_007)
    assert "Up to 3,006 bits" in DOCUMENT


# The document.

EXAMPLES = re.findall(r"^```streamer (\w+) (\w+) (\d+) (\d+) (\d+)\n(.*?)\n```$", DOCUMENT, re.DOTALL | re.MULTILINE)
SAID = [
    (Packet(0, 0, b"0 1 2 ", nonce=OURS), False),
    (Packet(0, nonce=THEIRS, ack=Ack(0)), False),
    (Packet(300, 17_000_000, b"hello", ack=Ack(259)), False),
    (Packet(ack=Ack.from_ranges([(299, 301), (297, 298), (0, 295)]), full=True), False),
    (Packet(700), True),
    (Packet(301, 17_000_005, fin=True), False),
]


@pytest.mark.parametrize(("example", "said"), list(zip(EXAMPLES, SAID, strict=True)))
def test_an_example_says_what_the_document_says(example: tuple[str, ...], said: tuple[Packet, bool]) -> None:
    sender, receiver = int(example[0], 16), int(example[1], 16)
    expected = Expected(*map(int, example[2:5]))
    datagram = bytes.fromhex(example[5])
    packet, wide = said
    assert parse(datagram, sender_nonce=sender, receiver_nonce=receiver, expected=expected) == packet
    assert emit(packet, sender_nonce=sender, receiver_nonce=receiver, wide=wide) == datagram


def chances(is_first: bool, mean: float) -> list[float]:
    """The row of one of the document's two tables: chance of the damage, then undetected a packet and 100,000."""
    if is_first:
        damage = 1 - sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(4))
    else:
        damage = 1 - math.exp(-mean / 8)
    return [damage, damage / 2**16, damage / 2**16 * 1e5, damage / 2**32, damage / 2**32 * 1e5]


def test_the_tables_of_chances() -> None:
    rows = re.findall(r"^\| (0\.1|0\.3|1) \| (.*) \|$", DOCUMENT, re.MULTILINE)
    assert [row[0] for row in rows] == ["0.1", "0.3", "1"] * 2
    for index, (mean, cells) in enumerate(rows):
        assert cells.split(" | ") == [f"{chance:.1e}" for chance in chances(index < 3, float(mean))]


def test_the_limits_are_the_ones_stated() -> None:
    for said in ("number - a <= 128", "4 MiB (2^22 bytes)", "after which 256 others", "1,472 bytes", "1 to 16"):
        assert said in DOCUMENT
    stated = (128, 1 << 22, 256, 1472, 1 + 16)
    ours = (compact.MAX_NARROW_LEAD, compact.MAX_WINDOW, compact.MAX_ACK_LAG, MAX_PACKET, compact.MAX_HOLES)
    assert ours == stated
