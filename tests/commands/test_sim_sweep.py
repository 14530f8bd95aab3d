"""`surewire sim sweep`: its files, an interrupt, going on, what it refuses."""

from __future__ import annotations

import csv
import importlib.util
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from surewire.apps import exit_codes
from tests.commands.sim_tools import PATIENCE_S, sim, sim_here

SMALL = ("--over", "loss=0,10", "rtt=10,40", "--seeds", "2", "--size", "20k")
LONG = ("--over", "loss=0,10", "--seeds", "500", "--size", "100k")
needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib, of the extra 'sweep', is not installed"
)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@needs_matplotlib
def test_a_sweep_makes_a_table_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, picture = tmp_path / "t.csv", tmp_path / "p.svg"
    arguments = (*SMALL, "--protocol", "rdp,streamer", "--table", table, "--chart", picture)
    assert sim_here("sweep", *arguments, "--jobs", "1") == exit_codes.OK
    out, err = capsys.readouterr()
    assert (out, err) == (f"16 runs: {table}, {picture}\n", "")
    found = rows(table)
    assert [(row["loss"], row["rtt"], row["protocol"], row["seed"]) for row in found[:5]] == [
        ("0.0", "10.0", "rdp", "1"),
        ("0.0", "10.0", "rdp", "2"),
        ("0.0", "10.0", "streamer", "1"),
        ("0.0", "10.0", "streamer", "2"),
        ("0.0", "40.0", "rdp", "1"),
    ]
    assert len(found) == 16 and all(row["ok"] == "true" and row["error"] == "" for row in found)
    assert all(0 < float(row["utilisation"]) < 1 < float(row["overhead"]) for row in found)
    assert "20 KiB, 2 seeds; changed: loss, rtt" in picture.read_text()


def test_the_number_of_processes_does_not_show(tmp_path: Path) -> None:
    tables = [tmp_path / "1.csv", tmp_path / "2.csv"]
    for jobs, table in enumerate(tables, 1):
        assert sim_here("sweep", *SMALL, "--jobs", str(jobs), "--table", table) == exit_codes.OK
    assert tables[0].read_bytes() == tables[1].read_bytes()


def test_failed_runs_are_rows_and_no_failure_of_the_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.csv"
    arguments = ("--over", "loss=0,100", "--seeds", "1", "--size", "1k", "--jobs", "1", "--table", table)
    assert sim_here("sweep", *arguments) == exit_codes.OK
    assert capsys.readouterr().out == f"2 runs, 1 of them failed: {table}\n"
    assert [row["ok"] for row in rows(table)] == ["true", "false"]
    assert rows(table)[1]["error"].startswith("HandshakeTimeout: ")


def test_an_interrupt_keeps_what_is_done_and_it_goes_on_there(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    ours, theirs = pty.openpty()
    try:
        with sim("sweep", *LONG, "--jobs", "2", "--table", table, stderr=theirs, stdout=subprocess.PIPE) as process:
            os.close(theirs)
            shown = b""
            deadline = time.monotonic() + PATIENCE_S
            while b" of 1000 runs" not in shown and time.monotonic() < deadline:
                shown += os.read(ours, 65536)
            process.send_signal(signal.SIGINT)
            while b"interrupted" not in shown and time.monotonic() < deadline:
                shown += os.read(ours, 65536)
            out, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        os.close(ours)
    assert process.returncode == exit_codes.INTERRUPTED
    done = len(rows(table))
    assert 0 < done < 1000
    assert f"surewire sim sweep: interrupted after {done} of 1000 runs" in shown.decode()
    assert out == f"{done} of 1000 runs: {table}\n"
    assert b"Traceback" not in shown


def test_a_sweep_goes_on_where_its_table_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.csv"
    arguments = (*SMALL, "--jobs", "1", "--table", table, "--resume")
    assert sim_here("sweep", *arguments) == exit_codes.OK
    whole = table.read_text()
    lines = whole.splitlines(keepends=True)
    cells = lines[2].split(",")
    cells[lines[0].split(",").index("datagrams")] = "123456"  # a mark: a row that is kept is not run again
    marked = [*lines[:2], ",".join(cells), *lines[3:]]
    table.write_text("".join(marked[:4]))
    assert sim_here("sweep", *arguments) == exit_codes.OK
    assert table.read_text() == "".join(marked)
    capsys.readouterr()
    assert sim_here("sweep", *arguments, "--seed", "9") == exit_codes.USAGE
    assert "another sweep" in capsys.readouterr().err
    assert table.read_text() == "".join(marked)


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (["--over", "colour=red"], exit_codes.USAGE, "no axis 'colour'"),
        (["--table", "t.txt"], exit_codes.USAGE, "ends in .csv or .parquet"),
        (["--table", "no/such/t.csv"], exit_codes.FILE, "no such folder"),
        (["--chart", "p.pdf"], exit_codes.USAGE, "ends in .svg or .png"),
        (["--chart", "p.svg"], exit_codes.USAGE, "1 to 3 axes, not 0"),
        (["--protocol", "rdp,tcp"], exit_codes.USAGE, "rdp,streamer"),
        (["--over", "size=1k", "--size", "2k"], exit_codes.USAGE, "no --size beside"),
        (["--scenario", "nonsense"], exit_codes.USAGE, "no scenario 'nonsense'"),
        (["--seed", "4294967295"], exit_codes.USAGE, "seeds end at"),
        (["--cluster", "somewhere"], exit_codes.USAGE, "address of a scheduler"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_runs(
    arguments: list[str],
    status: int,
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        found = sim_here("sweep", "--table", "t.csv", *arguments)
    except SystemExit as end:
        found = int(str(end.code))
    out, err = capsys.readouterr()
    assert (found, out, err.count("\n")) == (status, "", 1) and why in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("pyarrow", ["--table", "t.parquet"]),
        ("matplotlib.figure", ["--table", "t.csv", "--over", "loss=0", "--chart", "p.svg"]),
        ("distributed", ["--table", "t.csv", "--cluster", "tcp://127.0.0.1:1"]),
    ],
)
def test_a_missing_package_is_named(
    package: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert sim_here("sweep", *arguments) == exit_codes.USAGE
    name = package.partition(".")[0]
    assert f"try: pip install {name}" in capsys.readouterr().err
