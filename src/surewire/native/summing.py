"""The way out of sums: datagrams of a block, added up as the peer will add up those that it has.

The bytes of a block are read once, when its first sum is made: later some of them may be acknowledged, and no longer
there. What is read must be what was sent; who changes a file while it is being sent spoils more than the changed part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from surewire.core.erasure import add_up
from surewire.core.repair_block import RepairBlock, RepairRun, Source
from surewire.wire.native_repairs import SYMBOL_HEAD_SIZE, emit_repair, emit_symbol, participants

ReadInto = Callable[[int, Sequence[memoryview]], None]


def repair_frame(run: RepairRun, size: int, read_into: ReadInto) -> bytes:
    """The REPAIR frame for a run, of a stream of so many bytes, which `read_into` puts into memory.

    Raises:
        SourceChanged: bytes to send are no longer there.
    """
    block = run.block
    if not block.symbols:
        block.symbols = _symbols(block, size, read_into)
    total = add_up(participants(run.first, block.count, run.halvings), block.symbols)
    symbol = total.to_bytes(SYMBOL_HEAD_SIZE + block.segment, "big")
    return emit_repair(run.first - block.newest, block.count, run.halvings, symbol)


def _symbols(block: RepairBlock, size: int, read_into: ReadInto) -> list[int]:
    """What each number of the block stands for; 0 where it has no bytes of the stream, or too many."""
    symbols = [0] * block.count
    length = SYMBOL_HEAD_SIZE + block.segment
    for source in block.sources:
        for index, (offset, payload) in enumerate(_pieces(source, size, read_into), source.first - block.first):
            is_last = offset + len(payload) + 1 == source.stop > size
            symbol = emit_symbol(offset, payload, is_last=is_last, length=length)
            symbols[index] = int.from_bytes(symbol, "big") if symbol is not None else 0
    return symbols


def _pieces(source: Source, size: int, read_into: ReadInto) -> Iterator[tuple[int, memoryview]]:
    """Offset and bytes of each datagram; an end mark alone has none."""
    whole = memoryview(bytearray(min(source.stop, size) - source.offset))
    if whole:
        read_into(source.offset, [whole])
    for at in range(0, source.datagrams * source.segment, source.segment):
        yield source.offset + at, whole[at : at + source.segment]
