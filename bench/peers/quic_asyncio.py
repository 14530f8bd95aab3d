"""One end of aioquic or of qh3, whose interfaces are alike: one stream, AES-128-GCM, file to file.

Their streams take everything that is written and know no back-pressure, so the sender has the whole file in memory.
Windows are wide (16 MiB) and nothing is logged. The certificate is self-signed and not verified.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import ssl
import tempfile
from pathlib import Path
from typing import Any

import certificate
from async_ends import run
from ends import CHUNK, CONFIRMED, free_port, measured, say_port

_WINDOW = 16 << 20
_ALPN = ["bench"]


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--package", choices=["aioquic", "qh3"], default="aioquic")
    parser.add_argument("--datagram", type=int, default=1472, help="bytes of UDP payload in a full datagram")


def _configuration(args: argparse.Namespace, *, is_client: bool) -> Any:
    quic = importlib.import_module(f"{args.package}.quic.configuration")
    tls = importlib.import_module(f"{args.package}.tls")
    made = quic.QuicConfiguration(
        is_client=is_client,
        alpn_protocols=_ALPN,
        max_datagram_size=args.datagram,
        max_data=_WINDOW,
        max_stream_data=_WINDOW,
        cipher_suites=[tls.CipherSuite.AES_128_GCM_SHA256],
        verify_mode=ssl.CERT_NONE,
    )
    if hasattr(made, "probe_datagram_size"):
        made.probe_datagram_size = False  # qh3 would look for larger ones
    return made


async def _send_file(file: Path, port: int, args: argparse.Namespace) -> None:
    connect = importlib.import_module(f"{args.package}.asyncio.client").connect
    configuration = _configuration(args, is_client=True)
    with measured() as figures:
        async with connect(args.host, port, configuration=configuration) as connection:
            reader, writer = await connection.create_stream()
            writer.write(file.read_bytes())
            writer.write_eof()
            if await reader.read(1) != CONFIRMED:
                raise SystemExit("the receiver did not confirm")
            figures.stop()


async def _recv_file(file: Path, args: argparse.Namespace) -> None:
    serve = importlib.import_module(f"{args.package}.asyncio.server").serve
    done = asyncio.Event()

    async def store(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with file.open("wb", buffering=0) as target:
            while data := await reader.read(CHUNK):
                target.write(data)
        writer.write(CONFIRMED)
        writer.write_eof()
        done.set()

    def on_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.ensure_future(store(reader, writer)))

    tasks: list[asyncio.Future[None]] = []
    configuration = _configuration(args, is_client=False)
    with tempfile.TemporaryDirectory() as folder:
        configuration.load_cert_chain(*map(str, certificate.make(Path(folder))))
    port = args.listen_port or free_port(args.host)
    server = await serve(args.host, port, configuration=configuration, stream_handler=on_stream)
    say_port(port)
    with measured():
        await done.wait()
    await asyncio.sleep(args.linger)
    server.close()


if __name__ == "__main__":
    run(_send_file, _recv_file, _options)
