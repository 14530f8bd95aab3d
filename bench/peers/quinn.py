"""One end of quinn (Rust), by the package quic-portal: AES-GCM, file to file.

The package sends messages; here each is a megabyte of the file. Its datagrams have 1,200 bytes, ten in a system call,
and there is no option for that. Congestion control is quinn's BBR or CUBIC.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from ends import CONFIRMED, chunks, free_port, measured, run, say_port
from quic_portal import Portal, QuicTransportOptions  # type: ignore[import-untyped]

_PATIENCE_MS = 60_000


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--congestion", choices=["bbr", "cubic"], default="cubic")
    parser.add_argument("--bytes", type=int, default=0, help="receiver: how long the file will be")


def _transport(args: argparse.Namespace) -> QuicTransportOptions:
    return QuicTransportOptions(congestion_controller_type=args.congestion, initial_window=1 << 20)


def _send(file: Path, port: int, args: argparse.Namespace) -> None:
    portal, local_port = Portal(), free_port("")
    with measured() as figures:
        portal.connect(args.host, port, local_port, _transport(args))
        for data in chunks(file):
            portal.send(data)
        if portal.recv(_PATIENCE_MS) != CONFIRMED:
            raise SystemExit("the receiver did not confirm")
        figures.stop()
    portal.close()


def _recv(file: Path, args: argparse.Namespace) -> None:
    portal, port, left = Portal(), args.listen_port or free_port(""), args.bytes
    say_port(port)
    portal.listen(port, _transport(args))
    with measured(), file.open("wb", buffering=0) as target:
        while left > 0:
            data = portal.recv(_PATIENCE_MS)
            if data is None:
                raise SystemExit("the sender fell silent")
            target.write(data)
            left -= len(data)
        portal.send(CONFIRMED)
    time.sleep(args.linger)  # the confirmation leaves by a thread of the package
    portal.close()


if __name__ == "__main__":
    run(_send, _recv, _options)
