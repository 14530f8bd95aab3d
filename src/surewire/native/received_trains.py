"""Received datagrams as slots, cut once for memory that is read into again and again.

A driver reads into the same buffer for ever. It lends that memory once, and hands in a view of the part that was
filled, from the beginning on. The slots are the same each time, so they are kept: by stride and trailer, for as many
datagrams as have been needed. What comes in other memory is copied here first, since datagrams are brought into the
clear in place; that costs 1.3 us for 64 KiB.

Memory that was lent stays exported: its bytearray cannot be resized while this object lives.

Invariants: slots returned lie over the bytes last taken; the views that are kept belong to at most `_MAX_KEPT`
datagrams, 1 kB each.
"""

from __future__ import annotations

from struct import Struct

from surewire.core.trains import Buffer
from surewire.errors import LocalProtocolError
from surewire.wire.native_datagram import CID_SIZE, HEADER_SIZE
from surewire.wire.slots import Slots

HEAD_SIZE = 1 + CID_SIZE
"""Bytes that say where a datagram belongs: form and connection id."""

_MEMORY = 65_536
_MAX_KEPT = 2_048
_MAX_LAYOUTS = 256
_MAX_JOINED = 64  # datagrams that one read of the kernel's gives at most (UDP_GRO)


class ReceivedTrains:
    """The memory that datagrams stand in."""

    __slots__ = ("_heads", "_kept", "_lent", "_own", "_slots", "_whole")

    def __init__(self) -> None:
        self._lent = memoryview(bytearray())  # the driver's
        self._own = memoryview(bytearray())  # for what comes elsewhere; made with the first of it
        self._whole = self._own  # the one of the two that the slots are of
        self._slots: dict[tuple[int, int], Slots] = {}
        self._kept = 0  # datagrams in all slots kept
        self._heads: dict[tuple[int, int], Struct] = {}

    @property
    def kept_datagrams(self) -> int:
        """Datagrams whose views are kept."""
        return self._kept

    @property
    def kept_layouts(self) -> int:
        """Layouts of heads that are kept, 1 kB each."""
        return len(self._heads)

    def lend(self, memory: memoryview) -> None:
        """What is handed in as a view of this memory's object begins where `memory` does, and need not be copied.

        Raises:
            LocalProtocolError: the memory is not bytes in a row that may be written to.
        """
        if memory.readonly or memory.format != "B" or memory.ndim != 1 or not memory.contiguous:
            raise LocalProtocolError("datagrams are opened in place: that takes bytes in a row that may be written to")
        self._lent = memory

    def take(self, buffer: Buffer) -> memoryview:
        """From now on slots are of these bytes; returns where they stand, which may be a copy."""
        if isinstance(buffer, memoryview):
            if buffer.obj is self._lent.obj and not buffer.readonly:
                self._use(self._lent)
                return buffer
            if buffer.format != "B" or buffer.ndim != 1:
                buffer = buffer.tobytes()
        nbytes = len(buffer)
        if nbytes > len(self._own):
            self._own = memoryview(bytearray(max(nbytes, _MEMORY)))
        self._use(self._own)
        self._own[:nbytes] = buffer
        return self._own[:nbytes]

    def heads(self, received: memoryview, stride: int, count: int) -> tuple[bytes, ...]:
        """Form and connection id of each of `count` datagrams; all must have so many bytes."""
        if count == 1:
            return (bytes(received[:HEAD_SIZE]),)
        if count > _MAX_JOINED:
            return tuple(bytes(received[at : at + HEAD_SIZE]) for at in range(0, count * stride, stride))
        layout = self._heads.get((stride, count))
        if layout is None:
            if len(self._heads) >= _MAX_LAYOUTS:
                self._heads.clear()
            layout = Struct(f"{HEAD_SIZE}s{stride - HEAD_SIZE}x" * (count - 1) + f"{HEAD_SIZE}s")
            self._heads[stride, count] = layout
        return layout.unpack_from(received)

    def slots(self, stride: int, count: int, trailer: int) -> Slots:
        """Slots of this stride over what was taken, at least `count` of them.

        The stride has room for header and trailer, and so many datagrams are there. The views of the last one are too
        long if it is shorter than the stride: take `slots.last` for it.
        """
        key = stride, trailer
        slots = self._slots.get(key)
        if slots is not None and slots.count >= count:
            return slots
        if slots is not None:
            self._kept -= slots.count
            del self._slots[key]
        capacity = 1 << (count - 1).bit_length()
        slots = Slots(self._whole[: capacity * stride], stride=stride, header=HEADER_SIZE, trailer=trailer)
        while self._slots and self._kept + slots.count > _MAX_KEPT:
            self._kept -= self._slots.pop(next(iter(self._slots))).count
        self._slots[key] = slots
        self._kept += slots.count
        return slots

    def _use(self, memory: memoryview) -> None:
        if self._whole is not memory:
            self._whole = memory
            self._slots.clear()
            self._kept = 0
