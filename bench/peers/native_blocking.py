"""One end of surewire's native transport, by the blocking API: file to file."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from ends import CONFIRMED, measured, run, say_port
from native_options import add_options, keywords

from surewire import connect, listen
from surewire.api.stream import Stream
from surewire.drivers.files import FileSink

_SIZE_BYTES = 8
_BETWEEN_SAMPLES_S = 0.005
_PATIENCE_S = 60.0


class _Watched(FileSink):
    """Notes how much of the file is there, holes not counted, each few milliseconds."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, is_hashed_elsewhere=True)
        self.samples: list[tuple[float, int]] = []
        self._count = 0
        self._noted = 0.0

    def write_at(self, offset: int, pieces: Sequence[bytes | bytearray | memoryview]) -> None:
        super().write_at(offset, pieces)
        self._count += sum(memoryview(piece).nbytes for piece in pieces)
        now = time.monotonic()
        if now - self._noted >= _BETWEEN_SAMPLES_S:
            self._noted = now
            self.samples.append((now, self._count))


def _options(parser: argparse.ArgumentParser) -> None:
    add_options(parser)
    parser.add_argument("--samples", type=Path, metavar="FILE", help="receiver: write there how far it was when")


def _send(file: Path, port: int, args: argparse.Namespace) -> None:
    size, options = file.stat().st_size, keywords(args)
    with measured() as figures, file.open("rb") as source, connect((args.host, port), **options) as stream:
        stream.sendall(size.to_bytes(_SIZE_BYTES, "big"))
        stream.sendfile(source)
        stream.shutdown()
        if stream.recv_exactly(1) != CONFIRMED:
            raise SystemExit("the receiver did not confirm")
        figures.stop()
        figures["stats"] = stream.stats()._asdict()


def _recv(file: Path, args: argparse.Namespace) -> None:
    with listen((args.host, args.listen_port), **keywords(args)) as listener:
        say_port(listener.address[1])
        with measured() as figures, listener.accept() as stream:
            size = int.from_bytes(stream.recv_exactly(_SIZE_BYTES), "big")
            store = _store if args.samples is None else _store_and_watch
            if store(stream, size, file, args) != size:
                raise SystemExit("the stream ended early")
            stream.sendall(CONFIRMED)
            figures.stop()
            stream.settimeout(_PATIENCE_S)
            stream.recv(1)  # its end: who closes before it may leave the sender without the last acknowledgments
            figures["stats"] = stream.stats()._asdict()


def _store(stream: Stream, size: int, file: Path, args: argparse.Namespace) -> int:
    with file.open("wb") as target:
        return stream.recvfile(target, size)


def _store_and_watch(stream: Stream, size: int, file: Path, args: argparse.Namespace) -> int:
    sink = _Watched(file)
    with sink:
        stored = stream.receive_into(sink, size)
        args.samples.write_text(json.dumps([*sink.samples, (time.monotonic(), stored)]))
        sink.commit(stored)
    return stored


if __name__ == "__main__":
    run(_send, _recv, _options)
