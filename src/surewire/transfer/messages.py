"""What the two sides of a file transfer say to each other, on one ordered stream in both directions.

    sender                                  receiver
    Offer(name, size, ...)  ->
    the file's bytes        ->              (at once: nobody waits for a round trip)
    Digest(sha256)          ->
                                         <- Stored(sha256)       the file has its final name
                                         <- Refusal(code, text)  instead, and at any time after the offer

A message is its length (4 bytes, big-endian, 2 to 65,536) and as many bytes of JSON in UTF-8: one object, whose
`type` says which message it is.

    offer    version: 1    requires: [text, ...] or absent    files: [{name, size, mode or absent, mtime_ns or absent}]
    digest   sha256: 64 hexadecimal digits
    stored   sha256: 64 hexadecimal digits
    refused  code: one of `REFUSALS`    text: up to 500 characters

How this grows. Keys that are not known are skipped, so an older receiver can be told what it may ignore. What it may
not ignore has a name in `requires`, and whoever does not know that name refuses the offer: trees ("tree": `files` has
one entry a file, with a `path` of several names, and goes on in further messages if one is too short), resumed
transfers ("resume": the sender waits for a message that says what the receiver has) and so on. A pairing code is a key
of the connection, so it needs nothing here. A new `version` is for what cannot be said that way.

Bytes from the network are checked here and nowhere else: `parse` raises `RemoteProtocolError` and nothing but that.
Whether a name may be used as a file name is in `names`; nothing here knows files or sockets.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn, Protocol

from surewire.errors import LocalProtocolError, RemoteProtocolError

VERSION = 1
MAX_MESSAGE = 65_536
HEAD_SIZE = 4
MAX_SIZE = (1 << 62) - 1
"""Largest size of a file; positions in a stream have 62 bits."""

_MAX_TEXT = 500
_MAX_NAME = 4096  # characters; what a file system takes is for the receiver to say
_MAX_MODE = 0o7777
_MAX_TIME_NS = (1 << 63) - 1
_DIGEST_DIGITS = 64

# Codes of refusals: what a sender can tell its user, or a program decide by.
UNSUPPORTED = "unsupported"  # an offer that needs what this receiver does not know
BAD_NAME = "name"  # the file may not have that name here
EXISTS = "exists"  # there is one of that name, and it is to stay
NO_ROOM = "room"
CANNOT_STORE = "storage"  # no permission, a disk error, a folder that has gone
DIGEST_DIFFERS = "digest"  # the bytes are not those the sender hashed
PROTOCOL = "protocol"  # what came makes no sense
STOPPED = "stopped"  # somebody ended the receiver

REFUSALS = frozenset({UNSUPPORTED, BAD_NAME, EXISTS, NO_ROOM, CANNOT_STORE, DIGEST_DIFFERS, PROTOCOL, STOPPED})


class UnsupportedOffer(RemoteProtocolError):
    """An offer that is well formed, but of another version, or needs what is not known here."""


class Offer(NamedTuple):
    """The file that follows."""

    name: str  # as the sender calls it: not yet checked
    size: int  # bytes, 0..2**62-1
    mode: int | None = None  # permission bits, 0..0o7777
    mtime_ns: int | None = None  # last change, since 1970


class Digest(NamedTuple):
    """What the bytes of the file hash to; follows the last of them."""

    sha256: bytes


class Stored(NamedTuple):
    """The file is whole, on the disk and under its final name."""

    sha256: bytes


class Refusal(NamedTuple):
    """The receiver does not want the file, or could not store it."""

    code: str  # of `REFUSALS`, or one that a later version has
    text: str


Message = Offer | Digest | Stored | Refusal


class Readable(Protocol):
    """Where messages come from."""

    def recv(self, limit: int, /) -> bytes:
        """Wait for bytes; at most `limit` of them, b"" at the end."""


def emit(message: Message) -> bytes:
    """The message with its length before it.

    Raises:
        LocalProtocolError: it is longer than 65,536 bytes.
    """
    fields: dict[str, object]
    match message:
        case Offer(name, size, mode, mtime_ns):
            file = {"name": name, "size": size, "mode": mode, "mtime_ns": mtime_ns}
            present = {key: value for key, value in file.items() if value is not None}
            fields = {"type": "offer", "version": VERSION, "files": [present]}
        case Digest(sha256):
            fields = {"type": "digest", "sha256": sha256.hex()}
        case Stored(sha256):
            fields = {"type": "stored", "sha256": sha256.hex()}
        case Refusal(code, text):
            fields = {"type": "refused", "code": code, "text": text[:_MAX_TEXT]}
    body = json.dumps(fields, separators=(",", ":")).encode()
    if len(body) > MAX_MESSAGE:
        raise LocalProtocolError(f"a message of {len(body)} bytes, {MAX_MESSAGE} are the most")
    return len(body).to_bytes(HEAD_SIZE, "big") + body


def parse(body: bytes) -> Message:
    """The message that `body` is, without the length.

    Raises:
        UnsupportedOffer: an offer that needs more than is known here.
        RemoteProtocolError: it is no message; nothing else is raised, whatever the bytes.
    """
    try:
        fields = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"not a message: {type(error).__name__}") from None
    if not isinstance(fields, dict):
        raise RemoteProtocolError("not a message: no object")
    kind = fields.get("type")
    parser = _PARSERS.get(kind) if isinstance(kind, str) else None
    if parser is None:
        raise RemoteProtocolError("a message of a type that is not known")
    return parser(fields)


def read(stream: Readable) -> Message | None:
    """Wait for the next message and take it; None if the stream has ended before it.

    Raises:
        RemoteProtocolError: what came is no message, or the stream ended in the middle of it.
        SurewireError: the stream failed.
    """
    head = _read_exactly(stream, HEAD_SIZE, may_end=True)
    if not head:
        return None
    length = int.from_bytes(head, "big")
    if not 2 <= length <= MAX_MESSAGE:
        raise RemoteProtocolError("that is no file transfer: the first bytes are no length of a message")
    return parse(_read_exactly(stream, length))


def _read_exactly(stream: Readable, length: int, *, may_end: bool = False) -> bytes:
    data = b""
    while len(data) < length:
        more = stream.recv(length - len(data))
        if not more:
            if may_end and not data:
                break
            raise RemoteProtocolError("the other side ended in the middle of a message")
        data += more
    return data


def _offer(fields: dict[str, Any]) -> Offer:
    version = _integer(fields, "version", least=1, most=1 << 31)
    requires = fields.get("requires", [])
    if not isinstance(requires, list) or not all(isinstance(name, str) for name in requires):
        raise RemoteProtocolError("an offer with a bad 'requires'")
    if version != VERSION:
        raise UnsupportedOffer(f"offers of version {version} are not understood here, only of version {VERSION}")
    if requires:
        raise UnsupportedOffer(f"the offer needs what is not known here: {requires[0][:_MAX_TEXT]}")
    files = fields.get("files")
    if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
        raise RemoteProtocolError("an offer without a list of files")
    if len(files) != 1:
        raise UnsupportedOffer(f"one file is taken at a time, not {len(files)}")
    (file,) = files
    return Offer(
        _text(file, "name", most=_MAX_NAME),
        _integer(file, "size", least=0, most=MAX_SIZE),
        _integer(file, "mode", least=0, most=_MAX_MODE) if "mode" in file else None,
        _integer(file, "mtime_ns", least=-_MAX_TIME_NS, most=_MAX_TIME_NS) if "mtime_ns" in file else None,
    )


def _refusal(fields: dict[str, Any]) -> Refusal:
    return Refusal(_text(fields, "code", most=_MAX_TEXT), _text(fields, "text", most=_MAX_TEXT))


_PARSERS: dict[str, Callable[[dict[str, Any]], Message]] = {
    "offer": _offer,
    "digest": lambda fields: Digest(_sha256(fields)),
    "stored": lambda fields: Stored(_sha256(fields)),
    "refused": _refusal,
}


def _text(fields: dict[str, Any], key: str, *, most: int) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or len(value) > most:
        raise RemoteProtocolError(f"a message with a bad '{key}'")
    if any(0xD800 <= ord(char) <= 0xDFFF for char in value):
        raise RemoteProtocolError(f"a message whose '{key}' is no text")  # halves of characters, which no file can have
    return value


def _integer(fields: dict[str, Any], key: str, *, least: int, most: int) -> int:
    value = fields.get(key)
    if type(value) is not int or not least <= value <= most:  # True is an int, too
        raise RemoteProtocolError(f"a message with a bad '{key}'")
    return value


def _sha256(fields: dict[str, Any]) -> bytes:
    text = _text(fields, "sha256", most=_DIGEST_DIGITS)
    if len(text) != _DIGEST_DIGITS or not set(text) <= set("0123456789abcdef"):
        raise RemoteProtocolError("a message with a bad 'sha256'")
    return bytes.fromhex(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key stands twice")  # and two readers could each take another one
    return fields


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")
