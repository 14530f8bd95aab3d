"""`surewire sim fuzz` and `surewire sim replay`: what they print, write and refuse, and how they end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import surewire
from surewire.apps import cli, exit_codes, sim_fuzz
from surewire.lab.proof.fuzz import SeedResult, Summary, campaign
from surewire.lab.proof.fuzz_case import FuzzPath, RdpCase, as_json, from_json
from surewire.lab.proof.fuzz_cases import draw_case
from surewire.lab.proof.fuzz_world import CaseResult
from surewire.rdp.config import RdpConfig
from tests.commands.fuzz_workers import DEADLY, die_at_a_seed

SRC = Path(surewire.__file__).resolve().parent.parent


def sim(*arguments: str | Path) -> int:
    return cli.main(["sim", *map(str, arguments)])


def test_a_campaign_is_told_in_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert sim("fuzz", "--seeds", "20", "--jobs", "1") == exit_codes.OK
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("20 cases in ") and ", 0 failed; " in out
    assert "\nrdp: " in out and "\nstreamer: " in out and "  there were  " in out
    assert max(map(len, out.splitlines())) <= 106


def test_two_processes_find_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    records = []
    for jobs in ("1", "2"):
        assert sim("fuzz", "--seeds", "60", "--start", "7", "--jobs", jobs, "--json", "--protocol", "rdp") == 0
        record = json.loads(capsys.readouterr().out)
        del record["seconds"]
        records.append(record)
    assert records[0]["cases"] == {"rdp": 60} and records[0]["failures"] == []
    assert records[0]["datagrams"] == records[1]["datagrams"] > 500
    assert records[0]["outcomes"] == records[1]["outcomes"] and records[0]["features"] == records[1]["features"]


def test_a_time_limit(capsys: pytest.CaptureFixture[str]) -> None:
    assert sim("fuzz", "--seeds", "100000", "--jobs", "1", "--time-limit", "0.01", "--json") == 0
    assert 0 < sum(json.loads(capsys.readouterr().out)["cases"].values()) < 1000


def test_a_worker_that_dies_fails_its_seeds_and_no_others() -> None:
    results = [one for chunk in campaign(range(80), jobs=2, run=die_at_a_seed) for one in chunk]
    assert sorted(one.seed for one in results) == list(range(80))
    failed = {one.seed for one in results if one.violations}
    assert DEADLY in failed and len(failed) == 25
    assert {one.violations for one in results if one.seed == DEADLY} == {("worker: the process that ran it died",)}


@pytest.mark.skipif(os.name != "posix", reason="signals and terminals")
def test_ctrl_c_prints_the_summary_so_far() -> None:
    terminal, stderr = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "surewire.apps.cli", "sim", "fuzz", "--seeds", "1000000", "--jobs", "2"],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        start_new_session=True,  # as a shell's job, so that all of it is interrupted
    )
    os.close(stderr)
    told = b""
    while b" of 1000000 cases, " not in told:
        told += os.read(terminal, 1024)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=45)
    with contextlib.suppress(OSError):  # how a terminal says that nobody is left to write
        while chunk := os.read(terminal, 1024):
            told += chunk
    os.close(terminal)
    assert process.returncode == exit_codes.INTERRUPTED
    assert b"Traceback" not in told and b"Interrupt" not in told
    assert " cases in " in out and ", 0 failed; " in out


def failure(seed: int) -> SeedResult:
    result = CaseResult(outcome="x", violations=("same file at 1.0 s: 3 of 4", "b"), datagrams=1, ended_at=1)
    return SeedResult(seed=seed, protocol="rdp", is_benign=False, result=result)


def test_failures_are_counted_told_and_listed() -> None:
    summary = Summary()
    summary.add(failure(5))
    record = sim_fuzz.record(summary, [failure(5)], 1.5)
    assert record["failed"] == 1
    assert record["failures"] == [{"seed": 5, "protocol": "rdp", "violations": ["same file at 1.0 s: 3 of 4", "b"]}]
    assert "1 cases in 1.5 s, 1 failed; 1 datagrams" in sim_fuzz.table(summary, 1.5)


@pytest.mark.parametrize(
    "arguments",
    [
        ("fuzz", "--seeds", "0"),
        ("fuzz", "--seeds", "x"),
        ("fuzz", "--start", "-1"),
        ("fuzz", "--jobs", "0"),
        ("fuzz", "--protocol", "tcp"),
        ("fuzz", "--time-limit", "0"),
        ("fuzz", "--time-limit", "nan"),
        ("replay",),
        ("replay", "x"),
        ("replay", "1", "--case", "x.json"),
    ],
)
def test_wrong_arguments(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        sim(*arguments)
    assert caught.value.code == exit_codes.USAGE
    err = capsys.readouterr().err
    assert err.startswith(f"surewire sim {arguments[0]}: ") and err.count("\n") == 1


def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sim("fuzz", "--minimize", "--cases", tmp_path / "no") == exit_codes.FILE
    assert capsys.readouterr().err.count("\n") == 1


# Replay


def test_a_seed_is_replayed_with_its_packets(capsys: pytest.CaptureFixture[str]) -> None:
    assert sim("replay", "3", "--protocol", "rdp", "--trace") == exit_codes.OK
    lines = capsys.readouterr().out.splitlines()
    assert " SYN Sequence: " in lines[0]
    assert lines[-1].startswith("rdp: ") and " trace " in lines[-1]
    assert sim("replay", "3", "--protocol", "rdp") == exit_codes.OK
    assert capsys.readouterr().out.splitlines() == lines[-1:]


def test_a_case_goes_through_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sim("replay", "8", "--show") == exit_codes.OK
    shown = capsys.readouterr().out
    assert from_json(shown) == draw_case(8)
    path = tmp_path / "case.json"
    path.write_text(shown)
    assert sim("replay", "--case", path) == exit_codes.OK
    from_file = capsys.readouterr().out
    assert sim("replay", "8") == exit_codes.OK
    assert capsys.readouterr().out == from_file


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b'{"protocol": "rdp"}'])
def test_a_file_that_is_no_case(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "case.json"
    path.write_bytes(content)
    assert sim("replay", "--case", path) == exit_codes.FILE
    err = capsys.readouterr().err
    assert err.startswith(f"surewire sim replay: {path}: ") and err.count("\n") == 1


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sim("replay", "--case", tmp_path / "no.json") == exit_codes.FILE
    assert "No such file" in capsys.readouterr().err


def test_a_case_is_written_by_minimize(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What `--minimize` does with a failure, on one that is made up: its case passes, so nothing can be left out."""
    parser = cli.make_parser()
    args = parser.parse_args(["sim", "fuzz", "--minimize", "--cases", str(tmp_path), "--protocol", "rdp"])
    assert sim_fuzz.write_minimized(failure(3), args)
    path = tmp_path / "surewire-fuzz-rdp-3.json"
    assert from_json(path.read_text()) == draw_case(3, "rdp")
    assert f"surewire sim replay --case {path} --trace" in capsys.readouterr().err
    path.unlink()
    path.mkdir()
    assert not sim_fuzz.write_minimized(failure(3), args)


def test_plain_settings_survive_the_file() -> None:
    case = RdpCase(seed=1, path=FuzzPath(), sender=RdpConfig(magic=b"M" * 32, extensions=False))
    assert from_json(as_json(case)) == case
