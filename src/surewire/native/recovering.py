"""The way in of sums: what came last is kept, and what of a block was lost is worked out.

Datagrams are kept only where some are missing or late, and for as long as that goes on: a path that loses nothing pays
nothing. They are limited in bytes and in number; so is what a sum may cost, whoever sent it: a block in which too much
is unknown, or that gets far more sums than it has datagrams, is left alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from surewire.core.erasure import Equations, add_up
from surewire.core.trains import Buffer
from surewire.errors import MalformedSegment
from surewire.wire.native_repairs import (
    MAX_BLOCK,
    SYMBOL_HEAD_SIZE,
    Repair,
    block_start,
    emit_symbol,
    parse_symbol,
    participants,
    restore_offset,
)

_KEPT_AFTER_A_GAP = 4 * MAX_BLOCK  # packet numbers: on a path that loses 1 in 5,000 datagrams hardly any are kept
_MOST_UNKNOWN = 1_024  # in a block: a sum costs an addition of two datagrams for each at most
_SPARE_SUMS = 64  # that are looked at, more than datagrams are unknown


class Recovered(NamedTuple):
    """A piece of the stream that did not arrive; `is_last`: the stream ends behind it."""

    offset: int
    payload: Buffer
    is_last: bool


class _Kept(NamedTuple):
    """Datagrams that arrived together, with consecutive numbers, and their pieces of the stream, end to end.

    Without pieces it is one datagram that had none. `is_last`: the stream ends behind it.
    """

    number: int
    offset: int
    pieces: tuple[bytes, ...]
    is_last: bool

    @property
    def nbytes(self) -> int:
        return sum(map(len, self.pieces))

    @property
    def stop(self) -> int:
        """The packet number after the last one."""
        return self.number + max(len(self.pieces), 1)

    def symbols(self, length: int, first: int, stop: int) -> Iterator[tuple[int, int]]:
        """Those of the numbers [first, stop), each with its place from `first` on; 0 for one without a symbol."""
        if not self.pieces and first <= self.number < stop:
            is_end = self.is_last
            yield self.number - first, _as_symbol(self.offset, b"", is_last=True, length=length) if is_end else 0
        offset = self.offset
        for number, piece in enumerate(self.pieces, self.number):
            if first <= number < stop:
                yield number - first, _as_symbol(offset, piece, is_last=self.is_last, length=length)
            offset += len(piece)


def _as_symbol(offset: int, payload: bytes, *, is_last: bool, length: int) -> int:
    symbol = emit_symbol(offset, payload, is_last=is_last, length=length)
    return 0 if symbol is None else int.from_bytes(symbol, "big")


class _Block:
    """What is known of the datagrams that sums are made of."""

    __slots__ = ("count", "equations", "first", "is_over", "known", "length", "seen", "sums_left")

    def __init__(self, first: int, count: int, length: int, kept: deque[_Kept], seen: int) -> None:
        self.first = first
        self.count = count
        self.length = length  # of a symbol, bytes
        self.seen = seen  # times that something had been kept up to now
        self.known = [0] * count  # symbols, as far as they are known
        unknown = (1 << count) - 1
        for index, symbol in chain.from_iterable(each.symbols(length, first, first + count) for each in kept):
            self.known[index] = symbol
            unknown &= ~(1 << index)
        self.equations = Equations(unknown)
        missing = unknown.bit_count()
        self.sums_left = missing + _SPARE_SUMS
        self.is_over = not 0 < missing <= _MOST_UNKNOWN

    def is_of(self, first: int, count: int, length: int) -> bool:
        return (self.first, self.count, self.length) == (first, count, length)

    def forget(self) -> None:
        """It is over: what was added up is not needed any more."""
        self.known.clear()
        self.equations = Equations(0)

    def add_late(self, each: _Kept) -> bool:
        """Datagrams arrived after the block was begun; False: one is not what the sums say."""
        unknown = self.equations.unknown
        return all(
            self.equations.add(1 << index, symbol)
            for index, symbol in each.symbols(self.length, self.first, self.first + self.count)
            if unknown >> index & 1
        )

    def add_sum(self, mask: int, total: int) -> bool:
        """A sum of the datagrams in `mask` arrived; False: it contradicts what is known."""
        return self.equations.add(mask & self.equations.unknown, add_up(mask, self.known, total))


class Recovering:
    """What one direction of a connection needs to make up for losses.

    It costs a window of memory, two more while a block is worked out, and 150 bytes for each datagram in it.
    """

    __slots__ = ("_added", "_block", "_kept", "_next", "_until", "_window", "datagrams", "held")

    def __init__(self, window: int) -> None:
        """Keep so many bytes of the stream at most; 0: none, and work nothing out."""
        self._window = window
        self._kept: deque[_Kept] = deque()
        self.held = self.datagrams = 0  # bytes of the stream in these, and how many datagrams they are
        self._added = 0  # times that something was kept
        self._next = 0  # the packet number after the largest
        self._until = 0  # packet number from which on nothing is kept
        self._block: _Block | None = None

    def wants(self, first: int, stop: int) -> bool:
        """True when datagrams [first, stop), which arrive now, are worth keeping."""
        if first != self._next and self._window:
            self._until = max(first, self._next) + _KEPT_AFTER_A_GAP
        self._next = max(self._next, stop)
        if first < self._until:
            return True
        if self._kept:
            self.forget()
        return False

    def keep(self, first: int, offset: int, pieces: Sequence[Buffer]) -> None:
        """Keep datagrams from `first` on that brought these pieces, the first one from `offset` on."""
        self._keep(_Kept(first, offset, tuple(map(bytes, pieces)), False))

    def keep_one(self, number: int, offset: int, payload: Buffer | None, *, is_last: bool) -> None:
        """Keep a datagram with whatever else is in it; `payload` None: no piece of the stream."""
        self._keep(_Kept(number, offset, (bytes(payload),) if payload else (), is_last))

    def _keep(self, each: _Kept) -> None:
        kept = self._kept
        kept.append(each)
        self._added += 1
        self.held += each.nbytes
        self.datagrams += each.stop - each.number
        while self.held > self._window or self.datagrams > MAX_BLOCK:
            old = kept.popleft()
            self.held -= old.nbytes
            self.datagrams -= old.stop - old.number

    def forget(self) -> None:
        """Nothing will be asked for any more."""
        self._kept.clear()
        self.held = self.datagrams = 0
        self._block = None

    def take(self, number: int, repair: Repair, *, position: int) -> list[Recovered]:
        """What can be worked out with the sum that came in the datagram `number`; all bytes below `position` are there.

        What no datagram can have been is not taken, nor is anything else then: one of the sums was wrong.

        Raises:
            MalformedSegment: nobody asked for sums, or its block begins below 0.
        """
        if not self._window:
            raise MalformedSegment("a sum that nobody has asked for")
        block = self._find(block_start(number, repair), repair)
        if block is None or block.is_over:
            return []
        block.sums_left -= 1
        block.is_over = not block.sums_left
        news = self._added - block.seen
        block.seen = self._added
        late = islice(reversed(self._kept), min(news, len(self._kept)))
        mask = participants(number, repair.numbers, repair.halvings)
        fits = all(block.add_late(each) for each in late)
        fits = fits and block.add_sum(mask, int.from_bytes(repair.symbol, "big"))
        pieces = _pieces(block, position) if fits and block.equations.is_solved else []
        block.is_over = block.is_over or not fits or block.equations.is_solved
        if block.is_over:
            block.forget()
        return pieces

    def _find(self, first: int, repair: Repair) -> _Block | None:
        """The block of the sum; None when it is too large, or not behind the one before: each datagram is in one."""
        block, length = self._block, len(repair.symbol)
        if block is not None and block.is_of(first, repair.numbers, length):
            return block
        if block is not None and first < block.first + block.count:
            return None
        if repair.numbers * (length - SYMBOL_HEAD_SIZE) > self._window:
            return None
        self._block = block = _Block(first, repair.numbers, length, self._kept, self._added)
        return block


def _pieces(block: _Block, position: int) -> list[Recovered]:
    pieces = []
    for _, value in sorted(block.equations.solve().items()):
        try:
            symbol = parse_symbol(value.to_bytes(block.length, "big"))
        except MalformedSegment:
            return []
        if symbol is not None:
            pieces.append(Recovered(restore_offset(symbol.offset, position), symbol.payload, symbol.is_last))
    return pieces
