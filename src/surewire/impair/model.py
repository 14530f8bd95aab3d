"""The impairment model of a one-way link: what happens to a datagram, and when it arrives.

A `Link` is a pure state machine. The simulator drives it in virtual time, the router in real time;
it opens no socket, reads no clock and draws only from the generator it was given. Two directions
of a path are two links. It models no routing, no fragmentation and no competing traffic.

A datagram passes these stages, in this order:

1. blackout: while one lasts, every datagram offered is gone;
2. bottleneck: if `rate` is set, the datagram waits in a drop-tail queue and is serialised;
3. loss: independent (`loss`) or in bursts (`bursts`), either one suffices;
4. duplication: one more copy, which takes the remaining stages by itself;
5. corruption: one to three bits of a copy are flipped;
6. delay: `delay` plus or minus `jitter`, unless `reorder` picks the copy.

A lost datagram has used the bottleneck (loss lies behind it, as on a radio hop), a duplicate has
used it once.

Invariants: the same configuration, seed and sequence of calls give the same deliveries, on every
Python version (only `Random.random` is used, whose values are stable); offered = blacked_out +
queue_dropped + lost + delivered - duplicated; no delivery lies before its `now`.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from surewire.errors import ConfigError

_NS_PER_S = 1_000_000_000
_BITS_PER_BYTE = 8
_MAX_FLIPPED_BITS = 3

REORDER_HOLD = 10_000_000
"""Nanoseconds a datagram picked by `reorder` is held back where there is no delay to skip.

10 ms: long enough to fall behind several datagrams of any flow above 1 Mbit/s, short enough to stay
below usual retransmission timeouts.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class GilbertElliott:
    """Bursty loss: a chain with a good and a bad state, which takes one step per datagram.

    The chain starts good. A datagram first moves the chain, then is lost with the probability of
    the state it finds.

    Attributes:
        p: probability of the step good -> bad, 0..1.
        r: probability of the step bad -> good, 0..1; its inverse is the mean stay in the bad state.
        loss_bad: probability of loss in the bad state, 0..1.
        loss_good: probability of loss in the good state, 0..1.

    Raises:
        ConfigError: a value is no probability.
    """

    p: float
    r: float
    loss_bad: float = 1.0
    loss_good: float = 0.0

    def __post_init__(self) -> None:
        for name in ("p", "r", "loss_bad", "loss_good"):
            _check_probability(f"bursts.{name}", getattr(self, name))

    @classmethod
    def from_average(cls, loss: float, mean_burst: float) -> GilbertElliott:
        """The chain that loses everything when bad and nothing when good.

        Args:
            loss: long-run share of datagrams lost, 0 <= loss < 1.
            mean_burst: mean number of consecutive datagrams lost, >= 1 and >= loss / (1 - loss)
                (bursts are at least one delivered datagram apart).

        Raises:
            ConfigError: no such chain exists.
        """
        _check_probability("average loss of bursts", loss)
        if loss == 1:
            raise ConfigError("average loss of bursts must be below 1")
        if not 1 <= mean_burst < float("inf"):
            raise ConfigError(f"mean burst length must be at least 1 datagram, not {mean_burst}")
        r = 1 / mean_burst
        p = r * loss / (1 - loss)
        if p > 1:
            raise ConfigError(f"an average loss of {loss} needs bursts of {loss / (1 - loss):.3g} datagrams or more")
        return cls(p=p, r=r)


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkConfig:
    """What one direction of a path does to datagrams; the default is a perfect link.

    Attributes:
        loss: probability that a datagram is lost, independent of the others, 0..1.
        bursts: bursty loss, beside `loss`; None for none.
        duplicate: probability that a datagram arrives twice, 0..1.
        corrupt: probability that 1 to 3 distinct bits of a copy are flipped, 0..1; the number and
            the places are uniform. An empty datagram has no bit to flip and passes.
        reorder: probability that a copy skips `delay` and `jitter` and so overtakes those before it,
            0..1. With `delay` 0 it is held back by `REORDER_HOLD` instead.
        delay: propagation time in ns, >= 0.
        jitter: each copy takes `delay` + uniform(-jitter, +jitter) ns, at least 0; >= 0. Jitter
            alone reorders, as tc-netem's does, and these are not counted as reordered.
        rate: bottleneck in bits a second, > 0; None for no bottleneck.
        queue: bytes that may wait for the bottleneck (drop-tail), `overhead` included, the datagram
            being serialised not; >= 0. Default 256 KiB: 105 ms at 20 Mbit/s, so several times the
            bandwidth-delay product of a 20 ms path, as home routers have it. No part without `rate`.
        overhead: bytes added to each datagram in the bottleneck, >= 0. Default 28: IPv4 and UDP headers.
        blackouts: half-open intervals [start, stop) in ns during which everything offered is gone,
            counted from `Link.begin` or else the first datagram offered; 0 <= start < stop.

    Raises:
        ConfigError: a value is out of its range or of another type.
    """

    loss: float = 0.0
    bursts: GilbertElliott | None = None
    duplicate: float = 0.0
    corrupt: float = 0.0
    reorder: float = 0.0
    delay: int = 0
    jitter: int = 0
    rate: int | None = None
    queue: int = 256 * 1024
    overhead: int = 28
    blackouts: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        for name in ("loss", "duplicate", "corrupt", "reorder"):
            _check_probability(name, getattr(self, name))
        for name in ("delay", "jitter", "queue", "overhead"):
            _check_whole(name, getattr(self, name), least=0)
        if self.rate is not None:
            _check_whole("rate", self.rate, least=1)
        for start, stop in self.blackouts:
            _check_whole("start of a blackout", start, least=0)
            _check_whole("end of a blackout", stop, least=start + 1)


class Delivery(NamedTuple):
    """A datagram that comes out of the link.

    Attributes:
        at: when, ns, on the clock of the `now` that was passed in.
        datagram: its bytes, corrupted or not.
    """

    at: int
    datagram: bytes


@dataclass(slots=True)
class LinkStats:
    """Counters of a link since it was made. Bytes are datagram bytes, without `overhead`.

    Attributes:
        offered, offered_bytes: datagrams given to `Link.transmit`.
        delivered, delivered_bytes: deliveries returned, copies and those due later included.
        lost: datagrams lost behind the bottleneck, independently or in a burst.
        queue_dropped: datagrams that found the queue full.
        blacked_out: datagrams offered during a blackout.
        duplicated: datagrams delivered twice.
        corrupted: copies with bits flipped.
        reordered: copies picked by `reorder`.
        peak_queue_bytes: most bytes that ever waited for the bottleneck, `overhead` included.
    """

    offered: int = 0
    offered_bytes: int = 0
    delivered: int = 0
    delivered_bytes: int = 0
    lost: int = 0
    queue_dropped: int = 0
    blacked_out: int = 0
    duplicated: int = 0
    corrupted: int = 0
    reordered: int = 0
    peak_queue_bytes: int = 0


class Link:
    """One direction of a path: offer datagrams to `transmit`, deliver what it returns when due."""

    def __init__(self, config: LinkConfig, rng: random.Random) -> None:
        """A link at rest. `rng` is kept and should serve nothing else, or traces will not repeat."""
        self.config = config
        self.stats = LinkStats()
        self._rng = rng
        self._random = rng.random
        self._origin: int | None = None
        self._bad = False
        self._idle_at = 0
        self._waiting: deque[tuple[int, int]] = deque()
        self._waiting_bytes = 0
        self._lossy = config.loss > 0 or config.bursts is not None

    def begin(self, *, now: int) -> None:
        """Set the zero of the blackouts' times, unless it is set. The first `transmit` does the same."""
        if self._origin is None:
            self._origin = now

    def transmit(self, datagram: bytes, *, now: int) -> list[Delivery]:
        """Send a datagram through the link.

        Args:
            datagram: its bytes, may be empty; returned as the same object unless corrupted.
            now: current time, ns; must not go back between calls.

        Returns:
            No, one or two deliveries, none before `now`, in no particular order of time.
        """
        stats = self.stats
        config = self.config
        size = len(datagram)
        stats.offered += 1
        stats.offered_bytes += size
        if config.blackouts and self._blacked_out(now):
            stats.blacked_out += 1
            return []
        if config.rate is not None:
            departure = self._serialise(size + config.overhead, config.rate, now)
            if departure is None:
                stats.queue_dropped += 1
                return []
        else:
            departure = now
        if self._lossy and self._is_lost():
            stats.lost += 1
            return []
        deliveries = [self._deliver(datagram, departure)]
        if config.duplicate and self._random() < config.duplicate:
            stats.duplicated += 1
            deliveries.append(self._deliver(datagram, departure))
        return deliveries

    def _blacked_out(self, now: int) -> bool:
        self.begin(now=now)
        elapsed = now - (self._origin or 0)
        return any(start <= elapsed < stop for start, stop in self.config.blackouts)

    def _serialise(self, size: int, rate: int, now: int) -> int | None:
        """Pass the bottleneck: when the last bit has left, or None if the queue is full."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= now:
            self._waiting_bytes -= waiting.popleft()[1]
        start = self._idle_at
        if start > now:
            backlog = self._waiting_bytes + size
            if backlog > self.config.queue:
                return None
            self._waiting_bytes = backlog
            waiting.append((start, size))
            if backlog > self.stats.peak_queue_bytes:
                self.stats.peak_queue_bytes = backlog
        else:
            start = now
        # Rounded up, so that the link is never faster than its rate.
        self._idle_at = start - (-size * _BITS_PER_BYTE * _NS_PER_S // rate)
        return self._idle_at

    def _is_lost(self) -> bool:
        config = self.config
        draw = self._random
        lost = False
        bursts = config.bursts
        if bursts is not None:
            if draw() < (bursts.r if self._bad else bursts.p):
                self._bad = not self._bad
            chance = bursts.loss_bad if self._bad else bursts.loss_good
            # A sure outcome takes no draw; the usual chain thus costs one.
            lost = chance > 0 and (chance == 1 or draw() < chance)
        return lost or (config.loss > 0 and draw() < config.loss)

    def _deliver(self, datagram: bytes, departure: int) -> Delivery:
        """Corrupt and delay one copy."""
        config = self.config
        stats = self.stats
        if config.corrupt and self._random() < config.corrupt and datagram:
            datagram = self._flip_bits(datagram)
            stats.corrupted += 1
        stats.delivered += 1
        stats.delivered_bytes += len(datagram)
        if config.reorder and self._random() < config.reorder:
            stats.reordered += 1
            return Delivery(departure if config.delay else departure + REORDER_HOLD, datagram)
        delay = config.delay
        if config.jitter:
            delay += int(self._random() * (2 * config.jitter + 1)) - config.jitter
            if delay < 0:
                delay = 0
        return Delivery(departure + delay, datagram)

    def _flip_bits(self, datagram: bytes) -> bytes:
        draw = self._random
        flipped = bytearray(datagram)
        bits = len(flipped) * _BITS_PER_BYTE
        places: set[int] = set()
        for _ in range(1 + int(draw() * _MAX_FLIPPED_BITS)):
            place = int(draw() * bits)
            while place in places:
                place = int(draw() * bits)
            places.add(place)
            flipped[place >> 3] ^= 1 << (place & 7)
        return bytes(flipped)


def _check_probability(name: str, value: object) -> None:
    # The comparison is also false for NaN.
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"{name} must be a probability from 0 to 1, not {value!r}")


def _check_whole(name: str, value: object, *, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise ConfigError(f"{name} must be a whole number, at least {least}, not {value!r}")
