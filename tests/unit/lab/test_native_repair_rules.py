"""What can be worked out from sums, against all sums of sums."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from surewire.core.erasure import indices
from surewire.lab.proof.native_repair_rules import SentPieces, WorkedOut
from surewire.lab.proof.violations import Findings
from surewire.wire.native_frames import Data
from surewire.wire.native_repairs import Repair, participants

SIZE = 10  # datagrams before the first sum
LENGTH = 8  # of all symbols


def sent(sizes: list[int]) -> SentPieces:
    """So many bytes each, under the numbers from 0 on; without bytes it is no datagram of the stream."""
    pieces = SentPieces("a side", Findings(), window=1_000)
    for number, size in enumerate(sizes):
        if size:
            pieces.add(number, Data(10 * number, memoryview(bytes(size)), False))
    return pieces


def expected(sizes: list[int], arrived: set[int], sums: dict[int, int]) -> set[int]:
    """The numbers that stand alone in some sum of sums, with a symbol of their own."""
    spanned = {0}
    for taking in sums.values():
        row = sum(1 << number for number in indices(taking) if number not in arrived)
        spanned |= {other ^ row for other in spanned}
    return {
        number for number in range(SIZE) if 1 << number in spanned and (sizes[number] == 4 or 0 < sizes[number] <= 2)
    }


@given(
    st.lists(st.integers(0, 5), min_size=SIZE, max_size=SIZE),
    st.lists(st.tuples(st.integers(1, 2), st.integers(1, SIZE), st.integers(0, 2), st.booleans()), max_size=7),
    st.permutations(range(SIZE)),
    st.integers(0, SIZE),
    st.booleans(),
)
def test_all_that_can_be_worked_out_is(
    sizes: list[int], plans: list[tuple[int, int, int, bool]], order: list[int], count: int, polls: bool
) -> None:
    """Sums and datagrams arrive mixed; nothing depends on the order, nor on when one looks."""
    worked_out = WorkedOut(sent(sizes))
    arrived, sums, found = set(order[:count]), dict[int, int](), list[Data]()
    waiting = order[:count]
    for number, (back, length, halvings, is_late) in enumerate(plans, SIZE + 1):
        length = min(length, number - back + 1)
        if not is_late and waiting:
            worked_out.on_reached(waiting.pop(), None)
        worked_out.on_reached(number, Repair(back, length, halvings, memoryview(bytes(LENGTH))))
        arrived.add(number)
        sums[number] = participants(number, length, halvings) << number - back - length + 1
        if polls:
            found += worked_out.poll()
    for number in waiting:
        worked_out.on_reached(number, None)
    found += worked_out.poll()
    numbers = [data.offset // 10 for data in found]
    wanted = expected(sizes, arrived, sums)
    assert set(numbers) - arrived == wanted - arrived
    assert len(numbers) == len(set(numbers))
