"""`surewire router` as a process in front of a server socket, for tests that look at it from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import surewire
from surewire.apps import router

PATIENCE_S = 20
SRC = Path(surewire.__file__).resolve().parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SRC)}
COMMAND = [sys.executable, "-m", "surewire.apps.router"]


@contextlib.contextmanager
def udp_socket(host: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        sock.settimeout(PATIENCE_S)
        yield sock


@contextlib.contextmanager
def running(*options: str, to: socket.socket) -> Iterator[tuple[subprocess.Popen[str], tuple[str, int]]]:
    """A router in front of `to`, and where it listens. Killed at the end if it still runs."""
    command = [*COMMAND, "--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{to.getsockname()[1]}", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=ENVIRONMENT) as process:
        try:
            assert process.stderr is not None
            head, _, port = process.stderr.readline().rstrip("\n").rpartition(":")
            assert head == "listening on 127.0.0.1"
            yield process, ("127.0.0.1", int(port))
        finally:
            process.kill()


def finish(
    process: subprocess.Popen[str], signum: int = signal.SIGTERM, *, status: int = router.EXIT_OK
) -> tuple[str, str]:
    """End it; what it printed since. It must end with this status."""
    process.send_signal(signum)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == status
    return out, err


def refused(*arguments: str) -> tuple[int, str]:
    """Run with arguments it cannot work with; exit code and the one line on stderr."""
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, env=ENVIRONMENT, timeout=PATIENCE_S, check=False
    )
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.returncode, done.stderr


def echo(server: socket.socket, client: socket.socket, router_address: tuple[str, int], count: int) -> None:
    for i in range(count):
        client.sendto(b"%d" % i, router_address)
        datagram, source = server.recvfrom(2048)
        assert datagram == b"%d" % i
        server.sendto(datagram, source)
        assert client.recv(2048) == datagram
