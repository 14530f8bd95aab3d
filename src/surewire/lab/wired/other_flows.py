"""A scenario's cross traffic in the laboratory: starts the processes of `cross_traffic`, and stops them in time."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import time
from collections.abc import Sequence

from surewire.drivers.namespaces import Namespaces, stop
from surewire.impair import CrossTraffic
from surewire.lab.wired import topology
from surewire.lab.wired.cross_traffic import KERNEL_NAMES
from surewire.lab.wired.emulation import read_message, start_module

_FIRST_PORT = 47_001
_MODULE = "surewire.lab.wired.cross_traffic"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlowReport:
    """What one entry of the cross traffic did.

    Attributes:
        algorithm: the kernel's congestion control.
        direction: "up" or "down".
        flows: how many.
        seconds: how long they ran; 0 if they never did.
        received_bytes: payload that arrived.
    """

    algorithm: str
    direction: str
    flows: int
    seconds: float
    received_bytes: int


class OtherFlows:
    """All cross traffic of a run. Its listeners exist from construction, its flows from their time on."""

    def __init__(self, namespaces: Namespaces, entries: Sequence[CrossTraffic]) -> None:
        """Start the listeners, at the server.

        Raises:
            NamespaceError: one did not start.
        """
        self._began: float | None = None
        self._entries = [_Entry(namespaces, entry, _FIRST_PORT + number) for number, entry in enumerate(entries)]

    def begin(self) -> None:
        """Set the zero of the times, unless it is set."""
        if self._began is None:
            self._began = time.monotonic()

    def tend(self) -> None:
        """Start and stop what is due."""
        if self._began is not None:
            elapsed = time.monotonic() - self._began
            for entry in self._entries:
                entry.tend(elapsed)

    def finish(self) -> list[FlowReport]:
        """Stop everything and tell what it did.

        Raises:
            NamespaceError: a process failed.
        """
        for entry in self._entries:
            entry.stop()
        return [entry.report() for entry in self._entries]


class _Entry:
    def __init__(self, namespaces: Namespaces, entry: CrossTraffic, port: int) -> None:
        self._namespaces = namespaces
        self._entry = entry
        self._port = port
        self._connector: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._seconds: float | None = None
        self._listener = self._start(topology.SERVER, "listen", "receive" if entry.direction == "up" else "send")
        for _ in ("started", "ready"):
            read_message(self._listener, "cross traffic")

    def tend(self, elapsed_s: float) -> None:
        if self._connector is None and elapsed_s * 1e9 >= self._entry.start:
            task = "send" if self._entry.direction == "up" else "receive"
            self._connector = self._start(topology.ROUTER, "connect", task)
            self._started_at = time.monotonic()
        stops_at = self._entry.stop
        if stops_at is not None and elapsed_s * 1e9 >= stops_at:
            self.stop()

    def stop(self) -> None:
        if self._seconds is None:
            self._seconds = 0.0
            if self._connector is not None:
                # A signal before "started" would end it without a count, or reach nobody.
                read_message(self._connector, "cross traffic")
                self._seconds = time.monotonic() - self._started_at
            for process in self._processes():
                stop(process, signal.SIGTERM)

    def report(self) -> FlowReport:
        receiver = self._listener if self._entry.direction == "up" else self._connector
        received = 0
        if self._connector is not None and receiver is not None:
            received = self._received(receiver)
        for process in self._processes():
            process.wait()
        return FlowReport(
            algorithm=KERNEL_NAMES[self._entry.algorithm],
            direction=self._entry.direction,
            flows=self._entry.flows,
            seconds=round(self._seconds or 0.0, 3),
            received_bytes=received,
        )

    def _received(self, process: subprocess.Popen[bytes]) -> int:
        message: object = None
        while not isinstance(message, int):
            message = read_message(process, "cross traffic").get("bytes")
        return message

    def _processes(self) -> list[subprocess.Popen[bytes]]:
        return [self._listener] if self._connector is None else [self._connector, self._listener]

    def _start(self, host: str, role: str, task: str) -> subprocess.Popen[bytes]:
        arguments = (role, topology.ADDRESSES[topology.SERVER], str(self._port), str(self._entry.flows), task)
        algorithm = KERNEL_NAMES[self._entry.algorithm]
        return start_module(self._namespaces, host, _MODULE, *arguments, algorithm)
