"""The receiver's temporary file, removed or replaced in mid-transfer, went unnoticed.

A replaced one got the final name with somebody else's content, and of a removed one `rdpr` said that it was kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from surewire.drivers.files import FileSink
from surewire.errors import DestinationError

OURS = b"acknowledged"
THEIRS = b"something else"


@pytest.fixture
def sink(tmp_path: Path) -> FileSink:
    """A sink with some bytes in its temporary file."""
    sink = FileSink(tmp_path / "out")
    sink.write_at(0, [OURS])
    return sink


def remove(sink: FileSink) -> Path:
    """Unlink the temporary file; return where it was."""
    assert sink.temporary is not None
    path = Path(sink.temporary)
    path.unlink()
    return path


def replace_by_a_file(sink: FileSink) -> Path:
    path = remove(sink)
    path.write_bytes(THEIRS)
    return path


def replace_by_a_link(sink: FileSink) -> Path:
    path = remove(sink)
    other = path.with_name("other")
    other.write_bytes(THEIRS)
    path.symlink_to(other)
    return path


@pytest.mark.parametrize("damage", [replace_by_a_file, replace_by_a_link])
def test_a_replaced_one_never_gets_the_name(sink: FileSink, tmp_path: Path, damage: Callable[[FileSink], Path]) -> None:
    path = damage(sink)
    with pytest.raises(DestinationError, match="was replaced by somebody else"):
        sink.commit(len(OURS))
    assert sink.keep() is None
    assert not os.path.lexists(tmp_path / "out")
    assert path.read_bytes() == THEIRS


def test_a_removed_one_is_not_committed(sink: FileSink, tmp_path: Path) -> None:
    path = remove(sink)
    with pytest.raises(DestinationError):
        sink.commit(len(OURS))
    with pytest.raises(DestinationError, match=f"{path.name} was removed by somebody else"):
        sink.keep()
    assert sink.keep() is None
    assert os.listdir(tmp_path) == []


def test_a_removed_one_is_not_said_to_be_kept(sink: FileSink) -> None:
    path = remove(sink)
    with pytest.raises(DestinationError, match=f"{path.name} was removed by somebody else"):
        sink.keep()
    assert sink.temporary is None and sink.keep() is None
