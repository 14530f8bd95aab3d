"""The comparison of kernel TCP and RDP runs, on little data; what it measures is nobody's test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.commands.lab_tools import ENVIRONMENT
from tests.drivers.wired_rooms import require_lab

BENCH = Path(__file__).parents[2] / "bench" / "lab.py"


def test_the_comparison_runs() -> None:
    require_lab()
    done = subprocess.run(
        [sys.executable, BENCH, "--only", "clean-100m", "--scale", "0.005", "--limit", "20"],
        capture_output=True,
        text=True,
        timeout=50,
        env=ENVIRONMENT,
    )

    assert (done.returncode, done.stderr) == (0, "")
    head, _, line = done.stdout.splitlines()
    assert head == "| scenario | MB | tcp cubic | tcp bbr | rdp |"
    name, size, *cells = (cell.strip() for cell in line.strip("| ").split("|"))
    assert (name, size, len(cells)) == ("clean-100m", "0.1", 3)
    # Ended in time, each of them.
    assert all(" s (" in cell for cell in cells), line
