"""Runs of a stream as datagrams: the same bytes as the plain codec writes, whatever the runs look like."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from surewire.core.delivery import DeliverySampler
from surewire.core.sent_log import SentRun
from surewire.core.trains import Train
from surewire.crypto.aead import AESGCM
from surewire.crypto.checked import CheckedProtection
from surewire.crypto.sealed import SealedProtection
from surewire.native.keys import SendingKeys
from surewire.native.packing import MAX_TRAIN_BYTES, Packer, Part, Scratch, parts_of
from surewire.native.security import Protection
from surewire.wire import native_frames as frames
from surewire.wire.native_datagram import HEADER_SIZE, SHORT
from surewire.wire.slots import Slots

ID, TO = b"the peer", ("192.0.2.1", 1)
DATA = random.Random(1).randbytes(200_000)
PROTECTIONS: list[Protection] = [CheckedProtection(), SealedProtection(AESGCM, bytes(32))]
each_kind = pytest.mark.parametrize("protection", PROTECTIONS, ids=["checked", "sealed"])


def read_into(offset: int, views: Sequence[memoryview]) -> None:
    for view in views:
        assert len(view), "an empty read"
        view[:] = DATA[offset : offset + len(view)]
        offset += len(view)


def run(first: int, offset: int, nbytes: int, segment: int = 1_000, count: int | None = None) -> Part:
    count = max(-(-nbytes // segment), 1) if count is None else count
    return Part(first, count, offset, offset + nbytes, segment)


def sent(first: int, offset: int, nbytes: int, count: int) -> SentRun:
    return SentRun(
        first=first,
        count=count,
        offset=offset,
        nbytes=nbytes,
        segment=1_000,
        sent_at=0,
        retransmission=False,
        snapshot=DeliverySampler(0).snapshot(0, 0, now=0, bytes_in_flight=0, phase=0),
    )


def make(protection: Protection, scratch: Scratch | None = None) -> Packer:
    return Packer(ID, SendingKeys(protection, update_after=None), scratch or Scratch())


def opened(protection: Protection, train: Train, first: int) -> list[list[frames.Frame]]:
    """The frames of each datagram; they must be sealed with consecutive numbers."""
    found = []
    for number, data in enumerate(train.datagrams(), first):
        slots = Slots(memoryview(bytearray(data)), stride=len(data), header=HEADER_SIZE, trailer=protection.overhead)
        assert SHORT.unpack_from(data) == (0x40, ID, number & 0xFFFF_FFFF)
        assert protection.open(slots, 0, number)
        found.append(frames.parse(slots.bodies[0]))
    assert train.destination == TO and train.nbytes == sum(map(len, train.buffers))
    return found


def pieces(found: list[list[frames.Frame]]) -> list[tuple[int, int, bool]]:
    """(offset, length, is the end) of each datagram's data, which must be right, and all that is in it."""
    told = []
    for datagram in found:
        (data,) = datagram
        assert isinstance(data, frames.Data)
        assert data.payload == DATA[data.offset : data.offset + len(data.payload)]
        told.append((data.offset, len(data.payload), data.is_last))
    return told


@each_kind
def test_full_segments_and_a_rest(protection: Protection) -> None:
    train = make(protection).train([run(7, 5_000, 3_400)], 100_000, read_into, TO)
    assert pieces(opened(protection, train, 7)) == [(5_000 + at, 1_000, False) for at in (0, 1_000, 2_000)] + [
        (8_000, 400, False)
    ]
    assert train.stride == 1_000 + 22 + protection.overhead


@each_kind
def test_what_is_short_in_the_middle_is_padded_and_the_last_is_not(protection: Protection) -> None:
    runs = [run(0, 500, 1_300), run(2, 9_000, 1), run(3, 20_000, 1_000), run(4, 30_000, 10)]
    train = make(protection).train(runs, 100_000, read_into, TO)
    told = pieces(opened(protection, train, 0))
    assert told == [
        (500, 1_000, False),
        (1_500, 300, False),
        (9_000, 1, False),
        (20_000, 1_000, False),
        (30_000, 10, False),
    ]
    assert [len(data) for data in train.datagrams()] == [train.stride] * 4 + [10 + 22 + protection.overhead]


@each_kind
@pytest.mark.parametrize(
    ("nbytes", "told"),
    [
        (2_001, [(0, 1_000, False), (1_000, 1_000, True)]),  # 2,000 bytes and the end mark
        (1_501, [(0, 1_000, False), (1_000, 500, True)]),
        (1, [(0, 0, True)]),
        (2, [(0, 1, True)]),
    ],
)
def test_the_end_rides_on_the_last_bytes(protection: Protection, nbytes: int, told: list[object]) -> None:
    count = max(-(-(nbytes - 1) // 1_000), 1)
    train = make(protection).train([run(0, 0, nbytes, count=count)], nbytes - 1, read_into, TO)
    assert pieces(opened(protection, train, 0)) == told


@each_kind
def test_the_end_alone_behind_other_runs(protection: Protection) -> None:
    runs = [run(0, 100, 700), run(1, 60_000, 1, count=1)]
    train = make(protection).train(runs, 60_000, read_into, TO)
    assert pieces(opened(protection, train, 0)) == [(100, 700, False), (60_000, 0, True)]


@each_kind
@pytest.mark.parametrize("first", [2**32 - 3, 2**32 - 2, 2**32 - 1, 2**32, 2**33 - 2, 2**61])
def test_numbers_wrap_in_the_header_and_not_in_the_seal(protection: Protection, first: int) -> None:
    train = make(protection).train([run(first, 0, 5_500)], 100_000, read_into, TO)
    assert [offset for offset, _, _ in pieces(opened(protection, train, first))] == [
        0,
        1_000,
        2_000,
        3_000,
        4_000,
        5_000,
    ]
    single = make(protection).datagram(first, frames.emit_ping(), TO)
    assert opened(protection, single, first) == [[frames.Ping()]]


@each_kind
def test_one_scratch_for_all_leaves_nothing_behind(protection: Protection) -> None:
    """Lengths, strides and kinds in turn, in the same memory."""
    rng, scratch = random.Random(3), Scratch()
    packer = make(protection, scratch)
    for _ in range(150):
        if rng.random() < 0.3:
            length = rng.choice([0, 40, 1_200, 9_000])
            train = packer.datagram(5, frames.emit_ping(), TO, length=length)
            assert opened(protection, train, 5) == [[frames.Ping()]]
            assert train.nbytes == max(length, 14 + protection.overhead)
            continue
        segment = rng.choice([100, 1_000, 1_400, 9_000, 30_000])
        runs, number, room = [], rng.randrange(100), MAX_TRAIN_BYTES // (segment + 38)
        first = number
        while room:
            nbytes = rng.randrange(1, segment * rng.randrange(1, room + 1) + 1)
            runs.append(run(number, rng.randrange(100_000), nbytes, segment))
            number += runs[-1].datagrams
            room -= runs[-1].datagrams
            if rng.random() < 0.3:
                break
        told = pieces(opened(protection, packer.train(runs, 180_000, read_into, TO), first))
        assert len(told) == number - first
        assert sum(length for _, length, _ in told) == sum(each.stop - each.offset for each in runs)
        assert told[0][0] == runs[0].offset


@each_kind
def test_a_small_message_and_an_acknowledgment_in_one(protection: Protection) -> None:
    ack = frames.emit_ack(5, 100, 3, 0, [(0, 4)])
    train = make(protection).datagram(9, ack, TO, run=run(9, 50, 31), size=80, read_into=read_into)
    ((first, data),) = opened(protection, train, 9)
    assert first == frames.Ack(5, 100, 3, 0, ((0, 4),))
    assert data == frames.Data(50, memoryview(DATA[50:80]), True)


def test_the_phase_is_in_every_header() -> None:
    keys = SendingKeys(CheckedProtection(), update_after=1)
    keys.update_if_due(1, largest_acked=0)
    packer = Packer(ID, keys, Scratch())
    for train in (
        packer.train([run(0, 0, 2_500), run(3, 9_000, 2_500)], 99_999, read_into, TO),
        packer.datagram(0, b"\1", TO),
    ):
        assert {data[0] for data in train.datagrams()} == {0x41}


@pytest.mark.parametrize(
    ("nbytes", "count", "parts"),
    [
        (3_000, 3, [(7, 3, 500, 3_500)]),
        (4_000, 4, [(7, 4, 500, 4_500)]),
        (4_001, 5, [(7, 4, 500, 4_500), (11, 1, 4_500, 4_501)]),
        (9_500, 10, [(7, 4, 500, 4_500), (11, 4, 4_500, 8_500), (15, 2, 8_500, 10_000)]),
        (8_001, 8, [(7, 4, 500, 4_500), (11, 4, 4_500, 8_501)]),  # 8,000 bytes and the end mark, which rides
        (1, 1, [(7, 1, 500, 501)]),
    ],
)
def test_a_run_is_cut_where_a_train_is_full(nbytes: int, count: int, parts: list[tuple[int, int, int, int]]) -> None:
    assert parts_of(sent(7, 500, nbytes, count), 4) == [Part(*part, segment=1_000) for part in parts]
