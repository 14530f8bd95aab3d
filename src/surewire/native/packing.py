"""Runs of the stream as sealed datagrams: the way out, where speed matters.

A train is written into one piece of memory that is used again and again: the stream's bytes first, straight
to their places (one `preadv` from a file), then the seals, in place. The headers of a full train come first, all by
one `struct.pack_into`, which leaves zeros between them. Per datagram there is one call of the cipher; the rest is per
train.

    | form 1 | connection id 8 | number 4 | DATA 1 | offset 8 |   bytes of the stream   | seal |
    |<----------- header 13 ------------->|<------------- body ----------------------->|
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import NamedTuple

from surewire.core.sent_log import SentRun
from surewire.core.trains import Address, Train
from surewire.native.keys import SendingKeys
from surewire.wire.native_datagram import DATA_HEADER, HEADER_SIZE, SHORT, SHORT_FORM
from surewire.wire.native_frames import DATA_HEAD_SIZE, FrameType
from surewire.wire.slots import Slots

MAX_TRAIN_BYTES = 65_507
"""Bytes that one system call sends at most."""

_MAX_HEADS = 64  # layouts of headers remembered, a few kB each
_MAX_SINGLES = 128  # lengths of single datagrams remembered, 2 kB each
_MAX_LAYOUTS = 8  # strides remembered; a connection uses one or two at a time
_LOW = 0xFFFF_FFFF
_DATA_HEAD = Struct(">BQ")  # frame type, stream offset
_DATA, _DATA_END = int(FrameType.DATA), int(FrameType.DATA_END)

ReadInto = Callable[[int, Sequence[memoryview]], None]


class _Heads:
    """The headers of so many datagrams as one `struct`, and the list of its fields, five to a datagram."""

    __slots__ = ("fields", "layout")

    def __init__(self, stride: int, count: int) -> None:
        gap = stride - DATA_HEADER.size
        self.layout = Struct(">" + f"{gap}x".join(["B8sIBQ"] * count))
        self.fields: list[int | bytes] = [_DATA] * (5 * count)


class Scratch:
    """The memory that trains are written into: one train at a time, so many connections can share it."""

    __slots__ = ("_heads", "_layouts", "_memory", "_singles")

    def __init__(self) -> None:
        self._memory = memoryview(bytearray(MAX_TRAIN_BYTES))
        self._layouts: dict[tuple[int, int], Slots] = {}
        self._singles: dict[tuple[int, int], Slots] = {}
        self._heads: dict[tuple[int, int], _Heads] = {}

    def layout(self, stride: int, trailer: int) -> Slots:
        """The memory cut into datagrams of `stride` bytes."""
        key = stride, trailer
        found = self._layouts.get(key)
        if found is None:
            if len(self._layouts) >= _MAX_LAYOUTS:
                del self._layouts[next(iter(self._layouts))]
            whole = MAX_TRAIN_BYTES // stride * stride
            slots = Slots(self._memory[:whole], stride=stride, header=HEADER_SIZE, trailer=trailer)
            found = self._layouts[key] = slots
        return found

    def heads(self, stride: int, count: int) -> _Heads:
        """The headers of `count` datagrams."""
        found = self._heads.get((stride, count))
        if found is None:
            if len(self._heads) >= _MAX_HEADS:
                self._heads.clear()
            found = self._heads[stride, count] = _Heads(stride, count)
        return found

    def single(self, length: int, trailer: int) -> Slots:
        """The memory as one datagram of `length` bytes."""
        found = self._singles.get((length, trailer))
        if found is None:
            if len(self._singles) >= _MAX_SINGLES:
                self._singles.clear()
            found = Slots(self._memory[:length], stride=length, header=HEADER_SIZE, trailer=trailer)
            self._singles[length, trailer] = found
        return found


class Part(NamedTuple):
    """As much of a run as one train carries: bytes [offset, stop), `segment` in a datagram, numbers from `first` on."""

    first: int
    datagrams: int
    offset: int
    stop: int  # one more than the last byte where the end mark is in it
    segment: int


def parts_of(run: SentRun, most: int) -> list[Part]:
    """A run, cut so that each part has `most` datagrams, and the last one what is left."""
    if run.count <= most:
        return [Part(run.first, run.count, run.offset, run.stop, run.segment)]
    step = most * run.segment
    starts = range(0, run.count, most)
    parts = [
        Part(run.first + at, most, run.offset + index * step, run.offset + (index + 1) * step, run.segment)
        for index, at in enumerate(starts)
    ]
    parts[-1] = parts[-1]._replace(datagrams=run.count - starts[-1], stop=run.stop)
    return parts


class Packer:
    """Writes the datagrams of one connection."""

    __slots__ = ("_connection_id", "_keys", "_scratch")

    def __init__(self, connection_id: bytes, keys: SendingKeys, scratch: Scratch) -> None:
        """Address datagrams to the peer's `connection_id`."""
        self._connection_id = connection_id
        self._keys = keys
        self._scratch = scratch

    def overhead(self) -> int:
        """Bytes of a full datagram that are not the stream's."""
        return HEADER_SIZE + DATA_HEAD_SIZE + self._keys.overhead

    def train(self, parts: list[Part], size: int, read_into: ReadInto, destination: Address) -> Train:
        """Datagrams for these parts, whose numbers are consecutive, as one train.

        `size` is the stream's, by which the end mark is told from bytes. All were cut into segments of one
        length. What is shorter is padded, but for the very last, as only that may be a shorter datagram.
        """
        segment = max(min(part.segment, min(part.stop, size) - part.offset) for part in parts)
        stride = segment + self.overhead()
        slots = self._scratch.layout(stride, self._keys.overhead)
        payloads = slots.behind(DATA_HEAD_SIZE)
        index, last_length = 0, stride
        for part in parts:
            length = min(part.stop, size) - part.offset
            full, rest = divmod(length, segment) if segment else (0, 0)
            if full:
                if index or not self._write_all_heads(slots, full, part.first, part.offset, segment):
                    self._write_heads(slots, index, full, part.first, part.offset, segment)
                read_into(part.offset, payloads[index : index + full])
                index += full
            pad = 0
            if full < part.datagrams:
                pad = segment - rest if part is not parts[-1] else 0
                last_length = stride if part is not parts[-1] else stride - segment + rest
                number, offset = part.first + full, part.offset + full * segment
                if rest:
                    read_into(offset, [payloads[index][pad : pad + rest]])
                self._write_odd_head(slots, index, number, offset, pad)
                index += 1
            if part.stop > size:
                slots.buffer[(index - 1) * stride + HEADER_SIZE + pad] = _DATA_END
        return self._seal(slots, index, last_length, parts[0].first, destination)

    def datagram(
        self,
        number: int,
        frames: bytes,
        destination: Address,
        *,
        run: Part | None = None,
        size: int = 0,
        read_into: ReadInto | None = None,
        length: int = 0,
    ) -> Train:
        """One datagram of frames, and behind them the bytes of `run` if there is one; padded to `length` if shorter."""
        begin = HEADER_SIZE + len(frames)
        payload = 0 if run is None else min(run.stop, size) - run.offset
        head = 0 if run is None else DATA_HEAD_SIZE
        whole = begin + head + payload + self._keys.overhead
        pad = max(length - whole, 0)
        slots = self._scratch.single(whole + pad, self._keys.overhead)
        buffer = slots.buffer
        SHORT.pack_into(buffer, 0, SHORT_FORM | self._keys.phase, self._connection_id, number & _LOW)
        buffer[HEADER_SIZE:begin] = frames
        buffer[begin : begin + pad] = bytes(pad)
        if run is not None:
            begin += pad
            _DATA_HEAD.pack_into(buffer, begin, _DATA_END if run.stop > size else _DATA, run.offset)
            if read_into is not None and payload:
                read_into(run.offset, [buffer[begin + head : begin + head + payload]])
        self._keys.seal(slots, 1, number)
        return Train([buffer], len(buffer), len(buffer), destination)

    def _write_all_heads(self, slots: Slots, count: int, number: int, offset: int, segment: int) -> bool:
        """As `_write_heads`, faster: of datagrams from the first on. What is between the headers becomes zero.

        Returns:
            False, and nothing is done, where the low bits of the numbers turn over.
        """
        low = number & _LOW
        if low + count > _LOW:
            return False
        heads = self._scratch.heads(slots.stride, count)
        fields = heads.fields
        fields[0::5] = (SHORT_FORM | self._keys.phase,) * count
        fields[1::5] = (self._connection_id,) * count
        fields[2::5] = range(low, low + count)
        fields[4::5] = range(offset, offset + count * segment, segment)
        heads.layout.pack_into(slots.buffer, 0, *fields)
        return True

    def _write_heads(self, slots: Slots, index: int, count: int, number: int, offset: int, segment: int) -> None:
        pack, buffer, stride = DATA_HEADER.pack_into, slots.buffer, slots.stride
        form, connection_id = SHORT_FORM | self._keys.phase, self._connection_id
        for start in range(index * stride, (index + count) * stride, stride):
            pack(buffer, start, form, connection_id, number & _LOW, _DATA, offset)
            number += 1
            offset += segment

    def _write_odd_head(self, slots: Slots, index: int, number: int, offset: int, pad: int) -> None:
        start = index * slots.stride
        SHORT.pack_into(slots.buffer, start, SHORT_FORM | self._keys.phase, self._connection_id, number & _LOW)
        start += HEADER_SIZE
        slots.buffer[start : start + pad] = bytes(pad)
        _DATA_HEAD.pack_into(slots.buffer, start + pad, _DATA, offset)

    def _seal(self, slots: Slots, count: int, last_length: int, number: int, destination: Address) -> Train:
        stride = slots.stride
        if last_length == stride:
            self._keys.seal(slots, count, number)
        else:
            if count > 1:
                self._keys.seal(slots, count - 1, number)
            self._keys.seal(slots.last(count - 1, last_length), 1, number + count - 1)
        nbytes = (count - 1) * stride + last_length
        return Train([slots.buffer[:nbytes]], stride if count > 1 else nbytes, nbytes, destination)
