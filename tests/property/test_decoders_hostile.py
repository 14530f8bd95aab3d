"""Both decoders against any bytes: the bodies of the fuzz harnesses, run by Hypothesis (see fuzz/README.md)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz import decode_compact, decode_text
from surewire.errors import MalformedSegment
from surewire.wire import compact, text
from surewire.wire.compact import Expected

heads = st.integers(0, 255).map(lambda value: bytes((value,)))
text_seeds = st.sampled_from(decode_text.seeds())
compact_seeds = st.sampled_from(decode_compact.seeds())
changes = st.lists(st.tuples(st.integers(0, 1_500), st.binary(max_size=4), st.integers(0, 8)), max_size=5)


def changed(data: bytes, steps: list[tuple[int, bytes, int]]) -> bytes:
    """The input with some bytes replaced, put in and taken out, at places counted modulo its length."""
    for place, new, removed in steps:
        at = place % (len(data) + 1)
        data = data[:at] + new + data[at + removed :]
    return data


@given(heads, st.binary(max_size=1_100))
def test_rdp_any_bytes(head: bytes, datagram: bytes) -> None:
    decode_text.feed(head + datagram)


@given(text_seeds, changes)
def test_rdp_changed_packets(seed: bytes, steps: list[tuple[int, bytes, int]]) -> None:
    decode_text.feed(changed(seed, steps))


@given(text_seeds, changes)
def test_rdp_changed_packets_with_the_right_checksum(seed: bytes, steps: list[tuple[int, bytes, int]]) -> None:
    decode_text.feed(b"\x03" + changed(seed[1:], steps))


@given(heads, st.binary(max_size=80))
def test_streamer_any_bytes(head: bytes, datagram: bytes) -> None:
    decode_compact.feed(head + datagram)


@given(compact_seeds, changes)
def test_streamer_changed_packets(seed: bytes, steps: list[tuple[int, bytes, int]]) -> None:
    decode_compact.feed(changed(seed, steps))


@given(st.integers(0, 255), st.binary(max_size=60))
def test_streamer_any_bytes_with_the_right_hash(flags: int, rest: bytes) -> None:
    decode_compact.feed(bytes((1, 0, 0, 0, 0, flags)) + rest)


# That the harnesses reach what they are for.


@pytest.mark.parametrize("seed", decode_text.seeds())
def test_rdp_seeds_with_their_key_are_packets(seed: bytes) -> None:
    decode_text.feed(seed)
    assert text.parse(decode_text.put_right(seed[1:], decode_text.KEY), key=decode_text.KEY)


def test_a_checksum_is_put_right() -> None:
    packets = [seed[1:] for seed in decode_text.seeds() if b"Check" in seed]
    assert packets
    for packet in packets:
        damaged = packet.replace(b"Magic: CSC361", b"Magic: CSC362")
        with pytest.raises(MalformedSegment):
            segment = text.parse(damaged, key=decode_text.KEY)
            if segment.offer is None:
                raise MalformedSegment("the offer is not taken")
        again = text.parse(decode_text.put_right(damaged, decode_text.KEY), key=decode_text.KEY)
        assert again.extension is not None or again.offer is not None


def test_a_hash_is_put_right() -> None:
    for seed in decode_compact.seeds():
        datagram = bytearray(seed[1:])
        datagram[4] ^= 0x01  # FULL
        right = decode_compact.put_right(bytes(datagram))
        nonce = compact.peek_nonce(right) or decode_compact.SENDER
        for data, is_right in ((bytes(datagram), False), (right, True)):
            try:
                packet = compact.parse(
                    data, sender_nonce=nonce, receiver_nonce=decode_compact.RECEIVER, expected=Expected(ack=256)
                )
                assert is_right and packet.full is bool(datagram[4] & 0x01)
            except MalformedSegment:
                assert not is_right
