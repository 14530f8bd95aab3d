"""Bytes that wait to be sent: from memory and from files, by their place in the stream, and within a limit."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from surewire.errors import SourceChanged
from surewire.native.outgoing import Outgoing
from surewire.transfer.files import MemorySource


def read(outgoing: Outgoing, offset: int, *lengths: int) -> bytes:
    buffer, views, at = bytearray(sum(lengths)), [], 0
    for length in lengths:
        views.append(memoryview(buffer)[at : at + length])
        at += length
    outgoing.read_into(offset, views)
    return bytes(buffer)


def test_pieces_of_all_kinds_lie_end_to_end() -> None:
    file = random.Random(1).randbytes(50_000)
    outgoing, whole = Outgoing(1 << 20), b""
    for number in range(40):
        small, large = bytes([number]) * (number + 1), bytes([number]) * 5_000
        for data in (small, bytearray(small), memoryview(small), large, bytearray(large), memoryview(large)):
            assert outgoing.write(data) == len(data)
            whole += bytes(data)
        outgoing.append_source(MemorySource(file), number * 100, 1_000 + number)
        whole += file[number * 100 : number * 100 + 1_000 + number]
    assert outgoing.written == len(whole)
    rng = random.Random(2)
    for _ in range(300):
        lengths = [rng.randrange(1, 9_000) for _ in range(rng.randrange(1, 5))]
        offset = rng.randrange(len(whole) - sum(lengths))
        assert read(outgoing, offset, *lengths) == whole[offset : offset + sum(lengths)]


def test_what_is_not_bytes_is_copied_and_may_be_changed_afterwards() -> None:
    outgoing, buffer = Outgoing(1 << 20), bytearray(b"a" * 6_000)
    outgoing.write(buffer)
    outgoing.write(memoryview(buffer)[:10])
    buffer[:] = b"b" * 6_000
    assert read(outgoing, 0, 6_010) == b"a" * 6_010


def test_no_more_is_taken_than_there_is_room_for() -> None:
    outgoing = Outgoing(10_000)
    assert outgoing.write(bytes(6_000)) == 6_000
    assert outgoing.write(b"x" * 6_000) == 4_000
    assert (outgoing.room, outgoing.write(b"x"), outgoing.write(b""), outgoing.held) == (0, 0, 0, 10_000)
    outgoing.append_source(MemorySource(bytes(50_000)), 0, 50_000)  # costs no memory
    assert outgoing.written == 60_000 and outgoing.held == 10_000


@pytest.mark.parametrize("taken", [1, 4_096, 4_097, 9_000])
def test_of_a_piece_that_did_not_fit_only_what_fitted_counts(taken: int) -> None:
    """A part of a large `bytes` is kept without a copy; it must not count whole when it is acknowledged."""
    outgoing = Outgoing(10_000)
    outgoing.write(bytes(10_000 - taken))
    assert outgoing.write(bytes(1_000_000)) == taken
    outgoing.discard_acked(10_000)
    assert outgoing.held == 0 and outgoing.room == 10_000


def test_memory_is_let_go_when_it_is_acknowledged() -> None:
    outgoing = Outgoing(100_000)
    for _ in range(10):
        outgoing.write(bytes(10_000))
    outgoing.discard_acked(9_999)
    assert outgoing.room == 0  # pieces go as a whole
    outgoing.discard_acked(35_000)
    assert outgoing.room == 30_000
    assert read(outgoing, 30_000, 70_000) == bytes(70_000)
    outgoing.discard_acked(35_000)
    assert outgoing.room == 30_000
    outgoing.discard_acked(100_000)
    assert outgoing.room == 100_000


class Weighed(bytes):
    """Bytes that a test can see being let go."""

    alive = 0

    def __new__(cls, size: int) -> Weighed:
        cls.alive += 1
        return super().__new__(cls, size)

    def __del__(self) -> None:
        Weighed.alive -= 1


def test_no_acknowledged_bytes_are_held_although_some_are_not_yet() -> None:
    outgoing = Outgoing(1 << 30)
    for _ in range(50):
        outgoing.write(Weighed(10_000))
    outgoing.discard_acked(490_000)
    assert Weighed.alive <= 1


def test_bytes_one_by_one_and_acknowledged_at_once() -> None:
    outgoing = Outgoing(1_000)
    for number in range(20_000):
        assert outgoing.write(bytes([number & 0xFF])) == 1
        assert read(outgoing, number, 1) == bytes([number & 0xFF])
        if number % 7 == 0:
            outgoing.discard_acked(number + 1)
    assert outgoing.held <= 7


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_writing_reading_and_acknowledging(seed: int) -> None:
    rng = random.Random(seed)
    file = rng.randbytes(100_000)
    outgoing, whole, acked = Outgoing(60_000), b"", 0
    for _ in range(600):
        if rng.random() < 0.2:
            length = rng.randrange(1, 9_000)
            start = rng.randrange(len(file) - length)
            outgoing.append_source(MemorySource(file), start, length)
            whole += file[start : start + length]
        else:
            data = rng.randbytes(rng.choice([1, 30, 4_096, 4_097, 20_000]))
            whole += data[: outgoing.write(data if rng.random() < 0.5 else bytearray(data))]
        for _ in range(3):
            offset = rng.randrange(acked, len(whole))
            length = min(rng.randrange(1, 4_000), len(whole) - offset)
            assert read(outgoing, offset, length) == whole[offset : offset + length]
        acked = rng.randrange(acked, len(whole))
        outgoing.discard_acked(acked)
        assert 0 <= outgoing.held <= 60_000 and outgoing.room == 60_000 - outgoing.held


class Shrunk:
    """A file that somebody cut off."""

    size = 1_000

    def read_at(self, offset: int, length: int) -> bytes:
        raise SourceChanged("shorter")

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        raise SourceChanged("shorter")


def test_what_a_source_says_comes_through() -> None:
    outgoing = Outgoing(1_000)
    outgoing.append_source(Shrunk(), 0, 1_000)
    with pytest.raises(SourceChanged):
        read(outgoing, 0, 10)
