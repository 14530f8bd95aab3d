"""The frames of native datagrams: bytes <-> records. docs/format.md has the format with examples.

    00 PADDING         nothing                                              one byte
    01 PING            nothing
    02 ACK             position window latest delay largest count-1 length-1 { gap-1 length-1 }    varints
    03 REPAIR          block(4)  symbol to the end of the body              `native_repairs`
    08 DATA            offset(8)  payload to the end of the body            at least one byte
    09 DATA_END        offset(8)  payload to the end of the body            may be empty; the stream ends behind it
    0a RESET           code  text length  text                              varint, varint, UTF-8
    0b DONE            nothing
    0c PATH_CHALLENGE  8 bytes
    0d PATH_RESPONSE   8 bytes

A body is frames end to end; REPAIR, DATA and DATA_END have no length, so one of them is the last. Whoever fills full
datagrams packs header and DATA head at once (`native_datagram.DATA_HEADER`) and comes here for the rest.
`parse` raises `MalformedSegment` and nothing else, whatever the bytes; the records it makes hold legal values
only: every number is below 2**62, and so is the sum of any two that are meant to be added.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import NamedTuple, NoReturn

from surewire.errors import LocalProtocolError, MalformedSegment
from surewire.wire import native_text, varint
from surewire.wire.native_repairs import Repair, emit_repair, parse_repair
from surewire.wire.segment import Buffer
from surewire.wire.varint import MAX_VARINT

MAX_FRAMES = 64  # in one body, padding not counted
MAX_RANGES = 64  # in one ACK
PATH_DATA_SIZE = 8  # bytes
DATA_HEAD_SIZE = 9  # bytes: type and offset
MAX_POSITION = MAX_VARINT  # of the end of the stream, its end mark counted

_NS_PER_US = 1_000
_MAX_DELAY_US = MAX_VARINT // _NS_PER_US
_OFFSET = Struct(">Q")
DATA_HEAD = Struct(">BQ")  # type, offset
_ZEROS = re.compile(rb"\0+")  # skips 64 KiB of padding in microseconds, without a copy


GAVE_UP = 1
"""Code of a RESET when a side could not go on by itself; all others are the application's."""


class FrameType(IntEnum):
    """The first byte of a frame."""

    PADDING = 0x00
    PING = 0x01
    ACK = 0x02
    REPAIR = 0x03
    DATA = 0x08
    DATA_END = 0x09
    RESET = 0x0A
    DONE = 0x0B
    PATH_CHALLENGE = 0x0C
    PATH_RESPONSE = 0x0D


class Ack(NamedTuple):
    """What has arrived and how much more may come.

    Attributes:
        position: all stream bytes below it have arrived; the end of the stream counts as one byte behind the last.
        window: bytes from `position` on that may be sent, >= 0; position + window < 2**62.
        latest: the packet number that arrived last, at most the largest.
        delay_ns: between that arrival and this acknowledgment, a multiple of 1,000 as it comes from the wire.
        ranges: packet numbers that have arrived, [start, stop), highest first, not touching; 1..64 of them.
    """

    position: int
    window: int
    latest: int
    delay_ns: int
    ranges: tuple[tuple[int, int], ...]


class Data(NamedTuple):
    """A piece of the stream.

    Attributes:
        offset: its place in the stream.
        payload: the bytes, a slice of the body that was parsed: gone when its memory is used again.
        is_last: the stream ends behind it.
    """

    offset: int
    payload: memoryview
    is_last: bool


class Reset(NamedTuple):
    """The connection is over: the code is the application's or one of docs/format.md, the text is for people."""

    code: int
    text: str


# No named tuples, or a challenge would equal its response and a ping the end.
@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for an acknowledgment and for nothing else."""


@dataclass(frozen=True, slots=True)
class Done:
    """The sender knows that everything is confirmed, and forgets the connection."""


@dataclass(frozen=True, slots=True)
class PathChallenge:
    """Asks that these 8 bytes come back, from whoever can read at the address."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PathResponse:
    """The 8 bytes of a challenge."""

    data: bytes


Frame = Ack | Data | Repair | Reset | Ping | Done | PathChallenge | PathResponse


def is_ack_eliciting(frame: Frame) -> bool:
    """True when a datagram with this frame has to be acknowledged (RFC 9002 §2)."""
    return not isinstance(frame, Ack | Reset | Done)


# Acknowledgments.

_ACK_TYPE = bytes((FrameType.ACK,))


def ack_size_limit(ranges: int) -> int:
    """Bytes that no ACK with this many ranges (1..64) exceeds; most are far smaller."""
    return 2 + 6 * varint.MAX_SIZE + 2 * varint.MAX_SIZE * (ranges - 1)


MAX_ACK_SIZE = ack_size_limit(MAX_RANGES)  # 1,058 bytes: fits a datagram of 1,200 with all that is around it


def emit_ack(
    position: int,
    window: int,
    latest: int,
    delay_ns: int,
    ranges: Sequence[tuple[int, int]],
    *,
    limit: int = MAX_ACK_SIZE,
) -> bytes:
    """An ACK frame that says what fits of it.

    Args:
        position, window, latest, delay_ns: see `Ack`; of the delay whole microseconds are sent.
        ranges: see `Ack`; of more than 64, or more than fit, the highest are sent.
        limit: bytes it may take.

    Returns:
        Nothing at all when not even one range fits.

    Raises:
        LocalProtocolError: no range, ranges that touch or rise, or a number out of range.
    """
    if not ranges or position + window > MAX_VARINT or delay_ns > MAX_VARINT:
        raise LocalProtocolError("an acknowledgment needs a range, and a window and a delay that end below 2**62")
    start, stop = ranges[0]
    if latest >= stop:
        raise LocalProtocolError("the number that arrived last is above the largest")
    emit = varint.emit
    head = emit(position) + emit(window) + emit(latest) + emit(delay_ns // _NS_PER_US) + emit(stop - 1)
    first = emit(stop - 1 - start)
    room = limit - 2 - len(head) - len(first)
    if room < 0:
        return b""
    pieces = []
    for low, high in ranges[1:MAX_RANGES]:
        piece = emit(start - high - 1) + emit(high - low - 1)
        room -= len(piece)
        if room < 0:
            break
        pieces.append(piece)
        start = low
    if start < 0:
        raise LocalProtocolError("packet numbers are not negative")
    return b"".join((_ACK_TYPE, head, emit(len(pieces)), first, *pieces))


def _parse_ack(body: Buffer, at: int) -> tuple[Ack, int]:
    (position, window, latest, delay_us, largest, more, length), at = varint.parse_several(body, at, 7)
    if more >= MAX_RANGES or delay_us > _MAX_DELAY_US:
        _malformed("too many ranges or too long a delay")
    if position + window > MAX_VARINT or latest > largest:
        _malformed("a window or a number beyond what can be")
    start = largest - length
    ranges = [(start, largest + 1)]
    if more:
        values, at = varint.parse_several(body, at, 2 * more)
        pairs = iter(values)
        for gap, length in zip(pairs, pairs, strict=True):
            stop = start - gap - 1
            start = stop - length - 1
            ranges.append((start, stop))
    # The starts fall, so the last one tells for all.
    if start < 0:
        _malformed("negative packet numbers")
    return Ack(position, window, latest, delay_us * _NS_PER_US, tuple(ranges)), at


# The others.


def emit_padding(count: int) -> bytes:
    """`count` bytes that say nothing."""
    return bytes(count)


def emit_ping() -> bytes:
    """A PING frame."""
    return b"\x01"


def emit_done() -> bytes:
    """A DONE frame."""
    return b"\x0b"


def emit_data(offset: int, payload: Buffer, *, is_last: bool = False) -> bytes:
    """A DATA or DATA_END frame with a copy of `payload`; nothing may follow it.

    Raises:
        LocalProtocolError: DATA without a byte, or a stream of more than 2**62 - 1 bytes, its end mark counted.
    """
    if not 0 <= offset <= MAX_POSITION - len(payload) - is_last or not (payload or is_last):
        raise LocalProtocolError("a piece of the stream has at least one byte, and ends below 2**62")
    return DATA_HEAD.pack(FrameType.DATA_END if is_last else FrameType.DATA, offset) + payload


def _parse_data(body: memoryview, at: int) -> Data:
    """The frame whose type is at `at`, up to the end of the body."""
    start = at + DATA_HEAD_SIZE
    if start > len(body):
        _malformed("an offset is cut off")
    offset: int = _OFFSET.unpack_from(body, at + 1)[0]
    payload = body[start:]
    is_last = body[at] == FrameType.DATA_END
    if offset + len(payload) + is_last > MAX_POSITION or not (payload or is_last):
        _malformed("data without a byte or behind the end of all streams")
    return Data(offset, payload, is_last)


def emit_reset(code: int, text: str) -> bytes:
    """A RESET frame; of the text what may be sent (`native_text.emit`).

    Raises:
        LocalProtocolError: the code is negative, or 2**62 and more.
    """
    data = native_text.emit(text)
    return b"\x0a" + varint.emit(code) + varint.emit(len(data)) + data


def _parse_reset(body: Buffer, at: int) -> tuple[Reset, int]:
    (code, length), at = varint.parse_several(body, at, 2)
    end = at + length
    if end > len(body):
        _malformed("a text is cut off")
    return Reset(code, native_text.parse(body[at:end])), end


def emit_path_challenge(data: bytes) -> bytes:
    """A PATH_CHALLENGE frame with 8 bytes that nobody can guess."""
    return b"\x0c" + _path_data(data)


def emit_path_response(data: bytes) -> bytes:
    """A PATH_RESPONSE frame with the 8 bytes of the challenge."""
    return b"\x0d" + _path_data(data)


def _path_data(data: bytes) -> bytes:
    if len(data) != PATH_DATA_SIZE:
        raise LocalProtocolError(f"a path is challenged with {PATH_DATA_SIZE} bytes, not {len(data)}")
    return data


def _parse_path_data(body: Buffer, at: int) -> tuple[bytes, int]:
    end = at + PATH_DATA_SIZE
    if end > len(body):
        _malformed("a challenge or response is cut off")
    return bytes(body[at:end]), end


def _parse_challenge(body: Buffer, at: int) -> tuple[PathChallenge, int]:
    data, at = _parse_path_data(body, at)
    return PathChallenge(data), at


def _parse_response(body: Buffer, at: int) -> tuple[PathResponse, int]:
    data, at = _parse_path_data(body, at)
    return PathResponse(data), at


# Bodies.

# How to read each type but those that go to the end, from behind the type; `parse` skips padding itself.
_PARSERS: dict[int, Callable[[memoryview, int], tuple[Frame, int]]] = {
    FrameType.PING: lambda body, at: (Ping(), at),
    FrameType.ACK: _parse_ack,
    FrameType.RESET: _parse_reset,
    FrameType.DONE: lambda body, at: (Done(), at),
    FrameType.PATH_CHALLENGE: _parse_challenge,
    FrameType.PATH_RESPONSE: _parse_response,
}


def emit(frame: Frame) -> bytes:
    """Any frame as bytes, by its type's own function; errors are that one's."""
    match frame:
        case Ack(position, window, latest, delay_ns, ranges):
            return emit_ack(position, window, latest, delay_ns, ranges)
        case Data(offset, payload, is_last):
            return emit_data(offset, payload, is_last=is_last)
        case Repair(back, count, halvings, symbol):
            return emit_repair(back, count, halvings, symbol)
        case Reset(code, text):
            return emit_reset(code, text)
        case PathChallenge(data):
            return emit_path_challenge(data)
        case PathResponse(data):
            return emit_path_response(data)
        case Ping():
            return emit_ping()
        case Done():
            return emit_done()


def parse(body: memoryview) -> list[Frame]:
    """The frames of a body, padding left out. A `Data`'s payload and a `Repair`'s symbol are slices of `body`.

    Raises:
        MalformedSegment: no frames, an unknown one, one that is cut off or holds what it must not, or more than 64.
    """
    frames: list[Frame] = []
    at, size = 0, len(body)
    if not size:
        _malformed("nothing in it")
    while at < size:
        kind = body[at]
        if not kind:
            padding = _ZEROS.match(body, at)
            at = padding.end() if padding else size
            continue
        if len(frames) >= MAX_FRAMES:
            _malformed(f"more than {MAX_FRAMES} frames")
        if kind == FrameType.DATA or kind == FrameType.DATA_END:
            frames.append(_parse_data(body, at))
            break
        if kind == FrameType.REPAIR:
            frames.append(parse_repair(body, at))
            break
        parser = _PARSERS.get(kind)
        if parser is None:
            _malformed(f"unknown frame type {kind:#04x}")
        frame, at = parser(body, at + 1)
        frames.append(frame)
    return frames


def _malformed(why: str) -> NoReturn:
    raise MalformedSegment(f"malformed frames: {why}")
