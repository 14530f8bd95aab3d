"""Reliable byte streams and file transfer over UDP that keep their speed where TCP gives up.

`connect` and `listen` make and take connections, `aio.connect` and `aio.serve` do so for asyncio; these three are
loaded when they are first used. Besides them, here are the errors. The rest is where it belongs: `surewire.rdp`
(sessions of the RDP protocol), `surewire.native` (connections of ours), `surewire.core` (the protocol core),
`surewire.impair` (a model of a bad network), `surewire.sim` (virtual time), `surewire.drivers` (sockets and files),
`surewire.lab` (networks to try programs on, and proofs), `surewire.apps` (the commands).
"""

from __future__ import annotations

import typing

from surewire.errors import (
    Aborted,
    ConfigError,
    ConnectionLost,
    DestinationError,
    DigestMismatch,
    HandshakeFailed,
    HandshakeTimeout,
    IdleTimeout,
    LocalProtocolError,
    MalformedSegment,
    Refused,
    RemoteProtocolError,
    Reset,
    SourceChanged,
    SurewireError,
    TransferError,
    Unconfirmed,
    UntrustedServer,
)

if typing.TYPE_CHECKING:
    from surewire import aio
    from surewire.api.blocking import connect, listen

__version__ = "0.1.0"

__all__ = [
    "Aborted",
    "ConfigError",
    "ConnectionLost",
    "DestinationError",
    "DigestMismatch",
    "HandshakeFailed",
    "HandshakeTimeout",
    "IdleTimeout",
    "LocalProtocolError",
    "MalformedSegment",
    "Refused",
    "RemoteProtocolError",
    "Reset",
    "SourceChanged",
    "SurewireError",
    "TransferError",
    "Unconfirmed",
    "UntrustedServer",
    "__version__",
    "aio",
    "connect",
    "listen",
]


def __getattr__(name: str) -> object:
    """Load what needs sockets when it is first asked for (PEP 562), so that importing the package stays cheap."""
    import importlib

    if name == "aio":
        return importlib.import_module("surewire.aio")
    if name in ("connect", "listen"):
        found = getattr(importlib.import_module("surewire.api.blocking"), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
