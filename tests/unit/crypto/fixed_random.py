"""Randomness that is known beforehand, for vectors."""

from __future__ import annotations

import random


class FixedRandom(random.Random):
    """A generator that gives out these keys, each once, and then fails."""

    def __init__(self, *keys: bytes) -> None:
        super().__init__(0)
        self._keys = list(keys)

    def randbytes(self, n: int) -> bytes:
        key = self._keys.pop(0)
        assert len(key) == n
        return key
