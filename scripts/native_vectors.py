"""Writes the test vectors of the native format: docs/vectors/native-*.json.

    python -m scripts.native_vectors          writes them
    python -m scripts.native_vectors --check  exit code 1 when a file is not what would be written

Each vector is put together here from its parts, as docs/format.md has them, and nothing of the package is
used: two readings of the document have to agree. The tests compare both ways.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from scripts.native_vectors_long import SERVER, Json, crc32c, long_datagrams, with_checksum
from scripts.native_vectors_repairs import repair_frames, repairs

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "vectors"
TOP = 2**62 - 1

# Checksums and integers.


def checksums() -> Json:
    samples = [b"", b"a", b"123456789", bytes(32), b"\xff" * 32, bytes(range(32)), bytes(range(31, -1, -1))]
    vectors = [{"data": data.hex(), "crc": f"{crc32c(data):08x}"} for data in samples]
    return {"about": "CRC-32C; those of 32 bytes are in RFC 3720 B.4, byte for byte reversed there", "vectors": vectors}


def varints() -> Json:
    shortest = [
        (0, "00"),
        (37, "25"),
        (63, "3f"),
        (64, "4040"),
        (15293, "7bbd"),
        (16383, "7fff"),
        (16384, "80004000"),
        (494878333, "9d7f3e7d"),
        (2**30 - 1, "bfffffff"),
        (2**30, "c000000040000000"),
        (151288809941952652, "c2197c5eff14e88c"),
        (TOP, "ffffffffffffffff"),
    ]
    longer = [(37, "4025"), (37, "80000025"), (0, "c000000000000000")]
    return {
        "about": "integers of variable length (RFC 9000 §16, samples of its appendix A.1 among them)",
        "shortest": [{"value": value, "bytes": data} for value, data in shortest],
        "longer_than_needed": [{"value": value, "bytes": data} for value, data in longer],
        "malformed": ["", "40", "9d7f3e", "c2197c5eff14e8"],
    }


def numbers() -> Json:
    vectors = [
        (0, 0, 0),
        (5, 3, 5),
        (0xFFFFFFFF, 0, 0xFFFFFFFF),
        (0x80000000, 0, 0x80000000),
        (0x80000001, 0, 0x80000001),
        (0, 2**31 + 1, 2**32),
        (0, 2**31, 2**32),
        (0, 2**31 - 1, 0),
        (2, 2**32 - 3, 2**32 + 2),
        (0xFFFFFFFF, 2**32 + 1, 2**32 - 1),
        (0x9B32A3C4, 0x1A2B3C4DA0000000, 0x1A2B3C4D9B32A3C4),
        (0x9B32A3C4, 0x1A2B3C4D00000010, 0x1A2B3C4C9B32A3C4),
        (0x80000000, 2**32, 2**32 + 2**31),
        (0x80000001, 2**32, 2**31 + 1),
        (0xFFFFFFFF, 2**62 - 1, TOP),
        (0, 2**62 - 1, 2**62 - 2**32),
    ]
    names = ("low32", "expected", "number")
    return {
        "about": "packet numbers restored from their low 32 bits; expected is one past the largest received",
        "vectors": [dict(zip(names, vector, strict=True)) for vector in vectors],
    }


# Short datagrams and what is in them.


def short_datagrams() -> Json:
    valid = []
    for name, phase, number, body in (
        ("the first packet, a ping", 0, 0, "01"),
        ("data at 1,000 in phase 1", 1, 0x1234, "0800000000000003e8" + b"hello".hex()),
        ("number 2**32 + 7: its high bits count in the checksum", 0, 2**32 + 7, "01"),
        ("the largest number", 0, TOP, "0b"),
    ):
        header = f"{0x40 | phase:02x}" + SERVER + f"{number & 0xFFFFFFFF:08x}"
        fields = {"phase": phase, "dcid": SERVER, "number": number, "body": body}
        datagram = with_checksum(header + body, number >> 32)
        valid.append({"name": name, "fields": fields, "header": header, "datagram": datagram})
    return {"about": "short datagrams in checked mode; the sealed ones have the same header", "valid": valid}


def valid_frames() -> list[tuple[str, list[Json], str]]:
    """Name, frames, body."""
    ack: Json = {"type": "ACK", "position": 1000, "window": 65536, "latest": 9, "delay_us": 25, "ranges": [[0, 10]]}
    holes: Json = {**ack, "position": 0, "latest": 90, "delay_us": 0, "ranges": [[90, 101], [80, 89], [1, 2]]}
    many: Json = {**ack, "latest": 190, "ranges": [[start, start + 1] for start in range(190, 62, -2)]}
    largest: Json = {"type": "ACK", "position": TOP, "window": 0, "latest": TOP, "ranges": [[0, 2**62]]}
    largest["delay_us"] = TOP // 1000
    ack_bytes = "02" + "43e8" + "80010000" + "09" + "19" + "09" + "00" + "09"
    last_data: Json = {"type": "DATA", "offset": TOP - 1, "payload": "78", "is_last": False}
    return [
        ("a ping", [{"type": "PING"}], "01"),
        ("padding only", [], "000000"),
        ("padding around a ping", [{"type": "PING"}], "00000100"),
        ("everything up to number 9", [ack], ack_bytes),
        (
            "three ranges",
            [holes],
            "02" + "00" + "80010000" + "405a" + "00" + "4064" + "02" + "0a" + "0008" + "404d" + "00",
        ),
        ("64 ranges", [many], "02" + "43e8" + "80010000" + "40be" + "19" + "40be" + "3f" + "00" + "0000" * 63),
        (
            "all numbers there are",
            [largest],
            "02" + "ff" * 8 + "00" + "ff" * 8 + f"{TOP // 1000 | 3 << 62:016x}" + "ff" * 8 + "00" + "ff" * 8,
        ),
        (
            "the same acknowledgment, longer than needed",
            [ack],
            "02" + "800003e8" + "c000000000010000" + "4009" + "4019" + "80000009" + "4000" + "4009",
        ),
        (
            "data",
            [{"type": "DATA", "offset": 70000, "payload": "616263", "is_last": False}],
            "08" + f"{70000:016x}" + "616263",
        ),
        ("the last data", [{"type": "DATA", "offset": 5, "payload": "7a", "is_last": True}], "09" + f"{5:016x}" + "7a"),
        ("the end alone", [{"type": "DATA", "offset": 6, "payload": "", "is_last": True}], "09" + f"{6:016x}"),
        ("the last byte a stream can have", [last_data], "08" + f"{TOP - 1:016x}" + "78"),
        *repair_frames(),
        ("a reset", [{"type": "RESET", "code": 300, "text": "disk full"}], "0a" + "412c" + "09" + b"disk full".hex()),
        ("a reset without text", [{"type": "RESET", "code": 0, "text": ""}], "0a0000"),
        ("the end", [{"type": "DONE"}], "0b"),
        (
            "a challenge and a response, padded",
            [
                {"type": "PATH_CHALLENGE", "data": "1122334455667788"},
                {"type": "PATH_RESPONSE", "data": "8877665544332211"},
            ],
            "0c1122334455667788" + "0d8877665544332211" + "00" * 20,
        ),
        (
            "an acknowledgment that rides on data",
            [ack, {"type": "DATA", "offset": 0, "payload": "00", "is_last": False}],
            ack_bytes + "08" + "00" * 8 + "00",
        ),
        ("64 frames", [{"type": "PING"}] * 64, "01" * 64),
    ]


def malformed_frames() -> list[tuple[str, str]]:
    """Name and body."""
    head = "02" + "00" + "00" + "00" + "00"  # position, window, latest and delay 0
    return [
        ("nothing", ""),
        ("65 frames", "01" * 65),
        ("an unknown type", "04"),
        ("a type of two bytes", "4001"),
        ("an ACK that is cut off", head + "0500"),
        ("an ACK whose last range is cut off", head + "2001" + "0000"),
        ("65 ranges", head + "40ff" + "4040" + "00" + "0000" * 64),
        ("a range below 0", head + "05" + "00" + "06"),
        ("a second range below 0", head + "05" + "01" + "01" + "01" + "02"),
        ("a gap that reaches below 0", head + "05" + "01" + "05" + "00" + "00"),
        ("latest above largest", "02" + "00" + "00" + "06" + "00" + "05" + "00" + "05"),
        ("position and window of 2**62 together", "02" + "ff" * 8 + "01" + "00" + "00" + "00" + "00" + "00"),
        ("a delay of 2**62 ns and more", "02" + "000000" + f"{TOP // 1000 + 1 | 3 << 62:016x}" + "000000"),
        ("a sum whose block is cut off", "03" + "000000"),
        ("a sum without symbol", "03" + "00000000"),
        ("a sum with a symbol of 4 bytes", "03" + "00000000" + "80000000"),
        ("an offset that is cut off", "08" + "00" * 7),
        ("DATA without a byte", "08" + "00" * 8),
        ("data up to 2**62", "08" + f"{TOP:016x}" + "78"),
        ("an end mark at 2**62 - 1", "09" + f"{TOP:016x}"),
        ("an offset of 2**62", "09" + f"{TOP + 1:016x}"),
        ("a text that is cut off", "0a" + "00" + "03" + "6162"),
        ("a text of 256 bytes", "0a" + "00" + "4100" + "61" * 256),
        ("a text that is not UTF-8", "0a" + "00" + "02" + "c328"),
        ("a text with a line feed", "0a" + "00" + "03" + "610a62"),
        ("a challenge of 7 bytes", "0c" + "11" * 7),
        ("a response of 7 bytes", "0d" + "11" * 7),
    ]


def frames() -> Json:
    return {
        "about": "bodies of short datagrams; DATA with is_last is DATA_END; ranges are [start, stop)",
        "valid": [{"name": name, "frames": found, "body": body} for name, found, body in valid_frames()],
        "malformed": [{"name": name, "body": body} for name, body in malformed_frames()],
    }


def parameters() -> Json:
    fields: Json = {"versions": [1], "max_datagram": 1472, "window": 16 << 20, "idle_timeout_ms": 30_000}
    fields |= {"connection_id": None, "max_ack_delay_us": 5_000, "repair_window": 0}
    client = "010400000001" + "020245c0" + "030481000000" + "040480007530"
    delay = "0604" + "80001388"
    delay_short = "0602" + "5388"
    server: Json = fields | {"connection_id": SERVER, "versions": [7, 1]}
    server_bytes = "01080000000700000001" + client[12:] + "0508" + SERVER + delay_short
    whole = client + delay_short
    return {
        "about": "payloads of the handshake messages",
        "valid": [
            {"name": "a client's", "fields": fields, "payload": whole},
            {"name": "a server's", "fields": server, "payload": server_bytes},
            {"name": "a repair window", "fields": fields | {"repair_window": 1 << 20},
             "payload": whole + "0704" + "80100000"},
            {"name": "all there is for repairs", "fields": fields | {"repair_window": TOP},
             "payload": whole + "0708" + "ff" * 8},
        ],
        "also_valid": [
            {"name": "another order, a longer integer", "fields": fields, "payload": delay + client},
            {"name": "unknown ones (8, and 16,384 without value)", "fields": fields,
             "payload": "0803aabbcc" + whole + "80004000" + "00"},
            {"name": "a repair window of 0", "fields": fields, "payload": whole + "070100"},
        ],
        "malformed": [
            {"name": name, "payload": payload}
            for name, payload in (
                ("nothing", ""),
                ("no window", whole.replace("030481000000", "")),
                ("one twice", whole + delay_short),
                ("an unknown one twice", whole + "0800" + "0800"),
                ("cut off", whole[:-2]),
                ("an unknown one that is cut off", whole + "0803aabb"),
                ("a number shorter than its length", whole.replace(delay_short, "0603538800")),
                ("a number without bytes", whole.replace(delay_short, "0600")),
                ("a largest datagram of 1,199", whole.replace("020245c0", "020244af")),
                ("a largest datagram of 65,536", whole.replace("020245c0", "020480010000")),
                ("an idle timeout of 0", whole.replace("040480007530", "040100")),
                ("a max ack delay of 2**24 us", whole.replace(delay_short, "060481000000")),
                ("a repair window without bytes", whole + "0700"),
                ("a repair window shorter than its length", whole + "07020000"),
                ("a connection id of 7 bytes", whole + "0507" + SERVER[:14]),
                ("no versions", whole.replace("010400000001", "0100")),
                ("versions of 5 bytes", whole.replace("010400000001", "01050000000100")),
                ("version 0", whole.replace("010400000001", "010400000000")),
                ("65 parameters", whole + "".join(f"{kind | 0x4000:04x}00" for kind in range(100, 160))),
            )
        ],
    }  # fmt: skip


FILES = {
    "native-crc32c.json": checksums,
    "native-varints.json": varints,
    "native-numbers.json": numbers,
    "native-long.json": long_datagrams,
    "native-short.json": short_datagrams,
    "native-frames.json": frames,
    "native-parameters.json": parameters,
    "native-repairs.json": repairs,
}


def rendered(name: str) -> str:
    """What the file of this name holds."""
    return json.dumps(FILES[name](), indent=1, ensure_ascii=True) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the test vectors of the native format.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when a file differs")
    is_check = parser.parse_args().check
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        file, text = FOLDER / name, rendered(name)
        if is_check and (not file.exists() or file.read_text(encoding="ascii") != text):
            print(f"{file} is not up to date", file=sys.stderr)
            return 1
        if not is_check:
            file.write_text(text, encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
