"""RDP's codec under Hypothesis: what is written comes back, and no bytes make a decoder do anything but refuse."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from surewire.errors import MalformedSegment
from surewire.wire import text
from surewire.wire.segment import Extension, Offer, PacketType, Segment

numbers = st.one_of(st.integers(0, 10**18 - 1), st.sampled_from([0, 9, 10, 999_999, 2**31, 2**32, 10**18 - 1]))
magics = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=32).map(str.encode)
keys = st.integers(0, 2**32 - 1)
offers = st.builds(
    Offer, version=st.integers(0, 9999), session=st.integers(0, 2**64 - 1), packet_number=numbers, size=numbers
)
# The wire trims blanks at the ends of a field.
reasons = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=200).map(str.strip)


@st.composite
def received_ranges(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    """Ranges [start, stop) as an ACK lists them: highest first, at least one number apart."""
    edges = draw(st.lists(st.integers(0, 10**6), min_size=0, max_size=60, unique=True))
    edges.sort(reverse=True)
    pairs = zip(edges[1::2], edges[0::2], strict=False)
    return tuple((2 * start, 2 * stop) for start, stop in pairs)


# Round trips.


@given(magics, numbers, st.one_of(st.none(), offers))
def test_syn(magic: bytes, number: int, offer: Offer | None) -> None:
    packet = text.emit_syn(magic, number, offer)
    assert len(packet) <= text.MAX_PACKET
    segment = text.parse(packet)
    assert (segment.type, segment.magic, segment.number, segment.offer) == (PacketType.SYN, magic, number, offer)
    assert segment.extension is None


@given(magics, numbers, st.binary(min_size=1, max_size=text.MAX_PLAIN_PAYLOAD - 32))
def test_plain_dat(magic: bytes, number: int, payload: bytes) -> None:
    packet = text.emit_plain_dat(magic, number, payload)
    segment = text.parse(packet)
    assert segment == Segment(PacketType.DAT, magic, number, len(payload), payload=payload)
    assert text.parse_our_dat(memoryview(packet), key=0, magic=magic) is None


@given(magics, st.integers(0, 10**17), st.binary(max_size=5_000), st.integers(1, 900), st.integers(0, 10**17), keys)
def test_dats_of_ours(magic: bytes, number: int, data: bytes, segment: int, packet_number: int, key: int) -> None:
    buffers = text.emit_dats(magic, number, data, segment=segment, packet_number=packet_number, key=key)
    received = bytearray()
    for index in range(0, len(buffers), 2):
        packet = b"".join(buffers[index : index + 2])
        decoded = text.parse(packet, key=key)
        assert (decoded.type, decoded.magic, decoded.number) == (PacketType.DAT, magic, number + len(received))
        assert decoded.extension == Extension(packet_number=packet_number + index // 2)
        quick = text.parse_our_dat(memoryview(packet), key=key, magic=magic)
        assert quick == (decoded.number, packet_number + index // 2, decoded.payload)
        received += decoded.payload
    assert received == data


@given(magics, numbers, st.one_of(st.none(), st.tuples(numbers, st.binary(min_size=32, max_size=32))), keys)
def test_fin(magic: bytes, number: int, extra: tuple[int, bytes] | None, key: int) -> None:
    extension = None if extra is None else Extension(packet_number=extra[0], digest=extra[1])
    segment = text.parse(text.emit_fin(magic, number, extension=extension, key=key), key=key)
    assert segment == Segment(PacketType.FIN, magic, number, extension=extension, has_check=extension is not None)


@given(
    magics,
    numbers,
    numbers,
    st.sampled_from([b"Acknowledgment", b"Acknowledgement"]),
    st.one_of(st.none(), st.tuples(received_ranges(), st.one_of(st.none(), numbers), numbers)),
    keys,
)
def test_ack(
    magic: bytes,
    number: int,
    window: int,
    field: bytes,
    extra: tuple[tuple[tuple[int, int], ...], int | None, int] | None,
    key: int,
) -> None:
    extension = None if extra is None else Extension(received=extra[0], echo=extra[1], ack_delay=extra[2] * 1000)
    packet = text.emit_ack(magic, number, window, field=field, extension=extension, key=key)
    assert len(packet) <= text.MAX_PACKET
    segment = text.parse(packet, key=key)
    assert (segment.type, segment.magic, segment.number, segment.window) == (PacketType.ACK, magic, number, window)
    assert segment.extension == extension
    assert segment.acknowledgment_field == (field if field == b"Acknowledgement" else None)


@given(magics, st.one_of(st.none(), reasons), keys)
def test_rst(magic: bytes, reason: str | None, key: int) -> None:
    extension = None if reason is None else Extension(reason=reason)
    segment = text.parse(text.emit_rst(magic, extension=extension, key=key), key=key)
    assert segment == Segment(PacketType.RST, magic, 0, extension=extension, has_check=extension is not None)


# Hostile bytes.

KEY = text.session_key(0x1122334455667788)
MAGIC = b"CSC361"
GENUINE = (
    text.emit_syn(MAGIC, 10, Offer(1, 0x1122334455667788, 0, 90)),
    text.emit_syn(MAGIC, 10, None),
    text.emit_plain_dat(MAGIC, 11, b"plain payload"),
    b"".join(text.emit_dats(MAGIC, 11, b"checked payload" * 6, segment=900, packet_number=1, key=KEY)),
    text.emit_ack(MAGIC, 11, 10240),
    text.emit_ack(MAGIC, 11, 1 << 24, extension=Extension(received=((5, 9), (0, 2)), ack_delay=9000), key=KEY),
    text.emit_fin(MAGIC, 101),
    text.emit_fin(MAGIC, 101, extension=Extension(packet_number=3, digest=bytes(32)), key=KEY),
    text.emit_rst(MAGIC),
    text.emit_rst(MAGIC, extension=Extension(reason="disk full"), key=KEY),
)
PIECES = (
    *(b"Magic: CSC361\n", b"Type: ", b"DAT", b"SYN", b"ACK", b"FIN", b"RST", b"Sequence: ", b"Acknowledgment: "),
    *(b"Acknowledgement ", b"Payload: ", b"Window: ", b"Packet: ", b"Received: ", b"1-2 ", b"Delay: ", b"Digest: "),
    *(b"Reason: ", b"Check: ", b"00000000", b"\n", b"\r\n", b"\n\n", b" ", b"7", b"900", b"-1", b"9" * 18, b"9" * 19),
    *(b"Surewire: 1\n", b"Session: 1122334455667788\n", b"Size: 5\n", b"\xff", b"\x00", b":"),
)
mutations = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 1023), st.integers(0, 255)),
        st.tuples(st.just("cut"), st.integers(0, 1023), st.integers(1, 20)),
        st.tuples(st.just("piece"), st.integers(0, 1023), st.integers(0, len(PIECES) - 1)),
        st.tuples(st.just("twice"), st.integers(0, 1023), st.integers(1, 60)),
    ),
    min_size=1,
    max_size=6,
)


def mutated(packet: bytes, steps: list[tuple[str, int, int]]) -> bytes:
    """The packet after a few changes at places counted modulo its length."""
    changed = bytearray(packet)
    for what, place, value in steps:
        at = place % (len(changed) + 1)
        if what == "set" and at < len(changed):
            changed[at] = value
        elif what == "cut":
            del changed[at : at + value]
        elif what == "piece":
            changed[at:at] = PIECES[value]
        elif what == "twice":
            changed[at:at] = changed[at : at + value]
    return bytes(changed)


def parse_or_refuse(datagram: bytes, key: int = KEY) -> Segment | None:
    """Decode; None when refused. Whatever is accepted holds legal values only."""
    quick = text.parse_our_dat(memoryview(datagram), key=key, magic=MAGIC)
    try:
        segment = text.parse(datagram, key=key)
    except MalformedSegment:
        assert quick is None or len(datagram) > text.MAX_PACKET
        return None
    assert 1 <= len(segment.magic) <= 32 and 0 <= segment.number < 10**18
    assert segment.window is None or 0 <= segment.window < 10**18
    assert (segment.type is PacketType.DAT) == bool(segment.payload)
    assert segment.length == (len(segment.payload) or None)
    assert (segment.extension is not None) == segment.has_check
    if quick is not None:
        assert segment.extension is not None
        assert quick == (segment.number, segment.extension.packet_number, segment.payload)
    return segment


@given(st.binary(max_size=1500), keys)
@example(b"\n\n", 0)
@example(b"\r\n\r\n", 0)
@example(b"Magic: CSC361\nType: RST\n\n" + bytes(2_000), 0)
def test_arbitrary_bytes(datagram: bytes, key: int) -> None:
    parse_or_refuse(datagram, key)


@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_arbitrary_pieces_of_headers(pieces: list[bytes]) -> None:
    parse_or_refuse(b"".join(pieces))


@given(st.sampled_from(GENUINE), mutations)
def test_mutated_packets_prove_nothing(packet: bytes, steps: list[tuple[str, int, int]]) -> None:
    """A changed packet may pass as a plain one, but not as proved: that takes the checksum."""
    changed = mutated(packet, steps)
    segment = parse_or_refuse(changed)
    if segment is None or changed == packet:
        return
    assert segment.extension is None
    assert segment.offer is None or changed.startswith(packet[:-1])


@given(st.sampled_from(GENUINE), st.sampled_from(GENUINE), st.integers(0, 1023), st.integers(0, 1023))
def test_halves_of_two_packets_prove_nothing(first: bytes, second: bytes, cut: int, resume: int) -> None:
    spliced = first[: cut % (len(first) + 1)] + second[resume % (len(second) + 1) :]
    segment = parse_or_refuse(spliced)
    if segment is not None and spliced not in GENUINE:
        assert segment.extension is None and segment.offer is None
