"""The test vectors of sums of native datagrams, put together from their parts (see native_vectors.py)."""

from __future__ import annotations

from hashlib import shake_128

from scripts.native_vectors_long import Json

TOP = 2**62 - 1
ZERO = 2**31  # a head without flags, at offset 0
END, SHORT = 2**30, 2**29
LENGTH = 12  # of the symbols of the worked block


def head(flags: int, offset: int) -> str:
    return f"{ZERO + flags + offset % 2**29:08x}"


def takes_part(number: int, count: int, halvings: int) -> list[bool]:
    """Of each number of a block, in order: read off the output of SHAKE128 bit by bit."""
    size = -(-count // 8)
    output = shake_128(number.to_bytes(8, "big")).digest(size * max(halvings, 1))
    pieces = [output[size * piece : size * (piece + 1)] for piece in range(halvings)]
    return [all(piece[at // 8] >> at % 8 & 1 for piece in pieces) for at in range(count)]


def mask(number: int, count: int, halvings: int) -> str:
    return f"{sum(2**at for at, takes in enumerate(takes_part(number, count, halvings)) if takes):x}"


def masks() -> list[Json]:
    cases = [
        (9, 3, 0),
        (100, 10, 1),
        (100, 10, 2),
        (101, 10, 1),
        (8, 8, 1),
        (8, 1, 1),
        (2**32 + 100, 64, 1),
        (12_345, 65, 3),
        (4_096, 4_096, 0),
        (70_000, 4_096, 4),
        (70_000, 4_095, 12),
        (TOP, 257, 1),
    ]
    names = ("number", "count", "halvings")
    return [dict(zip(names, case, strict=True)) | {"mask": mask(*case)} for case in cases]


def valid_symbols() -> list[Json]:
    cases: list[tuple[str, int, str, bool, int, str | None]] = [
        ("as long as the payload", 1_000, "68656c6c6f", False, 9, head(0, 1_000) + "68656c6c6f"),
        ("the end, as long", 1_000, "68656c6c6f", True, 9, head(END, 1_000) + "68656c6c6f"),
        ("short, room for the length only", 1_005, "796f75", True, 9, head(END + SHORT, 1_005) + "796f75" + "0003"),
        ("short", 7, "ff", False, 12, head(SHORT, 7) + "ff" + "0000000000" + "0001"),
        ("300 bytes, short", 0, "61" * 300, False, 400, head(SHORT, 0) + "61" * 300 + "00" * 94 + "012c"),
        ("one byte and no more", 0, "61", False, 5, head(0, 0) + "61"),
        ("zeros as payload", 0, "0000", False, 6, head(0, 0) + "0000"),
        ("an end without bytes", 6, "", True, 9, head(END + SHORT, 6) + "000000" + "0000"),
        ("an end without bytes, no zeros", 6, "", True, 6, head(END + SHORT, 6) + "0000"),
        ("the last offset of 29 bits", 2**29 - 1, "61", False, 5, "9fffffff" + "61"),
        ("an offset of 30 bits", 2**29, "61", False, 5, "80000000" + "61"),
        ("the last byte a stream can have", TOP - 1, "78", False, 5, "9ffffffe" + "78"),
        ("a byte less than the symbol has", 0, "616263", False, 8, None),
        ("a byte too long", 0, "6162636465", False, 8, None),
        ("no bytes and no end", 0, "", False, 9, None),
        ("an end without bytes, a byte less", 6, "", True, 5, None),
    ]
    names = ("name", "offset", "payload", "is_last", "length", "symbol")
    return [dict(zip(names, case, strict=True)) for case in cases]


def malformed_symbols() -> list[Json]:
    cases = [
        ("nothing", ""),
        ("four bytes", "80000000"),
        ("zeros with a bit in the head", "00000001" + "00"),
        ("zeros with a bit behind", "00000000" + "0001"),
        ("without bit 31", "40000000" + "61"),
        ("no bytes and no end", head(SHORT, 5) + "0000" + "0000"),
        ("short, without room for the length", head(SHORT, 5) + "61"),
        ("short, a byte longer than the room", head(SHORT, 5) + "616161" + "0004"),
        ("short, as long as the symbol", head(SHORT, 5) + "616161" + "0005"),
        ("short, 65,535 bytes", head(SHORT, 5) + "616161" + "ffff"),
        ("short, filled with something", head(SHORT, 5) + "610061" + "0001"),
    ]
    return [{"name": name, "symbol": symbol} for name, symbol in cases]


def offsets() -> list[Json]:
    half, whole = 2**28, 2**29
    cases = [
        (0, 0, 0),
        (5, 0, 5),
        (half - 1, 0, half - 1),
        (half, 0, half),  # the one within reach would be below 0
        (whole - 1, 0, whole - 1),
        (whole - 1, 1_000, whole - 1),
        (0, half, 0),
        (0, half + 1, whole),
        (whole - 1, half, whole - 1),
        (whole - 1, whole, whole - 1),
        (half - 1, whole, whole + half - 1),
        (half, whole, half),
        (1_000, 7 * whole + 5, 7 * whole + 1_000),
        (0, TOP - 1, 2**62),  # which no stream has: to be refused as beyond the window
        (whole - 2, TOP - 1, TOP - 1),
    ]
    return [{"low29": low, "position": position, "offset": offset} for low, position, offset in cases]


def data(offset: int, payload: bytes, *, is_last: bool = False) -> str:
    return ("09" if is_last else "08") + f"{offset:016x}" + payload.hex()


# Number, body, its symbol of 12 bytes.
SENT = [
    (40, data(0, b"abcdefgh"), head(0, 0) + b"abcdefgh".hex()),
    (41, "01", ""),
    (42, data(8, b"ijklmnop"), head(0, 8) + b"ijklmnop".hex()),
    # 43 was left out
    (44, "01" + data(16, b"qrstuvwx"), head(0, 16) + b"qrstuvwx".hex()),
    (45, data(24, b"yz012"), head(SHORT, 24) + b"yz012".hex() + "00" + "0005"),
    (46, data(29, b"3456789"), ""),  # 7 bytes, one less than 8: counts as zeros
    (47, data(36, b"", is_last=True), head(END + SHORT, 36) + "000000000000" + "0000"),
]
LOST = [40, 42, 47]


def repair(number: int, first: int, last: int, halvings: int) -> Json:
    """The REPAIR in the datagram `number` for the block of these numbers."""
    symbols = {at: int(symbol or "0", 16) for at, _, symbol in SENT}
    total = 0
    for at, takes in enumerate(takes_part(number, last - first + 1, halvings), first):
        total ^= symbols.get(at, 0) if takes else 0
    block = (number - last - 1) * 2**16 + (last - first) * 2**4 + halvings
    return {"number": number, "body": "03" + f"{block:08x}" + f"{total:0{2 * LENGTH}x}"}


def worked_block() -> Json:
    worked_out = [
        {"number": 40, "offset": 0, "payload": b"abcdefgh".hex(), "is_last": False},
        {"number": 42, "offset": 8, "payload": b"ijklmnop".hex(), "is_last": False},
        {"number": 47, "offset": 36, "payload": "", "is_last": True},
    ]
    return {
        "position": 0,
        "sent": [{"number": number, "body": body} for number, body, _ in SENT],
        "lost": LOST,
        "repairs": [repair(48, 40, 47, 0), repair(49, 40, 47, 1), repair(50, 40, 47, 1), repair(52, 41, 46, 0)],
        "worked_out": worked_out,
    }


def repair_frames() -> list[tuple[str, list[Json], str]]:
    """Name, frames, body: what native-frames.json has of them."""
    example: Json = {"type": "REPAIR", "back": 2, "numbers": 3, "halvings": 0, "symbol": "60000005110a196c6c"}
    largest: Json = {"type": "REPAIR", "back": 65_536, "numbers": 4_096, "halvings": 15, "symbol": "0000000000"}
    smallest: Json = {"type": "REPAIR", "back": 1, "numbers": 1, "halvings": 1, "symbol": "8000000001"}
    return [
        ("a sum of the three up to two below", [example], "03" + "00010020" + "60000005" + "110a196c6c"),
        ("a sum of the largest block, behind a ping", [{"type": "PING"}, largest], "0103" + "ffffffff" + "0000000000"),
        ("a sum of one at most, the shortest", [smallest], "03" + "00000001" + "8000000001"),
    ]


def repairs() -> Json:
    return {
        "about": "sums of datagrams: who takes part (mask in hex, its lowest bit the first of the block), symbols, "
        "offsets restored from 29 bits, and a block of which some were lost",
        "participants": masks(),
        "symbols": valid_symbols(),
        "malformed_symbols": malformed_symbols(),
        "offsets": offsets(),
        "block": worked_block(),
    }
