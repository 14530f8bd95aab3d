"""What is accepted from peers that follow other readings of the assignment, and what is not."""

from __future__ import annotations

import pytest

from surewire.errors import MalformedSegment
from surewire.wire import text
from surewire.wire.segment import PacketType, Segment


def dat(header: bytes, body: bytes = b"abc") -> Segment:
    return text.parse(header + b"\n" + body)


# Accepted: the list of how foreign peers differ.


@pytest.mark.parametrize("magic", [b"CSC361", b"CSc361", b"UVicCSc361", b"csc361", b"X", b"~" * 32])
def test_any_spelling_of_the_magic(magic: bytes) -> None:
    segment = text.parse(b"Magic: %b\nType: SYN\nSequence: 0\n\n" % magic)
    assert (segment.type, segment.magic, segment.number) == (PacketType.SYN, magic, 0)


def test_acknowledgement_with_an_e() -> None:
    segment = text.parse(b"Magic: CSC361\nType: ACK\nAcknowledgement: 12\nWindow: 5\n\n")
    assert (segment.number, segment.window, segment.acknowledgment_field) == (12, 5, b"Acknowledgement")
    assert text.parse(b"Magic: CSC361\nType: ACK\nAcknowledgment: 12\n\n").acknowledgment_field is None


def test_an_ack_without_a_window() -> None:
    assert text.parse(b"Magic: CSC361\nType: ACK\nAcknowledgment: 12\n\n").window is None


@pytest.mark.parametrize(
    "line", [b"Payload 3", b"Payload  3", b"Payload\t3", b"Payload:3", b"Payload :  3 ", b"payload: 3", b"PAYLOAD: 3"]
)
def test_a_colon_left_out_and_other_spacing(line: bytes) -> None:
    segment = dat(b"Magic: CSC361\nType: DAT\nSequence: 9\n%b\n" % line)
    assert (segment.number, segment.length, bytes(segment.payload)) == (9, 3, b"abc")


def test_all_fields_in_every_packet() -> None:
    fields = b"Sequence: 5\nAcknowledgment: 6\nPayload: 3\nWindow: 7\n"
    segments = {
        kind: text.parse(b"Magic: CSC361\nType: %b\n%b\nabc" % (kind.value.encode(), fields)) for kind in PacketType
    }
    assert {kind: segment.number for kind, segment in segments.items()} == {
        PacketType.SYN: 5,
        PacketType.DAT: 5,
        PacketType.FIN: 5,
        PacketType.ACK: 6,
        PacketType.RST: 0,
    }
    assert bytes(segments[PacketType.DAT].payload) == b"abc"
    assert segments[PacketType.ACK].window == 7
    assert segments[PacketType.ACK].length is None


@pytest.mark.parametrize(
    "unknown",
    [b"Timestamp: 12:30", b"Checksum: deadbeef", b"no colon here at all, just words", b":", b"\xff\xfe\x00", b"X-Y: 1"],
)
def test_unknown_fields_and_lines_are_skipped(unknown: bytes) -> None:
    segment = dat(b"Magic: CSC361\n%b\nType: DAT\nSequence: 9\n%b\nPayload: 3\n" % (unknown, unknown))
    assert (segment.number, bytes(segment.payload), segment.extension) == (9, b"abc", None)


@pytest.mark.parametrize("turn", range(4))
def test_any_order_of_fields(turn: int) -> None:
    lines = [b"Magic: CSC361\n", b"Type: DAT\n", b"Sequence: 9\n", b"Payload: 3\n"]
    segment = dat(b"".join(lines[turn:] + lines[:turn]))
    assert (segment.type, segment.number, bytes(segment.payload)) == (PacketType.DAT, 9, b"abc")
    backwards = dat(b"".join(reversed(lines)))
    assert backwards == segment


def test_of_repeated_fields_the_first_counts() -> None:
    assert dat(b"Magic: CSC361\nType: DAT\nSequence: 9\nSequence: 8\nPayload: 3\nPayload: 1\n").number == 9


@pytest.mark.parametrize("kind", ["SYN", "FIN", "DAT", "ACK", "RST"])
def test_cr_lf(kind: str) -> None:
    packet = {
        "SYN": text.emit_syn(b"CSC361", 4, None),
        "FIN": text.emit_fin(b"CSC361", 4),
        "DAT": text.emit_plain_dat(b"CSC361", 4, b"line\nline"),
        "ACK": text.emit_ack(b"CSC361", 4, 9),
        "RST": text.emit_rst(b"CSC361"),
    }[kind]
    head, _, payload = packet.partition(b"\n\n")
    segment = text.parse(head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + payload)
    assert segment == text.parse(packet)


def test_bytes_after_the_payload_are_set_aside() -> None:
    segment = dat(b"Magic: CSC361\nType: DAT\nSequence: 9\nPayload: 3\n", b"abc\x00\x00\x00")
    assert (bytes(segment.payload), segment.trailer) == (b"abc", b"\x00\x00\x00")
    padded = text.parse(text.emit_ack(b"CSC361", 1, 2) + bytes(100))
    assert (padded.number, padded.window, padded.extension) == (1, 2, None)


def test_a_payload_that_looks_like_a_header_is_data() -> None:
    body = b"Magic: CSC361\nType: RST\n\n"
    segment = text.parse(text.emit_plain_dat(b"CSC361", 4, body))
    assert (segment.type, bytes(segment.payload)) == (PacketType.DAT, body)


def test_a_syn_with_something_else_behind_it_is_a_plain_syn() -> None:
    segment = text.parse(text.emit_syn(b"CSC361", 4, None) + b"hello")
    assert (segment.number, segment.offer, segment.trailer) == (4, None, b"hello")


def test_the_longest_packet_is_taken_and_a_longer_one_is_not() -> None:
    header = b"Magic: CSC361\nType: DAT\nSequence: 0\nPayload: 970\n\n"
    text.parse(header + bytes(text.MAX_PACKET - len(header)))
    with pytest.raises(MalformedSegment):
        text.parse(header + bytes(text.MAX_PACKET - len(header) + 1))


# Refused.

REFUSED = {
    "nothing": b"",
    "no header end": b"Magic: CSC361\nType: SYN\nSequence: 0\n",
    "no magic": b"Type: SYN\nSequence: 0\n\n",
    "empty magic": b"Magic: \nType: SYN\nSequence: 0\n\n",
    "magic too long": b"Magic: " + b"M" * 33 + b"\nType: SYN\nSequence: 0\n\n",
    "magic with a space": b"Magic: CSC 361\nType: SYN\nSequence: 0\n\n",
    "magic not ASCII": b"Magic: CSC\xb361\nType: SYN\nSequence: 0\n\n",
    "no type": b"Magic: CSC361\nSequence: 0\n\n",
    "unknown type": b"Magic: CSC361\nType: NAK\nSequence: 0\n\n",
    "no number": b"Magic: CSC361\nType: SYN\n\n",
    "negative number": b"Magic: CSC361\nType: SYN\nSequence: -1\n\n",
    "signed number": b"Magic: CSC361\nType: SYN\nSequence: +1\n\n",
    "number with an underscore": b"Magic: CSC361\nType: SYN\nSequence: 1_0\n\n",
    "hexadecimal number": b"Magic: CSC361\nType: SYN\nSequence: 0x1\n\n",
    "digits beyond ASCII": b"Magic: CSC361\nType: SYN\nSequence: \xd9\xa1\n\n",
    "number too long": b"Magic: CSC361\nType: SYN\nSequence: 1" + b"0" * 18 + b"\n\n",
    "sequence in an ACK": b"Magic: CSC361\nType: ACK\nSequence: 1\nWindow: 2\n\n",
    "window no number": b"Magic: CSC361\nType: ACK\nAcknowledgment: 1\nWindow: big\n\n",
    "DAT without a length": b"Magic: CSC361\nType: DAT\nSequence: 1\n\nabc",
    "DAT of length 0": b"Magic: CSC361\nType: DAT\nSequence: 1\nPayload: 0\n\n",
    "DAT longer than it is": b"Magic: CSC361\nType: DAT\nSequence: 1\nPayload: 4\n\nabc",
    "DAT with a huge length": b"Magic: CSC361\nType: DAT\nSequence: 1\nPayload: 999999999999999999\n\nabc",
    "check of another packet": b"Magic: CSC361\nType: RST\nCheck: 00000000\n\n",
    "check in the wrong place": b"Magic: CSC361\nCheck: 00000000\nType: RST\n\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_packet_raises_the_one_exception(name: str) -> None:
    with pytest.raises(MalformedSegment):
        text.parse(REFUSED[name])
