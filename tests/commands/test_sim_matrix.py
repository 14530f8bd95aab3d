"""`surewire sim matrix`: a table, a document, and what differs from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from surewire.apps import exit_codes
from surewire.apps.sim_matrix import DIFFERENT
from tests.commands.sim_tools import sim_here

QUICK = ("handshake", "longrtt")


@pytest.fixture
def document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A document with a matrix of the quick scenarios."""
    assert sim_here("matrix", "--only", *QUICK, "--jobs", "1") == exit_codes.OK
    path = tmp_path / "d.md"
    path.write_text(f"# Mine\n\n{capsys.readouterr().out}")
    return path


def test_the_same_code_differs_in_nothing(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sim_here("matrix", "--only", *QUICK, "--jobs", "2", "--check", document) == exit_codes.OK
    assert capsys.readouterr().out == ""


def test_differences_are_numbers_and_a_status(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = document.read_text().splitlines(keepends=True)
    row = next(index for index, line in enumerate(lines) if line.startswith("| handshake | rdp "))
    cells = lines[row].split(" | ")
    seconds = float(cells[4])
    cells[4] = f"{seconds / 2:.3f}"
    lines[row] = " | ".join(cells)
    document.write_text("".join(lines))
    assert sim_here("matrix", "--only", QUICK[0], "--jobs", "1", "--check", document) == DIFFERENT
    assert capsys.readouterr().out == f"handshake, rdp: seconds {seconds / 2:.3f} -> {seconds:.3f} (+100.0%)\n"
    assert sim_here("matrix", "--only", QUICK[1], "--jobs", "1", "--check", document) == exit_codes.OK


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (["--only", "nonsense"], exit_codes.USAGE, "no scenario 'nonsense'"),
        (["--only", "handshake", "--write", "{}"], exit_codes.USAGE, "no --only beside"),
        (["--check", "{}.none"], exit_codes.FILE, "cannot read"),
        (["--check", "{}"], exit_codes.FILE, "each once"),
        (["--write", "{}"], exit_codes.FILE, "each once"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_runs(
    arguments: list[str], status: int, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "d.md"
    path.write_text("no marks\n")
    assert sim_here("matrix", *(argument.format(path) for argument in arguments)) == status
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1) and why in err
    assert path.read_text() == "no marks\n"
