"""One direction of a relay against a naive model: a sorted list."""

from __future__ import annotations

import random

import pytest

from surewire.drivers.relay_direction import WAITING_COST, Direction
from surewire.impair import Change, Link, LinkConfig

MS = 1_000_000

CONFIGS = {
    "constant": LinkConfig(delay=20 * MS, loss=0.1),
    "jitter": LinkConfig(delay=20 * MS, jitter=15 * MS),
    "reorder": LinkConfig(delay=20 * MS, reorder=0.2, duplicate=0.3, corrupt=0.2),
    "bottleneck": LinkConfig(rate=2_000_000, queue=20_000, delay=5 * MS),
    "shorter way": LinkConfig(delay=50 * MS, changes=(Change(at=100 * MS, delay=0),)),
}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_deliveries_come_in_order_of_time_and_then_of_entry(name: str, limit: int) -> None:
    direction: Direction[str] = Direction(CONFIGS[name], random.Random(3))
    model_link = Link(CONFIGS[name], random.Random(3))
    model: list[tuple[int, int, bytes]] = []
    rng = random.Random(4)
    now = taken = 0
    for turn in range(400):
        now += rng.randrange(2 * MS)
        for _ in range(rng.randrange(4)):
            datagram = rng.randbytes(rng.randrange(1200))
            direction.offer("someone", datagram, now=now)
            model += [(at, len(model) + i, copy) for i, (at, copy) in enumerate(model_link.transmit(datagram, now=now))]
        expected = sorted(entry[:2] for entry in model)
        assert len(direction) == len(model) - taken
        assert direction.next_at == (expected[taken][0] if taken < len(expected) else None)
        if turn % 3 == 0:
            due = direction.take(limit, now=now)
            assert len(due) == min(limit, sum(at <= now for at, _ in expected[taken:]))
            for at, _, owner, datagram in due:
                assert (at, owner) == (expected[taken][0], "someone")
                assert datagram == model[expected[taken][1]][2]
                taken += 1
    assert taken > 20
    assert direction.pending_bytes == sum(len(model[index][2]) + WAITING_COST for _, index in expected[taken:])
    assert direction.stats == model_link.stats


def test_a_time_that_goes_back_is_the_latest_one() -> None:
    direction: Direction[None] = Direction(LinkConfig(delay=MS), random.Random(1))
    direction.offer(None, b"a", now=10 * MS)
    direction.offer(None, b"b", now=9 * MS)
    assert [(at, datagram) for at, _, _, datagram in direction.take(9, now=20 * MS)] == [
        (11 * MS, b"a"),
        (11 * MS, b"b"),
    ]


def test_a_change_keeps_counters_generator_and_zero_of_time() -> None:
    before = LinkConfig(loss=0.5)
    after = LinkConfig(loss=0.5, delay=MS, blackouts=((50 * MS, 100 * MS),))
    changed, unchanged = (Direction[int](before, random.Random(6)) for _ in range(2))
    changed.begin(now=5 * MS)
    for i in range(40):
        if i == 20:
            changed.change(after)
        for direction in (changed, unchanged):
            direction.offer(i, b"x", now=5 * MS + i)
    assert changed.stats == unchanged.stats
    assert [due[2] for due in changed.take(99, now=9 * MS)] == [due[2] for due in unchanged.take(99, now=9 * MS)]
    changed.offer(0, b"y", now=55 * MS)
    assert changed.stats.blacked_out == 1
    assert changed.stats.offered == 41


def test_owners_are_those_who_wait() -> None:
    direction: Direction[str] = Direction(LinkConfig(delay=MS, reorder=0.5), random.Random(1))
    for i in range(20):
        direction.offer("early", b"", now=i)
    direction.offer("late", b"", now=5 * MS)
    assert direction.owners() == {"early", "late"}
    direction.take(20, now=3 * MS)
    assert direction.owners() == {"late"}
