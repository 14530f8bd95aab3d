"""The hash of a file that is sent, and of one that is received in any order, on its own thread."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from surewire.drivers.file_hash import HashedSink, HashThread
from surewire.drivers.files import FileSink, FileSource
from surewire.errors import DestinationError, SourceChanged

BIG = random.Random(1).randbytes((5 << 20) + 777)


@pytest.mark.parametrize("content", [b"", b"x", BIG[: 1 << 20], BIG], ids=len)
def test_a_whole_file_is_hashed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "in"
    path.write_bytes(content)
    with FileSource(path) as source:
        hashing = HashThread(source.read_into)
        hashing.allow(len(content))
        assert hashing.digest() == hashlib.sha256(content).digest()


def test_only_what_was_allowed_is_hashed() -> None:
    asked: list[int] = []

    def read_into(offset: int, views: Sequence[memoryview]) -> None:
        for view in views:
            asked.append(offset + len(view))
            view[:] = BIG[offset : offset + len(view)]

    hashing = HashThread(read_into)
    for stop in range(0, 3 << 20, 100_000):
        hashing.allow(stop)
    assert hashing.digest() == hashlib.sha256(BIG[:stop]).digest()
    assert max(asked) == stop


def test_a_file_that_changes_is_told(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(BIG)
    with FileSource(path) as source:
        path.write_bytes(BIG[:1000])
        hashing = HashThread(source.read_into)
        hashing.allow(source.size)
        with pytest.raises(SourceChanged, match="now has 1000"):
            hashing.digest()


def test_it_can_be_stopped_at_any_time(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(BIG)
    with FileSource(path) as source:
        for allowed in (0, len(BIG)):
            hashing = HashThread(source.read_into)
            hashing.allow(allowed)
            hashing.stop()
            hashing.stop()


@pytest.mark.parametrize("seed", range(3))
def test_pieces_in_any_order_hash_to_the_file(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    pieces = [(start, BIG[start : start + 50_000]) for start in range(0, len(BIG), 50_000)]
    rng.shuffle(pieces)
    with FileSink(tmp_path / "out", is_hashed_elsewhere=True) as sink:
        hashed = HashedSink(sink)
        for start, piece in pieces:
            hashed.write_at(start, [piece[:1000], piece[1000:]])
        assert hashed.digest(len(BIG)) == hashlib.sha256(BIG).digest()
        hashed.commit(len(BIG))
    assert (tmp_path / "out").read_bytes() == BIG


def test_a_hole_has_no_hash(tmp_path: Path) -> None:
    with FileSink(tmp_path / "out", is_hashed_elsewhere=True) as sink:
        hashed = HashedSink(sink)
        hashed.write_at(0, [BIG[:1000]])
        hashed.write_at(2000, [BIG[2000:3000]])
        with pytest.raises(DestinationError, match="1000 of 3000 bytes"):
            hashed.digest(3000)
        hashed.stop()
        sink.discard()


def test_what_is_hashed_is_what_stands_in_the_file(tmp_path: Path) -> None:
    """Not what came: a disk that stored something else is noticed."""
    with FileSink(tmp_path / "out", is_hashed_elsewhere=True) as sink:
        hashed = HashedSink(sink)
        sink.write_at(0, [BIG[:1000]])
        assert sink.temporary is not None
        Path(sink.temporary).write_bytes(bytes(1000))
        hashed.write_at(1000, [BIG[1000:2000]])
        assert hashed.digest(2000) == hashlib.sha256(bytes(1000) + BIG[1000:2000]).digest()
        sink.discard()
