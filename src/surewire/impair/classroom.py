"""The class-room network: a link that treats datagrams as the assignment's LossyUDP socket does.

`ClassroomLink` is the second kind of link beside `Link`, with the same calls. It knows what LossyUDP
knows and nothing else: independent loss, independent bit errors, and a uniform delay, which reorders.
There is no rate, no queue and no duplication; that `sendto` blocks for `SEND_TIME` is a property of the
sending host, so it is modelled by the simulator's hosts, not here.

A datagram passes three stages, in this order:

1. loss: gone with probability `loss`;
2. corruption: each of its n bits is flipped with probability `corruption` / n, independently. So a datagram
   has 1 - (1 - corruption/n)^n chance to be changed, a little less than `corruption`, and may have many errors;
3. delay: uniform in [0, max_delay).

From `reliable_after` on, counted from `begin`, the first two stages are skipped.

Invariants: the same configuration, seed and sequence of calls give the same deliveries (only
`Random.random` and IEEE 754 arithmetic are used, no function of the C library); offered = lost + delivered; no
delivery lies before its `now`. The draws are not those of LossyUDP, only their distribution is.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

from surewire.errors import ConfigError, LocalProtocolError
from surewire.impair.model import Delivery, LinkStats

_BITS_PER_BYTE = 8

SEND_TIME = 10_000_000
"""Nanoseconds the class-room socket's sendto blocks its caller, before the datagram enters the network."""

MAX_DATAGRAM = 1472
"""Bytes of the longest datagram the class-room socket sends: an Ethernet frame without IP and UDP headers."""

ETHERNET_OVERHEAD = 46
"""Bytes the class-room socket counts beside each datagram's own: UDP, IP and Ethernet headers, preamble left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassroomConfig:
    """What one direction of a class-room network does; the default is a perfect one.

    Attributes:
        loss: probability that a datagram is lost, 0..1.
        corruption: expected number of flipped bits in a datagram, 0..1.
        max_delay: upper bound of the delay, ns, >= 0.
        reliable_after: ns after `ClassroomLink.begin` (or else the first datagram) from which on nothing is
            lost or corrupted, >= 0; None for never.

    Raises:
        ConfigError: a value is out of its range or of another type.
    """

    loss: float = 0.0
    corruption: float = 0.0
    max_delay: int = 0
    reliable_after: int | None = None

    def __post_init__(self) -> None:
        for name in ("loss", "corruption"):
            value = getattr(self, name)
            # The comparison is also false for NaN.
            if not isinstance(value, int | float) or not 0 <= value <= 1:
                raise ConfigError(f"{name} must be from 0 to 1, not {value!r}")
        for name in ("max_delay", "reliable_after"):
            value = getattr(self, name)
            if value is None and name == "reliable_after":
                continue
            if not isinstance(value, int) or value < 0:
                raise ConfigError(f"{name} must be a whole number of nanoseconds, at least 0, not {value!r}")


class ClassroomLink:
    """One direction of a class-room network: offer datagrams to `transmit`, deliver what it returns when due."""

    def __init__(self, config: ClassroomConfig, rng: random.Random) -> None:
        """A link at rest. `rng` is kept and should serve nothing else, or traces will not repeat."""
        self.config = config
        self.stats = LinkStats()
        self._random = rng.random
        self._origin: int | None = None

    def begin(self, *, now: int) -> None:
        """Set the zero of `reliable_after`, unless it is set. The first `transmit` does the same."""
        if self._origin is None:
            self._origin = now

    def transmit(self, datagram: bytes, *, now: int) -> list[Delivery]:
        """Send a datagram through the link.

        Args:
            datagram: its bytes, at most `MAX_DATAGRAM`, may be empty; returned as the same object unless corrupted.
            now: current time, ns; must not go back between calls.

        Returns:
            No delivery or one, not before `now`.

        Raises:
            LocalProtocolError: the datagram is too long; the class-room socket refuses it, too.
        """
        if len(datagram) > MAX_DATAGRAM:
            raise LocalProtocolError(f"a datagram of {len(datagram)} bytes is longer than {MAX_DATAGRAM}")
        self.begin(now=now)
        config = self.config
        stats = self.stats
        stats.offered += 1
        stats.offered_bytes += len(datagram)
        if not self._is_reliable(now):
            if config.loss and self._random() < config.loss:
                stats.lost += 1
                return []
            if config.corruption and datagram:
                datagram = self._flip_bits(datagram)
        stats.delivered += 1
        stats.delivered_bytes += len(datagram)
        delay = int(self._random() * config.max_delay) if config.max_delay else 0
        return [Delivery(now + delay, datagram)]

    def _is_reliable(self, now: int) -> bool:
        after = self.config.reliable_after
        return after is not None and now - (self._origin or 0) >= after

    def _flip_bits(self, datagram: bytes) -> bytes:
        """Draw how many bits are flipped, then which: the same distribution as a draw for each, at a cost of one."""
        bits = len(datagram) * _BITS_PER_BYTE
        count = _binomial(self._random(), bits, self.config.corruption)
        if not count:
            return datagram
        self.stats.corrupted += 1
        flipped = bytearray(datagram)
        places: set[int] = set()
        while len(places) < count:
            place = int(self._random() * bits)
            if place not in places:
                places.add(place)
                flipped[place >> 3] ^= 1 << (place & 7)
        return bytes(flipped)


def _binomial(draw: float, bits: int, expected: float) -> int:
    """The number of flipped bits, of Binomial(bits, expected / bits), which `draw`, uniform in [0, 1), stands for."""
    chance = expected / bits
    count = 0
    share = _none_flipped(bits, expected)
    # The sum of the shares may fall short of 1 by rounding: hence the bound.
    while draw >= share and count < bits:
        draw -= share
        share *= (bits - count) / (count + 1) * chance / (1 - chance)
        count += 1
    return count


@lru_cache(maxsize=2 * MAX_DATAGRAM)
def _none_flipped(bits: int, expected: float) -> float:
    """(1 - expected/bits) ** bits by squaring: a power of the C library may differ between systems in its last bit."""
    base = 1 - expected / bits
    product = 1.0
    exponent = bits
    while exponent:
        if exponent & 1:
            product *= base
        base *= base
        exponent >>= 1
    return product
