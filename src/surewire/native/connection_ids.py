"""Connection ids: made so that no two of an endpoint are equal, and kept in mind for a while after their end.

An id is 8 bytes, chosen by the side that receives with it: a prefix from the configuration, the same for all ids of
an endpoint, by which a load balancer can route (RFC 9000 §5.1 has the idea), then random bytes. It is no secret and
no proof of anything; that nobody can guess it only keeps strangers from wasting a connection's time.

What is kept in mind here is bounded in number and time, so nobody can make it grow.
"""

from __future__ import annotations

import random
from collections.abc import Container, Hashable
from typing import Generic, TypeVar

from surewire.errors import ConfigError, LocalProtocolError
from surewire.wire.native_datagram import CID_SIZE

MAX_PREFIX = 4  # bytes: leaves 32 random bits

Value = TypeVar("Value")

_TRIES = 64  # with 32 random bits and a million ids in use, one try in 4,000 meets one of them


class ConnectionIds:
    """Draws ids."""

    __slots__ = ("_prefix", "_random_size", "_rng")

    def __init__(self, prefix: bytes, rng: random.Random) -> None:
        """Ids that begin with `prefix`, 0..4 bytes; the rest is drawn from `rng`, which is kept.

        Raises:
            ConfigError: the prefix is longer.
        """
        if len(prefix) > MAX_PREFIX:
            raise ConfigError(f"a prefix of connection ids has at most {MAX_PREFIX} bytes, not {len(prefix)}")
        self._prefix = bytes(prefix)
        self._random_size = CID_SIZE - len(prefix)
        self._rng = rng

    def draw(self, *taken: Container[bytes]) -> bytes:
        """An id that is in none of `taken`.

        Raises:
            LocalProtocolError: nearly all ids of this prefix are taken.
        """
        for _ in range(_TRIES):
            drawn = self._prefix + self._rng.randbytes(self._random_size)
            if not any(drawn in ids for ids in taken):
                return drawn
        raise LocalProtocolError("no free connection id was found: too many connections for this prefix")


class Remembered(Generic[Value]):
    """Something about keys of what is over, for a stated time, and the latest so many of them."""

    __slots__ = ("_kept", "_lifetime", "_limit")

    def __init__(self, *, limit: int, lifetime: int) -> None:
        """Keep at most `limit` keys (> 0), each for `lifetime` ns; 200 bytes each, and what they refer to."""
        self._limit = limit
        self._lifetime = lifetime
        self._kept: dict[Hashable, tuple[int, Value]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: object) -> bool:
        """Whether it is kept, out of date or not: `expire` decides about that."""
        return key in self._kept

    def get(self, key: Hashable) -> Value | None:
        """What is kept about a key."""
        kept = self._kept.get(key)
        return None if kept is None else kept[1]

    def add(self, key: Hashable, value: Value, *, now: int) -> None:
        """Keep a key from now on; a key that is there already starts anew."""
        self._kept.pop(key, None)
        self._kept[key] = now + self._lifetime, value
        self.expire(now=now)
        if len(self._kept) > self._limit:
            del self._kept[next(iter(self._kept))]

    def expire(self, *, now: int) -> None:
        """Forget what was kept long enough. Costs what is forgotten, since the oldest come first."""
        kept = self._kept
        while kept:
            oldest = next(iter(kept))
            if kept[oldest][0] > now:
                return
            del kept[oldest]
