"""`surewire` loads only the command that was asked for, and an interrupt while it does so leaves no traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

from surewire.apps import cli, exit_codes
from tests.commands.router_process import ENVIRONMENT, PATIENCE_S


def test_an_interrupt_before_a_command_minds_it_leaves_no_traceback() -> None:
    program = (
        "import os, signal, sys\n"
        "from surewire.apps import cli\n"
        "cli.main = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.exit(cli.entry())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=ENVIRONMENT, timeout=PATIENCE_S
    )

    assert (done.returncode, done.stderr) == (exit_codes.INTERRUPTED, "surewire: interrupted\n")


def test_a_command_loads_its_own_module_only() -> None:
    program = "import sys; from surewire.apps import cli; cli.main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program, "scenarios"],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=PATIENCE_S,
        check=True,
    )

    commands = {command.module for command in cli.ALONE.values()}
    commands |= {command.module for group in cli.GROUPS.values() for command in group.commands.values()}
    loaded = {name.removeprefix("surewire.apps.") for name in done.stderr.split() if name.startswith("surewire.apps.")}
    assert loaded & commands == {"scenarios"}


@pytest.mark.parametrize(
    "words", [[name] for name in cli.ALONE] + [[g, c] for g in cli.GROUPS for c in cli.GROUPS[g].commands]
)
def test_every_command_of_the_table_has_a_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([*words, "--help"])
    assert ended.value.code == exit_codes.OK
    assert capsys.readouterr().out.startswith(f"usage: surewire {' '.join(words)} ")
