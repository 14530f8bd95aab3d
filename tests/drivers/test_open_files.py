"""Open files as sources and sinks: any offset, whole or an error."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from surewire.api.open_files import OpenSink, OpenSource, descriptor_of
from surewire.errors import ConfigError, DestinationError, LocalProtocolError, SourceChanged

CONTENT = bytes(range(256)) * 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(CONTENT)
    return made


def test_a_source_is_a_part_of_a_file(path: Path) -> None:
    with path.open("rb") as file:
        source = OpenSource(descriptor_of(file), 10, 500)
        assert source.size == 500
        assert source.read_at(5, 20) == CONTENT[15:35]
        views = [memoryview(bytearray(size)) for size in (7, 0, 13)]
        source.read_into(480, views)
        assert b"".join(views) == CONTENT[490:510]
        many = [memoryview(bytearray(1)) for _ in range(500)]
        source.read_into(0, many)
        assert b"".join(many) == CONTENT[10:510]
        assert OpenSource(file.fileno(), 1000, None).size == 24
        for start, length in ((-1, 1), (490, 11)):
            with pytest.raises(LocalProtocolError):
                source.read_at(start, length)


def test_more_pieces_than_one_call_takes_are_read_one_by_one(path: Path) -> None:
    path.write_bytes(CONTENT * 4)
    views = [memoryview(bytearray(1)) for _ in range(3000)]
    with path.open("rb") as file:
        OpenSource(file.fileno(), 0, None).read_into(1, views)
    assert b"".join(views) == (CONTENT * 4)[1:3001]


def test_a_file_that_shrinks_is_told(path: Path) -> None:
    with path.open("rb") as file:
        source = OpenSource(file.fileno(), 0, None)
        os.truncate(path, 100)
        assert source.read_at(0, 100) == CONTENT[:100]
        with pytest.raises(SourceChanged, match="shorter"):
            source.read_at(90, 20)


def test_the_number_of_a_closed_file_is_not_used_for_another(path: Path, tmp_path: Path) -> None:
    """As happens after a timeout: the caller closes his file, while the transfer goes on."""
    other = tmp_path / "other"
    other.write_bytes(b"precious")
    with path.open("r+b") as file:
        number = file.fileno()
        source, sink = OpenSource(number, 0, 4), OpenSink(number, 4, 3)
    with other.open("r+b") as file:
        assert file.fileno() == number
        sink.write_at(0, [b"new"])
        assert source.read_at(0, 4) == CONTENT[:4]
    assert other.read_bytes() == b"precious"
    assert path.read_bytes()[:9] == CONTENT[:4] + b"new" + CONTENT[7:9]


def test_descriptors_are_given_back(path: Path) -> None:
    with path.open("r+b") as file:
        before = len(os.listdir("/proc/self/fd"))
        kept = OpenSource(file.fileno(), 0, None), OpenSink(file.fileno(), 0, 1)
        assert len(os.listdir("/proc/self/fd")) == before + 2
        del kept
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_does_not_tell_its_size_is_refused() -> None:
    with open("/proc/self/status", "rb") as file, pytest.raises(ConfigError, match="size"):
        OpenSource(file.fileno(), 0, None)


def test_a_part_beyond_the_file_is_refused(path: Path) -> None:
    with path.open("rb") as file:
        for start, count in ((0, 1025), (1025, None), (-1, 1), (0, -1)):
            with pytest.raises(ConfigError, match="of a file of 1024"):
                OpenSource(file.fileno(), start, count)
        with pytest.raises(TypeError):
            OpenSource(file.fileno(), 0, 1.5)  # type: ignore[arg-type]


def test_a_sink_writes_where_it_belongs(path: Path) -> None:
    with path.open("r+b") as file:
        sink = OpenSink(file.fileno(), 100, 2000)
        sink.write_at(4, [b"ab", memoryview(b"cd"), bytearray(b"ef")])
        sink.write_at(2000, [b"far"])
        sink.write_at(0, [])
        assert file.tell() == 0
    data = path.read_bytes()
    assert data[:104] == CONTENT[:104]
    assert data[104:110] == b"abcdef"
    assert data[2100:] == b"far"


def test_what_cannot_be_stored_is_told() -> None:
    with open("/dev/full", "wb") as file, pytest.raises(DestinationError, match=os.strerror(errno.ENOSPC)):
        OpenSink(file.fileno(), 0, 1).write_at(0, [b"x"])


@pytest.mark.parametrize(("mode", "reason"), [("rb", "not open for writing"), ("ab", "appending")])
def test_a_file_that_takes_no_bytes_at_their_place_is_refused(path: Path, mode: str, reason: str) -> None:
    with path.open(mode) as file, pytest.raises(ConfigError, match=reason):
        OpenSink(file.fileno(), 0, 1)


def test_a_file_that_cannot_be_read_is_refused(path: Path) -> None:
    with path.open("wb") as file, pytest.raises(ConfigError, match="not open for reading"):
        OpenSource(file.fileno(), 0, None)


@pytest.mark.parametrize(("start", "count"), [(-5, 3), (0, -1), (1 << 70, 1), ((1 << 63) - 1, 1)])
def test_places_that_no_file_has_are_refused(path: Path, start: int, count: int) -> None:
    with path.open("r+b") as file, pytest.raises(ConfigError, match="in a file"):
        OpenSink(file.fileno(), start, count)


def test_only_open_regular_files_will_do(path: Path) -> None:
    with path.open("rb") as file:
        assert descriptor_of(file) == descriptor_of(file.fileno()) == file.fileno()
    for wrong in (file, -1, object()):
        with pytest.raises(ConfigError, match="not an open file"):
            descriptor_of(wrong)  # type: ignore[arg-type]
    with open(os.devnull) as device, pytest.raises(ConfigError, match="regular"):
        descriptor_of(device)
