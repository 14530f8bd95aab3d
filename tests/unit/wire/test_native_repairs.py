"""Sums of datagrams: limits on both sides, no copies, what is refused. Bytes are in the vectors."""

from __future__ import annotations

import pytest

from surewire.errors import LocalProtocolError, MalformedSegment
from surewire.wire import native_frames as frames
from surewire.wire import native_repairs as repairs
from surewire.wire.native_datagram import DATA_HEADER, HEADER_SIZE
from surewire.wire.native_frames import FrameType
from surewire.wire.native_repairs import (
    MAX_BACK,
    MAX_BLOCK,
    MAX_HALVINGS,
    MIN_SYMBOL,
    REPAIR_HEAD,
    REPAIR_HEAD_SIZE,
    SYMBOL_HEAD_SIZE,
    Repair,
    Symbol,
    block_field,
    block_start,
    emit_repair,
    emit_symbol,
    parse_symbol,
    participants,
    restore_offset,
)

TOP = 2**62 - 1
SYMBOL = memoryview(b"12345")


# Frames.


@pytest.mark.parametrize("back", [1, 2, MAX_BACK])
@pytest.mark.parametrize("count", [1, 2, MAX_BLOCK])
@pytest.mark.parametrize("halvings", [0, 1, MAX_HALVINGS])
def test_a_repair_comes_back(back: int, count: int, halvings: int) -> None:
    body = frames.emit_ping() + emit_repair(back, count, halvings, b"12345\0\x01")
    assert frames.parse(memoryview(body)) == [frames.Ping(), Repair(back, count, halvings, memoryview(b"12345\0\x01"))]
    head = REPAIR_HEAD.pack(FrameType.REPAIR, block_field(back, count, halvings))
    assert body == b"\x01" + head + b"12345\0\x01"


@pytest.mark.parametrize(
    ("back", "count", "halvings", "symbol"),
    [
        (0, 1, 0, SYMBOL),
        (MAX_BACK + 1, 1, 0, SYMBOL),
        (1, 0, 0, SYMBOL),
        (1, MAX_BLOCK + 1, 0, SYMBOL),
        (1, 1, -1, SYMBOL),
        (1, 1, MAX_HALVINGS + 1, SYMBOL),
        (1, 1, 0, b"1234"),
        (1, 1, 0, b""),
    ],
)
def test_what_no_repair_may_say(back: int, count: int, halvings: int, symbol: bytes | memoryview) -> None:
    with pytest.raises(LocalProtocolError):
        emit_repair(back, count, halvings, symbol)


def test_the_symbol_is_a_slice_of_the_body() -> None:
    memory = bytearray(emit_repair(1, 1, 0, b"12345"))
    (repair,) = frames.parse(memoryview(memory))
    assert isinstance(repair, Repair)
    memory[-1] = ord("z")
    assert bytes(repair.symbol) == b"1234z"


def test_what_is_cut_off_is_malformed() -> None:
    whole = emit_repair(1, 1, 0, b"12345")
    for length in range(1, len(whole)):
        with pytest.raises(MalformedSegment):
            frames.parse(memoryview(whole[:length]))


def test_the_sum_of_full_datagrams_is_as_long_as_they_are() -> None:
    payload = bytes(1_000)
    symbol = emit_symbol(0, payload, is_last=False, length=SYMBOL_HEAD_SIZE + len(payload))
    assert symbol is not None
    assert len(emit_repair(1, 1, 0, symbol)) == len(frames.emit_data(0, payload))
    assert DATA_HEADER.size == HEADER_SIZE + REPAIR_HEAD_SIZE + SYMBOL_HEAD_SIZE


@pytest.mark.parametrize(
    ("number", "back", "count", "start"), [(1, 1, 1, 0), (9, 2, 3, 5), (TOP, 1, 4_096, TOP - 4096)]
)
def test_where_a_block_begins(number: int, back: int, count: int, start: int) -> None:
    assert block_start(number, Repair(back, count, 0, SYMBOL)) == start


@pytest.mark.parametrize(("number", "back", "count"), [(0, 1, 1), (1, 2, 1), (1, 1, 2), (4_095, 1, 4_096)])
def test_no_block_begins_below_0(number: int, back: int, count: int) -> None:
    with pytest.raises(MalformedSegment):
        block_start(number, Repair(back, count, 0, SYMBOL))


# Who takes part.


def test_without_halvings_all_take_part() -> None:
    for count in (1, 7, 8, 9, MAX_BLOCK):
        assert participants(5, count, 0) == (1 << count) - 1


@pytest.mark.parametrize("halvings", [1, 2, 3])
def test_each_halving_leaves_half(halvings: int) -> None:
    numbers, count = range(200), 400
    taking = sum(participants(number, count, halvings).bit_count() for number in numbers)
    expected = len(numbers) * count / 2**halvings
    assert abs(taking - expected) < 5 * (expected * (1 - 2**-halvings)) ** 0.5


def test_the_number_decides() -> None:
    assert len({participants(number, 64, 1) for number in (0, 1, 2, 2**32, TOP)}) == 5


# Symbols.


@pytest.mark.parametrize("length", [0, MIN_SYMBOL - 1])
def test_no_symbol_is_shorter_than_a_head_and_a_byte(length: int) -> None:
    with pytest.raises(LocalProtocolError):
        emit_symbol(0, b"", is_last=True, length=length)
    with pytest.raises(MalformedSegment):
        parse_symbol(bytes(length))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_symbol_of_any_kind_of_bytes(kind: type[bytes] | type[bytearray] | type[memoryview]) -> None:
    symbol = emit_symbol(7, kind(b"abc"), is_last=True, length=10)
    assert symbol is not None
    assert parse_symbol(kind(symbol)) == Symbol(7, True, b"abc")
    assert parse_symbol(kind(bytes(10))) is None


def test_a_payload_beyond_two_bytes_of_length_is_no_short_symbol() -> None:
    payload = bytes(65_536)
    assert emit_symbol(0, payload[:-1], is_last=False, length=65_541) is not None
    assert emit_symbol(0, payload, is_last=False, length=65_542) is None
    assert emit_symbol(0, payload, is_last=False, length=65_540) is not None


def test_offsets_around_the_place_where_the_low_bits_begin_anew() -> None:
    for offset in (2**29 - 1, 2**29, 2**31 + 3, 2**40 - 5):
        for position in (offset - 2**28 + 1, offset - 1, offset, offset + 1, offset + 2**28):
            assert restore_offset(offset % 2**29, position) == offset
        assert restore_offset(offset % 2**29, offset - 2**28) == offset - 2**29 + (2**29 if offset < 2**29 else 0)


def test_the_names_agree() -> None:
    assert repairs.REPAIR_TYPE == FrameType.REPAIR
