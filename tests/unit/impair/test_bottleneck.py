"""The bottleneck's limits in datagrams, its changes of rate, and CoDel by the worked example of its control law."""

from __future__ import annotations

import random
from math import sqrt

import pytest

from surewire.errors import ConfigError
from surewire.impair import Change, CoDel, Link, LinkConfig
from surewire.impair.codel import CoDelDropper

MS = 1_000_000
S = 1_000_000_000


def make_link(config: LinkConfig) -> Link:
    return Link(config, random.Random(1))


def departures(link: Link, count: int, size: int = 1_000, now: int = 0) -> list[int]:
    """Of `count` datagrams offered at once."""
    return [d.at for _ in range(count) for d in link.transmit(bytes(size), now=now)]


# Limits


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_as_many_datagrams_wait_as_the_limit_says(limit: int) -> None:
    link = make_link(LinkConfig(rate=8_000_000, queue_packets=limit))
    # One is being serialised.
    assert len(departures(link, 10, size=1)) == 1 + limit
    assert link.stats.queue_dropped == 9 - limit


def test_the_limit_in_bytes_holds_beside_that_in_datagrams() -> None:
    link = make_link(LinkConfig(rate=8_000_000, queue_packets=3, queue=2_500, overhead=0))
    assert len(departures(link, 10)) == 1 + 2


# Changes of rate


def test_what_waits_leaves_at_the_new_rate_and_the_one_under_way_with_its_rest() -> None:
    # A byte a microsecond, from 1.5 ms on half of that. The second is half through then.
    link = make_link(LinkConfig(rate=8_000_000, overhead=0, changes=(Change(at=3 * MS // 2, rate=4_000_000),)))
    assert departures(link, 4) == [MS, 5 * MS // 2, 9 * MS // 2, 13 * MS // 2]


def test_one_datagram_may_see_several_rates() -> None:
    changes = (Change(at=100, rate=2 * S), Change(at=200, rate=S), Change(at=300, rate=8 * S))
    # In bits: 800 + 200 + 100, so 900 of 2,000 are left at 8 a nanosecond: 112.5, rounded up.
    link = make_link(LinkConfig(rate=8 * S, overhead=0, changes=changes))
    assert departures(link, 1, size=250) == [300 + 113]


def test_a_change_at_the_moment_of_departure_does_not_touch_it() -> None:
    link = make_link(LinkConfig(rate=8_000_000, overhead=0, changes=(Change(at=MS, rate=8_000),)))
    assert departures(link, 2) == [MS, MS + S]


def test_an_idle_link_takes_up_the_rate_of_the_time() -> None:
    link = make_link(
        LinkConfig(rate=8_000_000, overhead=0, changes=(Change(at=MS, rate=8_000), Change(at=2 * MS, rate=800_000)))
    )
    link.begin(now=500)
    assert departures(link, 1, now=500 + 5 * MS) == [500 + 15 * MS]


# CoDel


def steady_drops(codel: CoDel, duration: int, *, sojourn: int, backlog: int = 10_000) -> list[int]:
    """When datagrams are dropped of which one reaches the head each 0.1 ms, all after the same wait."""
    dropper = CoDelDropper(codel)
    turns = range(S, S + duration, MS // 10)
    return [t - S for t in turns if dropper.drops(arrival=t - sojourn, turn=t, size=1_000, backlog=backlog)]


def test_the_control_law_by_its_worked_example() -> None:
    # First after one interval above target, then after 100/sqrt(1), 100/sqrt(2), 100/sqrt(3) ms and so on.
    drops = steady_drops(CoDel(), 500 * MS, sojourn=6 * MS)
    expected = [100.0, 200.0]
    while expected[-1] + 100 / sqrt(len(expected)) < 500:
        expected.append(expected[-1] + 100 / sqrt(len(expected)))
    assert len(drops) == len(expected) == 7
    for drop, ideal in zip(drops, expected, strict=True):
        assert ideal * MS - 1_000 <= drop < ideal * MS + MS // 10


def test_target_and_interval_set_the_scale() -> None:
    assert steady_drops(CoDel(target=50 * MS, interval=200 * MS), 450 * MS, sojourn=50 * MS) == [200 * MS, 400 * MS]


def test_a_wait_below_target_never_drops() -> None:
    assert steady_drops(CoDel(), 2 * S, sojourn=5 * MS - 1) == []


def test_one_datagram_of_backlog_never_drops() -> None:
    assert steady_drops(CoDel(), 2 * S, sojourn=50 * MS, backlog=1_000) == []
    assert steady_drops(CoDel(), 2 * S, sojourn=50 * MS, backlog=1_001) != []


def test_one_short_wait_starts_the_interval_anew() -> None:
    dropper = CoDelDropper(CoDel())
    drops = []
    for t in range(0, 300 * MS, MS):
        wait = MS if t == 90 * MS else 20 * MS
        if dropper.drops(arrival=t - wait, turn=t, size=1_000, backlog=9_000):
            drops.append(t)
    # Above target again from 91 ms on.
    assert drops == [191 * MS, 291 * MS]


def spell(dropper: CoDelDropper, start: int, length: int) -> list[int]:
    """Times of drops, from `start` on, of a wait above target that ends after `length`."""
    drops = [
        t - start
        for t in range(start, start + length, MS)
        if dropper.drops(arrival=t - 20 * MS, turn=t, size=1_000, backlog=9_000)
    ]
    assert not dropper.drops(arrival=start + length, turn=start + length, size=1_000, backlog=0)
    return drops


def test_a_spell_soon_after_another_goes_on_at_its_rate() -> None:
    dropper = CoDelDropper(CoDel())
    first = spell(dropper, S, 500 * MS)
    assert len(first) == 7
    again = spell(dropper, S + 700 * MS, 300 * MS)
    # 7 - 1 drops were counted beyond the first, so the second waits 100/sqrt(6) ms instead of 100.
    assert again[:2] == [100 * MS, 141 * MS]
    late = spell(dropper, 10 * S, 300 * MS)
    assert late[:2] == [100 * MS, 200 * MS]


def test_a_dropped_datagram_takes_no_time_on_the_link() -> None:
    # 1 ms each, offered twice as fast: the wait grows by half a millisecond with each.
    link = make_link(LinkConfig(rate=8_000_000, overhead=0, codel=CoDel(target=2 * MS, interval=10 * MS)))
    times = [d.at for i in range(100) for d in link.transmit(bytes(1_000), now=i * MS // 2)]
    assert link.stats.codel_dropped == 100 - len(times) > 0
    assert times == [(i + 1) * MS for i in range(len(times))]


def test_it_keeps_a_standing_queue_short_that_drop_tail_keeps_full() -> None:
    waits = {}
    for codel in (None, CoDel()):
        link = make_link(LinkConfig(rate=10_000_000, codel=codel, overhead=0))
        # 11 Mbit/s that nothing slows down, for 20 s.
        offers = range(0, 20 * S, 1_000 * 8 * S // 11_000_000)
        late = [(now, d.at - now) for now in offers for d in link.transmit(bytes(1_000), now=now) if now > 18 * S]
        waits[codel] = max(wait for _, wait in late)
    assert waits[None] > 200 * MS
    assert waits[CoDel()] < 80 * MS


@pytest.mark.parametrize("values", [{"target": 0}, {"target": 101 * MS}, {"interval": 0}, {"target": 1.5}])
def test_codel_that_makes_no_sense_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="codel"):
        CoDel(**values)  # type: ignore[arg-type]
