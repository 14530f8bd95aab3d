"""Received datagrams as slots, cut once for memory that is read into again and again.

A driver reads into the same buffer for ever and hands in a view of the part that was filled. Its slots are the same
each time, so they are kept: by stride and trailer, for as many datagrams as have been needed. What comes in other
memory, or cannot be written to (datagrams are brought into the clear in place), is copied here first, which costs
1.3 us for 64 KiB; memory that comes twice in a row is used directly from then on.

The memory stays exported: a bytearray handed in as a memoryview cannot be resized while this object lives.

Invariants: slots returned lie over the bytes last taken; the views that are kept belong to at most `_MAX_KEPT`
datagrams, 1 kB each.
"""

from __future__ import annotations

from struct import Struct

from surewire.core.trains import Buffer
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

    __slots__ = ("_heads", "_kept", "_own", "_previous", "_slots", "_whole")

    def __init__(self) -> None:
        self._own = self._whole = memoryview(bytearray(_MEMORY))
        self._previous: object = None  # whose memory came last
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

    def take(self, buffer: Buffer) -> memoryview:
        """From now on slots are of these bytes; returns where they stand, which may be a copy."""
        if isinstance(buffer, memoryview):
            if buffer.obj is self._whole.obj and _begin_alike(buffer, self._whole):
                return buffer
            if buffer.obj is self._previous and self._adopt(buffer):
                return buffer
            self._previous = buffer.obj
            if buffer.format != "B" or buffer.ndim != 1:
                buffer = buffer.tobytes()
        nbytes = len(buffer)
        if nbytes > len(self._own):
            self._own = memoryview(bytearray(nbytes))
        if self._whole is not self._own:
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

    def _adopt(self, buffer: memoryview) -> bool:
        """Use the caller's memory, if the bytes stand at its beginning and can be written to."""
        if buffer.readonly or buffer.obj is None:
            return False
        whole = memoryview(buffer.obj)
        if whole.format != "B" or whole.ndim != 1 or not whole.contiguous or not _begin_alike(buffer, whole):
            return False
        self._use(whole)
        return True

    def _use(self, memory: memoryview) -> None:
        self._whole = memory
        self._slots.clear()
        self._kept = 0


def _begin_alike(view: memoryview, whole: memoryview) -> bool:
    """Whether two views of one object begin at the same byte. No attribute tells, so a byte is changed and put back."""
    if view.readonly or view.format != "B" or view.ndim != 1 or not view.contiguous or not view or view[0] != whole[0]:
        return False
    before = view[0]
    view[0] = before ^ 0xFF
    is_alike = whole[0] != before
    view[0] = before
    return is_alike
