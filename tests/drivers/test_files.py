"""Files as source and sink of a transfer, on a real file system."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import resource
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from surewire.drivers.files import FileSink, FileSource
from surewire.errors import DestinationError, LocalProtocolError, SourceChanged, TransferError
from surewire.transfer.files import MemorySink, Sink, Source

not_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def largest_file(nbytes: int) -> Iterator[None]:
    """Let files grow to `nbytes` at most: the disk that is full, without filling a disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# The source.


def test_a_source_reads_any_range_again_and_again(tmp_path: Path) -> None:
    content = random.Random(1).randbytes(10_000)
    (tmp_path / "in").write_bytes(content)
    with FileSource(tmp_path / "in") as opened:
        source: Source = opened
        assert source.size == 10_000
        for offset, length in [(0, 10_000), (9_999, 1), (5, 100), (5, 100), (10_000, 0), (0, 0)]:
            assert source.read_at(offset, length) == content[offset : offset + length]
    opened.close()


def test_a_source_may_be_empty(tmp_path: Path) -> None:
    (tmp_path / "in").touch()
    with FileSource(str(tmp_path / "in")) as source:
        assert source.size == 0
        assert source.read_at(0, 0) == b""


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(tmp_path / "sock"))
        for name, reason in [
            (str(tmp_path), "it is a directory"),
            (str(tmp_path / "pipe"), "it is a named pipe"),
            (str(tmp_path / "sock"), "it is a socket"),
            ("/dev/null", "it is a device"),
            (str(tmp_path / "absent"), "No such file"),
            ("nul\0name", "null (?:byte|character)"),
        ]:
            with pytest.raises(TransferError, match=reason) as caught:
                FileSource(name)
            assert "\n" not in str(caught.value)


@not_root
def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "in").touch(0)
    with pytest.raises(TransferError, match="in: Permission denied"):
        FileSource(tmp_path / "in")


def test_a_source_that_shrinks_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(bytes(1000))
    with FileSource(tmp_path / "in") as source:
        os.truncate(tmp_path / "in", 500)
        assert source.read_at(0, 500) == bytes(500)
        with pytest.raises(SourceChanged, match="had 1000 bytes and now has 500"):
            source.read_at(400, 200)


def test_a_source_that_grows_is_noticed_at_its_end_and_ever_after(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(bytes(1000))
    with FileSource(tmp_path / "in") as source:
        source.read_at(0, 1000)
        with (tmp_path / "in").open("ab") as more:
            more.write(b"x")
        with pytest.raises(SourceChanged, match="had 1000 bytes and now has 1001"):
            source.read_at(0, 10)


def test_a_source_rewritten_in_place_is_noticed_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(bytes(1000))
    with FileSource(tmp_path / "in") as source:
        source.read_at(0, 999)
        os.utime(tmp_path / "in", ns=(0, 0))
        with pytest.raises(SourceChanged, match="modified"):
            source.read_at(999, 1)


def test_reading_outside_or_after_the_end_is_the_callers_mistake(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(bytes(10))
    source = FileSource(tmp_path / "in")
    for offset, length in [(-1, 1), (0, -1), (0, 11), (11, 0)]:
        with pytest.raises(LocalProtocolError):
            source.read_at(offset, length)
    source.close()
    with pytest.raises(LocalProtocolError):
        source.read_at(0, 1)


# The sink.


def test_a_committed_file_has_its_name_and_nothing_else_is_left(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out")
    stored: Sink = sink
    stored.write_at(0, [b"hello ", bytearray(b"wor"), memoryview(b"ld")])
    assert sink.temporary is not None
    assert Path(sink.temporary).parent == tmp_path
    assert not (tmp_path / "out").exists()
    stored.commit(11)
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out").read_bytes() == b"hello world"
    assert sink.keep() is None
    sink.close()
    sink.discard()
    assert names(tmp_path) == ["out"]
    for late in (lambda: sink.write_at(0, [b"x"]), lambda: sink.digest(11), lambda: sink.commit(11)):
        with pytest.raises(LocalProtocolError):
            late()


def test_an_empty_file_is_committed_too(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out")
    assert sink.digest(0) == hashlib.sha256().digest()
    sink.commit(0)
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out").read_bytes() == b""


def test_what_goes_beyond_the_size_is_cut_off(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out")
    sink.write_at(0, [b"hello world"])
    assert sink.digest(5) == hashlib.sha256(b"hello").digest()
    sink.commit(5)
    assert (tmp_path / "out").read_bytes() == b"hello"


def test_a_sink_nobody_wrote_to_leaves_no_trace(tmp_path: Path) -> None:
    with FileSink(tmp_path / "out") as sink:
        sink.write_at(0, [])
        sink.write_at(5, [b""])
    assert sink.keep() is None
    assert names(tmp_path) == []


def test_an_unfinished_file_is_kept_beside_the_name(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"the one before")
    with FileSink(tmp_path / "out") as sink:
        sink.write_at(0, [b"abc"])
        sink.write_at(5, [b"fg"])
        assert sink.contiguous == 3
    kept = sink.keep()
    assert kept is not None
    assert kept == sink.temporary
    assert Path(kept).name.startswith(".out.")
    assert Path(kept).name.endswith(".part")
    assert Path(kept).read_bytes() == b"abc\0\0fg"
    assert (tmp_path / "out").read_bytes() == b"the one before"
    sink.discard()
    assert names(tmp_path) == ["out"]


def test_a_file_with_a_hole_never_gets_its_name(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out")
    sink.write_at(0, [b"abc"])
    sink.write_at(5, [b"fg"])
    for incomplete in (lambda: sink.digest(7), lambda: sink.commit(7)):
        with pytest.raises(DestinationError, match="3 of 7 bytes"):
            incomplete()
    assert not (tmp_path / "out").exists()
    sink.write_at(3, [b"de"])
    sink.commit(7)
    assert (tmp_path / "out").read_bytes() == b"abcdefg"


@pytest.mark.parametrize("seed", range(8))
def test_any_order_of_writes_gives_the_same_file_and_digest_as_in_memory(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    size = rng.randrange(1, 3_000_000)
    content = rng.randbytes(size)
    cuts = sorted({0, size, *(rng.randrange(size) for _ in range(rng.choice([1, 10, 200])))})
    spans = list(itertools.pairwise(cuts))
    if seed % 2:
        rng.shuffle(spans)
    elif len(spans) > 2:
        spans.append(spans.pop(1))  # one early hole, filled last
    memory = MemorySink()
    with FileSink(tmp_path / "out") as sink:
        for start, stop in spans:
            middle = rng.randint(start, stop)
            pieces = [memoryview(content)[start:middle], memoryview(content)[middle:stop]]
            sink.write_at(start, pieces)
            memory.write_at(start, pieces)
        assert sink.contiguous == size
        assert sink.digest(size) == memory.digest(size) == hashlib.sha256(content).digest()
        assert sink.digest(size) == memory.digest(size)
        sink.commit(size)
    assert (tmp_path / "out").read_bytes() == content


def test_bytes_written_again_count_as_written_last(tmp_path: Path) -> None:
    with FileSink(tmp_path / "out") as sink:
        sink.write_at(0, [b"abcdef"])
        sink.write_at(2, [b"XY"])
        assert sink.digest(6) == hashlib.sha256(b"abXYef").digest()
        sink.write_at(6, [b"gh"])
        assert sink.digest(8) == hashlib.sha256(b"abXYefgh").digest()
        sink.write_at(7, [b"Zi"])
        assert sink.digest(9) == hashlib.sha256(b"abXYefgZi").digest()


def test_more_pieces_than_one_call_takes(tmp_path: Path) -> None:
    pieces = [bytes([i % 251]) * 3 for i in range(5000)]
    with FileSink(tmp_path / "out") as sink:
        sink.write_at(0, pieces)
        sink.commit(15_000)
    assert (tmp_path / "out").read_bytes() == b"".join(pieces)


def test_a_full_disk_is_told_and_what_fitted_is_kept(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out")
    with largest_file(10_000):
        sink.write_at(0, [bytes(6_000)])
        with pytest.raises(DestinationError, match="out: File too large"):
            sink.write_at(6_000, [bytes(3_000), bytes(3_000)])
        kept = sink.keep()
    assert kept is not None
    assert sink.contiguous == 6_000
    assert Path(kept).stat().st_size >= 6_000
    assert not (tmp_path / "out").exists()


def test_nothing_is_left_when_the_first_write_fails(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out")
    with largest_file(10), pytest.raises(DestinationError, match="File too large"):
        sink.write_at(20, [b"x"])
    assert sink.keep() is None
    assert names(tmp_path) == []


def test_a_rename_that_fails_keeps_the_bytes(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out")
    sink.write_at(0, [b"abc"])
    (tmp_path / "out").mkdir()
    with pytest.raises(DestinationError, match="out: Is a directory"):
        sink.commit(3)
    kept = sink.keep()
    assert kept is not None
    assert Path(kept).read_bytes() == b"abc"
    with pytest.raises(LocalProtocolError):
        sink.commit(3)


def test_a_folder_that_vanished_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    sink = FileSink(folder / "out")
    folder.rmdir()
    with pytest.raises(DestinationError, match="No such file"):
        sink.write_at(0, [b"x"])
    assert sink.keep() is None


def test_only_a_place_for_a_regular_file_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(tmp_path / "sock"))
        before = names(tmp_path)
        for name, reason in [
            (str(tmp_path), "it is a directory"),
            (f"{tmp_path}/new/", "names a folder"),
            ("", "it is a directory"),
            (str(tmp_path / "pipe"), "it is a named pipe"),
            (str(tmp_path / "sock"), "it is a socket"),
            ("/dev/null", "it is a device"),
            (str(tmp_path / "absent" / "out"), "No such file or directory"),
            (str(tmp_path / "file" / "out"), "is not a directory"),
            (str(tmp_path / "loop"), "a loop of symbolic links"),
            (str(tmp_path / ("n" * 300)), "File name too long"),
            ("nul\0name", "null (?:byte|character)"),
        ]:
            with pytest.raises(DestinationError, match=reason) as caught:
                FileSink(name)
            assert "\n" not in str(caught.value)
        assert names(tmp_path) == before


@not_root
def test_a_folder_without_permission_is_refused_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(0o555)
    with pytest.raises(DestinationError, match="no permission to create files"):
        FileSink(folder / "out")


def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/out")
    for content in (b"first", b"second"):
        with FileSink(tmp_path / "link") as sink:
            sink.write_at(0, [content])
            assert len(names(tmp_path / "real")) == (1 if content == b"first" else 2)
            sink.commit(len(content))
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real" / "out").read_bytes() == content
        assert names(tmp_path / "real") == ["out"]


def test_permissions_are_those_of_the_file_replaced_or_the_umask(tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    (tmp_path / "old").chmod(0o4664)
    with umask(0o027):
        for name in ("new", "old"):
            with FileSink(tmp_path / name) as sink:
                sink.write_at(0, [b"x"])
                sink.commit(1)
    assert mode(tmp_path / "new") == 0o640
    assert mode(tmp_path / "old") == 0o664


@pytest.mark.parametrize("name", ["n" * 255, "ä" * 127, "n" * 242, "n" * 243])
def test_the_longest_names_have_room_for_the_temporary_one(tmp_path: Path, name: str) -> None:
    with FileSink(tmp_path / name) as sink:
        sink.write_at(0, [b"x"])
        sink.commit(1)
    assert names(tmp_path) == [name]


def test_two_sinks_for_one_name_do_not_meet(tmp_path: Path) -> None:
    with FileSink(tmp_path / "out") as one, FileSink(tmp_path / "out") as two:
        one.write_at(0, [b"one"])
        two.write_at(0, [b"two"])
        one.commit(3)
        assert (tmp_path / "out").read_bytes() == b"one"
        two.commit(3)
    assert (tmp_path / "out").read_bytes() == b"two"
    assert names(tmp_path) == ["out"]


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs a file that has content but no size")
def test_a_file_that_hides_its_size_is_refused() -> None:
    with pytest.raises(TransferError, match="its size is not known beforehand"):
        FileSource("/proc/self/status")
