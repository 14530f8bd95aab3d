"""`surewire lab` as a child process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import surewire

SRC = Path(surewire.__file__).resolve().parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SRC)}
LAB_RUN = [sys.executable, "-m", "surewire.apps.lab_run"]
PATIENCE_S = 50

UDP_SERVER = """
import socket, sys
sock = socket.socket(type=socket.SOCK_DGRAM)
sock.bind((sys.argv[1], 9000))
while True:
    datagram, peer = sock.recvfrom(2000)
    print(datagram.decode("latin-1"), "from", *peer, flush=True)
    sock.sendto(repr(peer).encode(), peer)
    if datagram == b"last":
        break
"""
UDP_CLIENT = """
import socket, sys
sock = socket.socket(type=socket.SOCK_DGRAM)
sock.settimeout(10)
for word in sys.argv[2:]:
    sock.sendto(word.encode(), (sys.argv[1], 9000))
    print("answer", sock.recv(2000).decode(), flush=True)
"""


class Outcome(NamedTuple):
    """How a run ended; `report` is its JSON object, empty if it printed none."""

    code: int
    report: dict[str, Any]
    err: str


def run_lab(*arguments: object, env: dict[str, str] | None = None) -> Outcome:
    """Run `surewire lab run` to its end."""
    done = subprocess.run(
        [*LAB_RUN, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=env or ENVIRONMENT,
        timeout=PATIENCE_S,
        stdin=subprocess.DEVNULL,
    )
    return Outcome(done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr)


def server(*words: str) -> list[str]:
    """A UDP server that tells each client its address and ends at the word "last"."""
    return [sys.executable, "-c", UDP_SERVER, *(words or ("{server}",))]


def client(*words: str) -> list[str]:
    """Its client, which sends the words one after the other and prints the answers."""
    return [sys.executable, "-c", UDP_CLIENT, "{server}", *words]
