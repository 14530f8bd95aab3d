"""Sealed datagrams: the bytes against the ciphers' plain calls, in place, refusals, key update, limits."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM as PlainAesGcm
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305 as PlainChaCha

from surewire.crypto.aead import AESGCM, CHACHAPOLY, Cipher, Copying
from surewire.crypto.noise_symmetric import rekeyed
from surewire.crypto.sealed import SealedProtection
from surewire.wire.slots import Slots
from tests.unit.crypto.trains import HEADER, train

KEY = bytes(range(100, 132))
COPYING_AES = AESGCM._replace(in_place=lambda key: Copying(PlainAesGcm(key)))
COPYING_CHACHA = CHACHAPOLY._replace(in_place=lambda key: Copying(PlainChaCha(key)))
CIPHERS = [AESGCM, CHACHAPOLY, COPYING_AES, COPYING_CHACHA]
EACH = pytest.mark.parametrize("cipher", CIPHERS, ids=["aesgcm", "chachapoly", "aesgcm-copying", "chachapoly-copying"])


def expected(cipher: Cipher, number: int, header: bytes, body: bytes) -> bytes:
    """What the specification says, by the ciphers' plain calls: nonces of Noise §12.3 and §12.4."""
    if cipher.name == "AESGCM":
        return PlainAesGcm(KEY).encrypt(bytes(4) + number.to_bytes(8, "big"), body, header)
    return PlainChaCha(KEY).encrypt(bytes(4) + number.to_bytes(8, "little"), body, header)


@EACH
@pytest.mark.parametrize("number", [0, 2**32 - 2, 2**62 - 8])
def test_the_bytes(cipher: Cipher, number: int) -> None:
    data, slots = train(5, 200, 16)
    before = bytes(data)
    protection = SealedProtection(cipher, KEY)
    protection.seal(slots, 5, number)
    for index in range(5):
        start, stop = index * 200, index * 200 + 200
        header, body = before[start : start + HEADER], before[start + HEADER : stop - 16]
        assert data[start:stop] == header + expected(cipher, number + index, header, body)
        assert protection.open(slots, index, number + index)
        assert data[start : stop - 16] == header + body


@EACH
def test_only_the_first_are_sealed(cipher: Cipher) -> None:
    data, slots = train(3, 60, 16)
    before = bytes(data)
    SealedProtection(cipher, KEY).seal(slots, 2, 0)
    assert data[120:] == before[120:]
    assert data[:120] != before[:120]


@EACH
def test_a_shorter_last_datagram(cipher: Cipher) -> None:
    protection = SealedProtection(cipher, KEY)
    data, slots = train(3, 60, 16, length=2 * 60 + 35)
    before = bytes(data)
    protection.seal(slots, 2, 5)
    last = Slots(memoryview(data), stride=60, header=HEADER, trailer=16).last(2, 35)
    protection.seal(last, 1, 7)
    assert all(protection.open(slots, index, 5 + index) for index in range(3))
    assert data[120 : 120 + 35 - 16] == before[120 : 120 + 35 - 16]


@EACH
def test_every_changed_bit_and_another_number_are_found(cipher: Cipher) -> None:
    data, slots = train(1, 45, 16)
    protection = SealedProtection(cipher, KEY)
    protection.seal(slots, 1, 9)
    genuine = bytes(data)
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        assert not protection.open(slots, 0, 9)
        data[:] = genuine
    for number in (8, 10, 9 + 2**32):
        assert not protection.open(slots, 0, number)
        data[:] = genuine
    assert not SealedProtection(cipher, bytes(32)).open(slots, 0, 9)
    data[:] = genuine
    assert protection.open(slots, 0, 9)


@EACH
@pytest.mark.parametrize("size", range(1, HEADER + 16 + 2))
def test_short_datagrams_are_refused_and_none_raises(cipher: Cipher, size: int) -> None:
    slots = Slots(memoryview(bytearray(60 + size)), stride=60, header=HEADER, trailer=16)
    assert not SealedProtection(cipher, KEY).open(slots, 1, 0)


@EACH
def test_an_empty_body_and_the_longest_one(cipher: Cipher) -> None:
    protection = SealedProtection(cipher, KEY)
    for size in (HEADER + 16, 65_507):
        data, slots = train(1, size, 16)
        before = bytes(data)
        protection.seal(slots, 1, 0)
        assert protection.open(slots, 0, 0)
        assert data[:-16] == before[:-16]


@EACH
def test_an_update_changes_the_key_as_noise_says(cipher: Cipher) -> None:
    protection = SealedProtection(cipher, KEY)
    after = protection.successor()
    data, slots = train(1, 60, 16)
    after.seal(slots, 1, 3)
    sealed = bytes(data)
    assert not protection.open(slots, 0, 3)
    data[:] = sealed
    assert SealedProtection(cipher, rekeyed(cipher, KEY)).open(slots, 0, 3)
    data[:] = sealed
    assert not after.successor().open(slots, 0, 3)


def test_limits_are_those_of_rfc_9001() -> None:
    aes, chacha = SealedProtection(AESGCM, KEY), SealedProtection(CHACHAPOLY, KEY)
    assert aes.overhead == chacha.overhead == 16
    assert aes.packets_limit == chacha.packets_limit == 2**22 < 2**23
    assert (aes.failures_limit, chacha.failures_limit) == (2**52, 2**36)


def test_the_key_is_not_shown() -> None:
    shown = repr(SealedProtection(AESGCM, KEY))
    assert shown == "SealedProtection(AESGCM)"
