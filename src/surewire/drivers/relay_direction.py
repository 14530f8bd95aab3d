"""One direction of a relayed path: its link, and what comes out of the link waiting until it is due.

No socket and no clock. Deliveries come out in the order of their times, those of equal times in the order they
went in. Most links put datagrams out in the order they took them in, so a delivery that is not due before the
last one simply queues behind it; only those that overtake need a heap.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import fields
from heapq import heappop, heappush
from typing import Generic, TypeVar

from surewire.impair import Link, LinkConfig, LinkStats

Owner = TypeVar("Owner")

WAITING_COST = 192
"""Bytes of memory that a waiting delivery takes beside its datagram, counted with it: an empty one is not free."""

Due = tuple[int, int, Owner, bytes]
"""When (ns), a count that is never the same twice, whose it is, the datagram."""


class Direction(Generic[Owner]):
    """A link and its deliveries.

    Attributes:
        link: the link in use now.
        pending_bytes: memory that the deliveries not yet taken need, bytes.
    """

    def __init__(self, config: LinkConfig, rng: random.Random) -> None:
        """A direction at rest; `rng` serves its link only."""
        self.link = Link(config, rng)
        self.pending_bytes = 0
        self._rng = rng
        self._earlier: LinkStats | None = None
        self._begun: int | None = None
        self._latest = 0
        self._count = 0
        self._in_order: deque[Due[Owner]] = deque()
        self._overtaking: list[Due[Owner]] = []

    def __len__(self) -> int:
        """Deliveries not yet taken."""
        return len(self._in_order) + len(self._overtaking)

    @property
    def stats(self) -> LinkStats:
        """Counters of all links so far; live while it is the first."""
        return self.link.stats if self._earlier is None else _sum(self._earlier, self.link.stats)

    @property
    def next_at(self) -> int | None:
        """When the next delivery is due, ns; None if there is none."""
        first = self._first()
        return None if first is None else first[0]

    def config(self, *, now: int) -> LinkConfig:
        """What the link does at `now` (ns)."""
        return self.link.config if self._begun is None else self.link.config.after(now - self._begun)

    def owners(self) -> set[Owner]:
        """Those with a delivery not yet taken. Looks at each of them."""
        return {due[2] for due in self._in_order} | {due[2] for due in self._overtaking}

    def begin(self, *, now: int) -> None:
        """Set the zero of the times in the configuration, unless it is set."""
        if self._begun is None:
            self._begun = now
            self.link.begin(now=now)

    def offer(self, owner: Owner, datagram: bytes, *, now: int) -> None:
        """Send a datagram into the link. `now` (ns) may go back a little: several sockets are read in turn."""
        if now < self._latest:
            now = self._latest
        else:
            self._latest = now
        in_order = self._in_order
        for at, copy in self.link.transmit(datagram, now=now):
            self._count += 1
            self.pending_bytes += len(copy) + WAITING_COST
            if in_order and at < in_order[-1][0]:
                heappush(self._overtaking, (at, self._count, owner, copy))
            else:
                in_order.append((at, self._count, owner, copy))

    def take(self, limit: int, *, now: int) -> list[Due[Owner]]:
        """Remove and return at most `limit` of the deliveries due at `now`, in order."""
        taken: list[Due[Owner]] = []
        in_order, overtaking = self._in_order, self._overtaking
        while len(taken) < limit:
            first = self._first() if overtaking else in_order[0] if in_order else None
            if first is None or first[0] > now:
                break
            taken.append(first)
            if overtaking and first is overtaking[0]:
                heappop(overtaking)
            else:
                in_order.popleft()
        self.pending_bytes -= sum([len(due[3]) for due in taken]) + len(taken) * WAITING_COST
        return taken

    def change(self, config: LinkConfig) -> None:
        """From now on the link is another one, with the same generator and zero of time.

        What the old one let out comes when it would have. The new bottleneck starts empty.
        """
        self._earlier = self.stats
        self.link = Link(config, self._rng)
        if self._begun is not None:
            self.link.begin(now=self._begun)

    def _first(self) -> Due[Owner] | None:
        if not self._overtaking:
            return self._in_order[0] if self._in_order else None
        if not self._in_order or self._overtaking[0][:2] < self._in_order[0][:2]:
            return self._overtaking[0]
        return self._in_order[0]


def _sum(one: LinkStats, other: LinkStats) -> LinkStats:
    both = {each.name: getattr(one, each.name) + getattr(other, each.name) for each in fields(LinkStats)}
    both["peak_queue_bytes"] = max(one.peak_queue_bytes, other.peak_queue_bytes)
    return LinkStats(**both)
