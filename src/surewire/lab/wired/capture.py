"""Captures of the wire: pcapng files with four interfaces, so that what was lost can be told from what arrived.

Interfaces, by number and name: 0 up-offered, 1 up-delivered, 2 down-offered, 3 down-delivered; all of link type
IPV4 (whole packets). tcpdump reads them, and Wireshark should; there `frame.interface_name == "up-delivered"` shows
one. Times are microseconds of the system's clock. Format: draft-ietf-opsawg-pcapng, little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, NamedTuple

from surewire.errors import SurewireError

INTERFACES = ("up-offered", "up-delivered", "down-offered", "down-delivered")

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER = 0x1A2B3C4D
_LINKTYPE_IPV4 = 228
_OPTION_NAME = 2
_HEAD = struct.Struct("<II")
_PACKET_HEAD = struct.Struct("<IIIII")
_NUMBERS = {tuple(name.split("-")): number for number, name in enumerate(INTERFACES)}


class Captured(NamedTuple):
    """One packet of a capture.

    Attributes:
        direction: "up" or "down".
        event: "offered" to the wire or "delivered" by it.
        at: ns since 1970, a multiple of 1,000.
        packet: a whole IP packet.
    """

    direction: str
    event: str
    at: int
    packet: bytes


class CaptureWriter:
    """Writes a capture; the file stays the caller's."""

    def __init__(self, file: IO[bytes], *, epoch: int) -> None:
        """Write the heads.

        Args:
            file: open for writing, better buffered.
            epoch: what to add to the times given to `write` to make them ns since 1970.
        """
        self._file = file
        self._epoch = epoch
        self._block(_SECTION, struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1))
        for name in INTERFACES:
            text = name.encode()
            options = struct.pack("<HH", _OPTION_NAME, len(text)) + _padded(text) + bytes(4)
            self._block(_INTERFACE, struct.pack("<HHI", _LINKTYPE_IPV4, 0, 0) + options)

    def write(self, direction: str, event: str, packet: bytes, at: int) -> None:
        """Add a packet; the arguments are those of `surewire.lab.wired.wire.Observer`."""
        microseconds = (at + self._epoch) // 1000
        size = len(packet)
        number = _NUMBERS[direction, event]
        head = _PACKET_HEAD.pack(number, microseconds >> 32, microseconds & 0xFFFFFFFF, size, size)
        self._block(_PACKET, head + _padded(packet))

    def _block(self, kind: int, body: bytes) -> None:
        length = len(body) + 12
        self._file.write(_HEAD.pack(kind, length) + body + struct.pack("<I", length))


def read_capture(file: IO[bytes]) -> Iterator[Captured]:
    """The packets of a file that `CaptureWriter` wrote, in its order; a block cut off at the end is left out.

    Raises:
        SurewireError: it is no such file.
    """
    is_first = True
    while len(head := file.read(8)) == 8:
        kind, length = _HEAD.unpack(head)
        if (kind == _SECTION) != is_first or length < 12 or length % 4:
            raise SurewireError("not a capture of this wire")
        body = file.read(length - 8)
        if len(body) < length - 8:
            return
        is_first = False
        if kind == _PACKET:
            yield _captured(body)


def _captured(body: bytes) -> Captured:
    number, high, low, size, _ = _PACKET_HEAD.unpack_from(body)
    if number >= len(INTERFACES):
        raise SurewireError("not a capture of this wire: it has other interfaces")
    direction, event = INTERFACES[number].split("-")
    start = _PACKET_HEAD.size
    return Captured(direction, event, (high << 32 | low) * 1000, body[start : start + size])


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
