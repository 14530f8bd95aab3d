"""The asyncio API beyond what both drivers do: the shapes of asyncio's streams, cancellation, servers."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import surewire
from surewire import aio
from surewire.errors import Aborted, LocalProtocolError, Reset, UntrustedServer
from surewire.native.config import NativeConfig

HOST = "127.0.0.1"
LONG = 30.0
Streams = tuple[aio.StreamReader, aio.StreamWriter]
Test = Callable[[], Coroutine[Any, Any, None]]


def on_loops(test: Test) -> Callable[[str], None]:
    """Run a coroutine as a test, on asyncio's own loop and on uvloop."""

    @pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
    def run(kind: str) -> None:
        factory = None if kind == "asyncio" else pytest.importorskip("uvloop").new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(asyncio.wait_for(test(), LONG))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@asynccontextmanager
async def pair(**options: Any) -> AsyncIterator[tuple[Streams, Streams]]:
    """A client and a server."""
    accepted: asyncio.Queue[Streams] = asyncio.Queue()
    done = asyncio.Event()

    async def hand_over(reader: aio.StreamReader, writer: aio.StreamWriter) -> None:
        await accepted.put((reader, writer))
        await done.wait()

    async with await aio.serve(hand_over, (HOST, 0), plain=True, **options) as server:
        client = await aio.connect(server.address, plain=True, **options)
        try:
            there = await accepted.get()
            yield client, there
        finally:
            client[1].abort()
            there[1].abort()
            done.set()


@on_loops
async def test_lines_are_read_as_asyncio_reads_them() -> None:
    async with pair() as ((reader, _), (_, writer)):
        writer.writelines([b"one\ntw", b"o\n", b"three||four||", b"rest"])
        writer.write_eof()
        assert writer.can_write_eof()
        assert await reader.readline() == b"one\n"
        assert await reader.readuntil() == b"two\n"
        assert await reader.readuntil(b"||") == b"three||"
        assert await reader.read(2) == b"fo"
        assert await reader.readexactly(2) == b"ur"
        assert not reader.at_eof()
        with pytest.raises(asyncio.IncompleteReadError) as incomplete:
            await reader.readuntil(b"###")
        assert incomplete.value.partial == b"||rest"
        assert await reader.readline() == b""
        assert await reader.read() == b""
        assert reader.at_eof()


@on_loops
async def test_an_exact_amount_that_does_not_come_is_handed_out() -> None:
    async with pair() as ((reader, _), (_, writer)):
        writer.write(b"12345")
        writer.write_eof()
        assert await reader.readexactly(0) == b""
        with pytest.raises(asyncio.IncompleteReadError) as incomplete:
            await reader.readexactly(6)
        assert (incomplete.value.partial, incomplete.value.expected) == (b"12345", 6)
        for wrong in (reader.readexactly(-1), reader.readuntil(b"")):
            with pytest.raises(ValueError, match="bytes|byte"):
                await wrong


@on_loops
async def test_a_line_that_is_too_long_is_left_where_it_is() -> None:
    async with pair() as ((reader, _), (_, writer)):
        writer.write(b"x" * 1000 + b"\n")
        writer.write_eof()
        with pytest.raises(asyncio.LimitOverrunError):
            await reader.readuntil(limit=999)
        assert await reader.readuntil(limit=1000) == b"x" * 1000 + b"\n"
        with pytest.raises(asyncio.IncompleteReadError):
            await reader.readuntil(limit=1000)


@on_loops
async def test_all_of_a_stream_can_be_read_and_iterated() -> None:
    async with pair() as ((reader, _), (back, writer)):
        data = os.urandom(500_000)
        writer.write(data)
        writer.write_eof()
        assert await reader.read(-1) == data
    async with pair() as ((reader, _), (_, writer)):
        writer.write(b"a\nb\nc")
        writer.write_eof()
        assert [line async for line in reader] == [b"a\n", b"b\n", b"c"]


@on_loops
async def test_a_cancelled_read_loses_nothing() -> None:
    async with pair() as ((reader, _), (_, writer)):
        writer.write(b"half")
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.readexactly(8), 0.01)
        writer.write(b"full")
        assert await reader.readexactly(8) == b"halffull"


@on_loops
async def test_drain_waits_for_room() -> None:
    async with pair(config=NativeConfig(send_buffer=100_000)) as ((_, writer), (reader, _)):
        writer.write(bytes(20 << 20))  # more than the peer's window and the send buffer
        drained = asyncio.create_task(writer.drain())
        assert await reader.readexactly(1 << 20) == bytes(1 << 20)
        assert not drained.done()
        drained.cancel()
        with pytest.raises(asyncio.CancelledError):
            await drained
        await reader.readexactly(19 << 20)
        await writer.drain()


@on_loops
async def test_what_is_written_before_the_end_arrives_before_it() -> None:
    async with pair(config=NativeConfig(send_buffer=100_000)) as ((_, writer), (reader, back)):
        data = os.urandom(1 << 20)
        writer.write(data)
        writer.close()
        assert writer.is_closing()
        closing = asyncio.create_task(writer.wait_closed())
        assert await reader.read() == data
        back.close()
        await closing
        await back.wait_closed()


@on_loops
async def test_calls_that_come_too_late_are_errors() -> None:
    async with pair() as ((reader, writer), (there, back)):
        with pytest.raises(LocalProtocolError, match="before close"):
            await writer.wait_closed()
        writer.write_eof()
        with pytest.raises(LocalProtocolError):
            writer.write(b"x")
        writer.close()
        writer.close()
        with pytest.raises(LocalProtocolError):
            await reader.read(1)
        with open(__file__, "rb") as file, pytest.raises(LocalProtocolError):
            await reader.recvfile(file, 1)
        back.close()
        await writer.wait_closed()
        await writer.wait_closed()


@on_loops
async def test_a_writer_is_a_context() -> None:
    async with pair() as ((_, writer), (reader, back)):
        async with writer:
            writer.write(b"done")
            back.close()
        with pytest.raises(LocalProtocolError):
            await reader.read(4)
    async with pair() as ((_, writer), (reader, _)):
        with pytest.raises(ZeroDivisionError):
            async with writer:
                raise ZeroDivisionError
        with pytest.raises(Reset, match="ZeroDivisionError"):
            await reader.read(1)


@on_loops
async def test_extra_information_is_there() -> None:
    async with pair() as ((_, writer), (_, back)):
        assert writer.get_extra_info("peername") == back.get_extra_info("sockname")
        assert back.get_extra_info("peername") == writer.get_extra_info("sockname")
        assert writer.get_extra_info("server_key", "none") == "none"
        assert writer.get_extra_info("cipher") is None
        assert writer.stats().path_mtu >= 1200


# Servers.


@asynccontextmanager
async def serving(
    handler: Callable[[aio.StreamReader, aio.StreamWriter], Awaitable[None]], **options: Any
) -> AsyncIterator[aio.Server]:
    async with await aio.serve(handler, (HOST, 0), **(options or {"plain": True})) as server:
        yield server


@on_loops
async def test_a_handler_that_returns_closes_its_connection() -> None:
    async def answer(reader: aio.StreamReader, writer: aio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())

    async with serving(answer) as server:
        reader, writer = await aio.connect(f"{HOST}:{server.address[1]}", plain=True)
        writer.write(b"hello\n")
        assert await reader.read() == b"HELLO\n"
        writer.close()
        await writer.wait_closed()


@on_loops
async def test_a_handler_that_fails_resets_its_connection_and_is_reported() -> None:
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))

    async def fail(reader: aio.StreamReader, writer: aio.StreamWriter) -> None:
        raise ZeroDivisionError

    async with serving(fail) as server:
        reader, _ = await aio.connect(server.address, plain=True)
        with pytest.raises(Reset, match="ZeroDivisionError"):
            await reader.read(1)
    assert [type(each["exception"]) for each in reports] == [ZeroDivisionError]


@on_loops
async def test_a_server_that_closes_lets_its_handlers_end() -> None:
    async def echo(reader: aio.StreamReader, writer: aio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
            await writer.drain()

    server = await aio.serve(echo, (HOST, 0), plain=True)
    forever = asyncio.create_task(server.serve_forever())
    reader, writer = await aio.connect(server.address, plain=True)
    writer.write(b"a")
    assert await reader.read(1) == b"a"
    assert server.is_serving()
    forever.cancel()
    with pytest.raises(asyncio.CancelledError):
        await forever
    assert not server.is_serving()
    writer.write(b"b")
    assert await reader.read(1) == b"b"
    writer.close()
    await writer.wait_closed()
    await server.wait_closed()


@on_loops
async def test_clients_of_a_server_can_be_reset_together() -> None:
    ends: list[BaseException] = []

    async def wait(reader: aio.StreamReader, writer: aio.StreamWriter) -> None:
        writer.write(b"!")
        try:
            await reader.read(1)
        except Aborted as error:
            ends.append(error)

    async with serving(wait) as server:
        streams = [await aio.connect(server.address, plain=True) for _ in range(3)]
        for reader, _ in streams:
            assert await reader.read(1) == b"!"
        server.abort_clients()
        for reader, _ in streams:
            with pytest.raises(Reset, match="server closes"):
                await reader.read(1)
    assert len(ends) == 3


@on_loops
async def test_a_cancelled_connect_leaves_nothing() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HOST, 0))
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(aio.connect(silent.getsockname(), plain=True), 0.05)
        await asyncio.sleep(0)
        assert len(os.listdir("/proc/self/fd")) == before


def test_sealed_servers_are_known_by_their_keys(tmp_path: Path) -> None:
    async def test() -> None:
        async def greet(reader: aio.StreamReader, writer: aio.StreamWriter) -> None:
            writer.write(b"hello")

        async with serving(greet, server_key=tmp_path / "server.key") as server:
            with pytest.raises(UntrustedServer, match="is not known"):
                await aio.connect(server.address, known_servers=tmp_path / "known")
            for trust in (server.fingerprint, None):
                reader, writer = await aio.connect(server.address, known_servers=tmp_path / "known", trust=trust)
                assert await reader.read() == b"hello"
                assert writer.get_extra_info("fingerprint") == server.fingerprint
                assert writer.get_extra_info("server_key") == server.public_key
                writer.close()
                await writer.wait_closed()

    asyncio.run(asyncio.wait_for(test(), LONG))


def test_a_loop_that_ends_with_an_open_connection_warns_and_tells_the_peer() -> None:
    async def leave(address: tuple[str, int]) -> None:
        await aio.connect(address, plain=True)

    async def close_and_leave(address: tuple[str, int]) -> None:
        _, writer = await aio.connect(address, plain=True)
        writer.write(b"x")
        writer.close()
        await writer.wait_closed()

    with surewire.listen((HOST, 0), plain=True) as listener:
        with pytest.warns(ResourceWarning, match="unclosed surewire connection"):
            asyncio.run(leave(listener.address))
        with pytest.raises(Reset, match="forgot|ended"):
            listener.accept(LONG).recv(1)
        asyncio.run(close_and_leave(listener.address))  # does not wait for ever for a peer that goes on
        stream = listener.accept(LONG)
        assert stream.recv(1) == b"x"
        with pytest.raises(Reset, match="program ended"):
            stream.close()


def test_a_program_that_exits_in_a_task_tells_its_peers() -> None:
    program = """
import asyncio, sys
from surewire import aio

async def main():
    reader, writer = await aio.connect((sys.argv[1], int(sys.argv[2])), plain=True)
    sys.exit(3)

asyncio.run(main())
"""
    with surewire.listen((HOST, 0), plain=True) as listener:
        host, port = listener.address
        ended = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, host, str(port)], timeout=LONG, check=False
        )
        assert ended.returncode == 3
        stream = listener.accept(LONG)
        stream.settimeout(LONG / 2)  # less than the silence after which it would be given up
        with pytest.raises(Reset, match="program ended"):
            stream.recv(1)


@on_loops
async def test_streams_that_are_forgotten_are_reset_and_warned_of() -> None:
    ends: asyncio.Queue[BaseException] = asyncio.Queue()

    async def wait(reader: aio.StreamReader, writer: aio.StreamWriter) -> None:
        try:
            await reader.read(1)
        except Reset as error:
            await ends.put(error)

    async with serving(wait) as server:
        with pytest.warns(ResourceWarning, match="unclosed surewire connection"):
            await aio.connect(server.address, plain=True)
        end = await ends.get()
        assert isinstance(end, Reset) and "forgot" in str(end)
        assert end.code == 1, "the transport's own, not the application's"
