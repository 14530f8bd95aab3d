r"""RDP's ASCII header: bytes <-> `Segment`.

    Magic: CSC361\n
    Type: DAT\n
    Sequence: 4711\n             SYN DAT FIN      Acknowledgment: n in an ACK
    Payload: 933\n               DAT              Window: n in an ACK
    Packet: 17\n                 extension: DAT FIN
    Received: 16-17 3-14\n       extension: ACK, both ends inclusive, highest first
    Echo: 16\n                   extension: ACK, the number that arrived last
    Delay: 250\n                 extension: ACK, microseconds since then
    Digest: <64 hex digits>\n    extension: FIN
    Reason: disk full\n          extension: RST
    Check: 9a0b1c2d\n            extension: always last
    \n
    payload (DAT), or an offer (SYN): "Surewire: 1\nSession: <16 hex>\nPacket: 0\nSize: n\nCheck: <8 hex>\n"

Check is the CRC-32 (ISO-HDLC, zlib's) of every byte before its own digits and of the payload after the
empty line, begun with a key that both sides derive from the SYN's session value; so it also tells
packets of this transfer from others. The SYN's own key is 0. A packet with an extension must be exactly
header and payload; anything else about it is malformed.

What is sent to a peer not known to be ours is the assignment's minimal header in the table's order, with
LF. What is accepted is much more: any order, unknown and repeated fields (the first counts), CR LF,
missing colons, `Acknowledgement`, bytes after the payload. Every decoder here raises `MalformedSegment`
and nothing else, whatever the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple, NoReturn
from zlib import crc32

from surewire.errors import MalformedSegment
from surewire.wire.segment import Buffer, Extension, Offer, PacketType, Segment

MAX_PACKET = 1024
MAX_PLAIN_PAYLOAD = 959  # leaves room for 16-digit sequence numbers in the minimal header
DEFAULT_MAGIC = b"CSC361"
ACKNOWLEDGMENT = b"Acknowledgment"
_VERSION = 1
_CHECK_LINE = len("Check: 9a0b1c2d\n\n")
_MAX_RECEIVED = 64
_ABOVE_ALL = 10**18  # numbers have at most 18 digits

_HEADER_END = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(rb"([A-Za-z]++)(?:[ \t]*+:|[ \t])[ \t]*+([^\r\n]*+)\r?$")  # possessive: no backtracking
_NUMBER = re.compile(rb"[0-9]{1,18}")
_MAGIC = re.compile(rb"[!-~]{1,32}")
_CHECK = re.compile(rb"\nCheck: ([0-9a-f]{8})\n\n")
_OFFER = re.compile(
    rb"Surewire: ([0-9]{1,4})\nSession: ([0-9a-f]{16})\nPacket: ([0-9]{1,18})\nSize: ([0-9]{1,18})\n"
    rb"Check: ([0-9a-f]{8})\n"
)
_RANGES = re.compile(rb"[0-9]{1,18}-[0-9]{1,18}(?: [0-9]{1,18}-[0-9]{1,18})*")
_REASON = re.compile(rb"[ -~]{0,200}")
_UNPRINTABLE = re.compile(rb"[^ -~]")
_OUR_DAT = re.compile(
    rb"Magic: ([!-~]{1,32})\nType: DAT\nSequence: ([0-9]{1,18})\nPayload: ([0-9]{1,4})\nPacket: ([0-9]{1,18})\n"
    rb"Check: ([0-9a-f]{8})\n\n"
)
_OUR_ACK = re.compile(
    rb"Magic: ([!-~]{1,32})\nType: ACK\nAcknowledgment: ([0-9]{1,18})\nWindow: ([0-9]{1,18})\n"
    rb"(?:Received: ([0-9]{1,18}-[0-9]{1,18}(?: [0-9]{1,18}-[0-9]{1,18})*)\n)?"
    rb"(?:Echo: ([0-9]{1,18})\n)?Delay: ([0-9]{1,18})\nCheck: ([0-9a-f]{8})\n\n"
)
_TYPES = {kind.value.encode(): kind for kind in PacketType}


def session_key(session: int) -> int:
    """The value with which checksums of a transfer begin, from the SYN's session value (64 bits)."""
    return crc32(b"%016x" % session)


# Encoding.


def plain_header_size(magic: bytes, number: int, length: int) -> int:
    """Bytes of a minimal DAT header."""
    return len(b"Magic: %b\nType: DAT\nSequence: %d\nPayload: %d\n\n" % (magic, number, length))


def our_header_size(magic: bytes, number: int, length: int, packet_number: int) -> int:
    """Bytes of a DAT header with extension."""
    line = b"Magic: %b\nType: DAT\nSequence: %d\nPayload: %d\nPacket: %d\n" % (magic, number, length, packet_number)
    return len(line) + _CHECK_LINE


def emit_plain_dat(magic: bytes, number: int, payload: Buffer) -> bytes:
    """A DAT with the minimal header."""
    return b"Magic: %b\nType: DAT\nSequence: %d\nPayload: %d\n\n%b" % (magic, number, len(payload), bytes(payload))


def emit_dats(
    magic: bytes, number: int, data: bytes, *, segment: int, packet_number: int, key: int
) -> list[bytes | memoryview]:
    """Buffers of consecutive DATs with extension: a header and a payload for each `segment` bytes of `data`.

    The datagrams, header and payload together, are of equal size only while the digits of both numbers are.
    """
    view = memoryview(data)
    payloads = (view[offset : offset + segment] for offset in range(0, len(data), segment))
    return list(chain.from_iterable(_consecutive_dats(magic, number, payloads, packet_number, key)))


def _consecutive_dats(
    magic: bytes, number: int, payloads: Iterable[memoryview], packet_number: int, key: int
) -> Iterator[tuple[bytes, memoryview]]:
    """Header and payload of DATs with extension that follow each other; made as they are asked for."""
    start = b"Magic: %b\nType: DAT\nSequence: " % magic
    key = crc32(start, key)
    length, lines = -1, b""
    for counted, payload in enumerate(payloads, packet_number):
        if len(payload) != length:
            length = len(payload)
            lines = b"%%d\nPayload: %d\nPacket: %%d\nCheck: " % length
        rest = lines % (number, counted)
        yield b"%b%b%08x\n\n" % (start, rest, crc32(payload, crc32(rest, key))), payload
        number += length


def emit_syn(magic: bytes, number: int, offer: Offer | None) -> bytes:
    """A SYN, with the offer (if any) where a plain peer does not look."""
    head = b"Magic: %b\nType: SYN\nSequence: %d\n\n" % (magic, number)
    if offer is None:
        return head
    version, session, packet_number, size = offer
    head += b"Surewire: %d\nSession: %016x\nPacket: %d\nSize: %d\nCheck: " % (version, session, packet_number, size)
    return b"%b%08x\n" % (head, crc32(head))


def emit_fin(magic: bytes, number: int, *, extension: Extension | None = None, key: int = 0) -> bytes:
    """A FIN."""
    head = b"Magic: %b\nType: FIN\nSequence: %d\n" % (magic, number)
    if extension is None:
        return head + b"\n"
    digest = b"Digest: %b\n" % extension.digest.hex().encode() if extension.digest is not None else b""
    return _checked(b"%bPacket: %d\n%b" % (head, extension.packet_number or 0, digest), key)


def emit_ack(
    magic: bytes,
    number: int,
    window: int,
    *,
    field: bytes = ACKNOWLEDGMENT,
    extension: Extension | None = None,
    key: int = 0,
) -> bytes:
    """An ACK; `field` is the peer's spelling of Acknowledgment."""
    head = b"Magic: %b\nType: ACK\n%b: %d\nWindow: %d\n" % (magic, field, number, window)
    if extension is None:
        return head + b"\n"
    echo = b"" if extension.echo is None else b"Echo: %d\n" % extension.echo
    tail = b"%bDelay: %d\n" % (echo, extension.ack_delay // 1000)
    room = MAX_PACKET - len(head) - len(b"Received: \n") - len(tail) - _CHECK_LINE
    words = [b"%d-%d" % (start, stop - 1) for start, stop in extension.received[:_MAX_RECEIVED]]
    line = b" ".join(words)
    while len(line) >= room and words:
        words.pop()
        line = b" ".join(words)
    received = b"Received: %b\n" % line if words else b""
    return _checked(head + received + tail, key)


def emit_rst(magic: bytes, *, extension: Extension | None = None, key: int = 0) -> bytes:
    """A RST, with a reason for a peer of ours."""
    head = b"Magic: %b\nType: RST\n" % magic
    if extension is None:
        return head + b"\n"
    reason = _UNPRINTABLE.sub(b"?", (extension.reason or "").encode("ascii", "replace"))[:200].strip()
    return _checked(b"%bReason: %b\n" % (head, reason), key)


def _checked(head: bytes, key: int) -> bytes:
    head += b"Check: "
    return b"%b%08x\n\n" % (head, crc32(head, key))


# Decoding.


class Dats(NamedTuple):
    """DATs of consecutive bytes and consecutive packet numbers (None without the extension), the first one's stated."""

    number: int
    packet_number: int | None
    payloads: list[memoryview]


def parse_our_dats(datagrams: memoryview, stride: int, *, key: int, magic: bytes) -> list[Dats]:
    """The quick way through for the packets that come most: DATs exactly as `emit_dats` writes them.

    What follows one of them is nearly always the next. So it is not decoded but compared with the only header
    that the next one can have; where that does not fit, decoding begins anew.

    Args:
        datagrams: `stride` bytes each, the last may be shorter.

    Returns:
        The DATs before the first datagram that is anything else (or damaged), in order.
    """
    found: list[Dats] = []
    written = bytes(datagrams)
    number_due = packet_due = -1
    at, end = 0, len(datagrams)
    while at < end:
        first = parse_our_dat(datagrams[at : at + stride], key=key, magic=magic)
        if first is None:
            break
        number, packet_number, payload = first
        if (number, packet_number) != (number_due, packet_due):
            found.append(Dats(number, packet_number, []))
        payloads = found[-1].payloads
        payloads.append(payload)
        number_due, packet_due = number + len(payload), packet_number + 1
        at += stride
        length = len(payload)
        # Full datagrams only: a shorter one, the last, has a payload of another length.
        candidates = (datagrams[stop - length : stop] for stop in range(at + stride, end + 1, stride))
        for header, payload in _consecutive_dats(magic, number_due, candidates, packet_due, key):
            if not written.startswith(header, at) or len(header) + length != stride:
                break
            payloads.append(payload)
            at += stride
            number_due, packet_due = number_due + length, packet_due + 1
    return found


def parse_our_dat(datagram: memoryview, *, key: int, magic: bytes) -> tuple[int, int, memoryview] | None:
    """One DAT as `emit_dats` writes it.

    Returns:
        Sequence number, packet number and payload; None when the datagram is anything else (or damaged).
    """
    match = _OUR_DAT.match(datagram)
    if match is None:
        return None
    spelled, number, length, packet_number, check = match.groups()
    payload = datagram[match.end() :]
    if int(length) != len(payload) or not payload or spelled != magic:
        return None
    if crc32(payload, crc32(datagram[: match.start(5)], key)) != int(check, 16):
        return None
    return int(number), int(packet_number), payload


def parse(datagram: Buffer, *, key: int = 0) -> Segment:
    """Decode any RDP packet; `key` checks an extension's checksum (0 before the session is known).

    Raises:
        MalformedSegment: the bytes are no RDP packet, or a packet whose checksum is wrong.
    """
    data = bytes(datagram)
    if len(data) > MAX_PACKET:
        _malformed("longer than 1,024 bytes")
    ours = _parse_our_ack(data, key)
    if ours is not None:
        return ours
    end = _HEADER_END.search(data)
    if end is None:
        _malformed("no empty line")
    fields = _fields(data[: end.start()])
    magic = fields.get(b"magic", b"")
    if _MAGIC.fullmatch(magic) is None:
        _malformed("no magic")
    kind = _TYPES.get(fields.get(b"type", b"").upper())
    if kind is None:
        _malformed("unknown type")
    body = data[end.end() :]
    if b"check" in fields:
        _verify(data, end.end(), key)
    number = 0
    if kind is not PacketType.RST:
        names = (b"acknowledgment", b"acknowledgement") if kind is PacketType.ACK else (b"sequence",)
        number = _number(next((fields[name] for name in names if name in fields), b""))
    length = window = None
    payload, trailer = b"", body
    if kind is PacketType.DAT:
        length = _number(fields.get(b"payload", b""))
        if not 0 < length <= len(body):
            _malformed("payload length does not fit")
        payload, trailer = body[:length], body[length:]
    elif kind is PacketType.ACK and b"window" in fields:
        window = _number(fields[b"window"])
    has_check = b"check" in fields
    if has_check and trailer:
        _malformed("bytes after a checked packet")
    return Segment(
        kind,
        magic,
        number,
        length,
        window,
        payload,
        _extension(fields) if has_check else None,
        _offer(data, end.end()) if kind is PacketType.SYN and body else None,
        trailer,
        has_check,
        b"Acknowledgement" if b"acknowledgement" in fields else None,
    )


def _parse_our_ack(data: bytes, key: int) -> Segment | None:
    """The quick way through for the second most frequent packet: an ACK exactly as `emit_ack` writes it.

    Returns:
        None when the datagram is anything else (or damaged).
    """
    match = _OUR_ACK.fullmatch(data)
    if match is None:
        return None
    magic, number, window, received, echo, delay, check = match.groups()
    if crc32(data[: match.start(7)], key) != int(check, 16):
        return None
    extension = Extension(
        None,
        () if received is None else _ranges(received),
        None if echo is None else int(echo),
        int(delay) * 1000,
    )
    return Segment(PacketType.ACK, magic, int(number), None, int(window), b"", extension, None, b"", True)


def _malformed(why: str) -> NoReturn:
    raise MalformedSegment(f"malformed RDP packet: {why}")


def _fields(header: bytes) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    for line in header.split(b"\n"):
        match = _FIELD.match(line)
        if match is not None:
            fields.setdefault(match[1].lower(), match[2].rstrip(b" \t"))
    return fields


def _number(text: bytes) -> int:
    if _NUMBER.fullmatch(text) is None:
        _malformed("a number is missing or is none")
    return int(text)


def _verify(data: bytes, body: int, key: int) -> None:
    match = _CHECK.match(data, body - _CHECK_LINE - 1) if body > _CHECK_LINE else None
    if match is None or match.end() != body:
        _malformed("checksum not at the end of the header")
    if crc32(data[body:], crc32(data[: match.start(1)], key)) != int(match[1], 16):
        _malformed("wrong checksum")


def _extension(fields: dict[bytes, bytes]) -> Extension:
    packet = fields.get(b"packet")
    received = fields.get(b"received")
    echo = fields.get(b"echo")
    delay = fields.get(b"delay")
    digest = fields.get(b"digest")
    reason = fields.get(b"reason")
    if received and _RANGES.fullmatch(received) is None:
        _malformed("received ranges are none")
    if digest is not None and re.fullmatch(rb"[0-9a-f]{64}", digest) is None:
        _malformed("digest is none")
    if reason is not None and _REASON.fullmatch(reason) is None:
        _malformed("reason is not printable")
    return Extension(
        packet_number=None if packet is None else _number(packet),
        received=_ranges(received) if received else (),
        echo=None if echo is None else _number(echo),
        ack_delay=0 if delay is None else _number(delay) * 1000,
        digest=None if digest is None else bytes.fromhex(digest.decode()),
        reason=None if reason is None else reason.decode(),
    )


def _ranges(text: bytes) -> tuple[tuple[int, int], ...]:
    """Decode what `_RANGES` matches."""
    numbers = map(int, text.replace(b"-", b" ").split(b" "))
    ranges: list[tuple[int, int]] = []
    below = _ABOVE_ALL
    for start, last in zip(numbers, numbers, strict=True):
        if not start <= last < below:
            _malformed("received ranges are not descending")
        ranges.append((start, last + 1))
        below = start
    if len(ranges) > _MAX_RECEIVED:
        _malformed("too many received ranges")
    return tuple(ranges)


def _offer(data: bytes, body: int) -> Offer | None:
    match = _OFFER.fullmatch(data, body)
    if match is None or crc32(data[: match.start(5)]) != int(match[5], 16):
        return None
    version, session, packet_number, size = int(match[1]), int(match[2], 16), int(match[3]), int(match[4])
    return Offer(version, session, packet_number, size)
