"""The test vectors of long native datagrams, put together from their parts (see native_vectors.py)."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
Parts = list[tuple[str, str]]  # what it is, its bytes in hex

CLIENT = "c1c2c3c4c5c6c7c8"  # the client's connection id
SERVER = "51525354555657aa"  # the server's
ATTEMPT = "a0a1a2a3a4a5a6a7"  # dcid of the HELLO
COOKIE = bytes(range(0x40, 0x60)).hex()
MESSAGE = b"a handshake message".hex()


def crc32c(data: bytes | bytearray | memoryview, value: int = 0) -> int:
    """CRC-32C (Castagnoli; RFC 3720 §12.1), bit by bit, continued from `value`."""
    register = value ^ 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def joined(parts: Parts) -> str:
    return "".join(data for _, data in parts)


def with_checksum(data: str, value: int = 0) -> str:
    """`data` and its CRC-32C, continued from `value`."""
    return data + f"{crc32c(bytes.fromhex(data), value):08x}"


def long_parts(kind: int, dcid: str, scid: str, *rest: tuple[str, str], version: int = 1) -> Parts:
    return [("first", f"{0x80 | kind:02x}"), ("dcid", dcid), ("version", f"{version:08x}"), ("scid", scid), *rest]


def hello_parts(cookie: str, message: str, *, suite: int = 1, version: int = 1, size: int = 1200) -> Parts:
    parts = long_parts(
        0,
        ATTEMPT,
        CLIENT,
        ("suite", f"{suite:02x}"),
        ("cookie length", f"{len(cookie) // 2:02x}"),
        ("cookie", cookie),
        ("message length", f"{len(message) // 2:04x}"),
        ("message", message),
        version=version,
    )
    return [*parts, ("padding", "00" * (size - 4 - len(joined(parts)) // 2))]


def answer(kind: int, *rest: tuple[str, str], version: int = 1) -> Parts:
    return long_parts(kind, CLIENT, SERVER if kind == 2 else ATTEMPT, *rest, version=version)


def welcome_parts(message: str) -> Parts:
    return answer(2, ("message length", f"{len(message) // 2:04x}"), ("message", message))


def versions_parts(versions: str, count: int, suites: str) -> Parts:
    return answer(
        3,
        ("count", f"{count:02x}"),
        ("versions", versions),
        ("suite count", f"{len(suites) // 2:02x}"),
        ("suites", suites),
        version=0,
    )


def refused_parts(code: int, text: bytes) -> Parts:
    return answer(4, ("code", f"{code:02x}"), ("text length", f"{len(text):02x}"), ("text", text.hex()))


def valid_long() -> list[tuple[str, str, Json, Parts]]:
    """Name, type, what stands in it besides the ids, parts."""
    none: Json = {"version": 1, "suite": 1, "cookie": "", "message": MESSAGE}
    again: Json = {"version": 1, "suite": 2, "cookie": COOKIE, "message": MESSAGE}
    longest: Json = {"version": 1, "suite": 255, "cookie": "ab" * 64, "message": "cd" * 1024}
    text = "full: 1,000 connections"
    long_text = "ü" * 127
    return [
        ("a first attempt", "HELLO", none, hello_parts("", MESSAGE)),
        ("with the cookie of the RETRY", "HELLO", again, hello_parts(COOKIE, MESSAGE, suite=2)),
        ("the longest cookie and message", "HELLO", longest, hello_parts("ab" * 64, "cd" * 1024, suite=255)),
        ("a cookie", "RETRY", {"version": 1, "cookie": COOKIE}, answer(1, ("cookie length", "20"), ("cookie", COOKIE))),
        ("an answer", "WELCOME", {"version": 1, "message": MESSAGE}, welcome_parts(MESSAGE)),
        ("no message", "WELCOME", {"version": 1, "message": ""}, welcome_parts("")),
        ("one each", "VERSIONS", {"versions": [1], "suites": [0]}, versions_parts("00000001", 1, "00")),
        (
            "several",
            "VERSIONS",
            {"versions": [2, 1, 2**32 - 1], "suites": [1, 2, 3, 4]},
            versions_parts("0000000200000001ffffffff", 3, "01020304"),
        ),
        ("with a reason", "REFUSED", {"version": 1, "code": 1, "text": text}, refused_parts(1, text.encode())),
        ("without", "REFUSED", {"version": 1, "code": 255, "text": ""}, refused_parts(255, b"")),
        (
            "254 bytes of text",
            "REFUSED",
            {"version": 1, "code": 2, "text": long_text},
            refused_parts(2, long_text.encode()),
        ),
    ]


def malformed_long() -> list[tuple[str, str]]:
    """Name and datagram; all but the one that says otherwise have a right checksum."""
    hello = joined(hello_parts("", MESSAGE))
    retry = joined(answer(1, ("cookie length", "20"), ("cookie", COOKIE)))
    welcome = joined(welcome_parts(MESSAGE))
    wrong = [
        ("a HELLO of 1,199 bytes", joined(hello_parts("", MESSAGE, size=1199))),
        ("a HELLO whose padding is not zero", hello[:-2] + "01"),
        ("a HELLO of version 0", joined(hello_parts("", MESSAGE, version=0))),
        ("a cookie of 65 bytes", joined(hello_parts("ab" * 65, MESSAGE))),
        ("a message of 1,025 bytes", joined(hello_parts("", "cd" * 1025))),
        ("a message length of 65,535", hello[:46] + "ffff" + hello[50:]),
        ("a RETRY without cookie", joined(answer(1, ("cookie length", "00")))),
        ("a RETRY with a byte behind its end", retry + "00"),
        ("a RETRY of another version", joined(answer(1, ("cookie length", "01"), ("cookie", "aa"), version=2))),
        ("a WELCOME that is cut off", welcome[:-2]),
        ("a WELCOME with a byte behind its end", welcome + "00"),
        ("no versions", joined(versions_parts("", 0, "01"))),
        ("no suites", joined(versions_parts("00000001", 1, ""))),
        ("17 versions", joined(versions_parts("".join(f"{v:08x}" for v in range(1, 18)), 17, "01"))),
        ("17 suites", joined(versions_parts("00000001", 1, bytes(range(17)).hex()))),
        ("version 0 in a list", joined(versions_parts("00000000", 1, "01"))),
        ("a version twice", joined(versions_parts("0000000100000001", 2, "01"))),
        ("a suite twice", joined(versions_parts("00000001", 1, "0101"))),
        ("VERSIONS of version 1", "83" + CLIENT + "00000001" + ATTEMPT + "0100000001" + "0101"),
        ("a text that is not UTF-8", joined(refused_parts(1, b"\xff\xfe"))),
        ("a text with an escape character", joined(refused_parts(1, b"\x1b[2J"))),
        ("a text of two lines", joined(refused_parts(1, b"one\ntwo"))),
        ("type 5", "85" + CLIENT + "00000001" + ATTEMPT),
        ("a bit in the first byte that must be 0", "92" + welcome[2:]),
        ("a first byte without the high bit", "02" + welcome[2:]),
        ("24 bytes", "82" + CLIENT + "00000001" + ATTEMPT[:14]),
    ]
    return [(name, with_checksum(data)) for name, data in wrong] + [
        ("a wrong checksum", with_checksum(welcome)[:-1] + "0"),
        ("nothing", ""),
    ]


def long_datagrams() -> Json:
    valid = []
    for name, kind, fields, parts in valid_long():
        ids: Json = {"dcid": parts[1][1], "scid": parts[3][1]}
        datagram = with_checksum(joined(parts))
        whole = [*parts, ("crc32c", datagram[-8:])]
        vector: Json = {"name": name, "type": kind, "fields": ids | fields, "parts": whole, "datagram": datagram}
        valid.append(vector)
    unknown = with_checksum(joined(hello_parts("", "ff" * 1100, version=0x0A0B0C0D, size=1300)))
    return {
        "about": "long datagrams; bytes are in hex, the last part of each is its checksum",
        "valid": valid,
        "unknown_version": {
            "about": "answered with VERSIONS: only the ids and the version may be read",
            "fields": {"dcid": ATTEMPT, "scid": CLIENT, "version": 0x0A0B0C0D},
            "datagram": unknown,
        },
        "malformed": [{"name": name, "datagram": data} for name, data in malformed_long()],
        "prologue": {
            "fields": {"hello_dcid": ATTEMPT, "scid": CLIENT, "version": 1, "suite": 2, "versions": [1, 7]},
            "bytes": b"surewire native".hex() + "00000001" + "02" + ATTEMPT + CLIENT + "02" + "00000001" + "00000007",
        },
    }
