"""Damage past the checksum: headers survive, the payload does not, and the checksum says nothing."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surewire.lab.wired.damage import repaired, transport_checksum

# "hello" from 192.168.1.10:1024 to 192.168.1.1:53.
HELLO = bytes.fromhex("45000021000140004011b779c0a8010ac0a80101" + "04000035000d0000" + "68656c6c6f")


def udp(payload: bytes, checksum: bool = True) -> bytes:
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 7, 0, 64, 17, 0, bytes(4), b"\x0a\x0a\x01\x64")
    packet = bytearray(head + struct.pack("!HHHH", 5000, 8080, 8 + len(payload), 0) + payload)
    if checksum:
        struct.pack_into("!H", packet, 26, transport_checksum(packet))
    return bytes(packet)


def tcp(payload: bytes, options: bytes = b"") -> bytes:
    length = 40 + len(options) + len(payload)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 7, 0x4000, 64, 6, 0, bytes(4), b"\x0a\x0a\x01\x64")
    offset = (20 + len(options)) // 4 << 4
    part = struct.pack("!HHIIBBHHH", 5000, 80, 1, 2, offset, 0x18, 1000, 0, 0) + options + payload
    packet = bytearray(head + part)
    struct.pack_into("!H", packet, 36, transport_checksum(packet))
    return bytes(packet)


def flip(packet: bytes, *places: int) -> bytes:
    flipped = bytearray(packet)
    for place in places:
        flipped[place >> 3] ^= 1 << (place & 7)
    return bytes(flipped)


def is_valid(packet: bytes) -> bool:
    at = 26 if packet[9] == 17 else 36
    return int.from_bytes(packet[at : at + 2], "big") == transport_checksum(packet)


def different_bits(one: bytes, other: bytes) -> int:
    return sum((a ^ b).bit_count() for a, b in zip(one, other, strict=True))


def test_the_checksum_worked_by_hand() -> None:
    # Pseudo header c0a8 010a c0a8 0101 0011 000d, UDP 0400 0035 000d 0000, payload 6865 6c6c 6f00: the sum is 2 cb8c,
    # folded cb8e, inverted 3471.
    assert transport_checksum(HELLO) == 0x3471


@pytest.mark.parametrize("packet", [udp(b"some payload"), tcp(b"some payload"), tcp(b"odd", bytes(12))])
@pytest.mark.parametrize("place", [0, 75, 130, 8 * 24 + 1])
def test_a_bit_of_the_headers_becomes_one_of_the_payload(packet: bytes, place: int) -> None:
    damaged = repaired(packet, flip(packet, place))

    payload = len(packet) - (12 if packet.endswith(b"payload") else 3)
    assert is_valid(damaged)
    assert different_bits(damaged[payload:], packet[payload:]) == 1
    checksum_at = 26 if packet[9] == 17 else 36
    assert damaged[:checksum_at] == packet[:checksum_at]
    assert damaged[checksum_at + 2 : payload] == packet[checksum_at + 2 : payload]


@given(st.binary(min_size=1, max_size=50), st.integers(1, 8), st.randoms(use_true_random=False), st.booleans())
def test_any_damage(payload: bytes, count: int, rng: random.Random, is_tcp: bool) -> None:
    packet = tcp(payload) if is_tcp else udp(payload)
    places = rng.sample(range(len(packet) * 8), count)

    damaged = repaired(packet, flip(packet, *places))

    start = len(packet) - len(payload)
    assert is_valid(damaged)
    assert different_bits(damaged[start:], packet[start:]) == count


def test_no_payload_no_damage() -> None:
    packet = tcp(b"")
    assert repaired(packet, flip(packet, 3)) == packet


def test_udp_without_checksum_stays_without() -> None:
    packet = udp(b"payload", checksum=False)
    damaged = repaired(packet, flip(packet, 3))

    assert damaged[26:28] == b"\0\0"
    assert different_bits(damaged, packet) == 1


@pytest.mark.parametrize(
    "packet",
    [
        udp(b"x")[:9] + b"\x01" + udp(b"x")[10:],  # ICMP
        udp(b"x")[:6] + b"\x20\x00" + udp(b"x")[8:],  # a fragment
        b"\x60" + bytes(60),  # IPv6
        udp(b"x")[:22],  # too short for its protocol
    ],
)
def test_what_is_not_known_keeps_its_damage(packet: bytes) -> None:
    assert repaired(packet, flip(packet, 100)) == flip(packet, 100)
