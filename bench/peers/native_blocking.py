"""One end of surewire's native transport, by the blocking API: file to file."""

from __future__ import annotations

import argparse
from pathlib import Path

from ends import CONFIRMED, HOST, measured, run, say_port
from native_options import add_options, keywords

from surewire import connect, listen

_SIZE_BYTES = 8


def _send(file: Path, port: int, args: argparse.Namespace) -> None:
    size = file.stat().st_size
    with measured() as figures, file.open("rb") as source, connect((HOST, port), **keywords(args)) as stream:
        stream.sendall(size.to_bytes(_SIZE_BYTES, "big"))
        stream.sendfile(source)
        stream.shutdown()
        if stream.recv_exactly(1) != CONFIRMED:
            raise SystemExit("the receiver did not confirm")
        figures["stats"] = stream.stats()._asdict()


def _recv(file: Path, args: argparse.Namespace) -> None:
    with listen((HOST, 0), **keywords(args)) as listener:
        say_port(listener.address[1])
        with measured() as figures, listener.accept() as stream, file.open("wb") as target:
            size = int.from_bytes(stream.recv_exactly(_SIZE_BYTES), "big")
            if stream.recvfile(target, size) != size:
                raise SystemExit("the stream ended early")
            stream.sendall(CONFIRMED)
            figures["stats"] = stream.stats()._asdict()


if __name__ == "__main__":
    run(_send, _recv, add_options)
