"""Datagrams in: opened in place, joined to runs of the stream, and recorded for acknowledgment.

Nearly every datagram of a bulk transfer holds one DATA frame that continues the one before it. Such ones
are stored and recorded together, and whether a whole train is of this kind is seen by two calls of `struct`: what is
done per datagram is one call of the cipher. Everything else goes through the parser of frames.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

from surewire.core.acks import AckTracker
from surewire.core.trains import Buffer
from surewire.errors import MalformedSegment
from surewire.native.incoming import Incoming
from surewire.native.keys import ReceivingKeys
from surewire.native.recovering import Recovering
from surewire.native.statistics import Counters
from surewire.wire import native_frames as frames
from surewire.wire.native_datagram import KEY_PHASE, SHORT, restore_number
from surewire.wire.native_repairs import Repair
from surewire.wire.slots import Slots

_OFFSET = Struct(">Q")
_DATA = int(frames.FrameType.DATA)
_HEAD = frames.DATA_HEAD_SIZE
_BYTES_PER_ACK = 64 << 10  # a long datagram is worth many: a sender with a small window must not wait for the eighth
_UPDATE_SHARE = 4  # of the window: room that is worth an acknowledgment of its own


@lru_cache(maxsize=128)
def _layouts(stride: int, count: int) -> tuple[Struct, Struct]:
    """Of so many datagrams: their forms and numbers, and the heads of their first frames."""
    gap = stride - SHORT.size
    heads = Struct(">" + f"{gap}x".join(["B8xI"] * count))
    gap = stride - _HEAD
    return heads, Struct(f">{SHORT.size}x" + f"{gap}x".join(["BQ"] * count))


class _Run:
    """Datagrams with consecutive numbers that hold consecutive bytes."""

    __slots__ = ("first", "next", "offset", "pieces", "start")

    def __init__(self) -> None:
        self.first = self.next = 0  # packet numbers
        self.start = self.offset = 0  # stream offsets: of the first byte, and behind the last
        self.pieces: list[Buffer] = []


class Receiving:
    """Takes the datagrams of one connection."""

    __slots__ = (
        "_limit_told",
        "_newest",
        "_opened",
        "_run",
        "_unacknowledged",
        "counters",
        "incoming",
        "newest_is_new",
        "recovering",
        "tracker",
    )

    def __init__(self, incoming: Incoming, tracker: AckTracker, recovering: Recovering, counters: Counters) -> None:
        self.incoming = incoming
        self.recovering = recovering
        self.tracker = tracker
        self.counters = counters
        self.newest_is_new = False  # the last call of `handle` saw a higher packet number than all before it
        self._run = _Run()
        self._newest = -1  # largest number opened, and how many were, in this call of `handle`
        self._opened = 0
        self._limit_told = incoming.limit
        self._unacknowledged = 0  # bytes of the stream that arrived since the last acknowledgment left

    def on_read(self) -> None:
        """The application made room: tell the peer when that is much more than it knows of."""
        if self.incoming.books.is_complete:
            return
        limit = self.incoming.limit
        if limit - self._limit_told >= max(self.incoming.window // _UPDATE_SHARE, 1):
            self.tracker.make_due()

    def acknowledgment(self, *, limit: int, now: int) -> bytes:
        """An ACK frame of at most `limit` bytes; b"" when nothing has arrived or nothing fits."""
        tracker, incoming = self.tracker, self.incoming
        if tracker.latest < 0:
            return b""
        position = incoming.position
        self._limit_told = incoming.limit
        ack = frames.emit_ack(
            position,
            max(self._limit_told - position, 0),
            tracker.latest,
            now - tracker.latest_at,
            tracker.ranges_and_newest(),
            limit=limit,
        )
        if ack:
            tracker.on_sent()
            self._unacknowledged = 0
        return ack

    def handle(
        self, slots: Slots, first: int, stop: int, keys: ReceivingKeys, *, now: int
    ) -> list[frames.Frame] | None:
        """Take datagrams [first, stop) of `slots`.

        Returns:
            The frames that are not for the stream, in order; None when no datagram was genuine.

        Raises:
            DestinationError: what arrived cannot be stored.
        """
        counters, others = self.counters, list[frames.Frame]()
        self._newest = before = self.tracker.largest
        self._opened = 0
        index = self._take_train(slots, first, stop, keys, others, now) if stop - first > 1 else first
        if index < stop:
            self._take_singly(slots, index, stop, keys, others, now)
        self._store(now)
        if self.incoming.books.is_complete:
            self.recovering.forget()
        counters.datagrams_received += self._opened
        forged = stop - first - self._opened
        counters.damaged += forged
        keys.failures += forged
        self.newest_is_new = self._newest > before
        return others if self._opened else None

    def _take_train(
        self, slots: Slots, first: int, stop: int, keys: ReceivingKeys, others: list[frames.Frame], now: int
    ) -> int:
        """Take datagrams whose numbers are consecutive, as they nearly always are; return the index of the next one.

        What must be equal, or rise evenly, in all of them is compared in one go.
        """
        count, buffer, start = stop - first, slots.buffer, first * slots.stride
        heads, frame_heads = _layouts(slots.stride, count)
        fields = heads.unpack_from(buffer, start)
        forms, lows = fields[0::2], fields[1::2]
        if forms.count(keys.form) != count or lows != tuple(range(lows[0], lows[0] + count)):
            return first
        number = restore_number(lows[0], self.tracker.largest + 1)
        index = keys.current.open_train(slots, first, stop, number)
        self._note_opened(number + index - first - 1, index - first)
        length = len(slots.bodies[first]) - _HEAD
        if index == stop and length > 0:
            fields = frame_heads.unpack_from(buffer, start)
            kinds, offsets = fields[0::2], fields[1::2]
            offset = offsets[0]
            end = offset + count * length
            if kinds.count(_DATA) == count and offsets == tuple(range(offset, end, length)):
                run = self._run
                run.first, run.next, run.start, run.offset = number, number + count, offset, end
                run.pieces = list(slots.behind(_HEAD)[first:stop])
                return stop
        for each in range(first, index):
            self._take_one(slots, each, number + each - first, others, now)
        return index

    def _take_singly(
        self, slots: Slots, first: int, stop: int, keys: ReceivingKeys, others: list[frames.Frame], now: int
    ) -> None:
        """Take datagrams [first, stop), whatever they are."""
        for index in range(first, stop):
            form, _, low = SHORT.unpack_from(slots.buffer, index * slots.stride)
            number = restore_number(low, self._newest + 1)
            if form == keys.form:
                is_genuine = keys.current.open(slots, index, number)
            elif form ^ keys.form == KEY_PHASE:
                is_genuine = keys.open_other(slots, index, number)
            else:
                continue  # no datagram of this version
            if is_genuine:
                self._note_opened(number, 1)
                self._take_one(slots, index, number, others, now)

    def _note_opened(self, newest: int, count: int) -> None:
        self._opened += count
        if count and newest > self._newest:
            self._newest = newest

    def _take_one(self, slots: Slots, index: int, number: int, others: list[frames.Frame], now: int) -> None:
        """Take an opened datagram: to the run that is being collected, if it continues it."""
        run, body = self._run, slots.bodies[index]
        length = len(body) - _HEAD
        if length <= 0 or body[0] != _DATA:
            self._store(now)
            self._take_other(number, body, others, now)
            return
        offset: int = _OFFSET.unpack_from(body, 1)[0]
        if not run.pieces or number != run.next or offset != run.offset:
            self._store(now)
            run.first, run.start = number, offset
        run.pieces.append(slots.behind(_HEAD)[index])
        run.next, run.offset = number + 1, offset + length

    def _store(self, now: int) -> None:
        """Store and record the run that was collected."""
        run, tracker = self._run, self.tracker
        if not run.pieces:
            return
        pieces, run.pieces = run.pieces, []
        is_new = run.first > tracker.largest or all(map(tracker.is_new, range(run.first, run.next)))
        if is_new and self.incoming.take(run.start, run.offset, pieces, is_last=False):
            tracker.on_received(run.first, run.next, now=now)
            self._keep(run.first, run.start, pieces)
            self._unacknowledged += run.offset - run.start
            if self.incoming.books.size is not None:
                tracker.make_due()  # it fills a hole, and the peer has nothing else to send until it knows
            elif self._unacknowledged >= _BYTES_PER_ACK:
                tracker.on_enough(now=now)
            return
        offset = run.start
        for number, piece in zip(range(run.first, run.next), pieces, strict=True):
            stop = offset + len(piece)
            if not tracker.is_new(number):
                self.counters.duplicates += 1
            elif self.incoming.take(offset, stop, [piece], is_last=False):
                tracker.on_received(number, number + 1, now=now)
                self._keep(number, offset, [piece])
            else:
                self._refuse()
            offset = stop

    def _keep(self, first: int, offset: int, pieces: list[Buffer]) -> None:
        """These datagrams were taken; what was lost between them may be worked out by them."""
        if self.recovering.wants(first, first + len(pieces)):
            self.recovering.keep(first, offset, pieces)

    def _refuse(self) -> None:
        """Something was not taken: say what would be (RFC 9293 §3.10.7.4)."""
        self.counters.refused += 1
        self.tracker.make_due()

    def _take_other(self, number: int, body: memoryview, others: list[frames.Frame], now: int) -> None:
        """A datagram that is not just bytes of the stream."""
        if not self.tracker.is_new(number):
            self.counters.duplicates += 1
            return
        try:
            found = frames.parse(body)
        except MalformedSegment:
            self.counters.malformed += 1
            return
        last = found[-1] if found else None  # no other one can have bytes of the stream
        if isinstance(last, frames.Data):
            stop = last.offset + len(last.payload)
            if not self.incoming.take(last.offset, stop, [last.payload], is_last=last.is_last):
                self._refuse()
                return
            if last.is_last:
                self.tracker.make_due()  # the peer waits for nothing else
        elif isinstance(last, Repair) and not self._recover(number, last):
            self.counters.malformed += 1
            return
        if self.recovering.wants(number, number + 1):
            if isinstance(last, frames.Data):
                self.recovering.keep_one(number, last.offset, last.payload, is_last=last.is_last)
            else:
                self.recovering.keep_one(number, 0, None, is_last=False)
        self.tracker.on_received(number, number + 1, now=now, is_eliciting=any(map(frames.is_ack_eliciting, found)))
        others.extend(frame for frame in found if not isinstance(frame, frames.Data | Repair))

    def _recover(self, number: int, repair: Repair) -> bool:
        """Take what a sum of datagrams makes known; False when there can be no such sum."""
        books = self.incoming.books
        if books.is_complete:
            return True
        try:
            pieces = self.recovering.take(number, repair, position=books.contiguous)
        except MalformedSegment:
            return False
        for offset, payload, is_last in pieces:
            if self.incoming.take(offset, offset + len(payload), [payload], is_last=is_last):
                self.counters.recovered_bytes += len(payload)
            else:
                self.counters.refused += 1
        if pieces:
            self.tracker.make_due()  # the peer waits for nothing else
        return True
