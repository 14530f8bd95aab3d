"""Lost symbols worked out from sums of them, over GF(2): elimination that goes on as sums arrive.

A symbol is an integer of many bits, and so a sum of symbols is their exclusive or. Of each sum the receiver knows
which symbols are in it (a mask, bit i for symbol i). What is known of it is taken out; what is left is an equation for
the unknown ones. As many independent equations as there are unknown symbols give them all. Sums made at random are
nearly always independent: with e more of them than are needed, all but 2**-e of the attempts succeed.

Sources: RFC 8681 (random linear codes for lost datagrams) works in the same way over a sliding window and GF(256). Here
are a fixed block and GF(2), as Python adds integers of a datagram's size in a fraction of a microsecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import compress
from operator import xor

_AS_TRUTH = bytes.maketrans(b"01", b"\0\1")  # of binary digits: to compress() the byte "0" is true


class Equations:
    """What is known of the unknown symbols of a block: rows in echelon form, one for each leading symbol."""

    __slots__ = ("_rows", "unknown")

    def __init__(self, unknown: int) -> None:
        """Begin with these symbols (a mask) unknown."""
        self.unknown = unknown
        self._rows: dict[int, tuple[int, int]] = {}  # by the highest bit of the mask: mask and sum

    def __len__(self) -> int:
        """Independent equations so far."""
        return len(self._rows)

    @property
    def is_solved(self) -> bool:
        """True when every symbol can be worked out."""
        return len(self._rows) == self.unknown.bit_count()

    def add(self, mask: int, total: int) -> bool:
        """Learn that `total` is the sum of the unknown symbols in `mask`, and nothing else.

        Returns:
            False when that contradicts what is known; then one of all these sums was not what it was said to be.
        """
        rows = self._rows
        while mask:
            leading = mask.bit_length()
            row = rows.get(leading)
            if row is None:
                rows[leading] = mask, total
                return True
            mask ^= row[0]
            total ^= row[1]
        return not total

    def solve(self) -> dict[int, int]:
        """The unknown symbols by their index; they must be solved."""
        found: dict[int, int] = {}
        for leading in sorted(self._rows):  # the lower ones of each row are known by then
            mask, total = self._rows[leading]
            rest = mask ^ (1 << (leading - 1))
            for index in indices(rest):
                total ^= found[index]
            found[leading - 1] = total
        return found


def add_up(mask: int, symbols: Sequence[int], total: int = 0) -> int:
    """`total` and those of the symbols whose bits are set in `mask`, which has no bit beyond them, added up."""
    return reduce(xor, compress(symbols, f"{mask:b}"[::-1].encode().translate(_AS_TRUTH)), total)


def indices(mask: int) -> list[int]:
    """The places of the set bits, ascending."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found
