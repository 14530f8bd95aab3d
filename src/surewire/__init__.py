"""Reliable file transfer over UDP that keeps its speed where TCP gives up.

Here are the errors. The rest is where it belongs: `surewire.rdp` (sessions of the RDP protocol),
`surewire.core` (the protocol core), `surewire.impair` (a model of a bad network), `surewire.sim`
(virtual time), `surewire.drivers` (sockets and files), `surewire.lab` (networks to try programs on, and
proofs), `surewire.apps` (the commands).
"""

from __future__ import annotations

from surewire.errors import (
    Aborted,
    ConfigError,
    ConnectionLost,
    DestinationError,
    DigestMismatch,
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
)

__version__ = "0.1.0"

__all__ = [
    "Aborted",
    "ConfigError",
    "ConnectionLost",
    "DestinationError",
    "DigestMismatch",
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
    "__version__",
]
