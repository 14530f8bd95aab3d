"""One end of kernel TCP: file to file, segments held to an Ethernet's.

The sender uses sendfile, the receiver recv_into and write, a megabyte at a time: what a careful program does.
"""

from __future__ import annotations

import argparse
import os
import socket
from pathlib import Path

from ends import CHUNK, CONFIRMED, measured, run, say_port


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mss", type=int, default=1460, help="bytes of a segment; 0 leaves it to the kernel")
    parser.add_argument("--congestion", metavar="NAME", help="the kernel's congestion control (default: as it is set)")


def _set_up(connection: socket.socket, args: argparse.Namespace) -> None:
    if args.mss:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, args.mss)
    if args.congestion:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, args.congestion.encode())


def _send(file: Path, port: int, args: argparse.Namespace) -> None:
    with measured() as figures, socket.socket() as connection, file.open("rb") as source:
        _set_up(connection, args)
        connection.connect((args.host, port))
        size, offset = os.fstat(source.fileno()).st_size, 0
        while offset < size:
            offset += os.sendfile(connection.fileno(), source.fileno(), offset, size - offset)
        connection.shutdown(socket.SHUT_WR)
        if connection.recv(1) != CONFIRMED:
            raise SystemExit("the receiver did not confirm")
        figures.stop()


def _recv(file: Path, args: argparse.Namespace) -> None:
    with socket.socket() as listener:
        _set_up(listener, args)
        listener.bind((args.host, args.listen_port))
        listener.listen(1)
        say_port(listener.getsockname()[1])
        with measured(), listener.accept()[0] as connection, file.open("wb", buffering=0) as target:
            room = memoryview(bytearray(CHUNK))
            while count := connection.recv_into(room):
                target.write(room[:count])
            connection.sendall(CONFIRMED)


if __name__ == "__main__":
    run(_send, _recv, _options)
