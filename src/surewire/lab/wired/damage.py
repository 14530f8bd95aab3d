"""Damage that checksums do not see: flipped bits are moved into the payload and the checksum is computed anew.

A kernel drops a packet whose IP, UDP or TCP checksum is wrong, so a program behind it never meets a damaged byte,
although real ones do meet them: a broken network card, router or memory damages packets before the checksum is made
or after it was checked. This is for testing what a program's own integrity check is worth.

Only IPv4 with UDP or TCP is known, and only packets that are no fragments; others stay as the link left them.

Invariant: what is returned has valid checksums if the packet had valid ones, the same headers (but for the
checksum), and as many bits of its payload flipped as the link flipped in the whole packet, if the payload has so many.
"""

from __future__ import annotations

import struct

_UDP = 17
_TCP = 6
_CHECKSUM_AT = {_UDP: 6, _TCP: 16}
_SHORTEST = {_UDP: 8, _TCP: 20}
_FRAGMENT = 0x3FFF  # the flag "more fragments" and the fragment's offset


def repaired(packet: bytes, damaged: bytes) -> bytes:
    """The packet with the damage in its payload and a checksum that agrees.

    Args:
        packet: as it was offered.
        damaged: the same with bits flipped.

    Returns:
        The original packet if it has no payload to damage; `damaged` as it is where the protocol is not known.
    """
    payload = _payload_offset(packet)
    if payload is None:
        return damaged
    bits = (len(packet) - payload) * 8
    if bits == 0:
        return packet
    flipped = bytearray(packet)
    taken: set[int] = set()
    for place in _flipped_bits(packet, damaged):
        moved = place - payload * 8 if place >= payload * 8 else place % bits
        while moved in taken and len(taken) < bits:
            moved = (moved + 1) % bits
        taken.add(moved)
        flipped[payload + (moved >> 3)] ^= 1 << (moved & 7)
    _set_checksum(flipped)
    return bytes(flipped)


def transport_checksum(packet: bytes | bytearray) -> int:
    """The checksum of the UDP or TCP part of an IPv4 packet, its own checksum field counted as 0 (RFC 9293 §3.1)."""
    header, protocol = (packet[0] & 15) * 4, packet[9]
    part = bytearray(packet[header:])
    field = _CHECKSUM_AT[protocol]
    part[field : field + 2] = b"\0\0"
    pseudo = bytes(packet[12:20]) + struct.pack("!HH", protocol, len(part))
    data = pseudo + part + b"\0" * (len(part) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    value = ~total & 0xFFFF
    # 0 in UDP means that there is no checksum (RFC 768).
    return 0xFFFF if protocol == _UDP and value == 0 else value


def _payload_offset(packet: bytes) -> int | None:
    """Where the payload of a whole UDP or TCP packet begins; None for anything else."""
    if len(packet) < 20 or packet[0] >> 4 != 4 or struct.unpack_from("!H", packet, 6)[0] & _FRAGMENT:
        return None
    header, protocol = (packet[0] & 15) * 4, packet[9]
    if len(packet) < header + _SHORTEST.get(protocol, len(packet) + 1):
        return None
    offset = header + (8 if protocol == _UDP else (packet[header + 12] >> 4) * 4)
    return min(offset, len(packet))


def _flipped_bits(packet: bytes, damaged: bytes) -> list[int]:
    places = []
    for index, (before, after) in enumerate(zip(packet, damaged, strict=True)):
        if before != after:
            places += [index * 8 + bit for bit in range(8) if (before ^ after) >> bit & 1]
    return places


def _set_checksum(packet: bytearray) -> None:
    at = (packet[0] & 15) * 4 + _CHECKSUM_AT[packet[9]]
    if packet[9] == _UDP and packet[at : at + 2] == b"\0\0":
        return  # sent without one
    struct.pack_into("!H", packet, at, transport_checksum(packet))
