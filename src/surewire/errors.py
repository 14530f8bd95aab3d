"""The errors an application can meet, one tree, split by who is at fault.

Caller's mistakes are `ConfigError` and `LocalProtocolError`; the peer's are `RemoteProtocolError`;
the path's are `ConnectionLost` and its kinds; `TransferError` and its kinds are about the file.
Nothing else leaves the package on purpose: a decoder raises `MalformedSegment` and only that.
"""

from __future__ import annotations


class SurewireError(Exception):
    """Base of every error surewire raises on purpose; its text is one clear line."""


class ConfigError(SurewireError):
    """A setting or an argument is out of range or contradicts another one."""


class LocalProtocolError(SurewireError):
    """The caller used a connection in a way its state does not allow."""


class RemoteProtocolError(SurewireError):
    """The peer broke the protocol."""


class MalformedSegment(RemoteProtocolError):
    """Bytes that are no segment of the format; the only exception a decoder raises."""


class ConnectionLost(SurewireError):
    """The connection ended before the work was done."""


class Refused(ConnectionLost):
    """The peer answered the first segment with a reset."""


class HandshakeFailed(ConnectionLost):
    """Somebody answered, but the two sides could not agree: another key, another version, a changed message."""


class UntrustedServer(HandshakeFailed):
    """The server showed a public key that is not the one expected, or that nobody has vouched for."""


class Reset(ConnectionLost):
    """The peer ended an open connection with a reset; `code` is what it states (0 where the format has none)."""

    def __init__(self, text: str = "", *, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class IdleTimeout(ConnectionLost):
    """Nothing valid came from the peer within the stated deadline."""


class HandshakeTimeout(ConnectionLost):
    """Nobody answered the first segment within the stated number of tries."""


class Unconfirmed(ConnectionLost):
    """All data was sent, but the peer never confirmed the end."""


class Aborted(ConnectionLost):
    """The local side gave up on purpose (an interrupt, a local file error)."""


class TransferError(SurewireError):
    """The file could not be read, written or completed."""


class SourceChanged(TransferError):
    """The file being sent changed size or content, or could not be read any more."""


class DestinationError(TransferError):
    """The received file cannot be created, written or renamed to its final name."""


class DigestMismatch(TransferError):
    """The received bytes do not hash to what the sender hashed."""
