"""Native datagrams: bytes <-> records for the long ones, layouts for the short ones. docs/format.md has the format.

    short   first(1) = 40 | key phase   dcid(8)   number(4)     body of frames   trailer(16: AEAD tag | 4: CRC-32C)
    long    first(1) = 80 | type        dcid(8)   version(4)    scid(8)   by type   CRC-32C(4) of all before it

    HELLO    0   suite(1)  cookie length(1) cookie  message length(2) message  zeros to 1,200 bytes or more in all
    RETRY    1   cookie length(1) cookie
    WELCOME  2   message length(2) message
    VERSIONS 3   count(1) versions(4 each)  suite count(1) suites(1 each)         its version field is 0
    REFUSED  4   code(1)  text length(1) text

Integers are big-endian. dcid is the id of the connection at the receiver, scid at the sender; at byte 1 of every
datagram stands what a load balancer needs. The checksum finds damage and protects against nobody.

Short datagrams are packed and read in place, a train at a time (`native/packing.py`, `native/arrivals.py`), so
there are only their layouts here. `parse` raises `MalformedSegment` and nothing else, whatever the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from struct import Struct
from typing import NamedTuple, NoReturn

from surewire.errors import LocalProtocolError, MalformedSegment
from surewire.wire import native_text
from surewire.wire.segment import Buffer

VERSION = 1
CID_SIZE = 8  # bytes of a connection id
MIN_HELLO = 1200  # bytes: so a stranger's address can be sent no more than was spent on it (RFC 9000 §8.1, §14.1)
MAX_LONG = 9_000  # bytes: what is longer is nobody's, and not worth its checksum
MAX_COOKIE = 64  # bytes
MAX_MESSAGE = 1024  # bytes: with the longest cookie a HELLO still has 1,200, which every path is taken to carry
MAX_VERSIONS = 16  # in one list
MAX_SUITES = 16  # in one list
NUMBER_BITS = 62  # of a packet number; the low 32 are sent

SHORT_FORM = 0x40
KEY_PHASE = 0x01  # in the first byte of a short datagram
LONG_FORM = 0x80

HEADER_SIZE = 13  # bytes of a short datagram's header
SHORT = Struct(">B8sI")  # first byte, dcid, low 32 bits of the number
DATA_HEADER = Struct(">B8sIBQ")  # the same, then type and offset of a DATA frame

Checksum = Callable[[Buffer, int], int]

_LONG = Struct(">B8sI8s")
_CRC = Struct(">I")
_MIN_LONG = _LONG.size + _CRC.size
_LOW = (1 << 32) - 1
_HALF = 1 << 31


class LongType(IntEnum):
    """The low bits of a long datagram's first byte."""

    HELLO = 0
    RETRY = 1
    WELCOME = 2
    VERSIONS = 3
    REFUSED = 4


class RefusalCode(IntEnum):
    """Why a REFUSED was sent; a code that is not here means no more than "refused"."""

    FULL = 1  # no room for another connection
    ADDRESS_LIMIT = 2  # too many from one address
    CLOSING = 3  # no new connections are taken any more


class Hello(NamedTuple):
    """Client to server: opens a connection.

    Attributes:
        dcid: 8 random bytes that name the attempt, the same in each repetition.
        version: what the rest is written in. When it is not `VERSION`, nothing is known of the rest: suite 0, no
            cookie, no message.
        scid: the client's id of the connection.
        suite: how keys are agreed on, 0..255.
        cookie: of a RETRY, at most 64 bytes; empty in the first attempt.
        message: of the handshake, at most 1,024 bytes.
    """

    dcid: bytes
    version: int
    scid: bytes
    suite: int
    cookie: bytes
    message: bytes


class Retry(NamedTuple):
    """Server to client: say that again with this cookie (1..64 bytes), to show that you read at your address."""

    dcid: bytes
    version: int
    scid: bytes
    cookie: bytes


class Welcome(NamedTuple):
    """Server to client: the answer of the handshake; `scid` is the server's id of the connection."""

    dcid: bytes
    version: int
    scid: bytes
    message: bytes


class Versions(NamedTuple):
    """Server to client: what it takes, 1..16 each, since it does not know the version or suite of the HELLO."""

    dcid: bytes
    scid: bytes
    versions: tuple[int, ...]
    suites: tuple[int, ...]


class Refused(NamedTuple):
    """Server to client: not now. Anybody could have sent it, so it is a hint; `code` is a `RefusalCode` or 0..255."""

    dcid: bytes
    version: int
    scid: bytes
    code: int
    text: str


LongDatagram = Hello | Retry | Welcome | Versions | Refused


def is_long(first_byte: int) -> bool:
    """True when a datagram that begins with this byte is for `parse`."""
    return first_byte >= LONG_FORM


def is_short(first_byte: int) -> bool:
    """True when a datagram that begins with this byte is protected and carries frames."""
    return first_byte & ~KEY_PHASE == SHORT_FORM


def restore_number(low32: int, expected: int) -> int:
    """The packet number with these low 32 bits that is nearest to `expected` (RFC 9000 §A.3).

    Args:
        low32: what was sent, 0..2**32-1.
        expected: one past the largest number received, 0..2**62-1.

    Returns:
        The one in (expected - 2**31, expected + 2**31], or the nearest that is neither negative nor 2**62 and more.
    """
    number = (expected & ~_LOW) | low32
    if number <= expected - _HALF and number < (1 << NUMBER_BITS) - (1 << 32):
        return number + (1 << 32)
    if number > expected + _HALF and number >= 1 << 32:
        return number - (1 << 32)
    return number


def prologue(hello_dcid: bytes, scid: bytes, version: int, suite: int, versions: Sequence[int]) -> bytes:
    """What both sides mix into the handshake first, so that it fails if a HELLO was changed on its way.

    Args:
        hello_dcid: the HELLO's dcid, 8 bytes.
        scid: the client's id, 8 bytes.
        version, suite: the HELLO's.
        versions: all that the client knows, in its order, 1..16.

    Raises:
        LocalProtocolError: a length or a number is out of range.
    """
    _check_ids(hello_dcid, scid)
    _check_fits("suite", suite, 1)
    head = b"surewire native" + _version(version) + bytes((suite,))
    return head + hello_dcid + scid + _emit_versions(versions)


# Long datagrams.


def emit(packet: LongDatagram, crc32c: Checksum) -> bytes:
    """Encode a long datagram; a HELLO is filled up to 1,200 bytes.

    Args:
        packet: what to say.
        crc32c: CRC-32C of a buffer, continued from a value (0 to begin).

    Raises:
        LocalProtocolError: an id that has not 8 bytes, or a number or length out of range.
    """
    kind, version, rest = _by_type(packet)
    _check_ids(packet.dcid, packet.scid)
    data = _LONG.pack(LONG_FORM | kind, packet.dcid, version, packet.scid) + rest
    if kind is LongType.HELLO:
        data = data.ljust(MIN_HELLO - _CRC.size, b"\0")
    return data + _CRC.pack(crc32c(data, 0))


def _by_type(packet: LongDatagram) -> tuple[LongType, int, bytes]:
    """Type, version field and what stands between scid and padding or checksum."""
    match packet:
        case Hello(_, version, _, suite, cookie, message):
            _check_fits("suite", suite, 1)
            rest = bytes((suite,)) + _counted("cookie", cookie, 1, MAX_COOKIE)
            return LongType.HELLO, _check_version(version), rest + _counted("message", message, 2, MAX_MESSAGE)
        case Retry(_, version, _, cookie):
            if not cookie:
                raise LocalProtocolError("a RETRY needs a cookie")
            return LongType.RETRY, _check_version(version), _counted("cookie", cookie, 1, MAX_COOKIE)
        case Welcome(_, version, _, message):
            return LongType.WELCOME, _check_version(version), _counted("message", message, 2, MAX_MESSAGE)
        case Versions(_, _, versions, suites):
            if not 1 <= len(suites) <= MAX_SUITES or len(set(suites)) < len(suites):
                raise LocalProtocolError(f"a list holds 1 to {MAX_SUITES} suites, each once")
            for suite in suites:
                _check_fits("suite", suite, 1)
            return LongType.VERSIONS, 0, _emit_versions(versions) + bytes((len(suites), *suites))
        case Refused(_, version, _, code, text):
            _check_fits("code", code, 1)
            data = native_text.emit(text)
            return LongType.REFUSED, _check_version(version), bytes((code, len(data))) + data


def parse(buffer: Buffer, crc32c: Checksum) -> LongDatagram:
    """Decode and check a long datagram; nothing of `buffer` is kept.

    Args:
        buffer: the whole datagram.
        crc32c: as for `emit`.

    Raises:
        MalformedSegment: damaged, cut off, longer than 9,000 bytes (which is seen first), of an unknown type, with
            bytes behind its end, too short or with zeros missing (HELLO), of another version than 1 (all but HELLO
            and VERSIONS), or a list, cookie, message or text that must not be.
    """
    if len(buffer) > MAX_LONG:
        _malformed("too long")
    data = bytes(buffer)
    end = len(data) - _CRC.size
    if len(data) < _MIN_LONG:
        _malformed("too short")
    first, dcid, version, scid = _LONG.unpack_from(data)
    kind = first - LONG_FORM
    parser = _PARSERS.get(kind)
    if parser is None:
        _malformed(f"unknown type {first:#04x}")
    if kind == LongType.HELLO and len(data) < MIN_HELLO:
        _malformed(f"a HELLO of less than {MIN_HELLO} bytes")
    if _CRC.unpack_from(data, end)[0] != crc32c(data[:end], 0):
        _malformed("wrong checksum")
    if (version == 0) != (kind == LongType.VERSIONS):
        _malformed("version 0 belongs to VERSIONS")
    if version not in (0, VERSION):
        if kind != LongType.HELLO:
            _malformed("an answer of a version that nobody asked for")
        return Hello(dcid, version, scid, 0, b"", b"")
    return parser(data[:end], dcid, version, scid)


# Each takes a datagram without its checksum, and what `_LONG` has found.


def _parse_hello(data: bytes, dcid: bytes, version: int, scid: bytes) -> Hello:
    at = _LONG.size + 1
    cookie, at = _take(data, at, 1, MAX_COOKIE)
    message, at = _take(data, at, 2, MAX_MESSAGE)
    if data.count(0, at) != len(data) - at:
        _malformed("padding that is not zero")
    return Hello(dcid, version, scid, data[_LONG.size], cookie, message)


def _parse_retry(data: bytes, dcid: bytes, version: int, scid: bytes) -> Retry:
    cookie, at = _take(data, _LONG.size, 1, MAX_COOKIE)
    if not cookie:
        _malformed("a RETRY without cookie")
    _check_end(data, at)
    return Retry(dcid, version, scid, cookie)


def _parse_welcome(data: bytes, dcid: bytes, version: int, scid: bytes) -> Welcome:
    message, at = _take(data, _LONG.size, 2, MAX_MESSAGE)
    _check_end(data, at)
    return Welcome(dcid, version, scid, message)


def _parse_versions(data: bytes, dcid: bytes, _version: int, scid: bytes) -> Versions:
    if len(data) == _LONG.size:
        _malformed("a list is missing")
    start = _LONG.size + 1
    stop = start + 4 * data[_LONG.size]
    versions = parse_versions(data[start:stop])
    suites, at = _take(data, stop, 1, MAX_SUITES)
    if not suites or len(set(suites)) < len(suites):
        _malformed("a list of suites that is empty or names one twice")
    _check_end(data, at)
    return Versions(dcid, scid, versions, tuple(suites))


def _parse_refused(data: bytes, dcid: bytes, version: int, scid: bytes) -> Refused:
    text, at = _take(data, _LONG.size + 1, 1, native_text.MAX_TEXT)
    _check_end(data, at)
    return Refused(dcid, version, scid, data[_LONG.size], native_text.parse(text))


_PARSERS: dict[int, Callable[[bytes, bytes, int, bytes], LongDatagram]] = {
    LongType.HELLO: _parse_hello,
    LongType.RETRY: _parse_retry,
    LongType.WELCOME: _parse_welcome,
    LongType.VERSIONS: _parse_versions,
    LongType.REFUSED: _parse_refused,
}


# Parts.


def emit_versions(versions: Sequence[int]) -> bytes:
    """A list of versions, 4 bytes each, without their count.

    Raises:
        LocalProtocolError: not 1..16 of them, one twice, or one that is not 1..2**32-1.
    """
    if not 1 <= len(versions) <= MAX_VERSIONS or len(set(versions)) < len(versions):
        raise LocalProtocolError(f"a list holds 1 to {MAX_VERSIONS} versions, each once")
    return b"".join(_version(version) for version in versions)


def parse_versions(data: Buffer) -> tuple[int, ...]:
    """The versions that fill `data`.

    Raises:
        MalformedSegment: not 1..16 of them, one twice, a version 0, or bytes left over.
    """
    count, left = divmod(len(data), 4)
    if left or not 1 <= count <= MAX_VERSIONS:
        _malformed(f"no list of 1 to {MAX_VERSIONS} versions")
    versions: tuple[int, ...] = Struct(f">{count}I").unpack(data)
    if 0 in versions or len(set(versions)) < count:
        _malformed("version 0, or one named twice")
    return versions


def _emit_versions(versions: Sequence[int]) -> bytes:
    data = emit_versions(versions)
    return bytes((len(versions),)) + data


def _version(version: int) -> bytes:
    return _check_version(version).to_bytes(4, "big")


def _counted(name: str, value: bytes, length_size: int, limit: int) -> bytes:
    """A value behind its length."""
    if len(value) > limit:
        raise LocalProtocolError(f"a {name} of {len(value)} bytes is longer than {limit}")
    return len(value).to_bytes(length_size, "big") + value


def _take(data: bytes, at: int, length_size: int, limit: int) -> tuple[bytes, int]:
    """The value behind its length at `at`, and where it ends."""
    start = at + length_size
    end = start + int.from_bytes(data[at:start], "big")
    if end > len(data) or end - start > limit:
        _malformed("a part is cut off or too long")
    return data[start:end], end


def _check_end(data: bytes, at: int) -> None:
    if at != len(data):
        _malformed("bytes behind the end")


def _check_ids(*ids: bytes) -> None:
    if any(len(cid) != CID_SIZE for cid in ids):
        raise LocalProtocolError(f"a connection id has {CID_SIZE} bytes")


def _check_version(version: int) -> int:
    if not 0 < version < 1 << 32:
        raise LocalProtocolError(f"{version} is no version")
    return version


def _check_fits(name: str, value: int, size: int) -> None:
    if not 0 <= value < 1 << 8 * size:
        raise LocalProtocolError(f"a {name} of {value} does not fit {size} byte(s)")


def _malformed(why: str) -> NoReturn:
    raise MalformedSegment(f"malformed native datagram: {why}")
