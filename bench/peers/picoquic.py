"""One end of picoquic (C), by the package aiopquic: one stream, AES-128-GCM, file to file.

The package sends from a thread of its own, and takes as much as its ring holds. Congestion control is picoquic's "bbr1"
(BBR version 1, what the package takes by default), or "bbr" (version 3), or another of its names. Windows are wide
(16 MiB). The certificate is self-signed and not verified. The package listens at all addresses of the host.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import ssl
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import certificate
from aiopquic.asyncio.client import connect
from aiopquic.asyncio.protocol import QuicConnectionProtocol
from aiopquic.asyncio.server import serve
from aiopquic.quic.configuration import QuicConfiguration
from aiopquic.quic.events import ConnectionTerminated, StreamDataReceived
from async_ends import run
from ends import CONFIRMED, chunks, free_port, measured, say_port

_WINDOW = 16 << 20
_ALPN = ["bench"]
_AES_128_GCM = 0x1301


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--congestion", metavar="NAME", default="bbr1")


def _configuration(args: argparse.Namespace, *, is_client: bool) -> QuicConfiguration:
    return QuicConfiguration(
        is_client=is_client,
        alpn_protocols=_ALPN,
        max_data=_WINDOW,
        max_stream_data=_WINDOW,
        cipher_suite=_AES_128_GCM,
        congestion_control_algorithm=args.congestion,
        ip_family=socket.AF_INET,
        verify_mode=ssl.CERT_NONE,
    )


class _Sender(QuicConnectionProtocol):  # type: ignore[misc]
    """Waits for the answer, or for an end without one."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def quic_event_received(self, event: object) -> None:
        """Called by the package."""
        if not self.answer.done():
            if isinstance(event, StreamDataReceived) and event.data:
                self.answer.set_result(bytes(event.data))
            elif isinstance(event, ConnectionTerminated):
                self.answer.set_result(b"")


class _Receiver(QuicConnectionProtocol):  # type: ignore[misc]
    """Stores what comes, and confirms at the end of it."""

    def __init__(self, *args: Any, target: BinaryIO, done: asyncio.Event, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._target = target
        self._done = done

    def quic_event_received(self, event: object) -> None:
        """Called by the package."""
        if isinstance(event, StreamDataReceived):
            self._target.write(event.data)
            if event.end_stream:
                self._quic.send_stream_data(event.stream_id, CONFIRMED, end_stream=True)
                self._done.set()


async def _send_file(file: Path, port: int, args: argparse.Namespace) -> None:
    configuration = _configuration(args, is_client=True)
    with measured() as figures:
        async with connect(args.host, port, configuration=configuration, create_protocol=_Sender) as connection:
            quic = connection._quic  # as the package's own description has it
            stream = quic.get_next_available_stream_id()
            for data in chunks(file):
                await quic.send_stream_data_drained(stream, data)
            await quic.send_stream_data_drained(stream, b"", end_stream=True)
            if await connection.answer != CONFIRMED:
                raise SystemExit("the receiver did not confirm")
            figures.stop()


async def _recv_file(file: Path, args: argparse.Namespace) -> None:
    configuration, done = _configuration(args, is_client=False), asyncio.Event()
    with file.open("wb", buffering=0) as target:

        def accept(*given: Any, **keywords: Any) -> _Receiver:
            return _Receiver(*given, target=target, done=done, **keywords)

        with tempfile.TemporaryDirectory() as folder:
            configuration.load_cert_chain(*map(str, certificate.make(Path(folder))))
            port = args.listen_port or free_port("")
            server = await serve("", port, configuration=configuration, create_protocol=accept)
            say_port(port)
            with measured():
                await done.wait()
        await asyncio.sleep(args.linger)
    server.close()


if __name__ == "__main__":
    run(_send_file, _recv_file, _options)
