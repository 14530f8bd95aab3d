"""Streamer's compact binary packets: bytes <-> `Packet`. docs/format-streamer.md has the format with examples.

    hash     4 bytes   CRC-32 of all that follows, begun with a context that is not sent
    flags    1 byte    SYN 80, NUMBERED 40, DATA 20, FIN 10, ACK 08, HOLES 04, WIDE 02, FULL 01
    nonce    2 bytes   SYN: the sender's, 1..65535
    number   1 or 4    NUMBERED: low byte of the packet number; with WIDE the low 4 bytes
    offset   3 bytes   DATA without SYN: low bytes of the payload's place in the stream; with SYN it is 0
    acked    1 byte    ACK: low byte of the largest packet number received
    holes    1 + n     HOLES: bit 7 = all below the bitmap was received; bits 0-6 = n, 1..16; n bytes of bitmap
    payload            DATA: the rest of the packet

Integers are big-endian. Bit i of the bitmap, counted from the most significant of its first byte, says
whether packet number acked-1-i was received. Without HOLES every number up to acked was.

The context holds what the receiver has to know without being told: both nonces and the parts of number,
offset and acked above those sent. So a field completed wrongly, a packet of another connection and damage
all show as a wrong hash. `parse` raises `MalformedSegment` and nothing else, whatever the bytes. The records hold
full values; which numbers may be shortened is the session's business (`MAX_NARROW_LEAD`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple, NoReturn
from zlib import crc32

from surewire.errors import LocalProtocolError, MalformedSegment
from surewire.wire.segment import Buffer

MAX_PACKET = 1472  # bytes: what an Ethernet frame leaves to UDP over IPv4
MAX_HOLES = 17  # bytes of the holes field: its first byte and the longest bitmap
MAX_NARROW_LEAD = 128  # a 1-byte number may be at most this far above the largest acknowledged one (-1: none yet)
MAX_ACK_LAG = 256  # an acked number is understood while at most this many numbers were sent, it included, since it
MAX_WINDOW = 1 << 22  # bytes: a 3-byte offset stays within this of the receiver's position, below and above

_SYN, _NUMBERED, _DATA, _FIN, _ACK, _HOLES, _WIDE, _FULL = 0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01
_HASH = Struct("!I")
_NONCE = Struct("!H")
_WIDE_NUMBER = Struct("!I")
_CONTEXT = Struct("!HHQQQ")
_FLAGS_AT = _HASH.size
_FIELDS_AT = _FLAGS_AT + 1
_MAX_BITMAP = MAX_HOLES - 1
_ONES = re.compile("1+")


class Ack(NamedTuple):
    """Which packet numbers were received; made by `from_ranges` or `parse`, so that `holes` is well-formed.

    Attributes:
        largest: the largest number received, >= 0.
        holes: the holes field as it is sent, 2..17 bytes; empty when all numbers up to `largest` were received.
    """

    largest: int
    holes: bytes = b""

    @classmethod
    def from_ranges(cls, ranges: Sequence[tuple[int, int]], limit_bytes: int = MAX_HOLES) -> Ack | None:
        """Say of received numbers what fits into a holes field of at most `limit_bytes`; never more than is true.

        Args:
            ranges: numbers received, [start, stop), highest first, neither overlapping nor touching. What lies below
                the last of them is not claimed.
            limit_bytes: >= 0; above 17 nothing is gained, 0 and 1 leave room only when nothing is missing.

        Returns:
            None when nothing was received, or when something is missing and there is no room to say so.
        """
        if not ranges:
            return None
        largest = ranges[0][1] - 1
        if ranges[0][0] == 0:
            return cls(largest)
        room = min(limit_bytes - 1, _MAX_BITMAP)
        if room < 1:
            return None
        start, stop = ranges[-1]
        # Below this number nothing differs: all of it was received, or none of it is claimed.
        bottom = stop if start == 0 else start
        length = min(max((largest - bottom + 7) // 8, 1), room)
        base = largest - 8 * length
        bits = 0
        for low, high in ranges:
            if high <= base:
                break
            if low < base:
                low = base
            bits |= (1 << (high - base)) - (1 << (low - base))
        bits &= (1 << (largest - base)) - 1  # `largest` has no bit
        bitmap = bits.to_bytes(length, "big")
        if start == 0 and base <= stop:
            return cls(largest, bytes((0x80 | length,)) + bitmap)
        bitmap = bitmap.rstrip(b"\0") or b"\0"  # no claim and "not received" are the same to the peer
        return cls(largest, bytes((len(bitmap),)) + bitmap)

    def ranges(self) -> list[tuple[int, int]]:
        """The numbers that are said to be received, [start, stop), highest first, not touching."""
        if not self.holes:
            return [(0, self.largest + 1)]
        base = self.largest - 8 * (len(self.holes) - 1)
        bits = int.from_bytes(self.holes[1:], "big") | 1 << (self.largest - base)
        digits = f"{bits:b}"
        end = base + len(digits)
        found = [(end - run.end(), end - run.start()) for run in _ONES.finditer(digits)]
        if self.holes[0] & 0x80 and base > 0:
            stop = base
            if found[-1][0] == base:
                stop = found.pop()[1]
            found.append((0, stop))
        return found


class Packet(NamedTuple):
    """One packet, with full values.

    Attributes:
        number: packet number, 0..2**64-1; None when the packet has none and so asks for no acknowledgment.
        offset: place of the payload in the stream, 0..2**64-1; None without data. With a nonce it is 0.
        payload: data of the stream; may be empty.
        fin: the stream ends behind the payload; needs an offset.
        nonce: the sender's, 1..65535, in a packet that opens the connection (SYN); else None.
        ack: what the sender of the packet has received, or None.
        full: the sender of the packet can take no more data at the moment.
    """

    number: int | None = None
    offset: int | None = None
    payload: Buffer = b""
    fin: bool = False
    nonce: int | None = None
    ack: Ack | None = None
    full: bool = False


class Expected(NamedTuple):
    """The receiver's references, from which shortened values are completed; all >= 0.

    Attributes:
        number: one past the largest packet number received. A number is taken to lie in [number-64, number+192), a
            wide one in [number-2**31, number+2**31).
        offset: bytes of the stream received without a gap; an offset lies in [offset-2**22, offset+2**24-2**22).
        ack: one past the largest packet number sent; what is acknowledged lies in [ack-256, ack).
    """

    number: int = 0
    offset: int = 0
    ack: int = 0


# Sizes.


def _base_size(flags: int) -> int:
    """Bytes of a header but for its holes; 0 for flags that must not stand together."""
    needs = ((_FIN, _DATA), (_DATA, _NUMBERED), (_WIDE, _NUMBERED), (_HOLES, _ACK))
    if not flags & (_NUMBERED | _ACK) or any(flags & one and not flags & other for one, other in needs):
        return 0
    size = _FIELDS_AT + (_NONCE.size if flags & _SYN else 0) + (1 if flags & _ACK else 0)
    if flags & _NUMBERED:
        size += _WIDE_NUMBER.size if flags & _WIDE else 1
    return size + (3 if flags & _DATA and not flags & _SYN else 0)


_BASE_SIZES = tuple(_base_size(flags) for flags in range(256))
MIN_PACKET = min(size for size in _BASE_SIZES if size)


def header_size(
    ack: Ack | None, *, numbered: bool = True, data: bool = True, syn: bool = False, wide: bool = False
) -> int:
    """Bytes before the payload of a packet with these parts."""
    flags = (numbered and _NUMBERED) | (data and _DATA) | (syn and _SYN) | (wide and _WIDE)
    size = _BASE_SIZES[flags | (_ACK if ack is not None else 0)]
    if not size:
        raise LocalProtocolError("no packet has these parts together")
    return size + (len(ack.holes) if ack is not None else 0)


# Encoding.


def emit(packet: Packet, *, sender_nonce: int, receiver_nonce: int, wide: bool) -> bytes:
    """Encode a packet.

    Args:
        packet: what to say.
        sender_nonce: ours, 1..65535.
        receiver_nonce: the peer's, 1..65535; not used (0 will do) for a SYN without acknowledgment.
        wide: send 4 bytes of the number; has no effect on a packet without one.

    Raises:
        LocalProtocolError: the parts contradict each other, or the packet is longer than 1,472 bytes.
    """
    number, offset, payload, fin, nonce, ack, full = packet
    flags = 0
    fields = b""
    high_number = high_offset = high_acked = 0
    if nonce is not None:
        if not 0 < nonce < 1 << 16 or nonce != sender_nonce or offset:
            raise LocalProtocolError("a SYN carries its sender's nonce, 1..65535, and data from offset 0 on")
        flags = _SYN
        fields = _NONCE.pack(nonce)
    if number is not None:
        flags |= _NUMBERED | (wide and _WIDE)
        high_number = number >> (32 if wide else 8)
        fields += _WIDE_NUMBER.pack(number & 0xFFFFFFFF) if wide else bytes((number & 0xFF,))
    if offset is not None:
        flags |= _DATA | (fin and _FIN)
        high_offset = offset >> 24
        if nonce is None:
            fields += (offset & 0xFFFFFF).to_bytes(3, "big")
    if ack is not None:
        flags |= _ACK | (_HOLES if ack.holes else 0)
        high_acked = ack.largest >> 8
        fields += bytes((ack.largest & 0xFF,)) + ack.holes
    if not _BASE_SIZES[flags] or (offset is None and (payload or fin)):
        raise LocalProtocolError("a packet needs a number or an acknowledgment; data need a number, a FIN data")
    body = b"".join((bytes((flags | (full and _FULL),)), fields, payload))
    if len(body) > MAX_PACKET - _HASH.size:
        raise LocalProtocolError(f"a packet of {len(body) + _HASH.size} bytes is longer than {MAX_PACKET}")
    start = _context(flags, sender_nonce, receiver_nonce, high_number, high_offset, high_acked)
    return _HASH.pack(crc32(body, start)) + body


def _context(flags: int, sender_nonce: int, receiver_nonce: int, number: int, offset: int, acked: int) -> int:
    """The value the hash begins with; the last three are the parts that are not sent."""
    if flags & _SYN:
        sender_nonce = 0  # it is sent
        if not flags & _ACK:
            receiver_nonce = 0  # it may not be known yet
    return crc32(_CONTEXT.pack(sender_nonce, receiver_nonce, number, offset, acked))


# Decoding.


def peek_nonce(datagram: Buffer) -> int | None:
    """The nonce of a SYN before it is verified, 1..65535; None for any other datagram."""
    if len(datagram) < _FIELDS_AT + _NONCE.size or not datagram[_FLAGS_AT] & _SYN:
        return None
    nonce: int = _NONCE.unpack_from(datagram, _FIELDS_AT)[0]
    return nonce or None


def parse(datagram: Buffer, *, sender_nonce: int, receiver_nonce: int, expected: Expected) -> Packet:
    """Decode and verify a packet; the payload is a copy.

    Args:
        datagram: the whole datagram.
        sender_nonce: the peer's, 1..65535; for its first packet what `peek_nonce` returns.
        receiver_nonce: ours, 1..65535.
        expected: our references. A number or offset that would come out negative is taken one modulus (256, 2**32 or
            2**24) higher, the only value it can have. An acknowledged number that would is malformed: nothing that
            low was sent.

    Raises:
        MalformedSegment: damaged, of another connection, too old to be completed, or no packet at all.
    """
    size = len(datagram)
    if not MIN_PACKET <= size <= MAX_PACKET:
        _malformed("too short or too long")
    flags = datagram[_FLAGS_AT]
    position = _BASE_SIZES[flags]
    if not position or position > size:
        _malformed("impossible flags, or too short for them")
    at = _FIELDS_AT
    number = offset = nonce = ack = None
    high_number = high_offset = high_acked = 0
    if flags & _SYN:
        (nonce,) = _NONCE.unpack_from(datagram, at)
        if nonce != sender_nonce or not nonce:
            _malformed("another nonce")
        at += 2
    if flags & _WIDE:
        number = _near(_WIDE_NUMBER.unpack_from(datagram, at)[0], expected.number - (1 << 31), 1 << 32)
        high_number = number >> 32
        at += 4
    elif flags & _NUMBERED:
        number = _near(datagram[at], expected.number - 64, 256)
        high_number = number >> 8
        at += 1
    if flags & _DATA:
        offset = 0
        if nonce is None:
            low = int.from_bytes(datagram[at : at + 3], "big")
            offset = _near(low, expected.offset - (1 << 22), 1 << 24)
            high_offset = offset >> 24
            at += 3
    if flags & _ACK:
        newest = expected.ack - 1
        acked = newest - ((newest - datagram[at]) & 0xFF)
        if acked < 0:
            _malformed("acknowledges what was never sent")
        high_acked = acked >> 8
        holes = _holes(datagram, at + 1, acked) if flags & _HOLES else b""
        ack = Ack(acked, holes)
        at += 1 + len(holes)
    start = _context(flags, sender_nonce, receiver_nonce, high_number, high_offset, high_acked)
    if crc32(datagram[_FLAGS_AT:], start) != _HASH.unpack_from(datagram)[0]:
        _malformed("wrong hash")
    if at < size and not flags & _DATA:
        _malformed("bytes behind the end")
    return Packet(number, offset, bytes(datagram[at:]), flags & _FIN != 0, nonce, ack, flags & _FULL != 0)


def _near(low: int, start: int, modulus: int) -> int:
    """The value >= 0 with these low bits in [start, start + modulus), or the one above it."""
    value = start + (low - start) % modulus
    return value if value >= 0 else value + modulus


def _holes(datagram: Buffer, at: int, acked: int) -> bytes:
    """The holes field that begins at `at`."""
    length = datagram[at] & 0x7F if at < len(datagram) else 0
    end = at + 1 + length
    if not 1 <= length <= _MAX_BITMAP or end > len(datagram):
        _malformed("holes do not fit")
    below_zero = 8 * length - acked
    if below_zero > 0 and int.from_bytes(datagram[at + 1 : end], "big") & ((1 << below_zero) - 1):
        _malformed("negative packet numbers received")
    return bytes(datagram[at:end])


def _malformed(why: str) -> NoReturn:
    raise MalformedSegment(f"malformed Streamer packet: {why}")
