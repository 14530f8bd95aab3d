"""Files under names that somebody else has chosen, and what they are to look like."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from surewire.drivers.files import FileSink
from surewire.errors import DestinationError


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_link_is_no_place_for_a_file_where_it_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"keep")
    (tmp_path / "link").symlink_to("other")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("link", "dangling"):
        with pytest.raises(DestinationError, match="it is a symbolic link"):
            FileSink(tmp_path / name, follow=False)
    assert (tmp_path / "other").read_bytes() == b"keep"


def test_the_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "folder").symlink_to("real")
    with FileSink(tmp_path / "folder" / "out", follow=False) as sink:
        sink.write_at(0, [b"data"])
        sink.commit(4)
    assert names(tmp_path / "real") == ["out"]


def test_a_link_that_appears_meanwhile_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"keep")
    with FileSink(tmp_path / "out", follow=False) as sink:
        sink.write_at(0, [b"data"])
        (tmp_path / "out").symlink_to("other")
        sink.commit(4)
    assert (tmp_path / "other").read_bytes() == b"keep"
    assert not (tmp_path / "out").is_symlink() and (tmp_path / "out").read_bytes() == b"data"


def test_a_file_that_is_to_stay_stays(tmp_path: Path) -> None:
    with FileSink(tmp_path / "out", overwrite=False) as sink:
        sink.write_at(0, [b"data"])
        (tmp_path / "out").write_bytes(b"keep")
        with pytest.raises(DestinationError, match="File exists"):
            sink.commit(4)
        sink.discard()
    assert (names(tmp_path), (tmp_path / "out").read_bytes()) == (["out"], b"keep")


def test_a_new_name_needs_no_overwriting(tmp_path: Path) -> None:
    with FileSink(tmp_path / "out", overwrite=False) as sink:
        sink.write_at(0, [b"data"])
        sink.commit(4)
    assert (names(tmp_path), (tmp_path / "out").stat().st_nlink) == (["out"], 1)


@pytest.mark.parametrize(
    ("mask", "wanted", "given"),
    [
        (0o022, 0o755, 0o755),
        (0o077, 0o755, 0o700),
        (0o022, 0o4777, 0o755),
        (0o000, 0o000, 0o600),
        (0o022, 0o640, 0o640),
    ],
)
def test_a_new_file_gets_the_permissions_asked_for_within_the_umask(
    tmp_path: Path, mask: int, wanted: int, given: int
) -> None:
    with umask(mask), FileSink(tmp_path / "out") as sink:
        sink.set_attributes(mode=wanted, mtime_ns=1_000_000_000_123_456_789)
        sink.commit(0)
    assert mode(tmp_path / "out") == given
    assert abs((tmp_path / "out").stat().st_mtime_ns - 1_000_000_000_123_456_789) < 1_000_000_000


def test_an_existing_file_keeps_its_permissions_whatever_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "out").touch(0o640)
    with FileSink(tmp_path / "out") as sink:
        sink.set_attributes(mode=0o777, mtime_ns=None)
        sink.commit(0)
    assert mode(tmp_path / "out") == 0o640


@pytest.mark.parametrize("is_taken", [False, True])
def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_taken: bool) -> None:
    def link(source: str, target: str) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", link)
    with FileSink(tmp_path / "out", overwrite=False) as sink:
        sink.write_at(0, [b"data"])
        if is_taken:
            (tmp_path / "out").write_bytes(b"keep")
            with pytest.raises(DestinationError, match="File exists"):
                sink.commit(4)
            sink.discard()
        else:
            sink.commit(4)
    assert (names(tmp_path), (tmp_path / "out").read_bytes()) == (["out"], b"keep" if is_taken else b"data")
