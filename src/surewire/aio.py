"""Native connections for asyncio: `surewire.aio.connect` and `surewire.aio.serve`; see docs/api.md."""

from __future__ import annotations

from surewire.api.aio import Server, StreamReader, StreamWriter, connect, serve

__all__ = ["Server", "StreamReader", "StreamWriter", "connect", "serve"]
