"""Sums of datagrams, from which lost ones can be worked out: the frame REPAIR. docs/format.md has it with examples.

    03 REPAIR          block(4)  symbol to the end of the body              five bytes at least

    block   31..16 back - 1    15..4 count - 1    3..0 halvings

The block of a REPAIR in the datagram `number` is the `count` packet numbers of its direction up to `number - back`.
Each of them takes part with probability 2**-halvings; which ones, both sides find with SHAKE128 (FIPS 202) of the
number (`participants`). The symbol is the sum in GF(2), which is XOR, of the symbols of those that take part. RFC 8681
has random linear codes of that kind.

The symbols that are added up have the same length L. That of a datagram with m bytes of the stream:

    head(4)  payload                              m = L - 4
    head(4)  payload  zeros  m(2)                 m <= L - 6, "short"
    zeros                                         any other m, and a datagram without bytes or end of the stream

    head    31 one    30 the stream ends behind it    29 short    28..0 offset mod 2**29

So the REPAIR of full datagrams is as long as they are. `parse_repair` and `parse_symbol` raise `MalformedSegment`
and nothing else, whatever the bytes.
"""

from __future__ import annotations

from hashlib import shake_128
from struct import Struct
from typing import NamedTuple, NoReturn

from surewire.errors import LocalProtocolError, MalformedSegment
from surewire.wire.segment import Buffer

MAX_BLOCK = 4096  # packet numbers in one block
MAX_BACK = 65_536  # packet numbers from the end of a block to the datagram with the REPAIR
MAX_HALVINGS = 15
REPAIR_HEAD_SIZE = 5  # bytes: type and block
SYMBOL_HEAD_SIZE = 4  # bytes
MIN_SYMBOL = SYMBOL_HEAD_SIZE + 1  # bytes

REPAIR_TYPE = 0x03
REPAIR_HEAD = Struct(">BI")  # type, block

_BLOCK = Struct(">I")
_SYMBOL_HEAD = Struct(">I")
_LENGTH = Struct(">H")  # m, at the end of a short symbol
_IS_SYMBOL = 1 << 31
_IS_LAST = 1 << 30
_IS_SHORT = 1 << 29
_OFFSETS = 1 << 29  # offsets that a head tells apart
_MAX_SHORT = 65_535  # bytes of payload: what _LENGTH can say, and more than a datagram has


class Repair(NamedTuple):
    """A sum of symbols of datagrams that were sent before.

    Attributes:
        back: from the last packet number of the block to that of the datagram with the REPAIR, 1..65,536.
        numbers: in the block, 1..4,096.
        halvings: each of them takes part with probability 2**-halvings, 0..15.
        symbol: the sum, at least 5 bytes, a slice of the body that was parsed: gone when its memory is used again.
    """

    back: int
    numbers: int
    halvings: int
    symbol: memoryview


class Symbol(NamedTuple):
    """What a datagram carries of the stream, as its symbol tells it.

    Attributes:
        offset: the low 29 bits of its place in the stream (`restore_offset`).
        is_last: the stream ends behind it.
        payload: the bytes, a slice of the symbol; none only when it is the last.
    """

    offset: int
    is_last: bool
    payload: bytes | bytearray | memoryview


# Frames.


def block_field(back: int, count: int, halvings: int) -> int:
    """The 32 bits that name a block; see `Repair`.

    Raises:
        LocalProtocolError: one is out of range.
    """
    if not (1 <= back <= MAX_BACK and 1 <= count <= MAX_BLOCK and 0 <= halvings <= MAX_HALVINGS):
        raise LocalProtocolError(f"no block of {count} numbers ends {back} before a datagram, halved {halvings} times")
    return (back - 1) << 16 | (count - 1) << 4 | halvings


def emit_repair(back: int, count: int, halvings: int, symbol: Buffer) -> bytes:
    """A REPAIR frame with a copy of `symbol`; nothing may follow it. See `Repair`.

    Raises:
        LocalProtocolError: a number is out of range, or the symbol too short.
    """
    if len(symbol) < MIN_SYMBOL:
        raise LocalProtocolError(f"a symbol has at least {MIN_SYMBOL} bytes, not {len(symbol)}")
    return REPAIR_HEAD.pack(REPAIR_TYPE, block_field(back, count, halvings)) + symbol


def parse_repair(body: memoryview, at: int) -> Repair:
    """The frame whose type is at `at`, up to the end of the body. Its block may begin below 0 (`block_start`).

    Raises:
        MalformedSegment: the block is cut off, or the symbol too short.
    """
    start = at + REPAIR_HEAD_SIZE
    if start + MIN_SYMBOL > len(body):
        _malformed("a repair is cut off")
    block: int = _BLOCK.unpack_from(body, at + 1)[0]
    return Repair((block >> 16) + 1, (block >> 4 & 0xFFF) + 1, block & 0xF, body[start:])


def block_start(number: int, repair: Repair) -> int:
    """The first packet number of the block of a REPAIR that came in the datagram `number`.

    Raises:
        MalformedSegment: there is no such number.
    """
    start = number - repair.back - repair.numbers + 1
    if start < 0:
        _malformed("a block that begins below 0")
    return start


def participants(number: int, count: int, halvings: int) -> int:
    """Which numbers of its block a REPAIR has added up: bit i, least significant first, is the i-th of them.

    Args:
        number: of the datagram with the REPAIR, 0..2**62-1.
        count, halvings: see `Repair`.
    """
    mask = (1 << count) - 1
    if halvings:
        size = (count + 7) // 8
        bits = shake_128(number.to_bytes(8, "big")).digest(size * halvings)
        for at in range(0, len(bits), size):
            mask &= int.from_bytes(bits[at : at + size], "little")
    return mask


# Symbols.


def emit_symbol(offset: int, payload: Buffer, *, is_last: bool, length: int) -> bytes | None:
    """The symbol, `length` bytes, of a datagram with this piece of the stream.

    Args:
        offset: its place in the stream, >= 0.
        payload: its bytes.
        is_last: the stream ends behind it.
        length: of the symbol, >= 5.

    Returns:
        None when the datagram counts as zeros: the piece is too long, a byte too short, or no piece at all.

    Raises:
        LocalProtocolError: no symbol is as short.
    """
    if length < MIN_SYMBOL:
        raise LocalProtocolError(f"a symbol has at least {MIN_SYMBOL} bytes, not {length}")
    size = len(payload)
    head = _IS_SYMBOL | offset % _OFFSETS
    if is_last:
        head |= _IS_LAST
    elif not size:
        return None
    filling = length - SYMBOL_HEAD_SIZE - size
    if not filling:
        return _SYMBOL_HEAD.pack(head) + payload
    # A single byte has no room for the length.
    if filling < _LENGTH.size or size > _MAX_SHORT:
        return None
    zeros = bytes(filling - _LENGTH.size)
    return b"".join((_SYMBOL_HEAD.pack(head | _IS_SHORT), payload, zeros, _LENGTH.pack(size)))


def parse_symbol(symbol: bytes | bytearray | memoryview) -> Symbol | None:
    """What a datagram carried, by its symbol; None for zeros. The payload is a slice of `symbol`.

    Raises:
        MalformedSegment: no datagram has this symbol.
    """
    if len(symbol) < MIN_SYMBOL:
        _malformed("a symbol is cut off")
    head: int = _SYMBOL_HEAD.unpack_from(symbol)[0]
    if not head & _IS_SYMBOL:
        if any(symbol):
            _malformed("a symbol without the bit that makes it one")
        return None
    stop = len(symbol)
    if head & _IS_SHORT:
        end = stop - _LENGTH.size
        if end < SYMBOL_HEAD_SIZE:
            _malformed("a symbol too short for a length")
        stop = SYMBOL_HEAD_SIZE + _LENGTH.unpack_from(symbol, end)[0]
        if stop > end or any(symbol[stop:end]):
            _malformed("a symbol with a wrong length or filling")
    is_last = bool(head & _IS_LAST)
    if stop == SYMBOL_HEAD_SIZE and not is_last:
        _malformed("a symbol of a datagram without a byte")
    return Symbol(head % _OFFSETS, is_last, symbol[SYMBOL_HEAD_SIZE:stop])


def restore_offset(low: int, position: int) -> int:
    """The offset with these low 29 bits in [position - 2**28, position + 2**28); the next one where it is below 0.

    Args:
        low: 0..2**29-1.
        position: everything below it has arrived, >= 0.
    """
    start = position - _OFFSETS // 2
    offset = start + (low - start) % _OFFSETS
    return offset if offset >= 0 else offset + _OFFSETS


def _malformed(why: str) -> NoReturn:
    raise MalformedSegment(f"malformed frames: {why}")
