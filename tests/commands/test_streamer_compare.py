"""`surewire streamer compare`: what it prints and draws, how it ends, what it refuses."""

from __future__ import annotations

import importlib.util
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import surewire
from surewire.apps import cli, exit_codes
from surewire.apps.streamer_variants import DEFAULT, USUAL, Variant, run_trial
from surewire.core.units import NS_PER_S
from surewire.impair import ClassroomConfig
from surewire.streamer.config import Pipelining

SRC = Path(surewire.__file__).resolve().parent.parent
PATIENCE_S = 45
SMALL = ("--numbers", "20", "--seeds", "2")
ONE = ("--mode", "selective-repeat", "--acks", "delayed", "--nagle", "on")
needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib, the extra 'charts', is not installed"
)


def compare(*arguments: str, path: Path | None = None, stderr: int = subprocess.PIPE) -> Any:
    """Run the command as a process; modules in `path` come before all others."""
    search = os.pathsep.join([*([str(path)] if path else []), str(SRC)])
    return subprocess.run(
        [sys.executable, "-m", "surewire.apps.cli", "streamer", "compare", *arguments],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env={**os.environ, "PYTHONPATH": search},
        timeout=PATIENCE_S,
        check=False,
    )


def compare_here(*arguments: str) -> int:
    return cli.main(["streamer", "compare", *arguments])


# The table and the record


def test_the_table_has_a_line_for_each_usual_variant() -> None:
    done = compare(*SMALL)
    assert (done.returncode, done.stderr) == (exit_codes.OK, "")
    lines = done.stdout.splitlines()
    assert "20 numbers each way, loss 0.1, corruption 0.1, delay up to 0.1 s, mean of seeds 1 to 2" in lines[0]
    assert [line.startswith(variant.name) for line, variant in zip(lines[4:], USUAL, strict=True)] == [True] * 6
    assert all(line.endswith(" 0/2") for line in lines[4:])
    assert max(map(len, lines[2:])) <= 106


def test_the_columns_stand_under_their_heads(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare_here(*SMALL, *ONE) == exit_codes.OK
    _, _, head, heads, row = capsys.readouterr().out.splitlines()
    ends = [heads.index(word) + len(word) for word in heads.split()[1:]]
    assert len(ends) == 8
    assert all(row[end - 1] != " " and row[end : end + 1] in (" ", "") for end in ends)
    assert head.split() == ["Eth.", "last"]


def test_the_record_has_the_means_of_the_runs(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--loss", "0.2", "--corruption", "0", "--delay", "0.05", "--seed", "7")
    assert compare_here(*SMALL, *ONE, *options, "--json") == exit_codes.OK
    record = json.loads(capsys.readouterr().out)
    network = ClassroomConfig(loss=0.2, max_delay=NS_PER_S // 20)
    first, second = (run_trial(DEFAULT, 20, network, seed).figures for seed in (7, 8))
    assert first is not None
    assert second is not None
    (variant,) = record.pop("variants")
    assert record == {"numbers": 20, "loss": 0.2, "corruption": 0, "delay_s": 0.05, "seeds": [7, 8]}
    mean = {
        name: pytest.approx((one + other) / 2, abs=0.001)
        for name, one, other in zip(first._fields, first, second, strict=True)
    }
    assert variant == {
        "name": "selective-repeat",
        "mode": "selective-repeat",
        "acks": "delayed",
        "nagle": True,
        "congestion": None,
        "mean": mean,
        "failures": [],
    }


def test_two_processes_print_the_same() -> None:
    first, second = (compare(*SMALL, "--json") for _ in range(2))
    assert first.stdout == second.stdout != ""


def test_options_choose_the_variants(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare_here(*SMALL, "--mode", "stop-and-wait", "go-back-n", "--nagle", "off", "--json") == exit_codes.OK
    chosen = [each["name"] for each in json.loads(capsys.readouterr().out)["variants"]]
    assert chosen == [
        "stop-and-wait, ACK each, Nagle off",
        "stop-and-wait, Nagle off",
        "go-back-n, ACK each, Nagle off",
        "go-back-n, Nagle off",
    ]


def test_a_controller_is_chosen_like_the_switches(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare_here(*SMALL, *ONE, "--congestion", "newreno", "none", "newreno", "--json") == exit_codes.OK
    chosen = json.loads(capsys.readouterr().out)["variants"]
    assert [(each["name"], each["congestion"]) for each in chosen] == [
        ("selective-repeat, newreno", "newreno"),
        ("selective-repeat", None),
    ]


def test_a_single_run_is_no_range(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare_here("--numbers", "5", "--seeds", "1", "--seed", "3", *ONE) == exit_codes.OK
    assert capsys.readouterr().out.splitlines()[0].endswith("delay up to 0.1 s, seed 3")


def test_progress_is_shown_on_a_terminal_and_wiped() -> None:
    ours, theirs = pty.openpty()
    try:
        done = compare(*SMALL, *ONE, stderr=theirs)
        os.close(theirs)
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
    assert done.returncode == exit_codes.OK
    assert "selective-repeat: 1 of 2 runs" in shown
    assert shown.endswith("\r\x1b[K")


# Failures


def test_failed_runs_are_named_and_end_in_a_status_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare_here(*SMALL, *ONE, "--loss", "1") == exit_codes.LOST
    out, err = capsys.readouterr()
    assert out.splitlines()[-1].split() == ["selective-repeat", *"-" * 7, "2/2"]
    assert [line.split(": ")[1] for line in err.splitlines()] == [f"selective-repeat, seed {seed}" for seed in (1, 2)]
    assert "nobody answered" in err


def test_failed_runs_are_in_the_record(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare_here(*SMALL, *ONE, "--loss", "1", "--json") == exit_codes.LOST
    (variant,) = json.loads(capsys.readouterr().out)["variants"]
    assert variant["mean"] is None
    assert [failure["seed"] for failure in variant["failures"]] == [1, 2]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--numbers", "0"], "from 1 to 1000000, not '0'"),
        (["--numbers", "1e3"], "whole number"),
        (["--numbers", "١"], "whole number"),
        (["--numbers", "9" * 5000], "whole number"),
        (["--loss", "1.1"], "from 0 to 1, not '1.1'"),
        (["--loss", "-0.1"], "from 0 to 1"),
        (["--loss", "nan"], "from 0 to 1"),
        (["--corruption", "10%"], "from 0 to 1"),
        (["--delay", "inf"], "from 0 to 10"),
        (["--seeds", "0"], "from 1 to 1000"),
        (["--seed", "-1"], "from 0 to"),
        (["--mode", "tcp"], "invalid choice: 'tcp'"),
        (["--acks", "none"], "invalid choice: 'none'"),
        (["--congestion", "reno"], "invalid choice: 'reno'"),
        (["--nagle"], "expected at least one argument"),
        (["--chart", "chart.pdf"], "ends in .svg or .png"),
        (["--chart", ""], "ends in .svg or .png"),
        (["--num", "5"], "unrecognized arguments"),
        (["surplus"], "unrecognized arguments"),
    ],
)
def test_bad_options_are_refused_in_one_line(
    options: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        compare_here(*options)
    assert ended.value.code == exit_codes.USAGE
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert reason in err


def test_the_group_needs_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["streamer"])
    assert ended.value.code == exit_codes.USAGE
    assert capsys.readouterr().err.count("\n") == 1


def test_help_tells_columns_and_statuses() -> None:
    done = compare("--help")
    assert done.returncode == exit_codes.OK
    for word in ("packets", "repeated", "ACKs", "pings", "Eth. bytes", "last number", "closed", "failed"):
        assert f"\n  {word} " in done.stdout
    for status in (exit_codes.OK, exit_codes.USAGE, exit_codes.FILE, exit_codes.LOST, exit_codes.INTERRUPTED):
        assert f"\n  {status} " in done.stdout


# The chart


def test_a_missing_matplotlib_is_told_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ImportError('not here')\n")
    done = compare(*SMALL, "--chart", str(tmp_path / "chart.svg"), path=tmp_path)
    assert (done.returncode, done.stdout) == (exit_codes.USAGE, "")
    assert done.stderr.count("\n") == 1
    assert "pip install matplotlib" in done.stderr


def test_a_chart_in_no_folder_is_told_before_anything_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare_here(*SMALL, "--chart", str(tmp_path / "none" / "chart.svg")) == exit_codes.FILE
    out, err = capsys.readouterr()
    assert out == ""
    assert "no such folder" in err


@needs_matplotlib
def test_a_chart_that_cannot_be_written_is_told_after_the_table(tmp_path: Path) -> None:
    (tmp_path / "chart.svg").mkdir()
    done = compare(*SMALL, *ONE, "--chart", str(tmp_path / "chart.svg"))
    assert done.returncode == exit_codes.FILE
    assert "selective-repeat" in done.stdout
    assert done.stderr.count("\n") == 1


@needs_matplotlib
def test_a_chart_shows_all_and_is_the_same_each_time(tmp_path: Path) -> None:
    pictures = []
    for name in ("one.svg", "two.SVG"):
        assert compare(*SMALL, "--chart", str(tmp_path / name)).returncode == exit_codes.OK
        pictures.append((tmp_path / name).read_text(encoding="utf-8"))
    assert pictures[0] == pictures[1]
    for text in (
        "20 numbers each way, loss 0.1",
        "packets, both hosts",
        "Ethernet bytes, both hosts",
        "seconds to the last number",
        *(variant.name for variant in USUAL),
    ):
        assert f"{text}" in pictures[0]
    assert "<dc:date>" not in pictures[0]


@needs_matplotlib
def test_settings_of_the_user_do_not_change_the_chart(tmp_path: Path) -> None:
    settings = tmp_path / "matplotlibrc"
    settings.write_text("font.size: 30\nsvg.hashsalt: other\n")
    for name, environment in (("one.svg", {}), ("two.svg", {"MATPLOTLIBRC": str(settings)})):
        done = subprocess.run(
            [sys.executable, "-m", "surewire.apps.cli", "streamer", "compare", *SMALL, *ONE, "--chart", name],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(SRC), **environment},
            stdout=subprocess.DEVNULL,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == exit_codes.OK
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


@needs_matplotlib
def test_a_chart_can_be_a_png_and_leaves_out_what_failed(tmp_path: Path) -> None:
    done = compare(*SMALL, *ONE, "--loss", "1", "--chart", str(tmp_path / "chart.png"))
    assert done.returncode == exit_codes.LOST
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


# What it compares


def test_the_variants_are_those_of_the_class(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare_here("--numbers", "5", "--seeds", "1", "--mode", *(str(mode) for mode in Pipelining)) == 0
    rows = capsys.readouterr().out.splitlines()[4:]
    assert len(rows) == 12
    assert any(row.startswith(Variant(pipelining=Pipelining.GO_BACK_N, nagle=False).name) for row in rows)
