"""One end of surewire's native transport, by the asyncio API: file to file."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from async_ends import run
from ends import CONFIRMED, measured, say_port
from native_options import add_options, keywords

from surewire import aio

_SIZE_BYTES = 8


async def _send_file(file: Path, port: int, args: argparse.Namespace) -> None:
    options = keywords(args)
    with measured() as figures, file.open("rb") as source:
        reader, writer = await aio.connect((args.host, port), **options)
        async with writer:
            writer.write(file.stat().st_size.to_bytes(_SIZE_BYTES, "big"))
            await writer.sendfile(source)
            writer.write_eof()
            if await reader.readexactly(1) != CONFIRMED:
                raise SystemExit("the receiver did not confirm")
            figures.stop()
            figures["stats"] = writer.stats()._asdict()


async def _recv_file(file: Path, args: argparse.Namespace) -> None:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def store(reader: aio.StreamReader, writer: aio.StreamWriter) -> None:
        with file.open("wb") as target:
            size = int.from_bytes(await reader.readexactly(_SIZE_BYTES), "big")
            if await reader.recvfile(target, size) != size:
                raise SystemExit("the stream ended early")
        writer.write(CONFIRMED)
        writer.close()
        await writer.wait_closed()
        done.set_result(None)

    async with await aio.serve(store, (args.host, args.listen_port), **keywords(args)) as server:
        say_port(server.address[1])
        with measured():
            await done


if __name__ == "__main__":
    run(_send_file, _recv_file, add_options)
