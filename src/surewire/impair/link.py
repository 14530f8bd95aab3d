"""The impairment model of a one-way link: what happens to a datagram, and when it arrives.

A `Link` is a pure state machine. The simulator drives it in virtual time, the router in real time;
it opens no socket, reads no clock and draws only from the generator it was given. Two directions
of a path are two links. It models no routing and no fragmentation; competing traffic is whoever else
offers datagrams to the same link.

A datagram passes these stages, in this order; those that are off cost nothing:

1. blackout: while one lasts, every datagram offered is gone;
2. black hole: what is longer than `mtu` is gone;
3. policer: what finds too few tokens is gone;
4. bottleneck: if `rate` is set, the datagram waits in a queue (drop-tail, with CoDel if set) and is serialised;
5. loss: independent (`loss`), in bursts (`bursts`) or by number (`drops`), any one suffices;
6. duplication: one more copy, which takes the remaining stages by itself;
7. corruption: bits of a copy are flipped;
8. delay: `delay` plus or minus `jitter`, unless `reorder` picks the copy.

A lost datagram has used the bottleneck (loss lies behind it, as on a radio hop), a duplicate has
used it once. `changes` of rate hold for what is in the queue, too; those of loss and delay for what
leaves the bottleneck from then on.

Invariants: the same configuration, seed and sequence of calls give the same deliveries, on every
Python version (only `Random.random` is used, whose values are stable); offered = blacked_out +
mtu_dropped + policed + queue_dropped + codel_dropped + lost + delivered - duplicated; no delivery lies
before its `now`.
"""

from __future__ import annotations

import random
from collections import deque

from surewire.impair.bottleneck import Bottleneck
from surewire.impair.config import Change, LinkConfig
from surewire.impair.copies import Copies
from surewire.impair.loss import Losses
from surewire.impair.model import Delivery, LinkStats
from surewire.impair.policer import TokenBucket

_NEVER = 1 << 100


class Link:
    """One direction of a path: offer datagrams to `transmit`, deliver what it returns when due."""

    def __init__(self, config: LinkConfig, rng: random.Random) -> None:
        """A link at rest. `rng` is kept and should serve nothing else, or traces will not repeat."""
        self.config = config
        self.stats = LinkStats()
        self._draw = rng.random
        self._origin: int | None = None
        self._bucket = None if config.policer is None else TokenBucket(config.policer)
        self._is_gated = bool(config.blackouts) or config.mtu is not None or self._bucket is not None
        self._overhead = config.overhead
        self._bottleneck = None if config.rate is None else Bottleneck(config, config.rate, self.stats)
        self._losses = Losses(config, self._draw) if Losses.can_happen(config) else None
        self._delay = config.delay
        varied = config.duplicate or config.corrupt or config.reorder or config.jitter
        self._copies = Copies(config, self.stats, self._draw) if varied else None
        self._changes: deque[Change] = deque()
        self._next_change = _NEVER

    def begin(self, *, now: int) -> None:
        """Set the zero of the times in the configuration, unless it is set. The first `transmit` does the same."""
        if self._origin is not None:
            return
        self._origin = now
        self._changes.extend(self.config.changes)
        if self._changes:
            self._next_change = now + self._changes[0].at
        for change in self.config.changes:
            if change.rate is not None and self._bottleneck is not None:
                self._bottleneck.change_rate(change.rate, at=now + change.at)

    def transmit(self, datagram: bytes, *, now: int) -> list[Delivery]:
        """Send a datagram through the link.

        Args:
            datagram: its bytes, may be empty; returned as the same object unless corrupted.
            now: current time, ns; must not go back between calls.

        Returns:
            No, one or two deliveries, none before `now`, in no particular order of time.
        """
        stats = self.stats
        size = len(datagram)
        stats.offered += 1
        stats.offered_bytes += size
        if self._origin is None:
            self.begin(now=now)
        if self._is_gated and self._is_stopped(size, now):
            return []
        departure = now
        if self._bottleneck is not None:
            leaves = self._bottleneck.admit(size + self._overhead, now=now)
            if leaves is None:
                return []
            departure = leaves
        if departure >= self._next_change:
            self._apply_changes(departure)
        if self._losses is not None and self._losses.take_next():
            stats.lost += 1
            return []
        if self._copies is not None:
            return self._copy(datagram, departure, self._copies)
        stats.delivered += 1
        stats.delivered_bytes += size
        return [Delivery(departure + self._delay, datagram)]

    def _is_stopped(self, size: int, now: int) -> bool:
        """Whether the datagram does not even reach the queue."""
        stats = self.stats
        mtu = self.config.mtu
        if self.config.blackouts and self._is_black(now):
            stats.blacked_out += 1
        elif mtu is not None and size + self._overhead > mtu:
            stats.mtu_dropped += 1
        elif self._bucket is not None and not self._bucket.takes(size + self._overhead, now=now):
            stats.policed += 1
        else:
            return False
        return True

    def _is_black(self, now: int) -> bool:
        elapsed = now - (self._origin or 0)
        if self.config.blackout_period is not None:
            elapsed %= self.config.blackout_period
        return any(start <= elapsed < stop for start, stop in self.config.blackouts)

    def _apply_changes(self, time: int) -> None:
        """Make the loss and delay those of `time`."""
        while self._next_change <= time:
            change = self._changes.popleft()
            if change.delay is not None:
                self._delay = change.delay
                if self._copies is not None:
                    self._copies.delay = change.delay
            if change.loss is not None and self._losses is not None:
                self._losses.chance = change.loss
            self._next_change = (self._origin or 0) + self._changes[0].at if self._changes else _NEVER

    def _copy(self, datagram: bytes, departure: int, copies: Copies) -> list[Delivery]:
        deliveries = [copies.deliver(datagram, departure)]
        if self.config.duplicate and self._draw() < self.config.duplicate:
            self.stats.duplicated += 1
            deliveries.append(copies.deliver(datagram, departure))
        return deliveries
