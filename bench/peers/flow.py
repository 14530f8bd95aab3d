"""One end of a flow that always has something to send: kernel TCP, or surewire's native transport by the blocking API.

    python bench/peers/flow.py tcp|native recv FILE                 takes one flow, notes how much of it came when
    python bench/peers/flow.py tcp|native send PORT [--at SECONDS]  connects when the monotonic clock says so, and sends

Neither ends by itself. A line of FILE is the time on the system's monotonic clock, and how many bytes the application
had read by then.
"""

from __future__ import annotations

import argparse
import socket
import time
from collections.abc import Callable
from pathlib import Path

from ends import HOST, say_port
from native_options import add_options, keywords

from surewire import connect, listen

_PIECE = 256 << 10
_BETWEEN_LINES_S = 0.02


def _note(read: Callable[[memoryview], int], file: Path) -> None:
    room, count, noted = memoryview(bytearray(_PIECE)), 0, 0.0
    with file.open("w", buffering=1) as lines:
        while came := read(room):
            count += came
            now = time.monotonic()
            if now - noted >= _BETWEEN_LINES_S:
                noted = now
                lines.write(f"{now:.6f} {count}\n")


def _receive(args: argparse.Namespace) -> None:
    if args.kind == "tcp":
        with socket.create_server((args.host, args.listen_port)) as server:
            say_port(server.getsockname()[1])
            with server.accept()[0] as connection:
                _note(connection.recv_into, args.file)
        return
    with listen((args.host, args.listen_port), **keywords(args)) as listener:
        say_port(listener.address[1])
        with listener.accept() as stream:
            _note(stream.recv_into, args.file)


def _send(args: argparse.Namespace) -> None:
    piece = bytes(_PIECE)
    if args.kind == "tcp":
        with socket.socket() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, (args.congestion or "cubic").encode())
            _wait(args.at)
            connection.connect((args.host, args.port))
            while True:
                connection.sendall(piece)
    options = keywords(args)
    _wait(args.at)
    with connect((args.host, args.port), **options) as stream:
        while True:
            stream.sendall(piece)


def _wait(until: float) -> None:
    time.sleep(max(0.0, until - time.monotonic()))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_options(parser)
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--listen-port", type=int, default=0)
    parser.add_argument("kind", choices=["tcp", "native"])
    roles = parser.add_subparsers(dest="role", required=True)
    roles.add_parser("recv").add_argument("file", type=Path)
    sending = roles.add_parser("send")
    sending.add_argument("port", type=int)
    sending.add_argument("--at", type=float, default=0.0, metavar="SECONDS")
    args = parser.parse_args()
    (_send if args.role == "send" else _receive)(args)


if __name__ == "__main__":
    main()
