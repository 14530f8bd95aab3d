"""What was lost of a block, worked out from what came and from sums; and what that may cost."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surewire.core import sums
from surewire.core.repair_block import RepairBlock, RepairRun
from surewire.core.sent_log import RunState, SentRun, Snapshot
from surewire.errors import MalformedSegment
from surewire.native.recovering import Recovered, Recovering
from surewire.native.summing import repair_frame
from surewire.wire import native_frames as frames
from surewire.wire import native_repairs
from surewire.wire.native_repairs import Repair

SIZE = 20
SNAPSHOT = Snapshot(0, 0, 0, False, 0, 0)


class Stream:
    """A sender's stream, cut into a block of runs, and its sums."""

    def __init__(self, data: bytes, *, first: int = 7, segment: int = SIZE, finished: bool = True) -> None:
        self.data, self.segment = data, segment
        count = -(-len(data) // segment)
        self.numbers = range(first, first + count)
        run = self._run(first, count, 0, len(data) + finished, SentRun)
        self.block = RepairBlock([run], end=len(data) + finished, size=len(data), segment=segment)

    def _run(self, first: int, count: int, offset: int, nbytes: int, kind: type[SentRun]) -> SentRun:
        return kind(
            first=first,
            count=count,
            offset=offset,
            nbytes=nbytes,
            segment=self.segment,
            sent_at=0,
            retransmission=False,
            snapshot=SNAPSHOT,
            state=RunState.IN_FLIGHT,
        )

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        for view in views:
            view[:] = self.data[offset : offset + len(view)]
            offset += len(view)

    def sum(self, number: int, halvings: int = 1) -> tuple[int, Repair]:
        """One as it comes out of the parser."""
        run = self._run(number, 1, len(self.data), self.segment, RepairRun)
        assert isinstance(run, RepairRun)
        run.block, run.halvings = self.block, halvings
        body = memoryview(repair_frame(run, len(self.data), self.read_into))
        assert len(body) == len(frames.emit_data(0, bytes(self.segment)))
        (repair,) = frames.parse(body)
        assert isinstance(repair, Repair)
        return number, repair

    def piece(self, number: int) -> Recovered:
        """What the datagram of this number carries."""
        offset = (number - self.numbers[0]) * self.segment
        payload = self.data[offset : offset + self.segment]
        return Recovered(offset, payload, number == self.numbers[-1] and self.block.end > len(self.data))

    def arrive(self, at: Recovering, *numbers: int) -> None:
        for number in numbers:
            offset, payload, is_last = self.piece(number)
            if is_last:
                if at.wants(number, number + 1):
                    at.keep_one(number, offset, payload, is_last=True)
            elif at.wants(number, number + 1):
                at.keep(number, offset, [payload])


def plain(pieces: list[Recovered]) -> list[tuple[int, bytes, bool]]:
    return sorted((offset, bytes(payload), is_last) for offset, payload, is_last in pieces)


@settings(max_examples=60)
@given(st.data(), st.integers(1, 40), st.integers(1, 5 * SIZE), st.booleans(), st.randoms(use_true_random=False))
def test_whatever_is_lost_is_worked_out_once_enough_sums_came(
    data: st.DataObject, count: int, rest: int, finished: bool, rng: random.Random
) -> None:
    """Only the last datagram may be shorter; one byte shorter than the others, and no sum has room for it."""
    content = rng.randbytes((count - 1) * SIZE + 1 + rest % SIZE)
    stream = Stream(content, finished=finished)
    lost = data.draw(st.sets(st.sampled_from(list(stream.numbers)), min_size=1))
    recovering = Recovering(1 << 20)
    recovering.wants(3, 4)  # behind a gap: so all is kept
    stream.arrive(recovering, *(number for number in stream.numbers if number not in lost))
    found: list[Recovered] = []
    sent = range(stream.numbers[-1] + 1, stream.numbers[-1] + len(lost) + 40)
    for number in sent:
        found += recovering.take(*stream.sum(number, data.draw(st.integers(0, 2))), position=0)
    expected = [stream.piece(number) for number in lost]
    expected = [piece for piece in expected if len(piece.payload) != SIZE - 1]
    if not found:  # sums without halvings are all the same, and tell of one at most
        assert len(lost) > 1
        for number in range(sent.stop, sent.stop + len(lost) + 30):
            found += recovering.take(*stream.sum(number), position=0)
    assert plain(found) == plain(expected)


def kept(stream: Stream, *lost: int, window: int = 1 << 20) -> Recovering:
    """All but these have arrived."""
    recovering = Recovering(window)
    recovering.wants(3, 4)
    stream.arrive(recovering, *(number for number in stream.numbers if number not in lost))
    return recovering


def test_a_late_arrival_is_as_good_as_a_sum() -> None:
    stream = Stream(bytes(range(200)))
    recovering = kept(stream, 8, 9, 10)
    found = [piece for number in (30, 31) for piece in recovering.take(*stream.sum(number), position=0)]
    stream.arrive(recovering, 9)
    for number in range(32, 40):
        found += recovering.take(*stream.sum(number), position=0)
    assert plain(found) == plain([stream.piece(8), stream.piece(9), stream.piece(10)])


def test_numbers_without_bytes_of_the_stream_count_for_nothing() -> None:
    """Acknowledgments, pings, and earlier sums lie between; whether they arrived has to be known all the same."""
    stream = Stream(bytes(100), first=10)
    stream.block.count += 3
    recovering = kept(stream, 12)
    for number in (15, 16):
        recovering.wants(number, number + 1)
        recovering.keep_one(number, 0, None, is_last=False)
    found = [piece for number in range(30, 42) for piece in recovering.take(*stream.sum(number), position=0)]
    assert plain(found) == plain([stream.piece(12)])


def test_offsets_are_restored_by_the_position() -> None:
    """Far into a stream only the low bits are told."""
    stream = Stream(bytes(200))
    far = 5 << 29
    recovering = Recovering(1 << 20)
    recovering.wants(3, 4)
    for number in stream.numbers:
        offset, payload, _ = stream.piece(number)
        if number != 9:
            recovering.keep_one(number, far + offset, payload, is_last=number == stream.numbers[-1])
    found = [piece for number in range(30, 34) for piece in recovering.take(*stream.sum(number), position=far + 40)]
    assert [piece.offset for piece in found] == [far + 40]


def test_the_core_makes_no_block_that_a_sum_cannot_name() -> None:
    """It knows no wire format, so the limits stand there once more."""
    assert (sums.MOST_NUMBERS, sums.MOST_BACK) == (native_repairs.MAX_BLOCK, native_repairs.MAX_BACK)


def test_without_a_gap_nothing_is_kept_and_long_after_one_neither() -> None:
    recovering = Recovering(1 << 20)
    assert not recovering.wants(0, 50)
    assert recovering.wants(51, 60)
    recovering.keep(51, 0, [bytes(9)])
    assert recovering.held == 9
    assert recovering.wants(60, 16_435) and not recovering.wants(16_435, 16_436)
    assert recovering.held == 0


@pytest.mark.parametrize("late", [40, 58])
def test_what_comes_late_is_a_gap_too(late: int) -> None:
    recovering = Recovering(1 << 20)
    assert not recovering.wants(0, 60)
    assert recovering.wants(late, late + 1) and recovering.wants(60, 61)


def test_memory_is_limited_in_bytes_and_in_datagrams() -> None:
    recovering = Recovering(1_000)
    recovering.wants(5, 6)
    for number in range(100):
        recovering.keep_one(number, 0, bytes(90), is_last=False)
    assert recovering.held == 990
    for number in range(100, 10_000):
        recovering.keep_one(number, 0, None, is_last=False)
    assert recovering.held == 0 and recovering.datagrams == 4_096


def test_nobody_who_asked_for_none_gets_sums() -> None:
    stream = Stream(bytes(100))
    recovering = Recovering(0)
    assert not recovering.wants(5, 6)
    with pytest.raises(MalformedSegment):
        recovering.take(*stream.sum(30), position=0)


def test_a_block_that_begins_below_0_is_malformed() -> None:
    with pytest.raises(MalformedSegment):
        Recovering(1 << 20).take(12, Repair(1, 13, 0, memoryview(bytes(24))), position=0)


def test_sums_that_contradict_each_other_give_nothing() -> None:
    stream = Stream(bytes(range(100)), first=10)
    recovering = kept(stream, 11, 12)
    number, repair = stream.sum(30, 0)
    wrong = bytearray(repair.symbol)
    wrong[9] ^= 1
    assert recovering.take(number, repair, position=0) == []
    assert recovering.take(31, repair._replace(back=repair.back + 1, symbol=memoryview(wrong)), position=0) == []
    assert [piece for at in range(32, 60) for piece in recovering.take(*stream.sum(at), position=0)] == []


def test_what_no_datagram_can_have_been_is_not_taken() -> None:
    stream = Stream(bytes(range(100)), first=10)
    recovering = kept(stream, 11)
    number, repair = stream.sum(30, 0)
    wrong = bytearray(repair.symbol)
    wrong[0] ^= 0x80
    assert recovering.take(number, repair._replace(symbol=memoryview(wrong)), position=0) == []


def test_each_datagram_is_in_one_block_only() -> None:
    """Else a sender could have the same ones added up again and again."""
    stream = Stream(bytes(400), first=10)
    recovering = kept(stream, 11, 12, 13)
    number, repair = stream.sum(40)
    assert recovering.take(number, repair, position=0) == []
    for other in (repair._replace(numbers=5), repair._replace(back=repair.back + 3)):
        assert recovering.take(41, other, position=0) == []
    found = [piece for at in range(42, 60) for piece in recovering.take(*stream.sum(at), position=0)]
    assert len(found) == 3


def test_what_a_block_may_cost_is_limited() -> None:
    """Too much is unknown, by number or by bytes; or sums come without end that bring nothing new."""
    many = Stream(bytes(1_200 * SIZE), first=10)
    recovering = Recovering(1 << 20)
    assert not any(recovering.take(*many.sum(number), position=0) for number in range(1_300, 2_700))
    wide = Stream(bytes(40 * SIZE), first=10)
    recovering = kept(wide, *range(10, 45), window=799)
    assert [piece for at in range(60, 160) for piece in recovering.take(*wide.sum(at), position=0)] == []
    same = Stream(bytes(range(200)), first=10)
    recovering = kept(same, 11, 12)
    for number in range(30, 96):
        assert recovering.take(*same.sum(number, 0), position=0) == []
    assert [piece for at in range(96, 120) for piece in recovering.take(*same.sum(at), position=0)] == []


def test_what_is_over_is_forgotten() -> None:
    stream = Stream(bytes(100), first=10)
    recovering = kept(stream, 11)
    recovering.forget()
    assert recovering.held == 0
    assert [piece for at in range(30, 60) for piece in recovering.take(*stream.sum(at), position=0)] != []
