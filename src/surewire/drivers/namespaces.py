"""Network namespaces without names, and commands that run inside them and nowhere else (Linux, root).

`Namespaces` holds any number of network namespaces, one process namespace for all commands, and one mount namespace
in which /proc shows that process namespace. It is no container: files, users and environment are those of the caller.

How nothing can be left behind: a namespace lives as long as a process or a descriptor refers to it. The descriptors
are ours, and every command is in the process namespace, whose process 1 (`namespace_init.py`) ends when a socket
that we hold is closed. So when we end, even by SIGKILL, the kernel closes the socket, process 1 ends, the kernel
kills everything in its namespace, and with the last reference the interfaces, routes and firewall tables are gone.
There is no entry in /run/netns, no mount outside, and no setting of the host is changed.

Invariant: after `close` no process that was started here runs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from surewire.errors import SurewireError

_INIT = Path(__file__).with_name("namespace_init.py")
_PATIENCE_S = 10.0
_CAP_SYS_ADMIN = 21
# nsenter's own option for it, --wdns, came with util-linux 2.38.
_IN_FOLDER = 'cd -- "$0" && exec "$@"'

Stream = int | IO[bytes] | None
"""What `subprocess.Popen` takes as one of a process's standard streams."""


class NamespaceError(SurewireError):
    """The system lacks something that namespaces need, or a command that sets them up failed."""


def require_namespaces(commands: Sequence[str] = ()) -> None:
    """Check what can be checked before anything is made.

    Args:
        commands: commands the caller needs besides `nsenter` and `unshare`.

    Raises:
        NamespaceError: not Linux, no right to make namespaces, or a command is missing; the text says which.
    """
    if not sys.platform.startswith("linux"):
        raise NamespaceError(f"network namespaces need Linux, this is {sys.platform}")
    missing = [name for name in ("nsenter", "unshare", *commands) if shutil.which(name) is None]
    if missing:
        raise NamespaceError(f"command not found: {', '.join(missing)}")
    if not _may_administer():
        raise NamespaceError("must be run as root (CAP_SYS_ADMIN is needed to make network namespaces)")


class Namespaces:
    """Network namespaces by name, held until `close`. The names are the caller's, the system does not know them."""

    def __init__(self, names: Sequence[str]) -> None:
        """Make the namespaces; each has a loopback interface, which is up.

        Raises:
            NamespaceError: they cannot be made.
        """
        require_namespaces(("ip",))
        self._names = list(names)
        self._files: list[int] = []
        self._files_of_init: list[str] = []
        self._running: list[subprocess.Popen[bytes]] = []
        self._lifeline, theirs = socket.socketpair()
        with theirs:
            # A session of its own: Ctrl-C on the terminal is for us, who then end it in order.
            self._init = subprocess.Popen(
                ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--propagation", "slave", "--mount-proc"]
                + [sys.executable, "-I", "-S", str(_INIT), str(len(names))],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        try:
            self._receive_files()
            for name in self._names:
                self.run(name, ["ip", "link", "set", "lo", "up"])
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def path(self, name: str) -> str:
        """A path that leads to a network namespace for commands run in here, for `ip link set ... netns PATH`."""
        return f"/proc/1/fd/{self._files_of_init[2 + self._names.index(name)]}"

    def identity(self, name: str) -> int:
        """The number the kernel has for a network namespace: the inode of /proc/PID/ns/net of its processes."""
        return os.fstat(self._files[2 + self._names.index(name)]).st_ino

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = None,
        stderr: Stream = None,
        env: dict[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a command in a network namespace, in our working directory, in a session of its own, pipes unbuffered.

        The process returned ends as the command does: with its exit status, or by the signal that ended it.

        Raises:
            NamespaceError: closed.
        """
        if not self._files:
            raise NamespaceError("the namespaces have been closed")
        self._running = [process for process in self._running if process.poll() is None or _open_pipes(process)]
        net, pid, mount = (self._path(index) for index in (2 + self._names.index(name), 0, 1))
        enter = ["nsenter", f"--net={net}", f"--pid={pid}", f"--mount={mount}"]
        process = subprocess.Popen(
            [*enter, "--", "sh", "-c", _IN_FOLDER, os.getcwd(), *command],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=env,
            bufsize=0,
            start_new_session=True,
        )
        self._running.append(process)
        return process

    def run(self, name: str, command: Sequence[str], text: str = "") -> str:
        """Run a command to its end with `text` as its input; returns what it printed.

        Raises:
            NamespaceError: it failed, or took more than ten seconds; the text is its first message.
        """
        process = self.start(name, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(text.encode(), timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            stop(process, signal.SIGKILL)
            process.communicate()
            raise NamespaceError(f"{command[0]} did not end within {_PATIENCE_S:g} s") from None
        if process.returncode != 0:
            reason = err.decode(errors="replace").strip().partition("\n")[0]
            raise NamespaceError(f"{' '.join(command)}: {reason or f'exit status {process.returncode}'}")
        return out.decode(errors="replace")

    def close(self) -> None:
        """End every command and every process that came of one, and let the namespaces go. May be called again.

        Pipes to the commands are closed, too: read what they said before.
        """
        self._lifeline.close()
        try:
            self._init.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            # unshare's own death kills its child, process 1.
            self._init.kill()
            self._init.wait()
        if self._init.stderr is not None:
            self._init.stderr.close()
        for process in self._running:
            # nsenter stands outside, and ends since the kernel has killed the command it waits for.
            stop(process, signal.SIGKILL)
            process.wait()
            for pipe in _open_pipes(process):
                pipe.close()
        self._running.clear()
        for descriptor in self._files:
            os.close(descriptor)
        self._files.clear()

    def _receive_files(self) -> None:
        self._lifeline.settimeout(_PATIENCE_S)
        count = 2 + len(self._names)
        try:
            numbers, self._files, _, _ = socket.recv_fds(self._lifeline, 4096, count)
        except OSError as error:
            raise NamespaceError(f"cannot make namespaces: {error}") from error
        self._files_of_init = numbers.decode().split()
        if len(self._files) == len(self._files_of_init) == count:
            return
        reason = b"" if self._init.stderr is None else self._init.stderr.read()
        text = reason.decode(errors="replace").strip().partition("\n")[0]
        raise NamespaceError(f"cannot make namespaces: {text or 'the first process in them ended'}")

    def _path(self, index: int) -> str:
        return f"/proc/{os.getpid()}/fd/{self._files[index]}"


def stop(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a command that `Namespaces.start` started, and to what stayed in its process group.

    `process` ends when the command does, not before: whether it obeys is seen there.
    """
    if process.poll() is not None:
        return
    members = [process.pid] if number == signal.SIGKILL else []
    # nsenter, which leads the group, would die of any other signal at once, and with it the command's exit status.
    members += [pid for pid in _group(process.pid) if pid != process.pid]
    for pid in members:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _open_pipes(process: subprocess.Popen[bytes]) -> list[IO[bytes]]:
    pipes = (process.stdin, process.stdout, process.stderr)
    return [pipe for pipe in pipes if pipe is not None and not pipe.closed]


def _group(leader: int) -> list[int]:
    """The processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            # What has ended meanwhile is no member.
            with contextlib.suppress(OSError):
                # The name in parentheses may hold anything; after it come state, parent and group.
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                if int(fields[2]) == leader:
                    found.append(int(entry.name))
    return found


def _may_administer() -> bool:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            return bool(int(value, 16) >> _CAP_SYS_ADMIN & 1)
    return os.geteuid() == 0
