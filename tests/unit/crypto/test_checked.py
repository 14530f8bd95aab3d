"""Checked mode: where the checksum stands, what it covers, and that its handshake only hands payloads over."""

from __future__ import annotations

import random

import pytest

from surewire.crypto.checked import CheckedClient, CheckedProtection, CheckedServer
from surewire.crypto.pure_crc32c import crc32c
from surewire.wire.slots import Slots
from tests.unit.crypto.trains import HEADER, train

PROTECTION = CheckedProtection()


@pytest.mark.parametrize("number", [0, 7, 2**32 - 3, 2**32, 2**62 - 10])
def test_the_checksum_covers_the_datagram_and_the_high_half_of_its_number(number: int) -> None:
    data, slots = train(7, 100, PROTECTION.overhead)
    before = bytes(data)
    PROTECTION.seal(slots, 7, number)
    for index in range(7):
        datagram = data[index * 100 : index * 100 + 100]
        assert datagram[:96] == before[index * 100 : index * 100 + 96]
        assert int.from_bytes(datagram[96:], "big") == crc32c(bytes(datagram[:96]), number + index >> 32)
        assert PROTECTION.open(slots, index, number + index)


def test_only_the_first_are_sealed() -> None:
    data, slots = train(3, 50, 4)
    PROTECTION.seal(slots, 2, 0)
    assert data[-4:] == bytes(4)
    assert [PROTECTION.open(slots, index, index) for index in range(3)] == [True, True, False]


def test_a_shorter_last_datagram() -> None:
    data, slots = train(3, 50, 4, length=2 * 50 + 21)
    PROTECTION.seal(slots, 3, 5)
    assert all(PROTECTION.open(slots, index, 5 + index) for index in range(3))
    again = Slots(memoryview(data), stride=50, header=HEADER, trailer=4).last(2, 21)
    assert PROTECTION.open(again, 0, 7)
    PROTECTION.seal(again, 1, 8)
    assert PROTECTION.open(slots, 2, 8)


def test_every_changed_bit_and_a_wrong_turn_of_the_number_are_found() -> None:
    data, slots = train(1, 40, 4)
    PROTECTION.seal(slots, 1, 9)
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        assert not PROTECTION.open(slots, 0, 9)
        data[bit // 8] ^= 1 << bit % 8
    assert PROTECTION.open(slots, 0, 9)
    assert not PROTECTION.open(slots, 0, 9 + 2**32)


@pytest.mark.parametrize("size", range(1, HEADER + 4 + 2))
def test_short_datagrams_are_refused_and_none_raises(size: int) -> None:
    data = bytearray(50 + size)
    slots = Slots(memoryview(data), stride=50, header=HEADER, trailer=4)
    assert not PROTECTION.open(slots, 1, 0)


def test_an_empty_body() -> None:
    _, slots = train(1, HEADER + 4, 4)
    PROTECTION.seal(slots, 1, 0)
    assert PROTECTION.open(slots, 0, 0)


def test_nothing_wears_out() -> None:
    assert PROTECTION.packets_limit == PROTECTION.failures_limit == 2**62
    assert PROTECTION.successor() is PROTECTION


def test_the_handshake_hands_the_payloads_over() -> None:
    rng = random.Random(1)
    server = CheckedServer()
    client_side = CheckedClient().begin(rng)
    server_side = server.begin(client_side.suite, rng)
    assert client_side.suite == 0
    assert list(server.suites) == [0]
    assert server_side.accept(b"prologue", client_side.hello(b"prologue", b"from the client")) == b"from the client"
    assert client_side.finish(server_side.welcome(b"from the server")) == b"from the server"
    _, slots = train(1, 60, 4)
    client_side.keys().sending.seal(slots, 1, 3)
    assert server_side.keys().receiving.open(slots, 0, 3)
