"""The demo as a process: what it shows and how it ends; and its report on runs that went wrong."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import surewire
from surewire.apps.demo_report import FinishedRun, LogFollower, conclude, digest

SRC = Path(surewire.__file__).resolve().parent.parent
PATIENCE_S = 45
SIZE = 300 * 1024


def demo(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "surewire.apps.demo", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SRC), **(environment or {})},
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A good run and the folder it left."""
    folder = tmp_path_factory.mktemp("demo")
    return demo("--size", "300k", "--seed", "7", "--keep", str(folder)), folder


@pytest.fixture
def finished(run: tuple[subprocess.CompletedProcess[str], Path], tmp_path: Path) -> FinishedRun:
    """The good run as the report sees it, on files of its own."""
    folder = tmp_path / "copy"
    shutil.copytree(run[1], folder)
    statuses: dict[str, int | None] = {"rdps": 0, "rdpr": 0, "router": 0}
    return FinishedRun(folder=folder, sent=folder / "sent.bin", statuses=statuses, seconds=1.0)


# A good run


def test_it_sends_a_real_file_and_says_how_it_went(run: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, folder = run
    assert (done.returncode, done.stderr) == (0, "")
    content = (folder / "sent.bin").read_bytes()
    assert len(content) == SIZE
    assert b"surewire" in content
    assert (folder / "received.bin").read_bytes() == content
    assert done.stdout.count(hashlib.sha256(content).hexdigest()) == 2
    assert f"Sending {SIZE} bytes" in done.stdout
    assert "\n100%   307.2 kB   " in done.stdout
    assert "\n  identical\n" in done.stdout
    assert "RESULT: the file arrived, byte for byte, in " in done.stdout


def test_it_shows_both_ends_of_both_packet_logs(run: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, folder = run
    for name in ("rdps", "rdpr"):
        lines = (folder / f"{name}.log").read_text().splitlines()
        for line in (*lines[:2], *lines[-2:]):
            assert f"\n  {line}\n" in done.stdout


def test_it_shows_both_summaries(run: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, folder = run
    for name, fact in (("rdps", f"unique data bytes sent: {SIZE}"), ("rdpr", f"unique data bytes received: {SIZE}")):
        summary = (folder / f"{name}.out").read_text().splitlines()
        assert len(summary) == 10
        assert fact in summary
        for line in summary:
            assert f"\n  {line}\n" in done.stdout


def test_it_shows_what_the_network_did(run: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, _ = run
    assert "What the router did (seed 7):" in done.stdout
    for label in ("lost", "delivered twice", "corrupted", "reordered"):
        assert re.search(rf"\n  {label} +\d+ \(\d+\.\d%\) +\d+ \(\d+\.\d%\)\n", done.stdout), label
    ratio = re.search(r"total/unique data bytes: ([0-9.]+); with", done.stdout)
    bound = re.search(r"1/\(1-p\) = ([0-9.]+) ", done.stdout)
    assert ratio is not None
    assert bound is not None
    assert float(ratio[1]) > 1
    assert float(bound[1]) > 1
    assert re.search(r"\n  \d+\.\d\d s, .*/s of file; smoothed round trip \d+ ms, ", done.stdout)


def test_any_file_can_be_sent_and_nothing_is_left_behind(tmp_path: Path) -> None:
    content = tmp_path / "some file"
    content.write_bytes(bytes(range(256)) * 40)
    rest = tmp_path / "tmp"
    rest.mkdir()
    done = demo("--file", str(content), environment={"TMPDIR": str(rest)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert hashlib.sha256(content.read_bytes()).hexdigest() in done.stdout
    assert list(rest.iterdir()) == []


# Runs that went wrong


def test_the_watchdog_ends_it_and_says_so(tmp_path: Path) -> None:
    done = demo("--size", "100M", "--limit", "1", "--keep", str(tmp_path))
    assert done.returncode == 1
    assert "FAILED: it was not over after 1 s, so the demo ended its processes; " in done.stdout
    assert "rdps ended with status " in done.stdout
    assert not (tmp_path / "received.bin").exists()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything(tmp_path: Path, signum: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "surewire.apps.demo", "--size", "100M", "--keep", str(tmp_path / "kept")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SRC)},
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Sending ")
    process.send_signal(signum)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (130, "demo: interrupted\n")
    assert json.loads((tmp_path / "kept" / "router.out").read_text())["duration_s"] < PATIENCE_S
    assert "interrupted" in (tmp_path / "kept" / "rdpr.err").read_text()


def test_a_missing_file_is_one_line_and_status_2(tmp_path: Path) -> None:
    done = demo("--file", str(tmp_path / "none"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"demo: there is no file {tmp_path / 'none'}\n"


def test_the_folder_to_keep_must_not_hold_the_file(tmp_path: Path) -> None:
    content = tmp_path / "received.bin"
    content.write_bytes(b"precious")
    done = demo("--file", str(content), "--keep", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert content.read_bytes() == b"precious"


def test_a_good_run_is_judged_good(finished: FinishedRun) -> None:
    assert conclude(finished)[1] == 0


@pytest.mark.parametrize("place", [0, SIZE // 2, SIZE - 1])
def test_one_wrong_bit_is_a_failure(finished: FinishedRun, place: int) -> None:
    content = bytearray(finished.received.read_bytes())
    content[place] ^= 1
    finished.received.write_bytes(content)
    text, status = conclude(finished)
    assert status == 1
    assert "\n  DIFFERENT\n" in text
    assert text.endswith("FAILED: the files differ.\n")


def test_a_file_that_is_too_short_is_a_failure(finished: FinishedRun) -> None:
    finished.received.write_bytes(finished.received.read_bytes()[:-1])
    assert conclude(finished)[1] == 1


def test_no_file_is_a_failure(finished: FinishedRun) -> None:
    finished.received.unlink()
    text, status = conclude(finished)
    assert status == 1
    assert "No file was received." in text


@pytest.mark.parametrize(("status", "ending"), [(3, "ended with status 3"), (None, "had to be killed")])
def test_a_tool_that_failed_is_a_failure_even_if_the_file_is_right(
    finished: FinishedRun, status: int | None, ending: str
) -> None:
    (finished.folder / "rdps.err").write_text("rdps: no luck today\n")
    text, code = conclude(replace(finished, statuses={**finished.statuses, "rdps": status}))
    assert code == 1
    assert f"rdps {ending} and said: rdps: no luck today\n" in text
    assert text.endswith(f"FAILED: rdps {ending}.\n")


def test_a_run_that_left_nothing_is_a_failure_too(tmp_path: Path) -> None:
    bad = FinishedRun(folder=tmp_path, sent=tmp_path / "sent.bin", statuses={}, seconds=0, trouble="nothing worked")
    text, status = conclude(bad)
    assert status == 1
    assert "FAILED: nothing worked; " in text


def test_the_digest_is_sha_256(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    assert digest(file) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest(tmp_path / "none") is None


# Progress


def test_progress_comes_from_the_packet_logs(tmp_path: Path) -> None:
    sender, receiver = tmp_path / "rdps.log", tmp_path / "rdpr.log"
    follower = LogFollower(tmp_path, 2000)
    follower.follow()
    assert follower.line(0.0) == "  0%   0 B   0 B/s   packets resent 0"
    there, back = "1.1.1.1:1 2.2.2.2:2", "2.2.2.2:2 1.1.1.1:1"
    lines = (
        f"23:59:59.900000 s {there} SYN 99 0\n"
        f"23:59:59.950000 r {back} ACK 100 9000\n"
        f"23:59:59.990000 s {there} DAT 100 1000\n"
        f"23:59:59.990000 s {there} DAT 1100 1000\n"
        f"00:00:00.030000 r {back} ACK 1100 9000\n"
        f"00:00:00.500000 S {there} DAT 1100 1000\n"
    )
    sender.write_text(lines + "00:00:00.550000 r 2.2.2.2:2 1.1.1.1:1 ACK 21")
    receiver.write_text(
        f"00:00:00.020000 r {there} DAT 100 1000\n"
        f"00:00:00.020000 s {back} ACK 1100 9000\n"
        f"00:00:00.530000 r {there} DAT 1100 1000\n"  # which copy it was cannot be told
        f"00:00:00.530000 s {back} ACK 2100 9000\n"
    )
    follower.follow()
    assert follower.acked == 1000
    assert follower.line(0.5) == " 50%   1.0 kB   2.0 kB/s   round trip 40 ms   packets resent 1"
    with sender.open("a") as file:
        file.write(f"00 9000\n00:00:00.560000 r {back} ACK 2101 9000\n")
    follower.follow()
    assert follower.line(1.0) == "100%   2.0 kB   2.0 kB/s   round trip 45 ms   packets resent 1"
