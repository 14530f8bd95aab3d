"""The link under any configuration and load: its accounting, its repeatability, its limits; and its parts by models."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from math import sqrt

from hypothesis import given
from hypothesis import strategies as st

from surewire.impair import Change, CoDel, Delivery, Link, LinkConfig, LinkStats, Policer
from surewire.impair.bottleneck import Bottleneck
from surewire.impair.policer import TokenBucket
from tests.property.link_strategies import MS, codels, link_configs, offers, rates

BITS = 8
NS_PER_S = 1_000_000_000

Offers = Sequence[tuple[int, int]]


def drive(config: LinkConfig, load: Offers, seed: int = 1) -> tuple[LinkStats, list[tuple[int, bytes, list[Delivery]]]]:
    """Each offer's time, datagram and deliveries."""
    link = Link(config, random.Random(seed))
    content = random.Random(2)
    now = 1_000
    log = []
    for gap, size in load:
        now += gap
        datagram = content.randbytes(size)
        log.append((now, datagram, link.transmit(datagram, now=now)))
    return link.stats, log


@given(link_configs(), offers)
def test_every_datagram_is_accounted_for_and_none_comes_early(config: LinkConfig, load: Offers) -> None:
    stats, log = drive(config, load)
    deliveries = [delivery for _, _, got in log for delivery in got]
    assert stats.offered == len(load)
    assert stats.offered_bytes == sum(size for _, size in load)
    assert stats.delivered == len(deliveries)
    assert stats.delivered_bytes == sum(len(delivery.datagram) for delivery in deliveries)
    dropped = stats.queue_dropped + stats.codel_dropped
    gone = stats.blacked_out + stats.mtu_dropped + stats.policed + dropped + stats.lost
    assert stats.gone == gone
    assert stats.offered == gone + stats.delivered - stats.duplicated
    assert stats.duplicated == sum(len(got) == 2 for _, _, got in log)
    for now, datagram, got in log:
        assert len(got) <= 2
        assert all(delivery.at >= now and len(delivery.datagram) == len(datagram) for delivery in got)
    changed = sum(delivery.datagram != datagram for _, datagram, got in log for delivery in got)
    assert stats.corrupted == changed


@given(link_configs(), offers, st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_deliveries(config: LinkConfig, load: Offers, seed: int) -> None:
    assert drive(config, load, seed) == drive(config, load, seed)


@given(link_configs(), offers)
def test_limits_are_kept(config: LinkConfig, load: Offers) -> None:
    stats, log = drive(config, load)
    assert stats.peak_queue_bytes <= config.queue
    if config.mtu is not None:
        assert all(len(datagram) + config.overhead <= config.mtu for _, datagram, got in log if got)
    if config.corrupt_bits:
        flips = (
            (int.from_bytes(datagram, "big") ^ int.from_bytes(delivery.datagram, "big")).bit_count()
            for _, datagram, got in log
            for delivery in got
        )
        assert all(count <= config.corrupt_bits for count in flips)


# The policer


@given(st.builds(Policer, rate=rates, burst=st.integers(1, 5_000)), offers)
def test_no_interval_passes_more_than_rate_and_burst(policer: Policer, load: Offers) -> None:
    bucket = TokenBucket(policer)
    now = 0
    passed: list[tuple[int, int]] = []
    for gap, size in load:
        now += gap
        if bucket.takes(size, now=now):
            passed.append((now, size))
    for first in range(len(passed)):
        total = 0
        for at, size in passed[first:]:
            total += size
            elapsed = at - passed[first][0]
            assert (total - policer.burst) * BITS * NS_PER_S <= policer.rate * elapsed


# The bottleneck with changes of rate


def bits_between(start: int, stop: int, first: int, later: Sequence[Change]) -> int:
    """Bit-nanoseconds a second that pass in [start, stop): the integral of the rate, by adding up its pieces."""
    edges = [(0, first), *((change.at, change.rate or 0) for change in later), (1 << 200, 0)]
    total = 0
    for (at, rate), (end, _) in zip(edges, edges[1:], strict=False):
        total += rate * max(0, min(stop, end) - max(start, at))
    return total


@given(
    rates,
    st.dictionaries(st.integers(0, 200 * MS), rates, max_size=5),
    offers,
)
def test_what_leaves_has_had_its_share_of_every_rate(first: int, steps: dict[int, int], load: Offers) -> None:
    later = [Change(at=at, rate=rate) for at, rate in sorted(steps.items())]
    config = LinkConfig(rate=first, queue=10**9, overhead=0)
    bottleneck = Bottleneck(config, first, LinkStats())
    for change in later:
        bottleneck.change_rate(change.rate or 0, at=change.at)
    now = free = 0
    for gap, size in load:
        now += gap
        start = max(now, free)
        leaves = bottleneck.admit(size, now=now)
        assert leaves is not None
        free = leaves
        needed = size * BITS * NS_PER_S
        # In time and not a nanosecond late.
        assert bits_between(start, free, first, later) >= needed
        assert free == start or bits_between(start, free - 1, first, later) < needed


# CoDel


class CodelQueue:
    """RFC 8289's pseudo-code, driven by dequeues in order of time; a datagram is (arrival, size, backlog found).

    Its one difference: the backlog is what the datagram found on arrival, not what it leaves behind.
    """

    def __init__(self, codel: CoDel, rate: int) -> None:
        self.codel = codel
        self.rate = rate
        self.queue: deque[tuple[int, int, int]] = deque()
        self.first_above = self.drop_next = self.count = self.last_count = 0
        self.dropping = False
        self.longest = 0
        self.free = 0
        self.departures: list[int] = []

    def run_until(self, now: int) -> None:
        """Serve whatever starts before or at `now`."""
        while self.queue and self.free <= now:
            taken = self.dequeue(self.free)
            if taken is not None:
                self.free -= -taken[1] * BITS * NS_PER_S // self.rate
                self.departures.append(self.free)

    def arrive(self, now: int, size: int) -> None:
        self.run_until(now)
        found = sum(waiting for _, waiting, _ in self.queue)
        if not self.queue and self.free <= now:
            self.free = now
        self.queue.append((now, size, found))
        self.run_until(now)

    def take(self, now: int) -> tuple[tuple[int, int, int] | None, bool]:
        if not self.queue:
            self.first_above = 0
            return None, False
        packet = self.queue.popleft()
        arrival, size, found = packet
        self.longest = max(self.longest, size)
        if now - arrival < self.codel.target or found <= self.longest:
            self.first_above = 0
        elif self.first_above == 0:
            self.first_above = now + self.codel.interval
        elif now >= self.first_above:
            return packet, True
        return packet, False

    def control_law(self, time: int) -> int:
        return time + int(self.codel.interval / sqrt(self.count))

    def dequeue(self, now: int) -> tuple[int, int, int] | None:
        packet, may_drop = self.take(now)
        if self.dropping:
            if not may_drop:
                self.dropping = False
            while self.dropping and now >= self.drop_next:
                self.count += 1
                packet, may_drop = self.take(now)
                if may_drop:
                    self.drop_next = self.control_law(self.drop_next)
                else:
                    self.dropping = False
        elif may_drop:
            packet, _ = self.take(now)
            self.dropping = True
            delta = self.count - self.last_count
            recent = now - self.drop_next < 16 * self.codel.interval
            self.count = delta if delta > 1 and recent else 1
            self.drop_next = self.control_law(now)
            self.last_count = self.count
        return packet


@given(codels(), st.integers(100_000, 20_000_000), st.integers(0, 2**32), st.sampled_from((0.7, 1.1, 2.0)))
def test_codel_in_order_of_arrival_is_codel_in_order_of_departure(
    codel: CoDel, rate: int, seed: int, overload: float
) -> None:
    draws = random.Random(seed)
    config = LinkConfig(rate=rate, queue=10**9, overhead=0, codel=codel)
    stats = LinkStats()
    ours, naive = Bottleneck(config, rate, stats), CodelQueue(codel, rate)
    now = 0
    departures = []
    mean_gap = 700 * BITS * NS_PER_S / rate / overload
    for _ in range(300):
        now += int(draws.choice((0, 1, 2, 1, 20 if draws.random() < 0.02 else 0)) * mean_gap)
        size = draws.randint(1, 1_400)
        leaves = ours.admit(size, now=now)
        if leaves is not None:
            departures.append(leaves)
        naive.arrive(now, size)
    naive.run_until(1 << 200)
    assert departures == naive.departures
    assert stats.codel_dropped == 300 - len(departures)
