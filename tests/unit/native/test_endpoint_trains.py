"""Received datagrams as slots: the right bytes in the right memory, cut once."""

from __future__ import annotations

import random
from array import array

import pytest

from surewire.errors import LocalProtocolError
from surewire.native.received_trains import ReceivedTrains
from surewire.wire.slots import Slots


def datagrams(slots: Slots, count: int) -> list[bytes]:
    return [bytes(view) for view in slots.datagrams[:count]]


def cut(data: bytes, stride: int) -> list[bytes]:
    return [data[at : at + stride] for at in range(0, len(data), stride)]


def lent(size: int) -> tuple[ReceivedTrains, bytearray]:
    trains, memory = ReceivedTrains(), bytearray(size)
    trains.lend(memoryview(memory))
    return trains, memory


def test_memory_that_was_lent_is_used_where_it_is_and_cut_once() -> None:
    trains, memory = lent(65_536)
    seen = []
    for turn in range(5):
        data = random.Random(turn).randbytes(44 * 1_472)
        memory[: len(data)] = data
        received = trains.take(memoryview(memory)[: len(data)])
        slots = trains.slots(1_472, 44, 16)
        assert datagrams(slots, 44) == cut(data, 1_472)
        assert received == data
        seen.append(slots)
    assert seen[0] is seen[1] is seen[2] is seen[3] is seen[4]
    slots.bodies[1][0] ^= 0xFF
    assert memory[1_472 + 13] == data[1_472 + 13] ^ 0xFF, "opened in place"


def test_each_trailer_has_its_slots() -> None:
    trains, memory = lent(200)
    for _ in range(3):
        trains.take(memoryview(memory))
        sealed, checked = trains.slots(50, 4, 16), trains.slots(50, 4, 4)
    assert len(sealed.bodies[0]) == 50 - 13 - 16 and len(checked.bodies[0]) == 50 - 13 - 4
    assert trains.slots(50, 4, 16) is sealed and trains.slots(50, 3, 4) is checked


def test_memory_that_begins_within_its_object_may_be_lent() -> None:
    trains, memory = ReceivedTrains(), bytearray(random.Random(1).randbytes(4_000))
    part = memoryview(memory)[1_000:]
    trains.lend(part)
    assert trains.take(part[:300]) is not None
    slots = trains.slots(100, 3, 4)
    assert datagrams(slots, 3) == cut(bytes(memory[1_000:1_300]), 100)
    slots.bodies[0][0] ^= 0xFF
    assert slots.bodies[0][0] == memory[1_013], "opened in place"


@pytest.mark.parametrize(
    "memory",
    [memoryview(bytes(90)), memoryview(array("I", range(30))), memoryview(bytearray(240))[::2]],
    ids=["read-only", "words", "gaps"],
)
def test_memory_in_which_nothing_can_be_opened_is_not_lent(memory: memoryview) -> None:
    with pytest.raises(LocalProtocolError, match="in a row"):
        ReceivedTrains().lend(memory)


def test_memory_that_was_not_lent_is_copied() -> None:
    trains, data = lent(200)[0], bytes(range(120))
    for buffer in (data, memoryview(data), bytearray(data), memoryview(bytearray(data))):
        trains.take(buffer)
        slots = trains.slots(40, 3, 4)
        assert datagrams(slots, 3) == cut(data, 40)
        slots.bodies[0][0] ^= 0xFF
        assert buffer == bytes(range(120))


def test_memory_of_another_shape_is_copied() -> None:
    trains = ReceivedTrains()
    words = array("I", range(30))
    spread = memoryview(bytearray(range(240)))[::2]
    for _ in range(3):
        assert trains.take(memoryview(words)) == words.tobytes()
        assert datagrams(trains.slots(40, 3, 4), 3) == cut(words.tobytes(), 40)
        assert trains.take(spread) == bytes(range(0, 240, 2))
        assert datagrams(trains.slots(40, 3, 4), 3) == cut(bytes(range(0, 240, 2)), 40)


def test_memories_that_alternate_and_a_bytearray_that_grows() -> None:
    trains, first = lent(90)
    first[:], second, growing = b"a" * 90, bytearray(b"b" * 90), bytearray()
    for turn in range(6):
        for memory in (first, second):
            assert bytes(trains.take(memoryview(memory))) == memory
            assert datagrams(trains.slots(30, 3, 4), 3) == cut(bytes(memory), 30)
        growing += b"c" * 30  # a bytearray handed in as such is not held
        assert bytes(trains.take(growing)) == growing
        assert datagrams(trains.slots(30, turn + 1, 4), turn + 1) == cut(bytes(growing), 30)


def test_more_bytes_than_expected() -> None:
    trains, data = ReceivedTrains(), random.Random(1).randbytes(200_000)
    assert trains.take(data) == data
    assert datagrams(trains.slots(1_000, 200, 16), 200) == cut(data, 1_000)


def test_a_last_datagram_that_is_shorter() -> None:
    trains, memory = lent(65_536)
    for stride, count, rest in [(1_472, 45, 768), (100, 8, 50), (100, 5, 30), (16_384, 4, 99)]:
        data = random.Random(stride).randbytes((count - 1) * stride + rest)
        for _ in range(3):
            memory[: len(data)] = data
            trains.take(memoryview(memory)[: len(data)])
            slots = trains.slots(stride, count, 4)
            last = slots.last(count - 1, rest)
            assert datagrams(slots, count - 1) + datagrams(last, 1) == cut(data, stride)


@pytest.mark.parametrize("count", [1, 2, 44, 64, 65, 300])
def test_heads(count: int) -> None:
    trains = ReceivedTrains()
    for stride in (9, 10, 200):
        data = random.Random(count).randbytes(count * stride)
        received = trains.take(data)
        assert list(trains.heads(received, stride, count)) == [part[:9] for part in cut(data, stride)]


def test_a_last_datagram_of_9_bytes_has_a_head() -> None:
    trains = ReceivedTrains()
    data = random.Random(1).randbytes(209)
    assert trains.heads(trains.take(data), 100, 3) == (data[:9], data[100:109], data[200:])


def test_what_is_kept_is_bounded() -> None:
    trains, memory = lent(65_536)
    for stride in range(20, 1_400):
        trains.take(memoryview(memory)[: 40 * stride])
        trains.heads(memoryview(memory), stride, 40)
        trains.slots(stride, 40, 4)
    assert trains.kept_datagrams <= 2_048
    assert trains.kept_layouts <= 256
