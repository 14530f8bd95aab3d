"""`echo_client.py` with asyncio.

PYTHONPATH=src python3 examples/aio_echo_client.py FINGERPRINT [PORT]
"""

from __future__ import annotations

import asyncio
import sys

from surewire import aio


async def main(fingerprint: str, port: int) -> None:
    reader, writer = await aio.connect(("127.0.0.1", port), trust=fingerprint)
    async with writer:
        for saying in (b"hello", b"are you there?", b"good bye"):
            writer.write(saying)
            print((await reader.readexactly(len(saying))).decode())
        stats = writer.stats()
    print(f"confirmed; {stats.datagrams_sent} datagrams sent, round trip {stats.rtt_ns / 1e6:.2f} ms")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5000))
