"""The benchmarks run, on little data; what they measure is nobody's test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("recovery.py --seeds 1 --megabytes 0.1 --jobs 1", "30% loss      1/1"),
        ("selftest.py --seeds 1 --size 20000 --jobs 1", "16 transfers of 20000 bytes, 0 failed"),
        ("transfer.py loopback --runs 1 --megabytes 1", "1 runs, all identical"),
        ("transfer.py router --runs 1 --router-megabytes 0.2", "1 runs, all identical"),
    ],
)
def test_a_benchmark_runs(command: str, said: str, tmp_path: Path) -> None:
    script, *arguments = command.split()
    if script == "transfer.py":
        arguments += ["--folder", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / script, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
