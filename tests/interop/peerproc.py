"""Programs under test as child processes: start one, wait until it is bound, collect how it ended.

For the foreign peers in tests/interop/peers and for any other command. Not a network: see `LossyRelay` in
tests/interop/relay.py for that. Every child is bounded by its own deadline; `wait` has a second, later one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

HOST = "127.0.0.1"
PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Outcome:
    """How a process ended: exit code (negative: signal), and all of its output after the line `ready`."""

    code: int
    stdout: str
    stderr: str

    @property
    def stats(self) -> dict[str, int]:
        """The counters of a peer's last line (`stats sent=3 received=2 ...`); empty if there is none."""
        for line in reversed(self.stdout.splitlines()):
            if line.startswith("stats "):
                return {name: int(count) for name, _, count in (pair.partition("=") for pair in line.split()[1:])}
        return {}


class Process:
    """A running child; as a context manager it is gone, and its pipes closed, when the block is left."""

    def __init__(self, command: Sequence[str | Path], *, wait_ready: bool = False) -> None:
        """Start `command`; with `wait_ready` return only after it printed `ready PORT` (its first line) or ended."""
        # Unbuffered, so that reading the first line takes nothing that communicate() would then miss.
        self._popen = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self._outcome: Outcome | None = None
        self.port = 0
        if wait_ready:
            self._await_ready()

    def _await_ready(self) -> None:
        assert self._popen.stdout is not None
        words = self._popen.stdout.readline().split()
        if len(words) == 2 and words[0] == b"ready":
            self.port = int(words[1])
            return
        outcome = self.wait()
        raise RuntimeError(f"not ready: exit {outcome.code}, {outcome.stderr.strip()}")

    @property
    def pid(self) -> int:
        return self._popen.pid

    def wait(self, timeout: float = 50.0) -> Outcome:
        """The outcome, again the same on later calls. Kills the child and raises TimeoutError after `timeout` s."""
        if self._outcome is None:
            try:
                stdout, stderr = self._popen.communicate(timeout=timeout)
            except subprocess.TimeoutExpired as expired:
                self.kill()
                raise TimeoutError(f"still running after {timeout} s") from expired
            self._outcome = Outcome(self._popen.returncode, stdout.decode(), stderr.decode())
        return self._outcome

    def kill(self) -> Outcome:
        """End the child now if it still runs."""
        if self._outcome is None:
            self._popen.kill()
            stdout, stderr = self._popen.communicate()
            self._outcome = Outcome(self._popen.returncode, stdout.decode(), stderr.decode())
        return self._outcome

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()


def start_receiver(peer: str, file: Path, *options: str, port: int = 0) -> Process:
    """The peer `strict`, `sloppy` or `minimal` as a receiver on 127.0.0.1, bound; `.port` is where it listens."""
    command: list[str | Path] = [sys.executable, PEERS / f"{peer}.py", "recv", HOST, str(port), file, *options]
    return Process(command, wait_ready=True)


def start_sender(peer: str, to_port: int, file: Path, *options: str, port: int = 0) -> Process:
    """The same peers as a sender of `file` to 127.0.0.1:`to_port`; `.port` is where it sends from."""
    addresses = [HOST, str(port), HOST, str(to_port)]
    return Process([sys.executable, PEERS / f"{peer}.py", "send", *addresses, file, *options], wait_ready=True)
