"""The buffers by hand: limits, offsets, and what is dropped when."""

from __future__ import annotations

import pytest

from surewire.core.stream_buffers import ReceiveBuffer, SendBuffer
from surewire.core.trains import Buffer

ALL = bytes(range(256))


def test_a_send_buffer_takes_no_more_than_its_limit() -> None:
    buffer = SendBuffer(10)
    assert (buffer.write(b"abcdef"), buffer.room, buffer.written) == (6, 4, 6)
    assert (buffer.write(b"ghijklm"), buffer.room, buffer.written) == (4, 0, 10)
    assert buffer.write(b"x") == 0
    assert buffer.get(0, 10) == b"abcdefghij"


def test_what_was_acknowledged_makes_room_and_offsets_go_on() -> None:
    buffer = SendBuffer(4)
    buffer.write(b"abcd")
    buffer.discard_below(3)
    assert (buffer.room, buffer.written) == (3, 4)
    assert buffer.write(b"efgh") == 3
    assert (buffer.get(3, 7), buffer.get(5, 6), buffer.written) == (b"defg", b"f", 7)


def test_discarding_twice_or_less_changes_nothing() -> None:
    buffer = SendBuffer(10)
    buffer.write(b"abcdef")
    for offset in (4, 4, 0):
        buffer.discard_below(offset)
        assert (buffer.room, buffer.get(4, 6)) == (8, b"ef")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("limit", [100, 256, 1000])
def test_any_buffer_is_copied(kind: type[Buffer], limit: int) -> None:
    source = bytearray(ALL)
    buffer = SendBuffer(limit)
    assert buffer.write(kind(source)) == min(limit, 256)
    source[:] = bytes(256)
    assert buffer.get(0, buffer.written) == ALL[:limit]


def test_a_receive_buffer_gives_what_is_in_order() -> None:
    buffer = ReceiveBuffer()
    buffer.store(3, b"def")
    buffer.store(0, b"abc")
    assert (buffer.read(2), buffer.read_offset) == (b"ab", 2)
    assert (buffer.read(6), buffer.read_offset) == (b"cdef", 6)
    assert buffer.read(6) == b""


def test_what_was_read_is_dropped_when_it_comes_again() -> None:
    buffer = ReceiveBuffer()
    buffer.store(0, ALL)
    assert buffer.read(200) == ALL[:200]
    buffer.store(0, b"x" * 200)
    buffer.store(150, b"x" * 10)
    assert buffer.read(210) == ALL[200:210]
    buffer.store(190, b"y" * 20 + ALL[210:])
    assert buffer.read(256) == ALL[210:]


def test_bytes_behind_a_hole_wait_for_it() -> None:
    buffer = ReceiveBuffer()
    buffer.store(0, b"ab")
    buffer.store(5, b"fg")
    assert buffer.read(2) == b"ab"
    buffer.store(2, b"cde")
    assert buffer.read(7) == b"cdefg"
