"""docs/format.md against the code, and the files of test vectors against the script that writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path
from types import ModuleType

import pytest

from scripts import native_vectors
from scripts.native_vectors_long import crc32c
from surewire.wire import native_datagram, native_frames, native_parameters, native_repairs, native_text, varint
from surewire.wire.native_datagram import MAX_MESSAGE, VERSION, LongType, RefusalCode, Welcome
from surewire.wire.native_frames import FrameType
from surewire.wire.native_parameters import ParameterType

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```native (\w+)\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
MODULES: tuple[ModuleType, ...] = (
    native_datagram,
    native_frames,
    native_parameters,
    native_repairs,
    native_text,
    varint,
)


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table that begins with this line, header left out."""
    _, found, rest = DOCUMENT.partition(f"\n{heading}\n")
    assert found, heading
    lines = re.match(r"\|[-|]+\n((?:\|.*\n)+)", rest)
    assert lines, heading
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1].splitlines()]


def members(kind: type[IntEnum]) -> dict[int, str]:
    return {int(member): member.name for member in kind}


def numbered(found: Iterable[list[str]]) -> dict[int, str]:
    return {int(row[0], 0): row[1] for row in found}


# Tables.


def test_the_types_of_long_datagrams() -> None:
    found = rows("| type | name | from | dcid | scid | version |")
    assert numbered(found) == members(LongType)
    assert {row[5] for row in found if row[1] != "VERSIONS"} == {str(VERSION)}


def test_the_refusal_codes() -> None:
    assert numbered(rows("| code | name | meaning |")) == members(RefusalCode)


def test_the_parameters() -> None:
    assert numbered(rows("| type | name | value | from | dropped |")) == members(ParameterType)


def test_the_frames() -> None:
    found = rows("| type | name | asks for an acknowledgment | may stand |")
    assert numbered(found) == members(FrameType)
    bodies = {
        FrameType.PING: native_frames.emit_ping(),
        FrameType.ACK: native_frames.emit_ack(0, 0, 0, 0, ((0, 1),)),
        FrameType.REPAIR: native_repairs.emit_repair(1, 1, 0, bytes(5)),
        FrameType.DATA: native_frames.emit_data(0, b"a"),
        FrameType.DATA_END: native_frames.emit_data(0, b"", is_last=True),
        FrameType.RESET: native_frames.emit_reset(0, ""),
        FrameType.DONE: native_frames.emit_done(),
        FrameType.PATH_CHALLENGE: native_frames.emit_path_challenge(bytes(8)),
        FrameType.PATH_RESPONSE: native_frames.emit_path_response(bytes(8)),
    }
    for kind, name, asks, place in found:
        if name == "PADDING":
            assert asks == "no"
            continue
        body = bodies[FrameType[name]]
        assert body[0] == int(kind, 0)
        (frame,) = native_frames.parse(memoryview(body))
        assert native_frames.is_ack_eliciting(frame) is (asks == "yes")
        behind = native_frames.parse(memoryview(body + native_frames.emit_ping()))
        assert (len(behind) == 1) is (place == "last")


def test_the_suites() -> None:
    sealed = pytest.importorskip("surewire.crypto.sealed")
    expected = {0: "checked"}
    for number, suite in sealed.SUITES.items():
        expected[number] = f"Noise_{suite.pattern}_25519_{suite.cipher.name}_SHA256"
    assert numbered(rows("| suite | name | who is known | message |")) == expected


def constant(name: str) -> int:
    (value,) = {getattr(module, name) for module in MODULES if hasattr(module, name)}
    assert isinstance(value, int)
    return value


def test_the_numbers() -> None:
    stated = {row[0].strip("`"): row[1] for row in rows("| what | value | why |")}
    assert {name: constant(name) for name in stated} == {
        name: 2**62 - 1 if value == "2^62 - 1" else int(value.replace(",", "")) for name, value in stated.items()
    }


def test_every_limit_is_stated() -> None:
    stated = {row[0].strip("`") for row in rows("| what | value | why |")}
    limits = {
        name
        for module in MODULES
        for name, value in vars(module).items()
        if re.fullmatch(r"(MAX|MIN)_\w+|\w+_SIZE", name) and isinstance(value, int)
    }
    assert limits - stated == {"MAX_SIZE"}  # of an integer, which RFC 9000 states


def test_the_sizes_in_the_text() -> None:
    longest = native_datagram.emit(Welcome(bytes(8), VERSION, bytes(8), bytes(MAX_MESSAGE)), crc32c)
    assert f"WELCOME has at most {len(longest):,} bytes" in " ".join(DOCUMENT.split())
    for trailer, name in ((16, "sealed"), (4, "checked")):
        rest = 1472 - native_datagram.DATA_HEADER.size - trailer
        assert re.search(rf"{rest:,} (bytes of the stream )?{name} \({rest / 1472:.1%}\)", DOCUMENT)


def test_the_prologue() -> None:
    data = native_datagram.prologue(bytes(8), bytes(8), VERSION, 0, (VERSION,))
    (stated,) = re.findall(r"ends with `([0-9 a-f]+)`", DOCUMENT)
    assert data.endswith(bytes.fromhex(stated)) and len(bytes.fromhex(stated)) == 5


def test_the_example_of_a_mask() -> None:
    (number, count, mask) = re.findall(
        r"In the datagram (\d+), a block of (\d+)\s+numbers that is halved once has the mask (0x[0-9a-f]+):", DOCUMENT
    )[0]
    assert native_repairs.participants(int(number), int(count), 1) == int(mask, 16)


def test_the_example_of_a_sum() -> None:
    first, second = (bytes.fromhex(text) for text in re.findall(r"`([0-9a-f]{2}(?: [0-9a-f]{2}){8})`", DOCUMENT))
    assert native_repairs.emit_symbol(1_000, b"hello", is_last=False, length=9) == first
    assert native_repairs.emit_symbol(1_005, b"you", is_last=True, length=9) == second
    total = bytes(one ^ other for one, other in zip(first, second, strict=True))
    assert f"\n{native_repairs.emit_repair(2, 3, 0, total).hex(' ')}\n" in DOCUMENT


# Examples.


def test_there_are_examples_of_each_kind() -> None:
    assert len(EXAMPLES) >= 9
    assert {kind for kind, _ in EXAMPLES} == {"long", "short", "frames"}


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_an_example_is_among_the_vectors(kind: str, text: str) -> None:
    has_checksum = text.rstrip().endswith("CRC")
    data = bytes.fromhex(text.replace("CRC", ""))
    if has_checksum:
        data += crc32c(data).to_bytes(4, "big")  # the packet numbers of the short ones are below 2**32
    vectors = json.loads((native_vectors.FOLDER / f"native-{kind}.json").read_text(encoding="ascii"))
    field = "body" if kind == "frames" else "datagram"
    assert data.hex() in [vector[field] for vector in vectors["valid"]]


# Files.


@pytest.mark.parametrize("name", sorted(native_vectors.FILES))
def test_a_file_is_what_the_script_writes(name: str) -> None:
    assert (native_vectors.FOLDER / name).read_text(encoding="ascii") == native_vectors.rendered(name)


def test_every_file_is_described() -> None:
    described = {row[0].strip("`") for row in rows("| file | what | how to use it |")}
    assert described == set(native_vectors.FILES)


def test_links_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", DOCUMENT, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(#([^)]+)\)", DOCUMENT):
        assert target in anchors
