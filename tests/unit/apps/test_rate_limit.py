"""The limit of `--rate`: what a text or a file means, and what a file that changes does while a tool runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from surewire.apps.rate_limit import RateLimit
from surewire.errors import ConfigError

S = 1_000_000_000


class Watched:
    """A limit in a file, and what was said of it."""

    def __init__(self, path: Path, content: str) -> None:
        self.path = path
        self.now = 5 * S
        self.said: list[str] = []
        path.write_text(content)
        self.limit = RateLimit(f"@{path}")

    def after(self, content: str) -> tuple[bool, int | None]:
        """Whether the limit has changed when this stands in the file, and what it is then."""
        return self.look(content), self.limit.rate

    def look(self, content: str | None = None) -> bool:
        """A second later, with this in the file."""
        if content is not None:
            self.path.write_text(content)
        self.now += S
        return self.limit.look(now=self.now, warn=self.said.append)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "limit", "8M\n")


@pytest.mark.parametrize(
    ("text", "rate"), [("20M", 2_500_000), ("1.6k", 200), ("8", 1), ("15", 1), ("2G", 250_000_000), ("none", None)]
)
def test_a_text_is_bits_a_second(text: str, rate: int | None) -> None:
    assert RateLimit(text).rate == rate


@pytest.mark.parametrize("text", ["", "0", "7", "-5M", "fast", "20MB", "nan", "1e999", "None", "20 M bits"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"rate"):
        RateLimit(text)


def test_a_text_never_changes() -> None:
    limit = RateLimit("20M")
    assert not limit.look(now=10**12, warn=pytest.fail)
    assert limit.rate == 2_500_000


def test_a_file_is_followed(watched: Watched) -> None:
    assert watched.after("8000k") == (False, 1_000_000)
    assert watched.after("4M") == (True, 500_000)
    assert watched.after("4000k\n") == (False, 500_000)
    assert watched.after("  none\n") == (True, None)
    assert watched.after("8k") == (True, 1_000)
    assert watched.said == []


def test_another_file_of_that_name_is_followed(watched: Watched, tmp_path: Path) -> None:
    """So does `mv`, and whoever changes a file without anybody ever seeing half of it."""
    other = tmp_path / "other"
    other.write_text("16k")
    os.replace(other, watched.path)
    assert watched.look() and watched.limit.rate == 2_000


def test_it_is_looked_at_once_a_second_at_most(watched: Watched) -> None:
    watched.look()
    watched.path.write_text("8k")
    for tenth in range(1, 10):
        assert not watched.limit.look(now=watched.now + tenth * S // 10, warn=pytest.fail)
    assert watched.limit.look(now=watched.now + S, warn=pytest.fail)


@pytest.mark.parametrize("content", ["", "fast\n", "20M 30M", "9" * 100, "\0\0", "7", "20M\n" + " " * 100])
def test_other_content_is_told_once_and_changes_nothing(watched: Watched, content: str) -> None:
    for _ in range(4):
        assert not watched.look(content)
    assert watched.limit.rate == 1_000_000
    (line,) = watched.said
    assert line.startswith(f"note: {watched.path} holds no limit of the rate: ")
    assert line.endswith("; the limit stays as it was") and "\n" not in line


def test_what_is_being_written_is_not_complained_of(watched: Watched) -> None:
    assert not watched.look("")
    assert watched.look("16M")
    assert not watched.look("")
    assert not watched.look("16M")
    assert watched.said == []


def test_each_mistake_is_told(watched: Watched) -> None:
    for content in ("x", "x", "y", "y", "8M", "y", "y", "y"):
        watched.look(content)
    assert [line.split("'")[1] for line in watched.said] == ["x", "y", "y"]


def test_a_file_that_is_gone_changes_nothing_and_counts_again_when_it_is_back(watched: Watched) -> None:
    watched.path.unlink()
    assert not any([watched.look(), watched.look(), watched.look()])
    assert watched.said == [
        f"note: cannot read the limit of the rate in {watched.path}: No such file or directory; "
        "the limit stays as it was"
    ]
    assert watched.look("8k") and watched.limit.rate == 1_000


def test_a_file_that_cannot_be_used_from_the_start_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "limit"
    with pytest.raises(ConfigError, match="cannot read the limit of the rate in .*: No such file"):
        RateLimit(f"@{path}")
    with pytest.raises(ConfigError, match=r"cannot read .*: embedded null"):
        RateLimit("@a\0b")
    path.write_text("soon\n")
    with pytest.raises(ConfigError, match="holds no limit of the rate: .*'soon'"):
        RateLimit(f"@{path}")


def test_a_pipe_that_nobody_writes_to_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="the file is empty"):
        RateLimit(f"@{path}")
