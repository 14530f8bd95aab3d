"""Other people's traffic: kernel TCP flows through the same wire, as one process at each end.

    python -m surewire.lab.wired.cross_traffic listen|connect HOST PORT FLOWS send|receive ALGORITHM

The side that sends has the congestion control ALGORITHM of the kernel and always something to send. Each side prints
{"event": "started"} when it can be told to stop, {"event": "ready"} when it listens or is connected, and on SIGTERM, or
when the other side ends, one JSON object: {"bytes": N}, received or sent. The sender ends abruptly, so that nothing
more of it comes.
"""

from __future__ import annotations

import json
import select
import signal
import socket
import struct
import sys
from types import FrameType

KERNEL_NAMES = {"cubic": "cubic", "newreno": "reno"}
"""The kernel's names of a scenario's algorithms."""

_PIECE = 128 * 1024


class _Stop(Exception):
    """SIGTERM has come."""


class _Stopper:
    """Ends the serving when SIGTERM comes. Once it is over another one, or the first, changes nothing any more."""

    def __init__(self) -> None:
        self.is_serving = True

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if self.is_serving:
            self.is_serving = False
            raise _Stop


def main() -> int:
    """Serve until told to stop; returns the exit status."""
    moved, stopper = [0], _Stopper()
    failure: OSError | None = None
    try:
        signal.signal(signal.SIGTERM, stopper)
        print(json.dumps({"event": "started"}), flush=True)
        failure = _serve(moved)
        stopper.is_serving = False
    except _Stop:
        pass
    if failure is not None:
        print(f"cross traffic: {failure}", file=sys.stderr)
        return 1
    print(json.dumps({"bytes": moved[0]}), flush=True)
    return 0


def _serve(moved: list[int]) -> OSError | None:
    """Move what there is until the other side ends; why that was not possible."""
    role, host, port, flows, task, algorithm = sys.argv[1:]
    try:
        _move(_open(role, (host, int(port)), int(flows), algorithm), moved, sending=task == "send")
    except ConnectionError:
        return None
    except OSError as error:
        return error
    return None


def _open(role: str, address: tuple[str, int], flows: int, algorithm: str) -> list[socket.socket]:
    if role == "listen":
        with socket.create_server(address, backlog=flows) as listener:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, algorithm.encode())
            print(json.dumps({"event": "ready"}), flush=True)
            return [listener.accept()[0] for _ in range(flows)]
    sockets = []
    for _ in range(flows):
        sock = socket.socket()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, algorithm.encode())
        sock.connect(address)
        sockets.append(sock)
    print(json.dumps({"event": "ready"}), flush=True)
    return sockets


def _move(sockets: list[socket.socket], moved: list[int], *, sending: bool) -> None:
    piece, buffer = bytes(_PIECE), bytearray(_PIECE)
    for sock in sockets:
        sock.setblocking(False)
        if sending:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    while sockets:
        readable, writable, _ = select.select([] if sending else sockets, sockets if sending else [], [])
        for sock in writable:
            moved[0] += sock.send(piece)
        for sock in readable:
            count = sock.recv_into(buffer)
            moved[0] += count
            if count == 0:
                sockets.remove(sock)


if __name__ == "__main__":
    sys.exit(main())
