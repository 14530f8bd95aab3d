"""The process at one end of cross traffic, told to stop at the worst moments."""

from __future__ import annotations

import subprocess
import sys

import pytest

_RUN = """
import signal, sys
from surewire.lab.wired import cross_traffic
say = print
def told(*words, **more):
    {before}
    say(*words, **more)
    {after}
def moved(sockets, moved, *, sending):
    moved[0] = 42
    {end}
cross_traffic._open = lambda *arguments: []
cross_traffic._move = moved
stop = lambda: signal.raise_signal(signal.SIGTERM)
cross_traffic.print = told
sys.argv = ["", "listen", "127.0.0.1", "0", "1", "receive", "cubic"]
sys.exit(cross_traffic.main())
"""


def run(*, before: str = "pass", after: str = "pass", end: str = "pass") -> tuple[int, str, str]:
    script = _RUN.format(before=before, after=after, end=end)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout.splitlines()[-1], done.stderr


_LAST = "'bytes' in words[0] and stop()"


@pytest.mark.parametrize("before", ["pass", _LAST, f"{_LAST}; {_LAST}"])
@pytest.mark.parametrize("after", ["pass", _LAST])
@pytest.mark.parametrize("end", ["pass", "stop()", "raise ConnectionResetError"])
def test_it_says_what_it_moved_whenever_it_is_told_to_stop(before: str, after: str, end: str) -> None:
    assert run(before=before, after=after, end=end) == (0, '{"bytes": 42}', "")


def test_what_was_not_possible_is_one_line() -> None:
    code, _, said = run(end="raise OSError('no such thing')")
    assert (code, said) == (1, "cross traffic: no such thing\n")
