"""Both hosts of Streamer's tester as two processes: how they ended, how long it took, what they sent.

`run_pair` starts host 1, waits until it says that it is up, starts host 2, and collects what both print until they have
exited; a host that outlives its limit is killed, which is a failure. Nothing here knows conditions or targets.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stamped_host import STAMPS

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent


@dataclass(frozen=True)
class Network:
    """What LossyUDP does, and how many numbers the tester sends over it."""

    numbers: int
    loss: float = 0.0
    corruption: float = 0.0
    delay: float = 0.0  # s, the longest

    def environment(self, seed: int) -> dict[str, str]:
        """The tester's variables, for a host with this seed."""
        values = {
            "NUMS": self.numbers,
            "LOSS": self.loss,
            "CORRUPTION": self.corruption,
            "DELAY": self.delay,
            "SEED": seed,
        }
        return {f"STREAMER_{name}": str(value) for name, value in values.items()}


@dataclass(frozen=True)
class Folder:
    """Where streamer.py, lossy_socket.py and test.py are, and the package's sources if streamer.py needs them."""

    path: Path
    sources: Path | None

    def environment(self) -> dict[str, str]:
        """Ours without any setting of Streamer's: what is measured are the defaults."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("STREAMER_", "PYTHON"))}
        return kept if self.sources is None else kept | {"PYTHONPATH": str(self.sources)}


@dataclass(frozen=True)
class Host:
    """How one host ended."""

    instance: int
    code: int
    was_killed: bool
    out: str
    err: str

    def complaints(self, numbers: int) -> list[str]:
        """What is wrong with it; empty after a success."""
        lines = self.out.splitlines()
        received = [line.removeprefix("received ") for line in lines if line.startswith("received ")]
        found = []
        if self.was_killed:
            found.append("still ran at its limit and was killed")
        elif self.code != 0:
            found.append(f"exit status {self.code}")
        if self.err:
            found.append(f"wrote to standard error: {self.err.strip()[-600:]}")
        if f"STAGE {self.instance} TEST PASSED!" not in lines:
            found.append("did not pass its stage" + "".join(f", {line}" for line in lines if "FAILED" in line))
        if received != [str(number) for number in range(numbers)]:
            found.append(f"received {len(received)} numbers of {numbers}, or not in order")
        if self.eth_bytes is None:
            found.append("printed no ETH_BYTES_SENT")
        return [f"host {self.instance} {complaint}" for complaint in found]

    @property
    def eth_bytes(self) -> int | None:
        found = re.search(r"^ETH_BYTES_SENT\W+(\d+)$", self.out, re.MULTILINE)
        return int(found[1]) if found else None

    @property
    def stamps(self) -> dict[str, Any]:
        """What `stamped_host` printed; empty without it."""
        found = [line for line in self.out.splitlines() if line.startswith(STAMPS)]
        return json.loads(found[-1].removeprefix(STAMPS)) if found else {}


@dataclass(frozen=True)
class Pair:
    """One run.

    Attributes:
        seeds: of host 1 and host 2.
        seconds: from the start of host 2 until both have exited.
        eth_bytes: ETH_BYTES_SENT of both together; what is known of it, after a failure.
        stream_seconds: from the first packet to the last bytes host 2 received; None if the hosts were not stamped.
        sendto_seconds: mean of both hosts' calls of sendto; None likewise.
        failures: what went wrong.
    """

    seeds: tuple[int, int]
    seconds: float
    eth_bytes: int
    stream_seconds: float | None
    sendto_seconds: float | None
    failures: list[str]


def run_pair(folder: Folder, network: Network, seeds: tuple[int, int], *, limit: float, stamped: bool = False) -> Pair:
    """Run the tester once; each host may take `limit` seconds."""
    program = str(BENCH / "stamped_host.py") if stamped else "test.py"
    ports = _free_ports()
    with contextlib.ExitStack() as stack:

        def start(instance: int) -> _Running:
            # Without a buffer, or host 1 would not say in time that it is up. The stamped host says that by itself.
            options = ["-B"] if stamped else ["-B", "-u"]
            command = [sys.executable, *options, program, *map(str, ports), str(instance)]
            environment = folder.environment() | network.environment(seeds[instance - 1])
            return stack.enter_context(_started(instance, command, folder.path, environment, limit))

        first = start(1)
        head = first.first_line()
        began = time.monotonic()
        # If host 1 has died already, host 2 would only wait for it.
        running = [first, start(2)] if head.startswith("instance 1 is ") else [first]
        with ThreadPoolExecutor() as readers:
            hosts = list(readers.map(_Running.ended, running))
        seconds = time.monotonic() - began
    failures = [complaint for host in hosts for complaint in host.complaints(network.numbers)]
    if len(hosts) == 1:
        failures.append("host 2 was not started")
    stream, sendto = (None, None) if failures or not stamped else _stamped_seconds(hosts)
    return Pair(seeds, seconds, sum(host.eth_bytes or 0 for host in hosts), stream, sendto, failures)


def _stamped_seconds(hosts: list[Host]) -> tuple[float, float]:
    stamps = [host.stamps for host in hosts]
    stream = stamps[1]["last_received"] - min(stamp["first_sent"] for stamp in stamps)
    sendto = sum(stamp["send_ns"] for stamp in stamps) / sum(stamp["sends"] for stamp in stamps)
    return stream / 1e9, sendto / 1e9


class _Running:
    """A host that may still run."""

    def __init__(self, instance: int, process: subprocess.Popen[bytes], limit: float) -> None:
        self.instance = instance
        self.process = process
        self.watchdog = threading.Timer(limit, self._kill)
        self._was_killed = False
        self._head = b""

    def first_line(self) -> str:
        """Wait for its first words; "" if it ends without any."""
        assert self.process.stdout is not None
        self._head = self.process.stdout.readline()
        return self._head.decode(errors="replace")

    def ended(self) -> Host:
        """Read all it prints until it has exited."""
        out, err = self.process.communicate()
        return Host(
            self.instance,
            self.process.returncode,
            self._was_killed,
            (self._head + out).decode(errors="replace"),
            err.decode(errors="replace"),
        )

    def _kill(self) -> None:
        self._was_killed = True
        self.process.kill()


@contextlib.contextmanager
def _started(
    instance: int, command: list[str], folder: Path, environment: Mapping[str, str], limit: float
) -> Iterator[_Running]:
    """A host; killed at its limit, or at the end of the block if something went wrong here."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # so that reading a line takes nothing that communicate() would then miss
    )
    running = _Running(instance, process, limit)
    running.watchdog.start()
    try:
        yield running
    finally:
        running.watchdog.cancel()
        if process.poll() is None:
            process.kill()
            process.communicate()


def sendto_seconds(folder: Folder, network: Network, count: int) -> float:
    """Mean duration of `count` calls of sendto by one process that does nothing else."""
    impairments = (network.loss, network.corruption, network.delay)
    command = [sys.executable, "-B", str(BENCH / "sendto_time.py"), *map(str, (count, *impairments))]
    done = subprocess.run(
        command, cwd=folder.path, env=folder.environment(), capture_output=True, text=True, check=True, timeout=60
    )
    return float(re.findall(r"^SENDTO_S=(\S+)$", done.stdout, re.MULTILINE)[0])


def _free_ports() -> tuple[int, int]:
    """Two ports that nobody had a moment ago."""
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as two:
        for probe in (one, two):
            probe.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]
