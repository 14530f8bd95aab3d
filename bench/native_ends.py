"""One transfer between two processes: started, watched, checked, and its figures.

The ends are programs of `peers/`, or the project's own commands. CPU seconds and memory are those of the two
processes alone, children and relays not counted; the file that arrived is compared with the one that was sent.
"""

from __future__ import annotations

import filecmp
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

PEERS = Path(__file__).parent / "peers"
_PORT = re.compile(r"(?:PORT |listening (?:on|at) \S*:)([0-9]+)")
_PATIENCE_S = 900


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a file gets from one process to another.

    In the arguments {source}, {target}, {folder}, {size}, {port}, {count} and {stats} stand for what they say.

    Attributes:
        receiver, sender: what follows the interpreter.
        most_megabytes: a slower way is shown less, so that a run ends.
        needs: modules that have to be there.
        said_on: where the receiver says its port: "PORT 4711", or "listening at 127.0.0.1:4711".
        settle_s: wait between that and the sender, for peers that say it before they listen.
        stored_as: where the file arrives, None for {target}.
        moves_file: there is a file to compare.
    """

    name: str
    receiver: tuple[str, ...]
    sender: tuple[str, ...]
    most_megabytes: float = 1e9
    needs: tuple[str, ...] = ()
    said_on: str = "stdout"
    settle_s: float = 0.0
    stored_as: str = "{target}"
    moves_file: bool = True

    @property
    def missing(self) -> list[str]:
        """The modules that it needs and that are not there."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


@dataclass(frozen=True, kw_only=True)
class Side:
    """What one process used. `cpu_s` is that of the transfer where the end says it, else of the whole process."""

    cpu_s: float
    peak_mb: float


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """What came of one."""

    nbytes: int
    seconds: float
    sending: Side
    receiving: Side
    said: dict[str, Any] = field(default_factory=dict)  # by the sender: statistics, round trips

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self.nbytes / self.seconds

    @property
    def sent_ratio(self) -> float:
        """UDP payload sent for each byte of the file; 0 where the sender does not tell."""
        return float(self.said.get("stats", {}).get("sent_bytes", 0)) / self.nbytes if self.nbytes else 0.0


class _Process:
    """One end: its output is read by threads, so that it never waits for this program."""

    def __init__(self, arguments: list[str]) -> None:
        self._started = subprocess.Popen(
            [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.command = " ".join(arguments)
        self.lines: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self.port = ""
        self._has_port = threading.Event()
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream), daemon=True)
            for name, stream in (("stdout", self._started.stdout), ("stderr", self._started.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str, stream: IO[str]) -> None:
        for line in stream:
            self.lines[name].append(line)
            found = _PORT.search(line)
            if found and not self.port:
                self.port = found[1]
                self._has_port.set()
        self._has_port.set()

    def wait_for_port(self) -> str:
        self._has_port.wait(30)
        if not self.port:
            self.kill()
            raise SystemExit(f"{self.command}: no port was said\n{''.join(self.lines['stderr'])}")
        return self.port

    def wait(self) -> Side:
        """The end of the process, and what it used."""
        killer = threading.Timer(_PATIENCE_S, self.kill)
        killer.start()
        try:
            _, status, used = os.wait4(self._started.pid, 0)
        finally:
            killer.cancel()
        self._started.returncode = os.waitstatus_to_exitcode(status)
        for reader in self._readers:
            reader.join()
        if self._started.returncode:
            raise SystemExit(f"{self.command}: status {self._started.returncode}\n{''.join(self.lines['stderr'])}")
        said = self.last_object()
        cpu_s = float(said.get("cpu_s", used.ru_utime + used.ru_stime))
        return Side(cpu_s=cpu_s, peak_mb=said.get("peak_kb", used.ru_maxrss) / 1024)

    def last_object(self) -> dict[str, Any]:
        """The JSON object in the last line, if there is one."""
        last = self.lines["stdout"][-1] if self.lines["stdout"] else ""
        found: dict[str, Any] = json.loads(last) if last.startswith("{") else {}
        return found

    def kill(self) -> None:
        self._started.kill()


def transfer(way: Way, source: Path, *, relay: tuple[str, ...] | None = None, count: int = 1000) -> Transfer:
    """Move `source` once; `relay`: through `surewire router` with these options.

    Raises:
        SystemExit: an end failed, or the file differs.
    """
    with tempfile.TemporaryDirectory(dir=source.parent) as name:
        folder = Path(name)
        values = {
            "source": str(source),
            "folder": name,
            "target": str(folder / "received"),
            "stats": str(folder / "stats.json"),
            "size": source.stat().st_size,
            "count": count,
        }
        receiver = _Process([part.format(**values) for part in way.receiver])
        processes = [receiver]
        try:
            values["port"] = receiver.wait_for_port()
            threading.Event().wait(way.settle_s)
            router = None
            if relay is not None:
                router = _router(str(values["port"]), relay)
                processes.append(router)
                values["port"] = router.wait_for_port()
            sender = _Process([part.format(**values) for part in way.sender])
            processes.append(sender)
            sending, receiving = sender.wait(), receiver.wait()
        finally:
            for process in processes:
                process.kill()
        return _judged(way, source, values, sender, sending, receiving)


def _judged(
    way: Way, source: Path, values: dict[str, Any], sender: _Process, sending: Side, receiving: Side
) -> Transfer:
    said = sender.last_object()
    stats = Path(values["stats"])
    if stats.exists():
        said |= json.loads(stats.read_text())
    if way.moves_file and not filecmp.cmp(source, way.stored_as.format(**values), shallow=False):
        raise SystemExit(f"{way.name}: the received file differs")
    nbytes = values["size"] if way.moves_file else 0
    return Transfer(nbytes=nbytes, seconds=float(said["seconds"]), sending=sending, receiving=receiving, said=said)


def _router(port: str, options: tuple[str, ...]) -> _Process:
    return _Process(
        ["-m", "surewire.apps.router", "--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{port}", "--quiet", *options]
    )
