"""The files in memory that simulator and tests use behave as the interfaces promise."""

from __future__ import annotations

import hashlib
import random

from surewire.transfer.files import MemorySink, MemorySource, Sink, Source


def test_a_source_reads_any_place_again_and_again() -> None:
    data = random.Random(1).randbytes(10_000)
    source: Source = MemorySource(data)
    assert source.size == 10_000
    for offset, length in ((0, 1), (0, 10_000), (9_999, 1), (5, 500), (5, 500), (10_000, 0)):
        assert source.read_at(offset, length) == data[offset : offset + length]


def test_an_empty_source() -> None:
    assert MemorySource(b"").size == 0
    assert MemorySource(b"").read_at(0, 0) == b""


def test_a_sink_takes_pieces_in_any_order() -> None:
    rng = random.Random(2)
    data = rng.randbytes(5_000)
    sink = MemorySink()
    typed: Sink = sink
    starts = list(range(0, 5_000, 100))
    rng.shuffle(starts)
    for start in starts:
        whole = memoryview(data)[start : start + 100]
        typed.write_at(start, [whole[:33], bytearray(whole[33:40]), bytes(whole[40:])])
    assert typed.digest(5_000) == hashlib.sha256(data).digest()
    assert sink.committed is None
    typed.commit(5_000)
    assert sink.committed == data


def test_a_sink_keeps_nothing_of_the_buffers_it_was_given() -> None:
    sink = MemorySink()
    buffer = bytearray(b"abc")
    sink.write_at(0, [buffer])
    buffer[:] = b"xyz"
    sink.commit(3)
    assert sink.committed == b"abc"


def test_only_the_stated_size_is_hashed_and_committed() -> None:
    sink = MemorySink()
    sink.write_at(0, [b"abcdef"])
    assert sink.digest(3) == hashlib.sha256(b"abc").digest()
    sink.commit(3)
    assert sink.committed == b"abc"


def test_an_empty_file_is_committed_as_one() -> None:
    sink = MemorySink()
    assert sink.digest(0) == hashlib.sha256(b"").digest()
    sink.commit(0)
    assert sink.committed == b""


def test_bytes_written_twice_are_the_last_ones() -> None:
    sink = MemorySink()
    sink.write_at(2, [b"abc"])
    sink.write_at(0, [b"xyz"])
    sink.commit(5)
    assert sink.committed == b"xyzbc"
