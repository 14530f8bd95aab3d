"""`surewire` itself: complaints name the command they are about, and a reader that leaves gives no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from surewire.apps import exit_codes
from tests.commands.router_process import ENVIRONMENT, PATIENCE_S

COMMAND = [sys.executable, "-m", "surewire.apps.cli"]


@pytest.mark.parametrize(
    ("words", "command", "unknown"),
    [
        (["lab", "run", "--los", "10", "--", "true", ":::", "true"], "surewire lab run", "--los"),
        (["lab", "run", "iperf3", "-s", ":::", "iperf3"], "surewire lab run", "-s ::: iperf3"),
        (["router", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:9", "--los", "10"], "surewire router", "--los 10"),
    ],
)
def test_an_unknown_option_is_told_by_the_command_whose_help_has_the_known_ones(
    words: list[str], command: str, unknown: str
) -> None:
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, env=ENVIRONMENT, timeout=PATIENCE_S)

    assert (done.returncode, done.stdout) == (exit_codes.USAGE, "")
    assert done.stderr == f"{command}: unrecognized arguments: {unknown} (see {command} --help)\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "words", [["scenarios"], ["router", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:9", "--duration", "0"]]
)
def test_output_that_nobody_reads_ends_it_without_a_traceback(words: list[str], unbuffered: str) -> None:
    env = {**ENVIRONMENT, "PYTHONUNBUFFERED": unbuffered}
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, *words], stdout=pipe, stderr=pipe, text=True, env=env) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()

    assert "Traceback" not in err and "BrokenPipe" not in err
    assert process.returncode == exit_codes.NO_READER


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "words", [["scenarios"], ["sim", "replay", "5"], ["sim", "fuzz", "--seeds", "1", "--jobs", "1"]]
)
def test_output_without_room_is_told_in_one_line(words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, *words], stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, timeout=PATIENCE_S
        )

    assert done.stderr == "surewire: cannot write the output: No space left on device\n"
    assert done.returncode == exit_codes.FILE


def test_a_closed_output_is_no_failure() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "scenarios"],
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        timeout=PATIENCE_S,
    )

    assert (done.returncode, done.stderr) == (exit_codes.OK, "")
