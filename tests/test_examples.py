"""Every script in examples/ runs and shows what it promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What a line of the output begins with.
PROMISED = {
    "simulate_transfer.py": ("unique data bytes sent: 2000000", "total/unique: 1.", "identical: True"),
    "lossy_link.py": ("    0 ms  ", "640 offered, ", "delay "),
    "packet_ladder.py": ("     ms  sender", "   0.00  s SYN ", "identical: True"),
}


def test_every_example_is_run_here() -> None:
    assert {file.name for file in (ROOT / "examples").glob("*.py")} == set(PROMISED)


@pytest.mark.parametrize("name", PROMISED)
def test_it_runs(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / name), "3"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    for start in PROMISED[name]:
        assert any(line.startswith(start) for line in lines), start
