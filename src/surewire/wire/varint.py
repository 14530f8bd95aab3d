"""Variable-length integers (RFC 9000 §16): the two high bits of the first byte say how many bytes there are.

    00  1 byte    0..63                    10  4 bytes   0..1,073,741,823
    01  2 bytes   0..16,383                11  8 bytes   0..4,611,686,018,427,387,903 (2**62 - 1)

`emit` takes the shortest form. `parse` takes any: one longer than needed means the same. The parsers raise
`MalformedSegment` and nothing else, whatever the bytes; they want bytes, a bytearray or a memoryview of bytes.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError

from surewire.errors import LocalProtocolError, MalformedSegment
from surewire.wire.segment import Buffer

MAX_VARINT = (1 << 62) - 1
MAX_SIZE = 8  # bytes

_TWO = Struct(">H")
_FOUR = Struct(">I")
_EIGHT = Struct(">Q")
_ONES = tuple(bytes((value,)) for value in range(64))


def size(value: int) -> int:
    """Bytes that `emit` makes of 0 <= value < 2**62."""
    if value < 1 << 14:
        return 1 if value < 1 << 6 else 2
    return 4 if value < 1 << 30 else 8


def emit(value: int) -> bytes:
    """The shortest form.

    Raises:
        LocalProtocolError: negative, or 2**62 and more.
    """
    if 0 <= value < 1 << 6:
        return _ONES[value]
    if 0 <= value < 1 << 14:
        return _TWO.pack(value | 0x4000)
    if 0 <= value < 1 << 30:
        return _FOUR.pack(value | 0x80000000)
    if 0 <= value <= MAX_VARINT:
        return _EIGHT.pack(value | 0xC000000000000000)
    raise LocalProtocolError(f"{value} does not fit an integer of 62 bits")


def parse(buffer: Buffer, at: int) -> tuple[int, int]:
    """The integer that begins at `at` (>= 0), and where it ends.

    Raises:
        MalformedSegment: the buffer ends before it does.
    """
    values, end = parse_several(buffer, at, 1)
    return values[0], end


def parse_several(buffer: Buffer, at: int, count: int) -> tuple[list[int], int]:
    """The `count` integers that begin at `at` (>= 0), and where the last one ends.

    One call for many: an acknowledgment has up to 132 of them.

    Raises:
        MalformedSegment: the buffer ends before they do.
    """
    values = []
    try:
        for _ in range(count):
            first = buffer[at]
            if first < 0x40:
                values.append(first)
                at += 1
            elif first < 0x80:
                values.append((first & 0x3F) << 8 | buffer[at + 1])
                at += 2
            elif first < 0xC0:
                values.append(_FOUR.unpack_from(buffer, at)[0] & 0x3FFFFFFF)
                at += 4
            else:
                values.append(_EIGHT.unpack_from(buffer, at)[0] & MAX_VARINT)
                at += 8
    except (IndexError, StructError):
        raise MalformedSegment("an integer is cut off") from None
    return values, at
