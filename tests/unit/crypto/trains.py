"""Trains of equal datagrams to protect, for the tests of every protection."""

from __future__ import annotations

import random

from surewire.wire.slots import Slots

HEADER = 13


def train(
    count: int, stride: int, trailer: int, *, seed: int = 1, length: int | None = None
) -> tuple[bytearray, Slots]:
    """`count` datagrams of random bytes, `length` in all (None: all full), with zeros in the place of the trailers."""
    data = bytearray(random.Random(seed).randbytes(count * stride if length is None else length))
    for start in range(0, len(data), stride):
        stop = min(start + stride, len(data))
        data[stop - trailer : stop] = bytes(trailer)
    return data, Slots(memoryview(data), stride=stride, header=HEADER, trailer=trailer)
