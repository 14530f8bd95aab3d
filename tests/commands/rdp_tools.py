"""rdps and rdpr as child processes over loopback, and their output taken apart.

The helpers know the assignment's text, not the package: a log line that the text does not allow fails here.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

import surewire

PATIENCE_S = 25
HOST = "127.0.0.1"
SRC = Path(surewire.__file__).resolve().parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SRC)}
MODULES = {name: [sys.executable, "-m", f"surewire.apps.{name}"] for name in ("rdps", "rdpr")}

# Of one's own: short, since most tests wait for it.
LINGER = ("--linger", "0.1")

_ADDRESS = r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\]):\d{1,5}"
LINE = re.compile(
    r"(?P<time>([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}) (?P<event>[sSrR])"
    rf" (?P<source>{_ADDRESS}) (?P<destination>{_ADDRESS})"
    r" (?P<type>DAT|ACK|SYN|FIN|RST) (?P<number>\d+) (?P<size>\d+)"
)
_NAMES = {
    "sent": (
        "SYN packets sent",
        "FIN packets sent",
        "RST packets sent",
        "ACK packets received",
        "RST packets received",
    ),
    "received": (
        "SYN packets received",
        "FIN packets received",
        "RST packets received",
        "ACK packets sent",
        "RST packets sent",
    ),
}


class Outcome(NamedTuple):
    """How a tool ended."""

    code: int
    out: str
    err: str


class Line(NamedTuple):
    """One packet of the log."""

    microseconds: int  # since midnight
    event: str
    source: str
    destination: str
    type: str
    number: int
    size: int


class Tool:
    """A running tool; killed, if it still runs, when the `with` block is left."""

    def __init__(
        self,
        name: str,
        *arguments: object,
        command: Sequence[str | Path] | None = None,
        stdout: int | IO[bytes] = subprocess.PIPE,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        # Unbuffered, so that reading a line takes nothing that communicate() would then miss.
        self.process = subprocess.Popen(
            [*map(str, command or MODULES[name]), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT if env is None else env,
            cwd=cwd,
            bufsize=0,
        )
        self.said: list[str] = []

    def read_error_line(self) -> str:
        """The next line it writes on standard error."""
        assert self.process.stderr is not None
        line = bytes(self.process.stderr.readline()).decode()
        self.said.append(line)
        return line

    def read_line(self) -> str:
        """The next line it prints, which `wait` then does not return any more."""
        assert self.process.stdout is not None
        return bytes(self.process.stdout.readline()).decode()

    def wait(self) -> Outcome:
        """The outcome, with all of its messages on standard error."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return Outcome(self.process.returncode, (out or b"").decode(), "".join(self.said) + err.decode())

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()


class Receiver(Tool):
    """rdpr, listening at `host` and `port`."""

    def __init__(
        self,
        file: object,
        *options: object,
        at: str = HOST,
        command: Sequence[str | Path] | None = None,
        stdout: int | IO[bytes] = subprocess.PIPE,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        arguments = (at, 0, file, *LINGER, *options)
        super().__init__("rdpr", *arguments, command=command, stdout=stdout, env=env, cwd=cwd)
        head, _, port = self.read_error_line().rstrip("\n").rpartition(":")
        assert head == f"rdpr: listening at {f'[{at}]' if ':' in at else at}", self.wait()
        self.port = int(port)


def send(file: object, port: int, *options: object, to: str = HOST, at: str = HOST) -> Outcome:
    """Run rdps to its end."""
    with Tool("rdps", at, 0, to, port, file, *options) as tool:
        return tool.wait()


@contextlib.contextmanager
def router(to_port: int, *options: str) -> Iterator[int]:
    """`surewire router` in front of a receiver; the port to send to."""
    arguments = ["--listen", f"{HOST}:0", "--to", f"{HOST}:{to_port}", "--seed", "7", *options]
    command = [sys.executable, "-m", "surewire.apps.router", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT) as process:
        try:
            assert process.stderr is not None
            yield int(process.stderr.readline().decode().rpartition(":")[2])
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def run(name: str, *arguments: object) -> Outcome:
    """Run a tool that needs no other side to its end."""
    with Tool(name, *arguments) as tool:
        return tool.wait()


def parse_lines(text: str) -> list[Line]:
    """The packet lines; whatever is no such line fails."""
    lines = []
    for line in text.splitlines():
        match = LINE.fullmatch(line)
        assert match is not None, line
        hours, minutes, seconds = match["time"].replace(".", "").split(":")
        time = (int(hours) * 60 + int(minutes)) * 60_000_000 + int(seconds)
        lines.append(
            Line(
                time,
                match["event"],
                match["source"],
                match["destination"],
                match["type"],
                int(match["number"]),
                int(match["size"]),
            )
        )
    return lines


def split_output(out: str) -> tuple[list[Line], dict[str, str]]:
    """Packet lines and summary of what a tool printed."""
    lines = out.splitlines(keepends=True)
    return parse_lines("".join(lines[:-10])), parse_summary("".join(lines[-10:]))


def parse_summary(text: str) -> dict[str, str]:
    """The ten lines by name, in the text's order."""
    return dict(line.split(": ") for line in text.splitlines())


def recount(lines: list[Line], verb: str) -> dict[str, str]:
    """The summary but for its last line, from the packet lines; `verb` is sent (by rdps) or received (by rdpr)."""
    first, again = ("s", "S") if verb == "sent" else ("r", "R")
    data = [line for line in lines if line.type == "DAT" and line.event in (first, again)]
    unique = [line for line in data if line.event == first]
    figures = {
        f"total data bytes {verb}": sum(line.size for line in data),
        f"unique data bytes {verb}": sum(line.size for line in unique),
        f"total data packets {verb}": len(data),
        f"unique data packets {verb}": len(unique),
    }
    for name in _NAMES[verb]:
        kind, _, direction = name.split()
        events = "sS" if direction == "sent" else "rR"
        figures[name] = sum(line.type == kind and line.event in events for line in lines)
    return {name: str(count) for name, count in figures.items()}


def duration_seconds(lines: list[Line], verb: str) -> float:
    """From the ACK of the first SYN to the ACK of the last FIN, as far as the lines tell."""
    acks = [line for line in lines if line.type == "ACK" and line.event in ("rR" if verb == "sent" else "sS")]
    midnight = 86_400_000_000
    return ((acks[-1].microseconds - acks[0].microseconds) % midnight) / 1e6
