"""A child process made by fork(): the connections stay the parent's, whatever the child does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import surewire
from surewire import aio
from surewire.errors import Aborted

HOST = "127.0.0.1"
KEY = b"k" * 32
SRC = Path(__file__).resolve().parents[2] / "src"

_CHILD = """
import asyncio, gc, os, sys
import surewire
from surewire import aio

stream = surewire.connect(("127.0.0.1", int(sys.argv[1])), psk=b"k" * 32)
stream.sendall(b"parent")
if (child := os.fork()) == 0:
    sys.exit(0)
os.waitpid(child, 0)
stream.sendall(b" alone")
stream.close()

async def main():
    reader, writer = await aio.connect(("127.0.0.1", int(sys.argv[1])), psk=b"k" * 32)
    writer.write(b"parent")
    await writer.drain()
    if (child := os.fork()) == 0:
        del reader, writer
        gc.collect()
        os._exit(0)  # to go on through the loop's own end would close what it shares with the parent's loop
    os.waitpid(child, 0)
    writer.write(b" alone")
    writer.close()
    await writer.wait_closed()

asyncio.run(main())
"""


def forked(work: Callable[[], bool]) -> bool:
    """What `work` returns in a child process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads is the point
        child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if work() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_child_that_ends_resets_nothing() -> None:
    with surewire.listen((HOST, 0), psk=KEY) as listener:
        tool = subprocess_of(_CHILD, listener.address[1])
        for _ in range(2):
            with listener.accept(30) as stream:
                assert stream.recv_exactly(12) == b"parent alone"
                assert stream.recv(1) == b""
        assert tool() == ""


def subprocess_of(program: str, port: int) -> Callable[[], str]:
    """Start it; the result waits for its end and returns what it said on standard error."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program, str(port)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SRC)},
    )
    return lambda: process.communicate(timeout=30)[1]


def test_verbs_in_a_child_raise_and_send_nothing() -> None:
    with (
        surewire.listen((HOST, 0), psk=KEY) as listener,
        surewire.connect(listener.address, psk=KEY) as client,
        listener.accept(30) as server,
    ):

        def verbs() -> bool:
            for verb in (lambda: client.sendall(b"child"), lambda: server.recv(1), client.close, client.stats):
                with pytest.raises(Aborted, match="forked"):
                    verb()
            with pytest.raises(SystemExit), server:
                sys.exit(0)
            listener.close()
            return True

        assert forked(verbs)
        client.sendall(b"parent")
        assert server.recv_exactly(6) == b"parent"
        server.sendall(b"answer")
        assert client.recv_exactly(6) == b"answer"


def test_writers_in_a_child_raise_and_send_nothing() -> None:
    async def echo(reader: aio.StreamReader, writer: aio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)

    async def main() -> bytes:
        async with await aio.serve(echo, (HOST, 0), psk=KEY) as server:
            reader, writer = await aio.connect(server.address, psk=KEY)

            def verbs() -> bool:
                with pytest.raises(Aborted, match="forked"):
                    writer.write(b"child")
                writer.abort()
                return True

            assert forked(verbs)
            writer.write(b"parent")
            writer.write_eof()
            said = await reader.read()
            writer.close()
            await writer.wait_closed()
            return said

    assert asyncio.run(main()) == b"parent"
