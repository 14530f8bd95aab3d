"""Streamer's codec under Hypothesis: round trips, the edges of completion, claims against a plain set, damage."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surewire.core.ranges import RangeSet
from surewire.errors import MalformedSegment
from surewire.wire.compact import MAX_HOLES, MAX_PACKET, Ack, Expected, Packet, emit, header_size, parse, peek_nonce

nonces = st.integers(1, 0xFFFF)
references = st.one_of(st.integers(0, 600), st.integers(0, 2**40), st.sampled_from([2**16, 2**24, 2**32, 2**40]))


def ranges_of(members: set[int]) -> list[tuple[int, int]]:
    """The members as ranges, highest first."""
    found = RangeSet()
    for member in members:
        found.add(member, member + 1)
    return list(found)[::-1]


@st.composite
def number_sets(draw: st.DrawFn, base: int | None = None) -> set[int]:
    """Received numbers: all up to some point, with holes here and there above it."""
    start = draw(references) if base is None else base
    floor = draw(st.integers(max(0, start - 200), start))
    members = set(range(floor, start + 1))
    return members - draw(st.sets(st.integers(floor, max(floor, start - 1)), max_size=40)) | {start}


@st.composite
def packets(draw: st.DrawFn) -> tuple[Packet, bool, Expected]:
    """A packet, whether its number is wide, and references from which it can be completed."""
    wide = draw(st.booleans())
    below, above = (2**31, 2**31) if wide else (64, 192)
    expected = Expected(draw(references), draw(references), draw(references))
    number = draw(st.none() | st.integers(max(0, expected.number - below), expected.number + above - 1))
    nonce = draw(st.none() | nonces)
    offset, payload, fin = None, b"", False
    if number is not None and draw(st.booleans()):
        offset = draw(st.integers(max(0, expected.offset - 2**22), expected.offset + 2**24 - 2**22 - 1))
        offset = 0 if nonce is not None else offset
        payload, fin = draw(st.binary(max_size=MAX_PACKET - 40)), draw(st.booleans())
    ack = None
    if expected.ack and (number is None or draw(st.booleans())):
        largest = draw(st.integers(max(0, expected.ack - 256), expected.ack - 1))
        received = ranges_of(draw(number_sets(base=largest)))
        if draw(st.booleans()):  # all from 0 on
            received[-1] = (0, received[-1][1])
        ack = Ack.from_ranges(received, draw(st.integers(2, MAX_HOLES)))
    elif number is None:
        number = expected.number
    return Packet(number, offset, payload, fin, nonce, ack, draw(st.booleans())), wide, expected


@given(packets(), nonces, nonces)
def test_a_packet_comes_back(case: tuple[Packet, bool, Expected], sender: int, receiver: int) -> None:
    packet, wide, expected = case
    sender = packet.nonce or sender
    datagram = emit(packet, sender_nonce=sender, receiver_nonce=receiver, wide=wide)
    for form in (datagram, memoryview(datagram), bytearray(datagram)):
        assert parse(form, sender_nonce=sender, receiver_nonce=receiver, expected=expected) == packet
        assert peek_nonce(form) == packet.nonce
    numbered, data, syn = packet.number is not None, packet.offset is not None, packet.nonce is not None
    wide = wide and numbered
    assert len(datagram) == header_size(packet.ack, numbered=numbered, data=data, syn=syn, wide=wide) + len(
        packet.payload
    )


def comes_back(packet: Packet, wide: bool, expected: Expected) -> bool:
    datagram = emit(packet, sender_nonce=1, receiver_nonce=2, wide=wide)
    try:
        return parse(datagram, sender_nonce=1, receiver_nonce=2, expected=expected) == packet
    except MalformedSegment:
        return False


@given(references, st.booleans())
def test_the_window_of_numbers_is_exact(reference: int, wide: bool) -> None:
    below, above = (2**31, 2**31) if wide else (64, 192)
    expected = Expected(number=reference)
    modulus = below + above
    # Where the window reaches below 0, the numbers just above it take those places.
    stop = max(reference + above, modulus)
    for number, is_inside in (
        (max(reference - below, 0), True),
        (stop - 1, True),
        (stop, False),
        (reference - below - 1, False),
    ):
        if number >= 0:
            assert comes_back(Packet(number), wide, expected) is is_inside


@given(references)
def test_the_window_of_offsets_is_exact(reference: int) -> None:
    expected = Expected(offset=reference)
    stop = max(reference - 2**22, 0) + 2**24
    for offset, is_inside in (
        (max(reference - 2**22, 0), True),
        (stop - 1, True),
        (stop, False),
        (reference - 2**22 - 1, False),
    ):
        if offset >= 0:
            assert comes_back(Packet(0, offset, b"x"), False, expected) is is_inside


@given(references)
def test_the_window_of_acknowledgments_is_exact(reference: int) -> None:
    expected = Expected(ack=reference)
    for largest, is_inside in (
        (reference - 256, True),
        (reference - 1, True),
        (reference, False),
        (reference - 257, False),
    ):
        if largest >= 0:
            assert comes_back(Packet(ack=Ack(largest)), False, expected) is is_inside


# Acknowledgments against a set of numbers.


@given(number_sets(), st.integers(2, MAX_HOLES), st.booleans())
def test_a_claim_is_true_and_complete_where_it_reaches(members: set[int], limit: int, is_from_zero: bool) -> None:
    received = ranges_of(members)
    if is_from_zero:
        received[-1] = (0, received[-1][1])
    ack = Ack.from_ranges(received, limit)
    assert ack is not None
    assert ack.largest == max(members)
    assert len(ack.holes) <= limit
    claimed = ack.ranges()
    truth = RangeSet()
    for start, stop in received:
        truth.add(start, stop)
    assert all(truth.covers(start, stop) for start, stop in claimed)
    assert all(low > stop for (low, _), (_, stop) in zip(claimed, claimed[1:], strict=False))
    # The bitmap, cut to what has to be said, or as far as it can reach: there nothing is left out.
    reach = ack.largest - 8 * (limit - 1)
    assert {n for start, stop in claimed for n in range(max(start, reach, 0), stop)} == {
        n for start, stop in received for n in range(max(start, reach, 0), stop)
    }
    if is_from_zero and received[-1][1] >= reach:
        assert claimed == received


@given(number_sets(), st.integers(0, 1))
def test_without_room_only_an_unbroken_sequence_is_acknowledged(members: set[int], limit: int) -> None:
    received = ranges_of(members)
    ack = Ack.from_ranges(received, limit)
    assert (ack is None) is (len(received) > 1 or received[0][0] != 0)


@given(number_sets(), st.integers(2, MAX_HOLES))
def test_no_bitmap_is_longer_than_it_has_to_be(members: set[int], limit: int) -> None:
    received = ranges_of(members)
    received[-1] = (0, received[-1][1])
    ack = Ack.from_ranges(received, limit)
    assert ack is not None
    if len(ack.holes) > 2:
        shorter = Ack.from_ranges(received, len(ack.holes) - 1)
        assert shorter is not None
        assert shorter.ranges() != ack.ranges()


# Damage and hostile bytes.

SAMPLES = (
    Packet(0, 0, b"0 1 2 3 ", nonce=1),
    Packet(0, nonce=1, ack=Ack(0)),
    Packet(254, 2**24 - 700, bytes(range(256)) * 5, ack=Ack(255)),
    Packet(7, 0, bytes(MAX_PACKET - 10), ack=Ack(3), full=True),
    Packet(ack=Ack.from_ranges([(200, 256), (0, 130)])),
    Packet(ack=Ack(3)),
    Packet(300),
    Packet(256, 2**24, b"", fin=True),
)
EXPECTED = Expected(250, 2**24 - 9000, 257)


def is_rejected(datagram: bytes | bytearray) -> bool:
    nonce = peek_nonce(datagram)
    try:
        parse(datagram, sender_nonce=nonce or 1, receiver_nonce=2, expected=EXPECTED)
    except MalformedSegment:
        return True
    return False


def flipped(datagram: bytes, places: tuple[int, ...]) -> bytearray:
    damaged = bytearray(datagram)
    for place in places:
        damaged[place >> 3] ^= 0x80 >> (place & 7)
    return damaged


@pytest.mark.parametrize("packet", SAMPLES)
def test_damage_of_one_to_three_bits_is_found(packet: Packet) -> None:
    datagram = emit(packet, sender_nonce=1, receiver_nonce=2, wide=False)
    bits = 8 * len(datagram)
    rng = random.Random(bits)
    samples: list[tuple[int, ...]] = [(place,) for place in range(bits)]
    head = range(min(bits, 96))
    samples += combinations(head, 2)
    samples += [tuple(rng.sample(range(bits), count)) for count in (2, 3) for _ in range(1500)]
    samples += [(*rng.sample(head, 1), *rng.sample(range(96, bits), 2)) for _ in range(1500) if bits > 98]
    assert all(is_rejected(flipped(datagram, places)) for places in samples)


@pytest.mark.parametrize("packet", [SAMPLES[0], SAMPLES[5]])
def test_any_three_bits_of_a_short_packet_are_found(packet: Packet) -> None:
    datagram = emit(packet, sender_nonce=1, receiver_nonce=2, wide=False)
    places = range(min(8 * len(datagram), 64))
    assert all(is_rejected(flipped(datagram, triple)) for triple in combinations(places, 3))


@given(st.sampled_from(SAMPLES), st.integers(0, MAX_PACKET), st.binary(min_size=4, max_size=4))
def test_damage_within_four_bytes_of_the_payload_is_found(packet: Packet, place: int, mask: bytes) -> None:
    datagram = emit(packet, sender_nonce=1, receiver_nonce=2, wide=False)
    start = len(datagram) - len(packet.payload)
    if len(packet.payload) < 4 or not any(mask):
        return
    place = start + place % (len(packet.payload) - 3)
    damaged = bytearray(datagram)
    damaged[place : place + 4] = bytes(a ^ b for a, b in zip(damaged[place : place + 4], mask, strict=True))
    assert is_rejected(damaged)


@given(st.binary(max_size=60), nonces, nonces, references, references, references)
def test_no_bytes_do_anything_but_fail(
    data: bytes, sender: int, receiver: int, number: int, offset: int, ack: int
) -> None:
    peek_nonce(data)
    for size in (1, len(data)):
        with pytest.raises(MalformedSegment):
            parse(data[:size], sender_nonce=sender, receiver_nonce=receiver, expected=Expected(number, offset, ack))


@given(st.sampled_from(SAMPLES), st.integers(0, MAX_PACKET), st.binary(max_size=8))
def test_what_is_cut_or_grown_is_refused(packet: Packet, place: int, extra: bytes) -> None:
    datagram = emit(packet, sender_nonce=1, receiver_nonce=2, wide=False)
    assert is_rejected(datagram[: place % len(datagram)])
    assert not extra or is_rejected(datagram + extra)
