"""The phases of a key: when a side goes on to the next, and which one opens what came out of order."""

from __future__ import annotations

import random

import pytest

from surewire.crypto.aead import AESGCM
from surewire.crypto.sealed import SealedProtection
from surewire.native.keys import ReceivingKeys, SendingKeys
from surewire.native.security import Protection
from surewire.wire.native_datagram import SHORT, SHORT_FORM
from surewire.wire.slots import Slots

KEY = bytes(range(32))


def key() -> SealedProtection:
    return SealedProtection(AESGCM, KEY)


class Limited:
    """A key that may protect 160 datagrams, and ends after 5 forged ones."""

    overhead, packets_limit, failures_limit = 0, 160, 5

    def seal(self, slots: Slots, count: int, number: int) -> None:
        pass

    def open(self, slots: Slots, index: int, number: int) -> bool:
        return False

    def open_train(self, slots: Slots, first: int, stop: int, number: int) -> int:
        return first

    def successor(self) -> Protection:
        return Limited()


def sealed(keys: SendingKeys, number: int, body: bytes = b"\1") -> bytes:
    data = bytearray(13 + len(body) + keys.overhead)
    SHORT.pack_into(data, 0, SHORT_FORM | keys.phase, bytes(8), number)
    data[13 : 13 + len(body)] = body
    keys.seal(Slots(memoryview(data), stride=len(data), header=13, trailer=keys.overhead), 1, number)
    return bytes(data)


def opens(keys: ReceivingKeys, data: bytes, number: int) -> bool:
    """As `Receiving` does it."""
    slots = Slots(memoryview(bytearray(data)), stride=len(data), header=13, trailer=keys.overhead)
    opening = keys.current.open if data[0] == keys.form else keys.open_other
    return opening(slots, 0, number) and bytes(slots.bodies[0]) == b"\1"


def test_a_key_is_changed_before_its_limit_and_not_before_that() -> None:
    keys = SendingKeys(Limited(), update_after=None)
    changed = [number for number in range(1_000) if _changes(keys, number, largest_acked=number - 1)]
    assert changed == [150, 300, 450, 600, 750, 900]  # a sixteenth of the limit is kept in reserve


def _changes(keys: SendingKeys, number: int, *, largest_acked: int) -> bool:
    before = keys.updates
    keys.update_if_due(number, largest_acked=largest_acked)
    return keys.updates > before


def test_it_may_be_changed_earlier_but_never_later() -> None:
    assert _changes(SendingKeys(Limited(), update_after=10), 10, largest_acked=-1)
    assert _changes(SendingKeys(Limited(), update_after=10_000), 150, largest_acked=-1)


def test_the_second_change_waits_until_the_first_has_arrived() -> None:
    keys = SendingKeys(Limited(), update_after=10)
    assert _changes(keys, 10, largest_acked=-1)
    assert not _changes(keys, 20, largest_acked=9) and keys.update_if_due(20, largest_acked=9)
    assert not _changes(keys, 60, largest_acked=9)
    assert _changes(keys, 61, largest_acked=10)
    assert keys.phase == 0 and not keys.update_if_due(62, largest_acked=10)


def test_a_key_that_may_not_be_changed_wears_out() -> None:
    keys = SendingKeys(Limited(), update_after=None)
    assert _changes(keys, 150, largest_acked=-1)
    assert keys.update_if_due(309, largest_acked=149) and not keys.is_worn_out
    assert keys.update_if_due(310, largest_acked=149) and keys.is_worn_out


def test_each_phase_has_a_key_of_its_own() -> None:
    keys = SendingKeys(key(), update_after=1)
    seen = set()
    for number in range(4):
        keys.update_if_due(number, largest_acked=number)
        seen.add(sealed(keys, 7)[13:])
    assert len(seen) == 4


def test_what_was_overtaken_by_a_change_is_opened() -> None:
    sending, receiving = SendingKeys(key(), update_after=5), ReceivingKeys(key())
    data = []
    for number in range(20):
        sending.update_if_due(number, largest_acked=number - 1)
        data.append(sealed(sending, number))
    assert [each[0] & 1 for each in data] == [0] * 5 + [1] * 5 + [0] * 5 + [1] * 5
    assert opens(receiving, data[6], 6) and receiving.form == SHORT_FORM | 1
    assert opens(receiving, data[3], 3) and opens(receiving, data[5], 5)  # the phase before, and before its first
    assert opens(receiving, data[13], 13) and receiving.form == SHORT_FORM
    assert opens(receiving, data[9], 9) and opens(receiving, data[11], 11)
    assert not opens(receiving, data[4], 4)  # two phases ago: its key is gone
    assert opens(receiving, data[14], 14) and opens(receiving, data[15], 15) and receiving.form == SHORT_FORM | 1


def test_a_phase_that_is_skipped_is_not_found() -> None:
    """A sender never goes on before the peer has followed: whoever does is nobody's peer."""
    receiving = ReceivingKeys(key())
    sending = SendingKeys(key().successor().successor().successor(), update_after=None)
    sending.phase = 1
    assert not opens(receiving, sealed(sending, 3), 3)
    assert receiving.form == SHORT_FORM


def test_a_forged_phase_moves_nothing() -> None:
    sending, receiving, rng = SendingKeys(key(), update_after=None), ReceivingKeys(key()), random.Random(1)
    for number in range(50):
        data = sealed(sending, number)
        assert not opens(receiving, bytes((data[0] ^ 1,)) + data[1:], number)
        assert not opens(receiving, bytes((data[0] ^ 1,)) + data[1:13] + rng.randbytes(17), number)
        assert opens(receiving, data, number)
    assert receiving.form == SHORT_FORM


@pytest.mark.parametrize("seed", range(5))
def test_reordering_across_many_changes(seed: int) -> None:
    """Within one phase's length, whatever the order, everything is opened."""
    rng = random.Random(seed)
    sending, receiving = SendingKeys(key(), update_after=20), ReceivingKeys(key())
    waiting: list[tuple[int, bytes]] = []
    number = arrived = 0
    while number < 400 or waiting:
        if number < 400 and len(waiting) < 10:
            sending.update_if_due(number, largest_acked=arrived - 1)
            waiting.append((number, sealed(sending, number)))
            number += 1
        else:
            at, data = waiting.pop(rng.randrange(len(waiting)) if len(waiting) < 10 or rng.random() < 0.8 else 0)
            if at > number - 15:
                assert opens(receiving, data, at)
                arrived = max(arrived, at + 1)
    assert sending.updates >= 15


def test_too_many_forgeries_wear_a_connection_out() -> None:
    receiving = ReceivingKeys(Limited())
    receiving.failures = 4
    assert not receiving.is_worn_out
    receiving.failures = 5
    assert receiving.is_worn_out
