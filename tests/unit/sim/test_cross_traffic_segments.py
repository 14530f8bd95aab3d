"""The datagrams of cross traffic: their lengths are TCP's, and a damaged one is none."""

from __future__ import annotations

import random

import pytest

from surewire.sim.flow_segments import MSS, Ack, Data, emit_ack, emit_data, parse_ack, parse_data

UDP_OVERHEAD = 28
DATA = Data(7, 123_456, 130_000, 5 * 10**9)
RANGES = ((5, 9), (20, 21), (2**32 - 2, 2**32 - 1))


@pytest.mark.parametrize(("count", "size"), [(0, 52), (1, 64), (2, 72), (3, 80)])
def test_acknowledgments_are_as_long_as_tcps(count: int, size: int) -> None:
    ack = Ack(7, 4, 130_000, 10**18, RANGES[:count])
    datagram = emit_ack(ack)
    assert len(datagram) + UDP_OVERHEAD == size
    assert parse_ack(datagram) == ack


def test_data_is_as_long_as_a_full_tcp_segment() -> None:
    datagram = b"".join(emit_data(DATA))
    assert len(datagram) + UDP_OVERHEAD == 1500 == MSS + 52
    assert parse_data(datagram) == DATA


def test_neither_is_taken_for_the_other() -> None:
    assert parse_ack(b"".join(emit_data(DATA))) is None
    assert parse_data(emit_ack(Ack(7, 4, 1, 1, RANGES))) is None


@pytest.mark.parametrize("size", [0, 1, 23, 25, 27, 28, 35, 37, 60, 1471, 1473])
def test_other_lengths_are_nothing(size: int) -> None:
    assert parse_ack(bytes(size)) is None
    assert parse_data(bytes(size)) is None


def test_no_flipped_bit_goes_unnoticed() -> None:
    rng = random.Random(1)
    data, ack = b"".join(emit_data(DATA)), emit_ack(Ack(7, 4, 130_000, 10**18, RANGES))
    for place in [*range(24 * 8), *(rng.randrange(len(data) * 8) for _ in range(300))]:
        damaged = bytearray(data)
        damaged[place >> 3] ^= 1 << (place & 7)
        assert parse_data(bytes(damaged)) is None, place
    for place in range(len(ack) * 8):
        damaged = bytearray(ack)
        damaged[place >> 3] ^= 1 << (place & 7)
        assert parse_ack(bytes(damaged)) is None, place
