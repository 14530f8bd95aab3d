"""Trains of DATs: what the quick way finds in them is what decoding each datagram by itself finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from surewire.wire import text

KEY = text.session_key(7)
MAGIC = b"CSC361"


def _one(number: int, packet_number: int, length: int) -> bytes:
    buffers = text.emit_dats(MAGIC, number, bytes(range(length)), segment=length, packet_number=packet_number, key=KEY)
    return b"".join(buffers)


def _one_by_one(train: bytes, stride: int) -> list[tuple[int, int | None, list[bytes]]]:
    """The slow way: each datagram decoded, neighbours joined."""
    groups: list[tuple[int, int | None, list[bytes]]] = []
    due = (-1, -1)
    for start in range(0, len(train), stride):
        found = text.parse_our_dat(memoryview(train)[start : start + stride], key=KEY, magic=MAGIC)
        if found is None:
            break
        number, packet_number, payload = found
        if (number, packet_number) != due:
            groups.append((number, packet_number, []))
        groups[-1][2].append(bytes(payload))
        due = (number + len(payload), packet_number + 1)
    return groups


def _quick(train: bytes, stride: int) -> list[tuple[int, int | None, list[bytes]]]:
    found = text.parse_our_dats(memoryview(train), stride, key=KEY, magic=MAGIC)
    return [(number, packet_number, list(map(bytes, payloads))) for number, packet_number, payloads in found]


def test_a_whole_train_is_one_group() -> None:
    buffers = text.emit_dats(MAGIC, 1000, bytes(4_000), segment=900, packet_number=10, key=KEY)
    stride = len(buffers[0]) + len(buffers[1])
    (found,) = text.parse_our_dats(memoryview(b"".join(buffers)), stride, key=KEY, magic=MAGIC)
    assert (found.number, found.packet_number) == (1000, 10)
    assert [len(payload) for payload in found.payloads] == [900, 900, 900, 900, 400]


def test_damage_anywhere_in_a_train_ends_the_quick_way_before_it() -> None:
    train = b"".join(text.emit_dats(MAGIC, 1000, bytes(120), segment=40, packet_number=10, key=KEY))
    stride = len(train) // 3
    for at in range(len(train)):
        damaged = bytearray(train)
        damaged[at] ^= 0x01
        found = text.parse_our_dats(memoryview(damaged), stride, key=KEY, magic=MAGIC)
        assert sum(len(dats.payloads) for dats in found) == at // stride, f"byte {at}"


@given(st.data())
def test_jumps_repetitions_and_growing_numbers_are_found_as_one_by_one(data: st.DataObject) -> None:
    number = data.draw(st.sampled_from([0, 1, 99_990, 10**15]), label="number")
    packet_number = data.draw(st.sampled_from([0, 9, 98, 99_998]), label="packet number")
    length = data.draw(st.integers(2, 20), label="length")
    train, stride = b"", 0
    for _ in range(data.draw(st.integers(1, 12), label="datagrams")):
        datagram = _one(number, packet_number, length)
        if data.draw(st.integers(0, 9)) == 0:
            datagram = datagram.replace(b"\nPayload", b"\npayload", 1)
        stride = stride or len(datagram)
        if len(datagram) > stride:
            break
        train += datagram
        if len(datagram) < stride:
            break
        number += length * data.draw(st.sampled_from([1, 1, 1, 0, 2]))
        packet_number += data.draw(st.sampled_from([1, 1, 1, 0, 3]))
        length = data.draw(st.sampled_from([length, length, length, length - 1 or 1]))
    assert _quick(train, stride) == _one_by_one(train, stride)


def test_a_header_that_reaches_into_the_payload_is_not_taken() -> None:
    """A digit longer than its train's, with a right checksum: its payload is a byte shorter than it says."""
    first = _one(95, 8, 5)
    header = bytes(text.emit_dats(MAGIC, 100, b"\nbcde", segment=5, packet_number=9, key=KEY)[0])
    lying = header + b"bcde"
    assert len(lying) == len(first)
    assert _quick(first + lying, len(first)) == _one_by_one(first + lying, len(first)) == [(95, 8, [bytes(range(5))])]
