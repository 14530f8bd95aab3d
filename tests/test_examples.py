"""Every script in examples/ runs and shows what it promises, and so does the program in the README."""

from __future__ import annotations

import os
import re
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
    "streamer_ladder.py": ("   sent  arrives  host 1", "      0       10   ", "9 packets, "),
    "streamer_chat.py": ("good bye       -> GOOD BYE", "both have closed: "),
}


def test_every_example_is_run_here() -> None:
    assert {file.name for file in (ROOT / "examples").glob("*.py")} == set(PROMISED)


def output(*arguments: str) -> str:
    """What Python prints when it runs so; it must end well and complain about nothing."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", PROMISED)
def test_it_runs(name: str) -> None:
    lines = output(str(ROOT / "examples" / name), "3").splitlines()
    for start in PROMISED[name]:
        assert any(line.startswith(start) for line in lines), start


def test_the_program_in_the_readme_runs() -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert output("-c", program).startswith("True ")
