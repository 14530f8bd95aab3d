"""Datagrams in: what is stored, recorded and acknowledged, together or one by one."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from surewire.core.acks import AckTracker
from surewire.core.timers import TimerTable
from surewire.crypto.aead import AESGCM
from surewire.crypto.checked import CheckedProtection
from surewire.crypto.sealed import SealedProtection
from surewire.native.config import DEFAULT_TRANSPORT
from surewire.native.incoming import Incoming
from surewire.native.keys import ReceivingKeys
from surewire.native.receiving import Receiving
from surewire.native.recovering import Recovering
from surewire.native.security import Protection
from surewire.native.statistics import Counters
from surewire.wire import native_frames as frames
from surewire.wire.native_datagram import SHORT
from surewire.wire.slots import Slots

DATA = random.Random(1).randbytes(50_000)
SIZE = 100
KINDS: dict[str, Protection] = {"checked": CheckedProtection(), "sealed": SealedProtection(AESGCM, bytes(32))}


class Desk:
    """A `Receiving`, and what it takes to hand it datagrams."""

    def __init__(self, kind: str = "checked", **limits: int) -> None:
        config = replace(DEFAULT_TRANSPORT, **limits)  # type: ignore[arg-type]
        self.protection = KINDS[kind]
        self.counters = Counters()
        self.incoming = Incoming(config)
        self.tracker = AckTracker(config, TimerTable())
        self.receiving = Receiving(self.incoming, self.tracker, Recovering(1 << 20), self.counters)
        self.keys = ReceivingKeys(self.protection)

    def datagram(self, number: int, body: bytes) -> bytes:
        data = bytearray(13 + len(body) + self.protection.overhead)
        SHORT.pack_into(data, 0, 0x40, b"ourselfs", number & 0xFFFF_FFFF)
        data[13 : 13 + len(body)] = body
        slots = Slots(memoryview(data), stride=len(data), header=13, trailer=self.protection.overhead)
        self.protection.seal(slots, 1, number)
        return bytes(data)

    def take(self, *datagrams: bytes) -> list[frames.Frame] | None:
        memory = memoryview(bytearray(b"".join(datagrams)))
        slots = Slots(memory, stride=len(datagrams[0]), header=13, trailer=self.protection.overhead)
        return self.receiving.handle(slots, 0, len(datagrams), self.keys, now=5)

    def segment(self, number: int, index: int) -> bytes:
        start = index * SIZE
        return self.datagram(number, frames.emit_data(start, DATA[start : start + SIZE]))

    @property
    def ranges(self) -> list[tuple[int, int]]:
        return self.tracker.received_ranges()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_any_order_in_batches_of_any_size(kind: str, seed: int) -> None:
    """Runs of consecutive datagrams are taken together, which must make no difference."""
    desk, rng = Desk(kind), random.Random(seed)
    numbers = list(range(300))
    for at in range(0, 300, 30):  # some order is left
        part = numbers[at : at + 30]
        if rng.random() < 0.7:
            rng.shuffle(part)
        numbers[at : at + 30] = part
    numbers += rng.sample(range(300), 50)
    places = list(range(300))
    rng.shuffle(places[100:200])
    at = 0
    while at < len(numbers):
        count = rng.randrange(1, 40)
        desk.take(*[desk.segment(number, places[number]) for number in numbers[at : at + count]])
        at += count
    assert desk.incoming.read(100_000) == DATA[:30_000]
    assert desk.ranges == [(0, 300)]
    assert desk.counters.duplicates == 50 and desk.counters.datagrams_received == 350


def test_the_same_number_twice_in_one_batch() -> None:
    desk = Desk()
    desk.take(desk.segment(0, 0), desk.segment(0, 0), desk.segment(1, 1), desk.segment(1, 1))
    assert desk.counters.duplicates == 2 and desk.incoming.readable == 2 * SIZE


def test_the_same_bytes_under_other_numbers() -> None:
    desk = Desk()
    desk.take(*[desk.segment(number, 0) for number in range(5)])
    assert desk.incoming.readable == SIZE and desk.ranges == [(0, 5)] and desk.counters.duplicates == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_one_in_the_middle_costs_nothing_but_itself(kind: str) -> None:
    desk = Desk(kind)
    batch = [desk.segment(number, number) for number in range(10)]
    batch[4] = batch[4][:50] + bytes((batch[4][50] ^ 4,)) + batch[4][51:]
    assert desk.take(*batch) == []
    assert desk.counters.damaged == 1 and desk.keys.failures == 1
    assert desk.ranges == [(5, 10), (0, 4)] and desk.incoming.readable == 4 * SIZE
    assert desk.take(batch[4]) is None


def test_the_window_ends_within_a_batch() -> None:
    desk = Desk(receive_window=5 * SIZE + 50)
    desk.take(*[desk.segment(number, number) for number in range(8)])
    assert desk.incoming.readable == 5 * SIZE and desk.ranges == [(0, 5)]
    assert desk.counters.refused == 3 and desk.tracker.is_due


def test_too_many_holes_within_a_batch() -> None:
    desk = Desk(max_gaps=2)
    desk.take(*[desk.segment(number, index) for number, index in enumerate([0, 2, 4, 6, 8, 9, 1])])
    assert desk.counters.refused == 3 and desk.incoming.readable == 3 * SIZE


def test_frames_between_data_keep_their_order() -> None:
    desk = Desk()
    filler = bytes(SIZE - 1 - 8 * 9)
    challenge = [frames.emit_path_challenge(bytes([at] * 8)) for at in range(2)]
    bodies = [
        frames.emit_data(0, DATA[:SIZE]),
        filler + b"".join(challenge * 4) + frames.emit_ping() + bytes(9),
        frames.emit_data(SIZE, DATA[SIZE : 2 * SIZE]),
    ]
    found = desk.take(*[desk.datagram(number, body) for number, body in enumerate(bodies)])
    assert found == [frames.PathChallenge(bytes([at] * 8)) for at in (0, 1)] * 4 + [frames.Ping()]
    assert desk.incoming.readable == 2 * SIZE


def test_nothing_of_a_datagram_counts_when_its_data_are_refused() -> None:
    desk = Desk(receive_window=1_000)
    body = frames.emit_path_challenge(b"12345678") + frames.emit_data(5_000, b"x")
    assert desk.take(desk.datagram(0, body)) == [] and desk.ranges == []
    assert desk.take(desk.datagram(1, b"\1\xff")) == [] and desk.counters.malformed == 1
    assert desk.ranges == []


def test_whether_an_acknowledgment_is_asked_for() -> None:
    for body, is_asked in (
        (frames.emit_ping(), True),
        (frames.emit_data(0, b"x"), True),
        (frames.emit_data(0, b"", is_last=True), True),
        (frames.emit_path_response(bytes(8)), True),
        (frames.emit_ack(0, 1, 0, 0, [(0, 1)]), False),
        (frames.emit_done() + bytes(5), False),
        (bytes(9), False),
    ):
        desk = Desk()
        desk.take(desk.datagram(0, body))
        assert desk.tracker.is_pending is is_asked and desk.ranges == [(0, 1)]


def test_the_end_is_acknowledged_at_once() -> None:
    desk = Desk()
    desk.take(desk.segment(0, 0))
    assert not desk.tracker.is_due
    desk.take(desk.datagram(1, frames.emit_data(SIZE, b"the rest", is_last=True)))
    assert desk.tracker.is_due


def test_an_acknowledgment_says_what_arrived_and_what_may_come() -> None:
    desk = Desk(receive_window=1_000)
    assert desk.receiving.acknowledgment(limit=1_000, now=9) == b""
    desk.take(desk.segment(0, 0), desk.segment(2, 2))
    (ack,) = frames.parse(memoryview(desk.receiving.acknowledgment(limit=1_000, now=2_005)))
    assert ack == frames.Ack(SIZE, 900, 2, 2_000, ((2, 3), (0, 1)))
    desk.take(desk.datagram(3, frames.emit_data(3 * SIZE, b"", is_last=True)), desk.datagram(1, bytes(9)))
    desk.take(desk.segment(4, 1))
    (ack,) = frames.parse(memoryview(desk.receiving.acknowledgment(limit=1_000, now=5)))
    assert isinstance(ack, frames.Ack) and ack.position == 3 * SIZE + 1 and ack.ranges == ((0, 5),)


def test_room_is_told_of_when_it_is_worth_it() -> None:
    desk = Desk(receive_window=1_000)
    desk.take(*[desk.segment(number, number) for number in range(10)])
    desk.receiving.acknowledgment(limit=1_000, now=5)
    told = []
    for _ in range(10):
        desk.incoming.read(SIZE)
        desk.receiving.on_read()
        told.append(desk.tracker.is_due)
        if desk.tracker.is_due:
            desk.receiving.acknowledgment(limit=1_000, now=5)
    assert told == [False, False, True] * 3 + [False]


@pytest.mark.parametrize("kind", KINDS)
def test_datagrams_as_short_as_can_be(kind: str) -> None:
    """Nothing between header and seal, and fewer bytes than a DATA frame's head."""
    desk = Desk(kind)
    for number, body in enumerate([b"", b"\x08", b"\x08" + bytes(7), b"\x08" + bytes(8), b"\x09" + bytes(7)]):
        assert desk.take(desk.datagram(number, body)) == []
    assert desk.counters.malformed == 5 and desk.ranges == []


def test_numbers_that_have_to_be_completed() -> None:
    desk, numbers = Desk(), [2**31 - 9, 2**32 - 3, 2**32 + 1, 2**32 - 1, 2**32]
    for at, number in enumerate(numbers):
        assert desk.take(desk.segment(number, at)) == []
    assert desk.ranges == [(2**32 - 1, 2**32 + 2), (2**32 - 3, 2**32 - 2), (2**31 - 9, 2**31 - 8)]
    assert desk.incoming.readable == 5 * SIZE


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", [0x42, 0x44, 0x60, 0x00, 0x7F, 0xC0])
def test_other_first_bytes_are_dropped(kind: str, form: int) -> None:
    """Though their seals are right: the bits are kept for later versions."""
    desk = Desk(kind)
    data = bytearray(desk.segment(0, 0))
    data[0] = form
    data[13 : -desk.protection.overhead] = frames.emit_data(0, DATA[:SIZE])
    slots = Slots(memoryview(data), stride=len(data), header=13, trailer=desk.protection.overhead)
    desk.protection.seal(slots, 1, 0)
    assert desk.take(bytes(data)) is None
    assert desk.take(bytes(data), bytes(data)) is None
    assert desk.incoming.readable == 0 and desk.keys.current is desk.protection


def test_trains_across_a_wrap_a_change_of_key_and_a_forgery() -> None:
    """What is judged as a whole, judged one by one."""
    for kind, count in (("checked", 12), ("sealed", 12)):
        for bad in range(count):
            desk = Desk(kind)
            desk.take(desk.segment(2**31 - 1, 100))
            desk.take(desk.segment(2**32 - 7, 101))
            batch = [desk.segment(2**32 - 6 + at, at) for at in range(count)]
            batch[bad] = batch[bad][:-1] + bytes((batch[bad][-1] ^ 1,))
            desk.take(*batch)
            assert desk.counters.damaged == 1 and desk.tracker.largest == 2**32 - 6 + count - 1 - (bad == count - 1)
            desk.take(desk.segment(2**32 - 6 + bad, bad))
            assert desk.incoming.read(count * SIZE) == DATA[: count * SIZE]
            assert desk.counters.duplicates == 0
