"""Keeping and comparing states of a room: one string of bytes is both the copy and the fingerprint.

A room is pickled with every time written relative to its clock, so two rooms that differ only in when they got
there give the same bytes and are one state. A time is told from other integers by its size (`explore_room.ORIGIN`).
What counts and never decides (logs, statistics) is left out and comes back empty. Settings, tables and members of
enumerations are shared, not copied, and so are hash objects: each is kept once for each value and copied when it is
taken out.

Equal bytes mean equal states. Equal states can give different bytes (one object in two places, or two equal ones):
then the explorer does the same work twice, which is a matter of time only.

Pickle here reads only what this process wrote.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Hashable
from enum import Enum

from surewire.core.config import TransportConfig
from surewire.core.outbound import OutboundStats
from surewire.core.state import DUPLEX, SIMPLEX
from surewire.lab.proof.explore_room import ORIGIN, Room
from surewire.rdp.config import RdpConfig
from surewire.rdp.receiver import ReceiverStats
from surewire.rdp.records import PacketLog
from surewire.rdp.sender import SenderStats
from surewire.streamer.config import StreamerConfig
from surewire.streamer.session import SessionStats

_NEAR = 10**15  # ns: no run takes 11 days, and no other number of a session lies so close to the origin
_COUNTERS: tuple[type, ...] = (PacketLog, SenderStats, ReceiverStats, SessionStats, OutboundStats)
_CONSTANTS = (Enum, RdpConfig, StreamerConfig, TransportConfig)  # what no session ever changes
_TABLES = frozenset((id(SIMPLEX), id(DUPLEX)))
_PLAIN = frozenset((str, bytes, bytearray, float, bool, type(None), list, tuple, set, type))
_HASH = type(hashlib.sha256())


class Snapshots:
    """Makes snapshots of rooms, and rooms of snapshots. Only snapshots of one maker can be compared."""

    def __init__(self) -> None:
        self._shared: list[object] = []
        self._places: dict[Hashable, int] = {}  # of what is shared: hashes by value, the rest by identity

    def take(self, room: Room) -> bytes:
        """A room's state without its time."""
        buffer = io.BytesIO()
        _Writer(buffer, self, room.now).dump(room)
        return buffer.getvalue()

    def restore(self, snapshot: bytes, *, now: int) -> Room:
        """A room in that state at `now` (ns)."""
        room: Room = _Reader(io.BytesIO(snapshot), self, now).load()
        return room

    def place(self, value: object, key: Hashable) -> int:
        """Where a shared value is kept."""
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = len(self._shared)
            self._shared.append(value)
        return place

    def at(self, place: int) -> object:
        """The shared value there."""
        return self._shared[place]


class _Writer(pickle.Pickler):
    def __init__(self, buffer: io.BytesIO, snapshots: Snapshots, now: int) -> None:
        super().__init__(buffer, protocol=5)
        self._snapshots = snapshots
        self._now = now
        self._counters: dict[int, int] = {}

    def persistent_id(self, value: object) -> object:
        """A number for a time, a tuple for what is not copied, None for the rest."""
        kind = type(value)
        if type(value) is int:
            return value - self._now if -_NEAR < value - ORIGIN < _NEAR else None
        if kind in _PLAIN:
            return None
        if kind in _COUNTERS:
            return ("new", _COUNTERS.index(kind), self._counters.setdefault(id(value), len(self._counters)))
        if type(value) is _HASH:
            return ("hash", self._snapshots.place(value.copy(), value.digest()))
        if isinstance(value, _CONSTANTS) or id(value) in _TABLES:
            return ("shared", self._snapshots.place(value, id(value)))
        return None


class _Reader(pickle.Unpickler):
    def __init__(self, buffer: io.BytesIO, snapshots: Snapshots, now: int) -> None:
        super().__init__(buffer)
        self._snapshots = snapshots
        self._now = now
        self._counters: dict[int, object] = {}

    def persistent_load(self, key: object) -> object:
        """The other way of `_Writer.persistent_id`."""
        if isinstance(key, int):
            return self._now + key
        assert isinstance(key, tuple)
        if key[0] == "new":
            _, kind, number = key
            if number not in self._counters:
                self._counters[number] = _COUNTERS[kind]()
            return self._counters[number]
        value = self._snapshots.at(key[1])
        return value.copy() if isinstance(value, _HASH) else value
