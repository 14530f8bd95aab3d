"""Keys and seals under Hypothesis: both checksums agree, what is sealed opens, nothing forged does, nothing raises."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from surewire.crypto.aead import AESGCM, CHACHAPOLY, Cipher
from surewire.crypto.checked import CheckedProtection
from surewire.crypto.crc32c import crc32c
from surewire.crypto.pure_crc32c import crc32c as pure
from surewire.crypto.sealed import AnyServer, KeyClient, KeyServer, PskClient, PskServer, SealedProtection
from surewire.errors import HandshakeFailed
from surewire.wire.slots import Slots

HEADER = 13
KEY = bytes(range(32))
SERVER = AnyServer(KeyServer(KEY), PskServer(KEY))
numbers = st.one_of(st.integers(0, 2**62 - 100), st.sampled_from([0, 2**32 - 1, 2**32, 2**62 - 100]))
ciphers = st.sampled_from([AESGCM, CHACHAPOLY])
protections = st.one_of(st.just(CheckedProtection()), st.builds(SealedProtection, ciphers, st.just(KEY)))
Protection = CheckedProtection | SealedProtection


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(0, 2**32 - 1))
def test_checksums(first: bytes, second: bytes, value: int) -> None:
    assert pure(first, value) == crc32c(first, value)
    assert pure(second, pure(first, value)) == crc32c(first + second, value)


@given(protections, numbers, st.integers(1, 8), st.integers(HEADER + 16, 200), st.data())
def test_a_train_comes_back(protection: Protection, number: int, count: int, stride: int, data: st.DataObject) -> None:
    last = data.draw(st.integers(HEADER + protection.overhead, stride))
    trailer = protection.overhead
    buffer = bytearray(random.Random(number).randbytes((count - 1) * stride + last))
    before = bytes(buffer)
    slots = Slots(memoryview(buffer), stride=stride, header=HEADER, trailer=trailer)
    protection.seal(slots, count - 1, number)
    protection.seal(slots.last(count - 1, last), 1, number + count - 1)
    for index in data.draw(st.permutations(range(count))):
        assert protection.open(slots, index, number + index)
    for index in range(count):
        assert slots.checked[index] == before[index * stride : index * stride + len(slots.checked[index])]


@given(protections, numbers, st.binary(min_size=1, max_size=120), st.data())
def test_no_bytes_open_or_raise(protection: Protection, number: int, garbage: bytes, data: st.DataObject) -> None:
    stride = data.draw(st.integers(max(HEADER + 16, len(garbage)), 200))
    buffer = bytearray(garbage)
    slots = Slots(memoryview(buffer), stride=stride, header=HEADER, trailer=protection.overhead)
    # a checksum of 4 bytes would be met by one in 2**32 of these; Hypothesis tries some hundred
    assert not protection.open(slots, 0, number)


@given(ciphers, numbers, st.integers(0, 8 * 60 - 1))
def test_a_changed_bit_never_opens(cipher: Cipher, number: int, bit: int) -> None:
    protection = SealedProtection(cipher, KEY)
    buffer = bytearray(60)
    slots = Slots(memoryview(buffer), stride=60, header=HEADER, trailer=16)
    protection.seal(slots, 1, number)
    buffer[bit // 8] ^= 1 << bit % 8
    assert not protection.open(slots, 0, number)


@given(st.sampled_from([1, 2, 3, 4]), st.binary(max_size=200))
def test_a_server_reads_any_message(suite: int, message: bytes) -> None:
    handshake = SERVER.begin(suite, random.Random(1))
    try:
        payload = handshake.accept(b"prologue", message)
    except HandshakeFailed:
        return
    # without a shared key the first message is a key and a payload in clear, whatever they are
    assert suite in (1, 3)
    assert payload == message[32:]


@given(st.sampled_from(["aesgcm", "chachapoly"]), st.booleans(), st.binary(max_size=200))
def test_a_client_believes_no_message(cipher: str, is_shared: bool, message: bytes) -> None:
    client = PskClient(KEY, cipher) if is_shared else KeyClient(lambda public: None, cipher)
    handshake = client.begin(random.Random(1))
    handshake.hello(b"prologue", b"payload")
    try:
        handshake.finish(message)
    except HandshakeFailed:
        return
    raise AssertionError("a message of nobody was taken for the server's")


@given(
    st.sampled_from(["aesgcm", "chachapoly"]),
    st.booleans(),
    st.binary(max_size=500),
    st.binary(max_size=500),
    st.binary(max_size=100),
    st.integers(0, 2**32),
)
def test_handshakes(cipher: str, is_shared: bool, wants: bytes, offers: bytes, prologue: bytes, seed: int) -> None:
    rng = random.Random(seed)
    client = PskClient(KEY, cipher) if is_shared else KeyClient(lambda public: None, cipher)
    ours = client.begin(rng)
    theirs = SERVER.begin(ours.suite, rng)
    assert theirs.accept(prologue, ours.hello(prologue, wants)) == wants
    assert ours.finish(theirs.welcome(offers)) == offers
    buffer = bytearray(64)
    slots = Slots(memoryview(buffer), stride=64, header=HEADER, trailer=16)
    theirs.keys().sending.successor().seal(slots, 1, seed)
    assert ours.keys().receiving.successor().open(slots, 0, seed)
