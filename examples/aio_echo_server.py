"""`echo_server.py` with asyncio; both clients work with both servers.

PYTHONPATH=src python3 examples/aio_echo_server.py [PORT]
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

from surewire import aio


async def echo(reader: aio.StreamReader, writer: aio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


async def main(port: int) -> None:
    async with await aio.serve(echo, ("127.0.0.1", port)) as server:
        print(f"port {server.address[1]}, fingerprint {server.fingerprint}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
