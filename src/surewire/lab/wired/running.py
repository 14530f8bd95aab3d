"""A server and a client in the laboratory: start one, wait until it listens, start the other, wait for both.

Any two programs will do; nothing is known of what they say. "Listens" means that the server's host has a TCP socket
that listens, or a UDP socket without a fixed peer, that was not there before.
"""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import time
from collections.abc import Sequence

from surewire.drivers.namespaces import Stream, stop
from surewire.lab.wired.laboratory import WiredLab
from surewire.lab.wired.topology import CLIENT, SERVER

_POLL_S = 0.02
_STOP_S = 2.0
_TCP_LISTEN, _UDP_UNCONNECTED = "0A", "07"
_SOCKET_TABLES = "for file in tcp tcp6 udp udp6; do cat /proc/net/$file 2>/dev/null; done; true"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait, all in seconds.

    Attributes:
        ready_s: for the server to listen, at most.
        ready_after_s: wait this long instead of looking for a socket; None to look.
        timeout_s: for the client to end, from its start; then both are stopped.
        grace_s: for the server to end after the client has; then it is stopped, which is no failure.
    """

    ready_s: float = 10.0
    ready_after_s: float | None = None
    timeout_s: float = 600.0
    grace_s: float = 5.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended.

    Attributes:
        command: with the addresses filled in.
        exit: its exit status; negative: the signal that ended it; None if it never ran.
        seconds: from start to end.
        is_stopped: whether it was stopped here.
    """

    command: list[str]
    exit: int | None
    seconds: float
    is_stopped: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairReport:
    """How a pair ended.

    Attributes:
        server, client: how each ended.
        failure: the first thing that went wrong, one line; None if nothing did.
    """

    server: Ended
    client: Ended
    failure: str | None


class Command:
    """One of the two, running."""

    def __init__(self, process: subprocess.Popen[bytes], command: list[str]) -> None:
        """Take a process that was started just now."""
        self.process = process
        self._command = command
        self._began = time.monotonic()
        self._seconds: float | None = None
        self._is_stopped = False

    @property
    def has_ended(self) -> bool:
        """Whether it has."""
        if self.process.poll() is None:
            return False
        if self._seconds is None:
            self._seconds = time.monotonic() - self._began
        return True

    @property
    def seconds(self) -> float:
        """Since its start, or from start to end."""
        return time.monotonic() - self._began if self._seconds is None else self._seconds

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that has not ended it after two seconds."""
        for number, patience in ((signal.SIGTERM, _STOP_S), (signal.SIGKILL, _STOP_S)):
            if self.has_ended:
                return
            self._is_stopped = True
            stop(self.process, number)
            deadline = time.monotonic() + patience
            while not self.has_ended and time.monotonic() < deadline:
                time.sleep(_POLL_S)

    def report(self) -> Ended:
        """How it ended."""
        return Ended(
            command=self._command,
            exit=self.process.poll(),
            seconds=round(self.seconds, 3),
            is_stopped=self._is_stopped,
        )


def run_pair(
    lab: WiredLab,
    server: Sequence[str],
    client: Sequence[str],
    patience: Patience | None = None,
    *,
    server_streams: tuple[Stream, Stream] = (None, None),
    client_streams: tuple[Stream, Stream] = (None, None),
) -> PairReport:
    """Run both to their ends.

    Args:
        lab: where; it stays open.
        server: the command for the server's host, with placeholders.
        client: the command for the client's host.
        patience: how long to wait for what.
        server_streams: standard output and error of the server.
        client_streams: standard output and error of the client.

    Raises:
        NamespaceError: the laboratory itself failed.
    """
    patience = patience or Patience()
    before = listening(lab)
    serving = _start(lab, SERVER, server, server_streams)
    failure = _await_ready(lab, serving, before, patience)
    if failure is not None:
        serving.stop()
        unstarted = Ended(command=lab.filled(client), exit=None, seconds=0.0, is_stopped=False)
        return PairReport(server=serving.report(), client=unstarted, failure=failure)
    asking = _start(lab, CLIENT, client, client_streams)
    if not _await_end(lab, asking, patience.timeout_s):
        asking.stop()
        failure = f"the client did not end within {patience.timeout_s:g} s"
    if not _await_end(lab, serving, 0.0 if failure else patience.grace_s):
        serving.stop()
    reports = PairReport(server=serving.report(), client=asking.report(), failure=failure)
    return dataclasses.replace(reports, failure=failure or _failure(reports))


def listening(lab: WiredLab) -> set[tuple[str, str]]:
    """The sockets at the server that wait for somebody: local address and state."""
    found = set()
    for line in lab.run(SERVER, ["sh", "-c", _SOCKET_TABLES]).splitlines():
        fields = line.split()
        # A number with a colon, local address, remote address, state, ...
        if len(fields) > 3 and fields[3] in (_TCP_LISTEN, _UDP_UNCONNECTED):
            found.add((fields[1], fields[3]))
    return found


def _start(lab: WiredLab, host: str, command: Sequence[str], streams: tuple[Stream, Stream]) -> Command:
    stdout, stderr = streams
    return Command(lab.start(host, command, stdout=stdout, stderr=stderr), lab.filled(command))


def _await_ready(lab: WiredLab, serving: Command, before: set[tuple[str, str]], patience: Patience) -> str | None:
    """Wait for the server; why it is not ready, or None."""
    if patience.ready_after_s is not None:
        _await_end(lab, serving, patience.ready_after_s)
        return _early_end(serving)
    deadline = time.monotonic() + patience.ready_s
    while time.monotonic() < deadline:
        # One that ended well may have left a process that serves.
        failure = _early_end(serving)
        if failure is not None:
            return failure
        if listening(lab) - before:
            return None
        time.sleep(_POLL_S)
    return f"the server did not listen within {patience.ready_s:g} s (see --ready-after)"


def _early_end(serving: Command) -> str | None:
    code = serving.process.returncode if serving.has_ended else 0
    return f"the server ended before the client began: {_how(code)}" if code else None


def _await_end(lab: WiredLab, command: Command, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while not command.has_ended:
        if time.monotonic() >= deadline:
            return False
        lab.tend()
        time.sleep(_POLL_S)
    return True


def _failure(reports: PairReport) -> str | None:
    for who, ended in (("client", reports.client), ("server", reports.server)):
        if ended.exit and not ended.is_stopped:
            return f"the {who} ended with {_how(ended.exit)}"
    return None


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit status {code}"
