"""What happens to one copy of a datagram: bits flipped, then the delay, with jitter or out of order.

Draws, in this order and only for what is on: corruption, number of bits and their places, reordering, jitter.
"""

from __future__ import annotations

from collections.abc import Callable

from surewire.impair.config import LinkConfig
from surewire.impair.model import Delivery, LinkStats

_BITS_PER_BYTE = 8

REORDER_HOLD = 10_000_000
"""Nanoseconds a datagram picked by `reorder` is held back where there is no delay to skip.

10 ms: long enough to fall behind several datagrams of any flow above 1 Mbit/s, short enough to stay
below usual retransmission timeouts.
"""


class Copies:
    """The last stages of one link.

    Attributes:
        delay: propagation time, ns; may be changed between copies.
    """

    __slots__ = ("_config", "_corrupt_run", "_draw", "_gap", "_in_order", "_stats", "delay")

    def __init__(self, config: LinkConfig, stats: LinkStats, draw: Callable[[], float]) -> None:
        """`draw` gives numbers uniform in [0, 1)."""
        self.delay = config.delay
        self._config = config
        self._stats = stats
        self._draw = draw
        self._gap = config.reorder_gap - 1
        self._in_order = 0
        self._corrupt_run = 0

    def deliver(self, datagram: bytes, departure: int) -> Delivery:
        """Corrupt and delay a copy that left the bottleneck at `departure` (ns)."""
        config = self._config
        stats = self._stats
        if config.corrupt and self._is_corrupted(datagram):
            datagram = self._flip_bits(datagram)
            stats.corrupted += 1
        stats.delivered += 1
        stats.delivered_bytes += len(datagram)
        delay = self.delay
        if config.reorder:
            if self._in_order >= self._gap and self._draw() < config.reorder:
                self._in_order = 0
                stats.reordered += 1
                return Delivery(departure if delay else departure + REORDER_HOLD, datagram)
            self._in_order += 1
        if config.jitter:
            delay += int(self._draw() * (2 * config.jitter + 1)) - config.jitter
            if delay < 0:
                delay = 0
        return Delivery(departure + delay, datagram)

    def _is_corrupted(self, datagram: bytes) -> bool:
        """Whether bits are to be flipped; an empty datagram has none."""
        picked = self._draw() < self._config.corrupt and bool(datagram)
        if picked and self._corrupt_run == self._config.max_corrupt_run:
            picked = False
        self._corrupt_run = self._corrupt_run + 1 if picked else 0
        return picked

    def _flip_bits(self, datagram: bytes) -> bytes:
        draw = self._draw
        flipped = bytearray(datagram)
        bits = len(flipped) * _BITS_PER_BYTE
        places: set[int] = set()
        for _ in range(min(1 + int(draw() * self._config.corrupt_bits), bits)):
            place = int(draw() * bits)
            while place in places:
                place = int(draw() * bits)
            places.add(place)
            flipped[place >> 3] ^= 1 << (place & 7)
        return bytes(flipped)
