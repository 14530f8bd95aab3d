"""Each measure of bench/native.py runs, on a megabyte, and prints its row; what it measures is nobody's test."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COLUMNS = "| measure | median | runs | floor | aim | verdict |"


def bench(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it on little data."""
    return subprocess.run(
        [sys.executable, ROOT / "bench" / "native.py", "--quick", "--folder", str(folder), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=50,
    )


def row(done: subprocess.CompletedProcess[str], name: str) -> list[str]:
    """The cells of a measure."""
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def needs(*modules: str) -> pytest.MarkDecorator:
    """Skip where one of them is not installed."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("checked, one connection", "MB/s"),
        ("checked, held : kernel TCP, MSS 1,460", "x"),
        ("path MTU left free, checked", "MB/s"),
        ("no GSO or GRO, checked", "MB/s"),
        ("RDP text format, logs off", "MB/s"),
        ("RDP text format, logs to files", "MB/s"),
        ("round trips, checked, 64 bytes each way", "a second"),
        pytest.param("sealed, one connection", "MB/s", marks=needs("cryptography")),
        pytest.param("asyncio, sealed, held : sealed, held", "x", marks=needs("cryptography")),
        pytest.param("sealed, held : aioquic", "x", marks=needs("cryptography", "aioquic")),
        pytest.param("sealed, held : qh3", "x", marks=needs("cryptography", "qh3")),
        pytest.param("sealed, 1,200 bytes : quinn, CUBIC", "x", marks=needs("cryptography", "quic_portal")),
    ],
)
def test_a_measure_prints_its_row(name: str, unit: str, tmp_path: Path) -> None:
    done = bench(name, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert COLUMNS in done.stdout
    cells = row(done, name)
    value, said_unit = cells[1].split(" ", 1)
    assert said_unit == unit
    assert float(value.replace(",", "")) > 0
    assert cells[2] == value  # one run


def test_a_missed_floor_is_said_and_strict_makes_it_the_status(tmp_path: Path) -> None:
    name = "checked, one connection"  # 700 MB/s, with one megabyte and a handshake
    done = bench(name, "--strict", folder=tmp_path)
    assert row(done, name)[3:] == ["700", "1,200", "FAILED"]
    assert done.returncode == 1


def test_what_each_end_took_is_told(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = bench("checked, one connection", "--json", str(report), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "| way | MB | MB/s | CPU s/GB sender | receiver | peak MB sender | receiver |" in done.stdout
    (run,) = json.loads(report.read_text())
    figures = run["checked, held"]
    assert figures["nbytes"] == 1_000_000
    assert 1_000_000 < figures["said"]["stats"]["sent_bytes"] < 1_200_000
    assert figures["said"]["stats"]["path_mtu"] == 1472
    assert all(figures[end]["cpu_s"] > 0 and figures[end]["peak_mb"] > 5 for end in ("sending", "receiving"))


def test_the_tables_have_a_row_for_each_size_and_loss(tmp_path: Path) -> None:
    done = bench("checked, one connection", "--tables", "--table-way", "checked, held", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "checked, held, by size:" in done.stdout
    losses = [line.split("|") for line in done.stdout.splitlines() if line.startswith(("| 0% ", "| 10% ", "| 30% "))]
    sent = [float(cells[2]) for cells in losses]
    assert 1.01 < sent[0] < sent[1] < sent[2] < 3
