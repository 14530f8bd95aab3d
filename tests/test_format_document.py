"""docs/format-rdp.md against the codec: each packet shown there decodes, and encodes to the same bytes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from surewire.errors import MalformedSegment
from surewire.wire import text
from surewire.wire.segment import PacketType, Segment

DOCUMENT = (Path(__file__).resolve().parent.parent / "docs" / "format-rdp.md").read_text(encoding="ascii")
SESSION = 0x0123456789ABCDEF


class Example(NamedTuple):
    packet: bytes
    kind: str  # "", "malformed" or "foreign"
    key: int | None  # None for a packet without extension


def examples() -> list[Example]:
    found = []
    for words, body in re.findall(r"^```rdp *([^\n]*)\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE):
        key = re.search(r"key=([0-9a-f]+)", words)
        kind = words.split(" ")[0] if words and not words.startswith("key") else ""
        packet = body.encode()
        if re.search(rb"^Type: DAT$", packet, re.MULTILINE | re.IGNORECASE):
            packet = packet.removesuffix(b"\n")
        found.append(Example(packet, kind, None if key is None else int(key[1], 16)))
    return found


EXAMPLES = examples()
GOOD = [example for example in EXAMPLES if not example.kind]
CHECKED = [example for example in GOOD if example.key is not None]


def emitted(segment: Segment, key: int) -> bytes:
    """The packet that says the same."""
    magic, number, extension = segment.magic, segment.number, segment.extension
    if segment.type is PacketType.SYN:
        return text.emit_syn(magic, number, segment.offer)
    if segment.type is PacketType.FIN:
        return text.emit_fin(magic, number, extension=extension, key=key)
    if segment.type is PacketType.ACK:
        assert segment.window is not None
        return text.emit_ack(magic, number, segment.window, extension=extension, key=key)
    if segment.type is PacketType.RST:
        return text.emit_rst(magic, extension=extension, key=key)
    payload = bytes(segment.payload)
    if extension is None:
        return text.emit_plain_dat(magic, number, payload)
    assert extension.packet_number is not None
    buffers = text.emit_dats(
        magic, number, payload, segment=len(payload), packet_number=extension.packet_number, key=key
    )
    return b"".join(buffers)


@pytest.mark.parametrize("example", GOOD)
def test_it_decodes_and_encodes_to_the_same_bytes(example: Example) -> None:
    segment = text.parse(example.packet, key=example.key or 0)
    assert emitted(segment, example.key or 0) == example.packet


@pytest.mark.parametrize("example", CHECKED)
def test_it_has_the_extension_it_shows(example: Example) -> None:
    segment = text.parse(example.packet, key=example.key or 0)
    assert (segment.offer if segment.type is PacketType.SYN else segment.extension) is not None


@pytest.mark.parametrize("example", CHECKED)
def test_no_single_damaged_byte_leaves_the_extension(example: Example) -> None:
    # A damaged byte may make a plain packet of it (its Check was hit), but never another packet with a right Check.
    for place in range(len(example.packet)):
        damaged = bytearray(example.packet)
        damaged[place] ^= 0x04
        try:
            segment = text.parse(damaged, key=example.key or 0)
        except MalformedSegment:
            continue
        assert segment.extension is None
        assert segment.offer is None


def test_every_type_is_shown_in_both_forms() -> None:
    for is_extended in (False, True):
        shown = {text.parse(e.packet, key=e.key or 0).type for e in GOOD if (e.key is not None) is is_extended}
        assert shown == set(PacketType)


@pytest.mark.parametrize("example", [example for example in EXAMPLES if example.kind == "malformed"])
def test_what_is_called_malformed_is(example: Example) -> None:
    with pytest.raises(MalformedSegment):
        text.parse(example.packet, key=example.key or 0)


def test_the_foreign_spelling_is_accepted() -> None:
    (example,) = [example for example in EXAMPLES if example.kind == "foreign"]
    segment = text.parse(example.packet)
    assert (segment.type, segment.magic, segment.number) == (PacketType.DAT, b"UVicCSc361", 7)
    assert bytes(segment.payload) == b"hello"
    assert segment.acknowledgment_field == b"Acknowledgement"


def test_the_key_is_the_one_stated() -> None:
    stated = {example.key for example in CHECKED} - {0}
    assert stated == {text.session_key(SESSION)}
    assert f"Session: {SESSION:016x}" in DOCUMENT


def test_the_limits_are_the_ones_stated() -> None:
    assert text.MAX_PACKET == 1024
    assert text.MAX_PLAIN_PAYLOAD == 959
    segment = text.parse(GOOD[0].packet)
    assert segment.magic == text.DEFAULT_MAGIC
