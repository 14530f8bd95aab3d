"""What the tests of `surewire sim` commands share: a command as a process, and in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import surewire
from surewire.apps import sim_matrix, sim_run, sim_sweep
from surewire.apps.arguments import ToolParser

SRC = Path(surewire.__file__).resolve().parent.parent
ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 45
COMMANDS = {"run": sim_run, "matrix": sim_matrix, "sweep": sim_sweep}


def sim_here(command: str, *arguments: str | Path) -> int:
    """Run a command in this process; its exit status."""
    module = COMMANDS[command]
    parser = ToolParser(prog=f"surewire sim {command}", allow_abbrev=False)
    module.add_arguments(parser)
    status: int = module.run(parser.parse_args([str(argument) for argument in arguments]))
    return status


def sim(*arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
    """Start a command as a process."""
    program = "import sys; from tests.commands.sim_tools import sim_here; sys.exit(sim_here(*sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": f"{SRC}{os.pathsep}{ROOT}"},
        text=True,
        **options,
    )
