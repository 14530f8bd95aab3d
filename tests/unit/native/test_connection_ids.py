"""Ids of an endpoint: prefix, size, no two equal; and the memory of those that are over."""

from __future__ import annotations

import random

import pytest

from surewire.errors import ConfigError, LocalProtocolError
from surewire.native.connection_ids import ConnectionIds, Remembered
from surewire.wire.native_datagram import CID_SIZE


@pytest.mark.parametrize("prefix", [b"", b"\x01", b"wx", b"abcd"])
def test_an_id_has_the_prefix_and_8_bytes(prefix: bytes) -> None:
    ids = ConnectionIds(prefix, random.Random(1))
    drawn = [ids.draw() for _ in range(100)]
    assert {len(cid) for cid in drawn} == {CID_SIZE}
    assert all(cid.startswith(prefix) for cid in drawn)
    assert len({cid[len(prefix) :] for cid in drawn}) == 100


def test_a_prefix_of_5_bytes_is_refused() -> None:
    with pytest.raises(ConfigError, match="at most 4 bytes, not 5"):
        ConnectionIds(b"12345", random.Random(1))


class Few(random.Random):
    """Draws from `count` values only, one after the other."""

    def __init__(self, count: int) -> None:
        super().__init__(0)
        self.count, self.turn = count, 0

    def randbytes(self, n: int) -> bytes:
        self.turn += 1
        return (self.turn % self.count).to_bytes(n, "big")


def test_an_id_that_is_taken_is_not_drawn_again() -> None:
    ids = ConnectionIds(b"", Few(10))
    taken: set[bytes] = set()
    remembered: Remembered[None] = Remembered(limit=10, lifetime=10)
    for turn in range(10):
        cid = ids.draw(taken, remembered)
        assert cid not in taken and cid not in remembered
        if turn % 2:
            taken.add(cid)
        else:
            remembered.add(cid, None, now=0)
    with pytest.raises(LocalProtocolError, match="no free connection id"):
        ids.draw(taken, remembered)


def test_what_is_remembered_is_bounded_in_number() -> None:
    kept: Remembered[int] = Remembered(limit=3, lifetime=1_000)
    for key in range(10):
        kept.add(key, key, now=key)
        assert len(kept) == min(key + 1, 3)
    assert [key for key in range(10) if key in kept] == [7, 8, 9]


def test_what_is_remembered_is_forgotten_after_its_time() -> None:
    kept: Remembered[int] = Remembered(limit=100, lifetime=10)
    kept.add("a", 0, now=0)
    kept.add("b", 5, now=5)
    kept.expire(now=9)
    assert "a" in kept
    kept.expire(now=10)
    assert "a" not in kept and "b" in kept
    kept.add("c", 15, now=15)
    assert len(kept) == 1 and "c" in kept


def test_a_key_that_comes_again_starts_anew() -> None:
    kept: Remembered[int] = Remembered(limit=2, lifetime=10)
    kept.add("a", 0, now=0)
    kept.add("b", 1, now=1)
    kept.add("a", 2, now=2)
    kept.add("c", 3, now=3)
    assert "a" in kept and "c" in kept and "b" not in kept
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (2, None, 3)
