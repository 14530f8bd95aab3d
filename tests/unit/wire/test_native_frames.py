"""Frames: what the vectors leave open: limits on both sides, no copies, what is refused on the way out."""

from __future__ import annotations

import struct

import pytest

from surewire.errors import LocalProtocolError, MalformedSegment
from surewire.wire import native_frames as frames
from surewire.wire import varint
from surewire.wire.native_datagram import DATA_HEADER, HEADER_SIZE, MIN_HELLO, SHORT, SHORT_FORM
from surewire.wire.native_frames import (
    MAX_ACK_SIZE,
    MAX_POSITION,
    MAX_RANGES,
    Ack,
    Data,
    Done,
    FrameType,
    PathChallenge,
    PathResponse,
    Ping,
    Reset,
    ack_size_limit,
    emit_ack,
)
from surewire.wire.native_repairs import Repair

TOP = 2**62 - 1
RANGES = ((90, 101), (80, 89), (1, 2))


def parsed(body: bytes) -> list[frames.Frame]:
    return frames.parse(memoryview(body))


# Acknowledgments.


def test_an_acknowledgment_comes_back_with_whole_microseconds() -> None:
    assert parsed(emit_ack(7, 9, 100, 1_999, RANGES)) == [Ack(7, 9, 100, 1_000, RANGES)]


@pytest.mark.parametrize("count", [1, 2, MAX_RANGES])
def test_the_size_limit_is_reached_and_not_passed(count: int) -> None:
    # Gaps and lengths that need 8 bytes each, and every other field as long as it gets.
    step = 1 << 31
    ranges = tuple((TOP - (2 * i + 1) * step, TOP - 2 * i * step) for i in range(count))
    data = emit_ack(TOP - (1 << 30), 1 << 30, TOP - 1, TOP, ranges)
    assert len(data) == ack_size_limit(count)
    assert parsed(data) == [Ack(TOP - (1 << 30), 1 << 30, TOP - 1, TOP // 1000 * 1000, ranges)]


def test_the_longest_fits_the_smallest_datagram() -> None:
    assert ack_size_limit(MAX_RANGES) == MAX_ACK_SIZE <= MIN_HELLO - HEADER_SIZE - 16


def test_the_highest_ranges_are_kept_where_room_is_short() -> None:
    whole = emit_ack(7, 9, 100, 0, RANGES)
    sizes = {}
    for limit in range(len(whole) + 2):
        data = emit_ack(7, 9, 100, 0, RANGES, limit=limit)
        assert len(data) <= limit
        if data:
            (ack,) = parsed(data)
            assert isinstance(ack, Ack)
            assert ack.ranges == RANGES[: len(ack.ranges)]
            sizes[limit] = len(ack.ranges)
    assert list(sizes.values()) == sorted(sizes.values())
    assert set(sizes.values()) == {1, 2, 3}
    assert sizes[len(whole)] == 3 and sizes[len(whole) - 1] == 2
    assert min(sizes) == len(emit_ack(7, 9, 100, 0, RANGES[:1]))


def test_of_more_than_64_ranges_the_highest_are_sent() -> None:
    ranges = tuple((start, start + 1) for start in range(200, 0, -2))
    (ack,) = parsed(emit_ack(0, 0, 0, 0, ranges))
    assert isinstance(ack, Ack)
    assert ack.ranges == ranges[:64]


@pytest.mark.parametrize(
    "arguments",
    [
        (0, 0, 0, 0, ()),
        (-1, 0, 0, 0, RANGES),
        (0, -1, 0, 0, RANGES),
        (0, 0, -1, 0, RANGES),
        (0, 0, 0, -1, RANGES),
        (TOP, 1, 0, 0, RANGES),
        (0, 0, 0, TOP + 1, RANGES),
        (0, 0, 101, 0, RANGES),
        (0, 0, 5, 0, ((5, 6), (4, 5))),
        (0, 0, 5, 0, ((5, 6), (8, 9))),
        (0, 0, 4, 0, ((5, 5),)),
        (0, 0, 5, 0, ((5, 6), (3, 3))),
        (0, 0, 5, 0, ((-1, 6),)),
        (0, 0, 5, 0, ((5, 6), (-1, 2))),
        (0, 0, 5, 0, ((5, TOP + 2),)),
    ],
)
def test_what_no_acknowledgment_may_say(arguments: tuple[int, int, int, int, tuple[tuple[int, int], ...]]) -> None:
    with pytest.raises(LocalProtocolError):
        emit_ack(*arguments)


# Data.


def test_the_payload_is_a_slice_of_the_body() -> None:
    memory = bytearray(frames.emit_ping() + frames.emit_data(70_000, b"abc"))
    ping, data = parsed_in_place(memory)
    assert ping == Ping()
    assert isinstance(data, Data) and (data.offset, bytes(data.payload), data.is_last) == (70_000, b"abc", False)
    memory[-1] = ord("z")
    assert bytes(data.payload) == b"abz"


def parsed_in_place(memory: bytearray) -> list[frames.Frame]:
    return frames.parse(memoryview(memory))


def test_the_packed_header_is_the_same_as_its_parts() -> None:
    cid, number, offset = b"12345678", 0x89ABCDEF, 2**40 + 1
    packed = DATA_HEADER.pack(SHORT_FORM, cid, number, FrameType.DATA, offset)
    assert packed + b"x" == SHORT.pack(SHORT_FORM, cid, number) + frames.emit_data(offset, b"x")
    assert len(packed) == HEADER_SIZE + frames.DATA_HEAD_SIZE == 22


def test_the_end_mark_takes_a_position() -> None:
    (data,) = parsed(frames.emit_data(MAX_POSITION - 1, b"", is_last=True))
    assert isinstance(data, Data) and data.is_last
    with pytest.raises(LocalProtocolError):
        frames.emit_data(MAX_POSITION, b"", is_last=True)
    with pytest.raises(MalformedSegment):
        parsed(struct.pack(">BQ", FrameType.DATA_END, MAX_POSITION))


@pytest.mark.parametrize(("offset", "payload"), [(0, b""), (-1, b"a"), (TOP, b"a"), (TOP - 1, b"ab")])
def test_data_that_no_stream_has(offset: int, payload: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        frames.emit_data(offset, payload)


def test_nothing_is_read_behind_data() -> None:
    (data,) = parsed(frames.emit_data(0, b"\x00\x01\xff"))
    assert isinstance(data, Data) and bytes(data.payload) == b"\x00\x01\xff"
    (repair,) = parsed(b"\x03\0\0\0\0" + b"sum" + frames.emit_ping() + frames.emit_data(0, b"a"))
    assert repair == Repair(1, 1, 0, memoryview(b"sum" + frames.emit_ping() + frames.emit_data(0, b"a")))


# The others.


def test_64_frames_are_enough_padding_not_counted() -> None:
    assert parsed(b"\x01\0" * 64 + bytes(1_000)) == [Ping()] * 64
    assert len(parsed(b"\x01\0" * 63 + frames.emit_data(0, b"a"))) == 64
    for last in (b"\x01", frames.emit_data(0, b"a")):
        with pytest.raises(MalformedSegment, match="more than 64"):
            parsed(b"\x01\0" * 64 + last)


@pytest.mark.parametrize("kind", sorted(set(range(1, 256)) - set(FrameType)))
def test_unknown_types(kind: int) -> None:
    with pytest.raises(MalformedSegment, match="unknown"):
        parsed(bytes((kind,)) + bytes(30))


def test_a_reset_is_cut_to_what_may_be_sent() -> None:
    assert parsed(frames.emit_reset(TOP, "a\x1b[2Jb\n\u2028")) == [Reset(TOP, "a?[2Jb??")]
    (reset,) = parsed(frames.emit_reset(0, "ü" * 200))
    assert reset == Reset(0, "ü" * 127)  # 254 bytes: half a character is no use
    assert parsed(frames.emit_reset(0, "\ud800")) == [Reset(0, "?")]


@pytest.mark.parametrize("code", [-1, TOP + 1])
def test_codes_out_of_range(code: int) -> None:
    with pytest.raises(LocalProtocolError):
        frames.emit_reset(code, "")


@pytest.mark.parametrize("data", [b"", b"1234567", b"123456789"])
def test_a_challenge_has_8_bytes(data: bytes) -> None:
    for emit in (frames.emit_path_challenge, frames.emit_path_response):
        with pytest.raises(LocalProtocolError):
            emit(data)


def test_frames_of_different_types_differ() -> None:
    same_contents: list[tuple[frames.Frame, frames.Frame]] = [
        (Ping(), Done()),
        (PathChallenge(b"12345678"), PathResponse(b"12345678")),
    ]
    for one, other in same_contents:
        assert one != other


@pytest.mark.parametrize(
    ("frame", "is_eliciting"),
    [
        (Ping(), True),
        (Data(0, memoryview(b"a"), False), True),
        (Repair(2, 3, 1, memoryview(b"12345")), True),
        (PathChallenge(bytes(8)), True),
        (PathResponse(bytes(8)), True),
        (Ack(0, 0, 0, 0, ((0, 1),)), False),
        (Reset(0, ""), False),
        (Done(), False),
    ],
)
def test_what_asks_for_an_acknowledgment(frame: frames.Frame, is_eliciting: bool) -> None:
    assert frames.is_ack_eliciting(frame) is is_eliciting
    (again,) = parsed(frames.emit(frame))
    assert again == frame


def test_padding() -> None:
    assert frames.emit_padding(3) == b"\0\0\0"
    assert parsed(frames.emit_padding(65_000) + frames.emit_done()) == [Done()]


# Integers.


@pytest.mark.parametrize("value", [-1, 2**62])
def test_integers_out_of_range(value: int) -> None:
    with pytest.raises(LocalProtocolError):
        varint.emit(value)


def test_several_integers_end_where_the_last_one_does() -> None:
    data = b"\xff" + varint.emit(5) + varint.emit(500) + varint.emit(5) + b"\xff"
    assert varint.parse_several(data, 1, 3) == ([5, 500, 5], len(data) - 1)
    assert varint.parse_several(data, 1, 0) == ([], 1)
    with pytest.raises(MalformedSegment):
        varint.parse_several(data, 1, 4)
