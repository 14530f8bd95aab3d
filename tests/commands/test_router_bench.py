"""The router's benchmark: it runs, and it does not call a bad run good."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "bench" / "router.py"


def test_it_runs() -> None:
    options = "--rates 1000 --runs 1 --seconds 0.3 --train 4"
    done = subprocess.run(
        [sys.executable, SCRIPT, *options.split(), "--", "--delay", "5"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    head, _, row, *failures = done.stdout.splitlines()
    assert done.stderr == ""
    assert head == "1200-byte datagrams, 4 a call, router --delay 5"
    # the machine decides whether it kept up; whatever it was, exit status, row and reasons agree
    good = row.split()[2:5] == ["1", "/", "1"]
    assert done.returncode == (not good)
    assert bool(failures) == (not good)
    assert 500 < float(row.split()[1]) <= 1100


def bench() -> Any:
    spec = importlib.util.spec_from_file_location("router_bench", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def failures(**changes: Any) -> list[str]:
    """What the judge finds in a perfect run with these changes."""
    sides = [
        {"sent": 10, "received": 20, "wrong": 0, "missed": 0},
        {"sent": 20, "received": 9, "wrong": 0, "missed": 0},
    ]
    summary = {
        "kept_up": True,
        "relay": {"worst_lateness_ms": 0.1},
        "up": {"offered": 10, "delivered": 9},
        "down": {"offered": 20, "delivered": 20},
    }
    for name, value in changes.items():
        if name == "kept_up":
            summary[name] = value
        else:
            sides[1][name] = value
    found: list[str] = bench().judge(sides, summary, 1.0, 1.0)["failures"]
    return found


def test_a_good_run_is_good() -> None:
    assert failures() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kept_up": False}, "did not keep up"),
        ({"sent": 21}, "down: 21 sent, 20 offered"),
        ({"received": 8, "missed": 1}, "up: 9 delivered, 8 arrived (1 reads missed by the load program)"),
        ({"wrong": 1}, "up: 1 changed or out of order"),
    ],
)
def test_a_bad_run_is_found(changes: dict[str, Any], said: str) -> None:
    (found,) = failures(**changes)
    assert said in found
