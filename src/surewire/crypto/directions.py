"""The two protections of a connection, by the direction they are for: what a handshake ends with."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

P = TypeVar("P")


class Directions(NamedTuple, Generic[P]):
    """One side's view: `sending` protects what it sends and is the other side's `receiving`."""

    sending: P
    receiving: P
