"""How a connection stands, in the terms of a stream's verbs: may it be read, written, is everything delivered.

Shared by the blocking and the asyncio streams, so that both raise the same errors for the same reasons.
"""

from __future__ import annotations

from surewire.core.state import State
from surewire.core.trains import Buffer
from surewire.core.units import NS_PER_S
from surewire.errors import DestinationError, LocalProtocolError
from surewire.native.connection import Connection

PEER_END_WAIT_S = 1.0
"""How long the end of a stream waits for that of a peer that has everything; longer where round trips are long."""

_PROBE_TIMEOUTS = 6  # a peer that lacks our acknowledgments must be able to ask for them

_DELIVERED = frozenset({State.FIN_WAIT_2, State.TIME_WAIT})


def peer_end_wait(connection: Connection) -> float:
    """How long (s) the end of this stream waits for the peer's."""
    return max(PEER_END_WAIT_S, _PROBE_TIMEOUTS * connection.probe_timeout / NS_PER_S)


def raise_if_lost(connection: Connection) -> None:
    """Raise what ended the connection, if it did not end well."""
    if (error := connection.error) is not None:
        raise error.with_traceback(None)  # it may be raised many times; tracebacks would add up


def raise_if_over(connection: Connection, verb: str) -> None:
    """Raise what ended the connection, or LocalProtocolError if it ended well and `verb` came too late."""
    raise_if_lost(connection)
    if connection.is_closed:
        raise LocalProtocolError(f"{verb} on a connection that is over")


def has_ended(connection: Connection, verb: str) -> bool:
    """Whether everything up to the peer's end was read; raises like `raise_if_over` when it never will be."""
    if connection.has_ended:
        return True
    raise_if_over(connection, verb)
    return False


def is_delivered(connection: Connection) -> bool:
    """Whether the peer has acknowledged every byte and the end."""
    return connection.is_confirmed or connection.state in _DELIVERED


def delivered(connection: Connection) -> bool | None:
    """True when `is_delivered`, None while it may come to that; raises what ended the connection before."""
    if is_delivered(connection):
        return True
    raise_if_lost(connection)
    return None


def stored(connection: Connection, count: int) -> int | None:
    """How many of `count` bytes a sink got, None while more may come; raises when they could not be stored."""
    if isinstance(connection.error, DestinationError):
        raise_if_lost(connection)
    left = connection.diverted_left
    return count - left if not left or has_ended(connection, "recvfile") else None


def as_bytes(data: Buffer, verb: str) -> memoryview:
    """A view that counts in bytes, whatever the items of `data` are.

    Raises:
        TypeError: `data` is not bytes-like.
    """
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(f"{verb} takes bytes, not {type(data).__name__}") from None
    return view.cast("B") if view.nbytes else memoryview(b"")
