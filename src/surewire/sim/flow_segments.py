"""The datagrams of simulated cross traffic: as long as TCP's would be, and not otherwise like them.

Data is 24 bytes of header and 1,448 zeros; with the 28 bytes that a link adds by default that makes the 1,500 of a
full TCP segment with time stamps (52 bytes of IP and TCP header). An acknowledgment has 24 bytes, and with ranges 4
and 8 for each more, as TCP's option has. Sequence numbers count segments, all of one size.

Data is kept nowhere: a receiver compares the payload with zeros. The CRC-32 covers the header and the ranges, so a
damaged datagram is never taken for another.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

MSS = 1448
"""Bytes of payload in every data segment."""

MAX_RANGES = 3
"""Ranges in an acknowledgment, as TCP has room for beside time stamps (RFC 2018 §3)."""

_CRC = struct.Struct("!I")
_DATA = struct.Struct("!IIIQ")  # flow, sequence number, transmission, time sent
_ACK = struct.Struct("!IIIQ")  # flow, position, transmission, echoed time
_RANGE = struct.Struct("!II")
_HEADER = _CRC.size + _DATA.size
_OPTION = bytes(4)  # what padding, kind and length of TCP's option cost
_ZEROS = bytes(MSS)


class Data(NamedTuple):
    """A full segment.

    Attributes:
        flow: number of the flow.
        sequence: of the segment, from 0.
        transmission: how many data segments the sender had sent before this one, whatever they held.
        sent_at: ns.
    """

    flow: int
    sequence: int
    transmission: int
    sent_at: int


class Ack(NamedTuple):
    """What has arrived.

    Attributes:
        flow: number of the flow.
        position: all segments below it have arrived.
        transmission: the highest that has arrived.
        echo: `sent_at` of the earliest data that this acknowledges first (RFC 7323 §4.3).
        ranges: half-open ranges beyond `position` that have arrived, the one that grew last first.
    """

    flow: int
    position: int
    transmission: int
    echo: int
    ranges: tuple[tuple[int, int], ...]


def emit_data(data: Data) -> tuple[bytes, bytes]:
    """Header and payload of a data segment."""
    header = _DATA.pack(*data)
    return _CRC.pack(zlib.crc32(header)) + header, _ZEROS


def parse_data(datagram: bytes) -> Data | None:
    """The data segment, or None if it is none, or damaged."""
    if len(datagram) != _HEADER + MSS or not datagram.endswith(_ZEROS):
        return None
    if _CRC.unpack_from(datagram)[0] != zlib.crc32(datagram[_CRC.size : _HEADER]):
        return None
    return Data._make(_DATA.unpack_from(datagram, _CRC.size))


def emit_ack(ack: Ack) -> bytes:
    """An acknowledgment with at most `MAX_RANGES` ranges."""
    body = _ACK.pack(ack.flow, ack.position, ack.transmission, ack.echo)
    if ack.ranges:
        body += _OPTION + b"".join(_RANGE.pack(*one) for one in ack.ranges)
    return _CRC.pack(zlib.crc32(body)) + body


def parse_ack(datagram: bytes) -> Ack | None:
    """The acknowledgment, or None if it is none, or damaged."""
    size = len(datagram)
    if size < _HEADER or _CRC.unpack_from(datagram)[0] != zlib.crc32(datagram[_CRC.size :]):
        return None
    if size == _HEADER:
        return Ack._make((*_ACK.unpack_from(datagram, _CRC.size), ()))
    count, rest = divmod(size - _HEADER - len(_OPTION), _RANGE.size)
    if rest or not 1 <= count <= MAX_RANGES:
        return None
    ranges = tuple(_RANGE.iter_unpack(datagram[_HEADER + len(_OPTION) :]))
    return Ack._make((*_ACK.unpack_from(datagram, _CRC.size), ranges))
