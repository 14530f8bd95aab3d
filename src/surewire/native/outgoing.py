"""What the application wants sent: pieces of memory and of files, end to end, kept until acknowledged.

A piece of memory is not copied when it is `bytes`, which nobody can change; small writes are gathered, so
that a program that writes byte by byte does not make a piece of each. A piece of a file costs no memory:
its bytes are read when they are sent, and again when they are sent again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from surewire.core.trains import Buffer
from surewire.transfer.files import ScatterSource

_SMALL = 4_096  # bytes of a write that is rather copied than kept apart
_GATHERED = 65_536  # bytes at which a gathered piece is full


class _Piece:
    """Bytes [start, stop) of the stream, at `base` and after it in memory or a source."""

    __slots__ = ("base", "data", "source", "start", "stop")

    def __init__(
        self, start: int, stop: int, *, data: Buffer = b"", source: ScatterSource | None = None, base: int = 0
    ):
        self.start = start
        self.stop = stop
        self.data = data
        self.source = source
        self.base = base


class Outgoing:
    """The bytes of one direction, by their offsets in the stream."""

    __slots__ = ("_first", "_limit", "_pieces", "_starts", "held", "written")

    def __init__(self, limit: int) -> None:
        """Keep at most `limit` bytes of memory."""
        self._limit = limit
        self._pieces: list[_Piece] = []
        self._starts: list[int] = []
        self._first = 0  # index of the first piece that is still needed
        self.written = 0  # bytes ever written: the offset behind the last one
        self.held = 0  # of them, in memory and not acknowledged

    @property
    def room(self) -> int:
        """Bytes that `write` would take."""
        return max(self._limit - self.held, 0)

    @property
    def kept_from(self) -> int:
        """Bytes from this offset on can be read."""
        return self._starts[self._first] if self._first < len(self._starts) else self.written

    def write(self, data: Buffer) -> int:
        """Take what there is room for; return how many bytes that was."""
        taken = min(len(data), self.room)
        if not taken:
            return 0
        last = self._pieces[-1] if self._pieces else None
        if taken <= _SMALL and last is not None and isinstance(last.data, bytearray) and len(last.data) < _GATHERED:
            last.data += memoryview(data)[:taken]
            last.stop += taken
        elif isinstance(data, bytes) and taken == len(data) > _SMALL:
            self._append(_Piece(self.written, self.written + taken, data=data))
        else:
            self._append(_Piece(self.written, self.written + taken, data=bytearray(memoryview(data)[:taken])))
        self.written += taken
        self.held += taken
        return taken

    def append_source(self, source: ScatterSource, offset: int, length: int) -> None:
        """Let `length` (> 0) bytes of a source follow, from `offset` on."""
        self._append(_Piece(self.written, self.written + length, source=source, base=offset))
        self.written += length

    def _append(self, piece: _Piece) -> None:
        self._pieces.append(piece)
        self._starts.append(piece.start)

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        """Fill the views, one after the other, with the stream's bytes from `offset` on, which are kept.

        Raises:
            SourceChanged: a file no longer has them.
        """
        index = bisect_right(self._starts, offset, self._first) - 1
        piece = self._pieces[index]
        length = sum(map(len, views)) if len(views) > 1 else len(views[0])
        if offset + length <= piece.stop:
            _fill(piece, offset, views)
            return
        for view in views:
            stop = offset + len(view)
            while offset < stop:
                if offset >= piece.stop:
                    index += 1
                    piece = self._pieces[index]
                part = min(stop, piece.stop) - offset
                begin = len(view) - (stop - offset)
                _fill(piece, offset, [view[begin : begin + part]])
                offset += part

    def discard_acked(self, offset: int) -> None:
        """Forget pieces that end at or below `offset`: all of them is acknowledged."""
        pieces, index = self._pieces, self._first
        while index < len(pieces) and pieces[index].stop <= offset:
            piece = pieces[index]
            if piece.source is None:
                self.held -= piece.stop - piece.start
            piece.data, piece.source = b"", None
            index += 1
        self._first = index
        if index > 64 or index == len(pieces):
            del pieces[:index], self._starts[:index]
            self._first = 0


def _fill(piece: _Piece, offset: int, views: Sequence[memoryview]) -> None:
    begin = offset - piece.start
    if piece.source is not None:
        piece.source.read_into(piece.base + begin, views)
        return
    with memoryview(piece.data) as data:
        for view in views:
            length = len(view)
            view[:] = data[begin : begin + length]
            begin += length
