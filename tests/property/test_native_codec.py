"""The native codecs against any bytes: they raise `MalformedSegment` only; what they accept says one thing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from scripts.native_vectors_long import crc32c
from surewire.errors import MalformedSegment
from surewire.wire import native_datagram, native_frames, native_parameters, native_repairs, varint
from surewire.wire.native_datagram import Hello, LongDatagram, Refused, Retry, Versions, Welcome, restore_number
from surewire.wire.native_frames import Ack, Data, Done, Frame, PathChallenge, PathResponse, Ping, Reset
from surewire.wire.native_parameters import Parameters
from surewire.wire.native_repairs import MAX_BACK, MAX_BLOCK, MAX_HALVINGS, MIN_SYMBOL, Repair, Symbol
from surewire.wire.varint import MAX_VARINT

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "vectors"


def seeds(name: str, field: str) -> st.SearchStrategy[bytes]:
    loaded: dict[str, Any] = json.loads((FOLDER / f"native-{name}.json").read_text(encoding="ascii"))
    return st.sampled_from([bytes.fromhex(vector[field]) for vector in loaded["valid"]])


changes = st.lists(st.tuples(st.integers(0, 150), st.binary(max_size=4), st.integers(0, 8)), max_size=4)
integers = st.integers(0, 70) | st.integers(0, MAX_VARINT)
cids = st.binary(min_size=8, max_size=8)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), max_size=60)
versions = st.lists(st.integers(1, 2**32 - 1), min_size=1, max_size=16, unique=True).map(tuple)


def changed(data: bytes, steps: list[tuple[int, bytes, int]]) -> bytes:
    """The input with some bytes replaced, put in and taken out, at places counted modulo its length."""
    for place, new, removed in steps:
        at = place % (len(data) + 1)
        data = data[:at] + new + data[at + removed :]
    return data


# Valid records.


@st.composite
def acks(draw: st.DrawFn) -> Ack:
    position = draw(integers)
    window = draw(st.integers(0, MAX_VARINT - position))
    steps = draw(st.lists(st.tuples(st.integers(1, 2**40), st.integers(1, 2**40)), min_size=1, max_size=64))
    start, ranges = draw(st.integers(-1, 2**40)), []
    for gap, length in steps:
        ranges.append((start + gap, start + gap + length))
        start += gap + length
    ranges.reverse()
    latest = draw(st.integers(0, ranges[0][1] - 1))
    return Ack(position, window, latest, draw(st.integers(0, MAX_VARINT // 1000)) * 1000, tuple(ranges))


@st.composite
def data_frames(draw: st.DrawFn) -> Data:
    is_last = draw(st.booleans())
    payload = draw(st.binary(min_size=0 if is_last else 1, max_size=40))
    return Data(draw(st.integers(0, MAX_VARINT - len(payload) - is_last)), memoryview(payload), is_last)


short_frames = st.one_of(
    st.just(Ping()),
    st.just(Done()),
    st.builds(Reset, integers, texts),
    st.builds(PathChallenge, cids),
    st.builds(PathResponse, cids),
)
repair_frames = st.builds(
    Repair,
    st.integers(1, MAX_BACK),
    st.integers(1, MAX_BLOCK),
    st.integers(0, MAX_HALVINGS),
    st.binary(min_size=MIN_SYMBOL, max_size=40).map(memoryview),
)
last_frames = st.none() | data_frames() | repair_frames
bodies = st.tuples(st.lists(short_frames | acks(), max_size=8), last_frames, st.integers(0, 20))

long_datagrams: st.SearchStrategy[LongDatagram] = st.one_of(
    st.builds(Hello, cids, st.just(1), cids, st.integers(0, 255), st.binary(max_size=64), st.binary(max_size=1024)),
    st.builds(Retry, cids, st.just(1), cids, st.binary(min_size=1, max_size=64)),
    st.builds(Welcome, cids, st.just(1), cids, st.binary(max_size=1024)),
    st.builds(
        Versions, cids, cids, versions, st.lists(st.integers(0, 255), min_size=1, max_size=16, unique=True).map(tuple)
    ),
    st.builds(Refused, cids, st.just(1), cids, st.integers(0, 255), texts),
)
parameter_sets = st.builds(
    Parameters,
    versions,
    st.integers(1200, 65_535),
    integers,
    st.integers(1, MAX_VARINT // 1_000_000).map(lambda ms: ms * 1_000_000),
    st.none() | cids,
    st.integers(0, (1 << 24) - 1).map(lambda us: us * 1_000),
    integers,
)


# Round trips.


@given(integers, st.binary(max_size=3), st.binary(max_size=3))
def test_integers(value: int, before: bytes, behind: bytes) -> None:
    data = varint.emit(value)
    assert len(data) == varint.size(value)
    assert varint.parse(before + data + behind, len(before)) == (value, len(before) + len(data))


@given(bodies)
def test_frames(parts: tuple[list[Frame], Data | Repair | None, int]) -> None:
    frames, last, padding = parts
    body = native_frames.emit_padding(padding).join(native_frames.emit(frame) for frame in frames)
    body += native_frames.emit_padding(padding)
    if last is not None:
        frames = [*frames, last]
        body += native_frames.emit(last)
    assume(body)
    parsed = native_frames.parse(memoryview(body))
    assert parsed == frames
    assert [type(frame) for frame in parsed] == [type(frame) for frame in frames]


@given(acks(), st.integers(0, native_frames.MAX_ACK_SIZE))
def test_acknowledgments_in_any_room(ack: Ack, limit: int) -> None:
    data = native_frames.emit_ack(*ack, limit=limit)
    assert len(data) <= min(limit, native_frames.ack_size_limit(len(ack.ranges)))
    if data:
        (parsed,) = native_frames.parse(memoryview(data))
        assert isinstance(parsed, Ack)
        assert parsed == ack._replace(ranges=ack.ranges[: len(parsed.ranges)])


@given(long_datagrams)
def test_long_datagrams(datagram: LongDatagram) -> None:
    parsed = native_datagram.parse(native_datagram.emit(datagram, crc32c), crc32c)
    assert (type(parsed), parsed) == (type(datagram), datagram)


@given(parameter_sets)
def test_parameters(parameters: Parameters) -> None:
    assert native_parameters.parse(native_parameters.emit(parameters)) == parameters


# Restored numbers.


@given(st.integers(0, 2**62 - 1) | st.integers(0, 2**33), st.integers(-(2**31) + 1, 2**31))
def test_a_number_within_the_window_is_restored(expected: int, distance: int) -> None:
    number = min(max(expected + distance, 0), 2**62 - 1)
    assert restore_number(number & 0xFFFFFFFF, expected) == number


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**62 - 1) | st.integers(0, 2**33))
def test_the_restored_number_is_the_nearest(low: int, expected: int) -> None:
    found = restore_number(low, expected)
    around = expected >> 32
    candidates = [(high << 32) + low for high in range(around - 1, around + 2) if 0 <= high < 2**30]
    assert found in candidates
    assert abs(found - expected) == min(abs(candidate - expected) for candidate in candidates)


# Sums.


@given(st.integers(0, MAX_VARINT), st.binary(max_size=40), st.booleans(), st.integers(MIN_SYMBOL, 60))
def test_symbols(offset: int, payload: bytes, is_last: bool, length: int) -> None:
    symbol = native_repairs.emit_symbol(offset, payload, is_last=is_last, length=length)
    has_room = len(payload) in (length - 4, *range(length - 5))
    assert (symbol is not None) is (has_room and (is_last or bool(payload)))
    if symbol is not None:
        assert len(symbol) == length
        assert native_repairs.parse_symbol(symbol) == Symbol(offset % 2**29, is_last, payload)


@given(st.integers(0, MAX_VARINT) | st.integers(0, 2**30), st.integers(-(2**28), 2**28 - 1))
def test_an_offset_within_reach_is_restored(position: int, distance: int) -> None:
    offset = max(position + distance, 0)
    assert native_repairs.restore_offset(offset % 2**29, position) == offset


@given(st.integers(0, MAX_VARINT), st.integers(1, MAX_BLOCK), st.integers(0, MAX_HALVINGS))
def test_participants_stay_in_the_block(number: int, count: int, halvings: int) -> None:
    mask = native_repairs.participants(number, count, halvings)
    assert 0 <= mask < 1 << count
    assert not halvings or mask | native_repairs.participants(number, count, halvings - 1) == (
        native_repairs.participants(number, count, halvings - 1)
    )


# Hostile bytes.


def try_frames(body: bytes) -> None:
    """A body that is accepted says something that can be said again."""
    try:
        frames = native_frames.parse(memoryview(body))
    except MalformedSegment:
        return
    assert len(frames) <= native_frames.MAX_FRAMES
    again = b"".join(native_frames.emit(frame) for frame in frames)
    assert len(again) <= len(body)
    assert not frames or native_frames.parse(memoryview(again)) == frames


def try_long(datagram: bytes) -> None:
    try:
        parsed = native_datagram.parse(datagram, crc32c)
    except MalformedSegment:
        return
    again = native_datagram.emit(parsed, crc32c)
    # A longer HELLO may have had more padding, and one of another version is not read.
    assert again == datagram or isinstance(parsed, Hello)
    assert native_datagram.parse(again, crc32c) == parsed


def try_parameters(payload: bytes) -> None:
    try:
        parameters = native_parameters.parse(payload)
    except MalformedSegment:
        return
    assert native_parameters.parse(native_parameters.emit(parameters)) == parameters


def try_symbol(data: bytes) -> None:
    """What is accepted is what a datagram has, byte for byte."""
    try:
        symbol = native_repairs.parse_symbol(data)
    except MalformedSegment:
        return
    if symbol is None:
        assert not any(data)
    else:
        offset, is_last, payload = symbol
        assert native_repairs.emit_symbol(offset, payload, is_last=is_last, length=len(data)) == data


def try_integers(data: bytes) -> None:
    try:
        values, end = varint.parse_several(data, 0, 5)
    except MalformedSegment:
        return
    assert len(values) == 5 and 5 <= end <= len(data)
    assert all(0 <= value <= MAX_VARINT for value in values)


def checked(data: bytes, size: int = 0) -> bytes:
    """With zeros up to `size` and a right checksum, so that what is behind the checksum is reached."""
    data = data.ljust(size, b"\0")
    return data + crc32c(data).to_bytes(4, "big")


ANY: list[Callable[[bytes], None]] = [try_frames, try_long, try_parameters, try_symbol, try_integers]


@given(st.binary(max_size=120))
def test_any_bytes(data: bytes) -> None:
    for attempt in ANY:
        attempt(data)


@given(st.lists(st.sampled_from(sorted(native_frames.FrameType)), max_size=5), st.binary(max_size=40))
def test_any_bytes_behind_frame_types(kinds: list[int], data: bytes) -> None:
    for kind in kinds:
        try_frames(bytes((kind,)) + data)


@given(st.integers(0, 7), st.binary(min_size=4, max_size=12), st.integers(0, 3), st.integers(0, 12))
def test_any_bytes_behind_flags_of_symbols(flags: int, data: bytes, zeros: int, size: int) -> None:
    try_symbol(bytes((flags << 5,)) + data + bytes(zeros) + size.to_bytes(2, "big"))


@given(seeds("frames", "body"), changes)
def test_changed_frames(body: bytes, steps: list[tuple[int, bytes, int]]) -> None:
    try_frames(changed(body, steps))


@given(seeds("parameters", "payload"), changes)
def test_changed_parameters(payload: bytes, steps: list[tuple[int, bytes, int]]) -> None:
    try_parameters(changed(payload, steps))


@given(seeds("long", "datagram"), changes, st.sampled_from([0, 1196]))
def test_changed_long_datagrams(datagram: bytes, steps: list[tuple[int, bytes, int]], size: int) -> None:
    whole = changed(datagram[:-4], steps)
    try_long(whole)
    try_long(checked(whole, size))


@given(st.integers(0, 5), st.sampled_from([0, 1, 2]), st.binary(max_size=60), st.sampled_from([0, 1196]))
def test_any_bytes_with_a_right_head_and_checksum(kind: int, version: int, rest: bytes, size: int) -> None:
    head = bytes((0x80 | kind,)) + bytes(8) + version.to_bytes(4, "big") + bytes(8)
    try_long(checked(head + rest, size))
