"""The stages beyond those of test_model: policer, black hole, rules of loss, gaps, periods; by exact small cases."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import groupby

import pytest

from surewire.errors import ConfigError
from surewire.impair import Change, GilbertElliott, Link, LinkConfig, LinkStats, Policer
from surewire.impair.policer import TokenBucket

MS = 1_000_000
S = 1_000_000_000


def make_link(config: LinkConfig, seed: int = 1) -> Link:
    return Link(config, random.Random(seed))


def passed(link: Link, times: Iterable[int], size: int = 100) -> list[bool]:
    return [bool(link.transmit(bytes(size), now=now)) for now in times]


def longest_run(flags: Iterable[bool]) -> int:
    """Of what is true."""
    return max((sum(1 for _ in run) for flag, run in groupby(flags) if flag), default=0)


# Policer


def test_the_bucket_is_exact_in_bytes() -> None:
    bucket = TokenBucket(Policer(rate=8_000, burst=1_000))  # a byte a millisecond
    assert bucket.takes(999, now=0)
    assert not bucket.takes(2, now=0)
    assert bucket.takes(1, now=0)
    assert not bucket.takes(1, now=MS - 1)
    assert bucket.takes(1, now=MS)
    assert not bucket.takes(1, now=2 * MS - 1)


def test_the_bucket_holds_no_more_than_its_burst() -> None:
    bucket = TokenBucket(Policer(rate=8_000, burst=1_000))
    assert not bucket.takes(1_001, now=3600 * S)
    assert bucket.takes(1_000, now=3600 * S)
    assert not bucket.takes(1, now=3600 * S)


def test_what_does_not_pass_costs_no_tokens() -> None:
    bucket = TokenBucket(Policer(rate=8_000, burst=100))
    assert not bucket.takes(101, now=0)
    assert bucket.takes(100, now=0)


def test_a_policed_link_counts_headers_and_passes_rate_and_burst() -> None:
    # 10 kB at once, then 100 kB a second: in 2 s of twice that, 210 of 400 datagrams of 1,000 bytes.
    link = make_link(LinkConfig(policer=Policer(rate=800_000, burst=10_000)))
    got = passed(link, (i * 5 * MS for i in range(400)), size=972)
    assert all(got[:19])
    assert sum(got) == 10 + 199  # the last datagram comes at 1.995 s
    assert link.stats.policed == 400 - sum(got)


def test_the_policer_stands_before_the_bottleneck() -> None:
    config = LinkConfig(rate=8_000_000, overhead=0, policer=Policer(rate=8_000, burst=1_000))
    link = make_link(config)
    assert passed(link, (0, 0), size=1_000) == [True, False]
    # Dropped before it: the bottleneck is idle again when the first has left.
    assert link.transmit(b"", now=MS)[0].at == MS


# Black hole


@pytest.mark.parametrize(("size", "fits"), [(0, True), (1_372, True), (1_373, False), (60_000, False)])
def test_what_is_longer_than_the_mtu_vanishes(size: int, fits: bool) -> None:
    link = make_link(LinkConfig(mtu=1_400))
    assert bool(link.transmit(bytes(size), now=0)) is fits
    assert link.stats.mtu_dropped == (not fits)


def test_a_blackout_comes_before_the_black_hole_and_that_before_the_policer() -> None:
    link = make_link(LinkConfig(mtu=500, blackouts=((0, 10),), policer=Policer(rate=1, burst=100)))
    assert passed(link, (0, 10), size=1_000) == [False, False]
    assert passed(link, (10,), size=400) == [False]
    assert (link.stats.blacked_out, link.stats.mtu_dropped, link.stats.policed) == (1, 1, 1)


# Rules of loss


@pytest.mark.parametrize(
    "config",
    [
        LinkConfig(loss=1, max_loss_run=3),
        LinkConfig(bursts=GilbertElliott(p=1, r=0), max_loss_run=3),
        LinkConfig(loss=1, bursts=GilbertElliott(p=1, r=0), max_loss_run=3),
    ],
)
def test_a_run_of_losses_ends_at_its_bound(config: LinkConfig) -> None:
    got = passed(make_link(config), range(9))
    assert got == [False, False, False, True] * 2 + [False]


def test_a_bound_on_runs_leaves_the_rest_of_loss_alone() -> None:
    capped = [not one for one in passed(make_link(LinkConfig(loss=0.3, max_loss_run=3)), range(20_000))]
    free = [not one for one in passed(make_link(LinkConfig(loss=0.3)), range(20_000))]
    assert longest_run(capped) == 3 < longest_run(free)
    # The draws are the same, so whatever is lost with the bound is lost without.
    assert all(without or not bounded for bounded, without in zip(capped, free, strict=True))
    # Of 1 - p + p^2 ... : four in a row (p^4) become three in four.
    expected = 0.3 * (1 - 0.3**3) / (1 - 0.3**4)
    assert sum(capped) / 20_000 == pytest.approx(expected, rel=0.05)


def test_drops_are_numbered_from_one_and_sure() -> None:
    link = make_link(LinkConfig(drops=(2, 3, 7)))
    assert passed(link, range(8)) == [True, False, False, True, True, True, False, True]
    assert link.stats.lost == 3


def test_drops_count_what_reaches_the_stage_and_override_the_bound() -> None:
    config = LinkConfig(drops=(1, 2, 3), max_loss_run=1, rate=8_000_000, queue=2_000, overhead=0)
    link = make_link(config)
    # Three fit (one leaves, two wait), the fourth finds the queue full and has no number.
    assert passed(link, (0, 0, 0, 0), size=1_000) == [False] * 4
    assert (link.stats.lost, link.stats.queue_dropped) == (3, 1)
    assert passed(link, (S,), size=1_000) == [True]


# Corruption and reordering


@pytest.mark.parametrize("bits", [1, 2, 8])
def test_as_many_bits_as_allowed_are_flipped(bits: int) -> None:
    link = make_link(LinkConfig(corrupt=1, corrupt_bits=bits))
    counts = {int.from_bytes(link.transmit(bytes(50), now=i)[0].datagram).bit_count() for i in range(500)}
    assert counts == set(range(1, bits + 1))


def test_no_more_bits_are_flipped_than_there_are() -> None:
    link = make_link(LinkConfig(corrupt=1, corrupt_bits=100))
    counts = {link.transmit(b"\0", now=i)[0].datagram[0].bit_count() for i in range(500)}
    assert max(counts) == 8


def test_a_run_of_corrupted_copies_ends_at_its_bound() -> None:
    link = make_link(LinkConfig(corrupt=1, max_corrupt_run=2))
    intact = [link.transmit(b"abc", now=i)[0].datagram == b"abc" for i in range(7)]
    assert intact == [False, False, True, False, False, True, False]
    assert link.stats.corrupted == 5


@pytest.mark.parametrize("gap", [1, 2, 5])
def test_sure_reordering_with_a_gap_picks_each_nth(gap: int) -> None:
    link = make_link(LinkConfig(delay=10 * MS, reorder=1, reorder_gap=gap))
    at_once = [link.transmit(b"x", now=i)[0].at == i for i in range(3 * gap)]
    assert at_once == ([False] * (gap - 1) + [True]) * 3


def test_between_two_reordered_lies_the_gap_and_then_chance() -> None:
    link = make_link(LinkConfig(delay=10 * MS, reorder=0.25, reorder_gap=5))
    picked = [i for i in range(20_000) if link.transmit(b"x", now=i)[0].at == i]
    distances = [b - a for a, b in zip(picked, picked[1:], strict=False)]
    assert min(distances) == 5
    # Four in order, then a geometric wait of mean 4.
    assert sum(distances) / len(distances) == pytest.approx(8, rel=0.05)


# Times


def test_blackouts_come_again_each_period() -> None:
    link = make_link(LinkConfig(blackouts=((10, 20), (40, 50)), blackout_period=50))
    times = (0, 9, 10, 19, 20, 39, 40, 49, 50, 59, 60, 69, 70, 90, 99, 100, 5_010, 5_020)
    black = [not got for got in passed(link, (1_000 + t for t in times))]
    assert [t for t, is_black in zip(times, black, strict=True) if is_black] == [10, 19, 40, 49, 60, 69, 90, 99, 5_010]


def test_loss_and_delay_change_for_what_leaves_from_then_on() -> None:
    config = LinkConfig(
        delay=100, changes=(Change(at=10, delay=20), Change(at=20, loss=1), Change(at=30, loss=0, delay=5))
    )
    link = make_link(config)
    link.begin(now=1_000)
    got = {t: [d.at - 1_000 for d in link.transmit(b"x", now=1_000 + t)] for t in (0, 9, 10, 19, 20, 29, 30)}
    assert got == {0: [100], 9: [109], 10: [30], 19: [39], 20: [], 29: [], 30: [35]}


def test_changes_hold_behind_the_bottleneck() -> None:
    # Leaves at 1, 2 and 3 ms; the change comes at 2 ms, though all were sent at 0.
    link = make_link(LinkConfig(rate=8_000_000, overhead=0, delay=MS, changes=(Change(at=2 * MS, delay=10 * MS),)))
    assert [link.transmit(bytes(1_000), now=0)[0].at for _ in range(3)] == [2 * MS, 12 * MS, 13 * MS]


def test_several_changes_may_pass_between_two_datagrams() -> None:
    changes = (Change(at=1, delay=7), Change(at=2, loss=1), Change(at=3, loss=0), Change(at=4, loss=0.0, rate=1_000))
    link = make_link(LinkConfig(rate=8 * S, overhead=0, changes=changes))
    assert link.transmit(b"", now=0)[0].at == 0
    assert link.transmit(b"x", now=10)[0].at == 10 + 8 * MS + 7


def test_a_changed_delay_holds_for_reordered_and_jittered_copies_too() -> None:
    link = make_link(LinkConfig(delay=0, jitter=5, changes=(Change(at=10, delay=100),)))
    assert link.transmit(b"x", now=0)[0].at <= 5
    assert 105 <= link.transmit(b"x", now=10)[0].at <= 115


# Together


def test_what_is_gone_is_the_sum_of_the_ways_to_go() -> None:
    stats = LinkStats(blacked_out=1, mtu_dropped=2, policed=4, queue_dropped=8, codel_dropped=16, lost=32, delivered=64)
    assert stats.gone == 63


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"reorder_gap": 0}, "reorder_gap"),
        ({"corrupt_bits": 0}, "corrupt_bits"),
        ({"corrupt_bits": 1.5}, "corrupt_bits"),
        ({"mtu": 0}, "mtu"),
        ({"queue_packets": -1}, "queue_packets"),
        ({"max_loss_run": 0}, "max_loss_run"),
        ({"max_corrupt_run": 0}, "max_corrupt_run"),
        ({"blackout_period": 0}, "blackout_period"),
        ({"blackout_period": 9, "blackouts": ((5, 10),)}, "blackout_period"),
        ({"drops": (0,)}, "drops"),
        ({"drops": (3, 3)}, "drops"),
        ({"drops": (3, 2)}, "drops"),
        ({"drops": ("1",)}, "drops"),
        ({"changes": (Change(at=1, rate=5),)}, "rate"),
        ({"changes": (Change(at=1, loss=0), Change(at=1, delay=0))}, "changes"),
    ],
)
def test_nonsense_is_refused_by_name(values: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        LinkConfig(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"at": -1, "loss": 0}, "change.at"),
        ({"at": 0}, "change"),
        ({"at": 0, "rate": 0}, "change.rate"),
        ({"at": 0, "delay": -1}, "change.delay"),
        ({"at": 0, "loss": 1.1}, "change.loss"),
    ],
)
def test_changes_that_change_nothing_or_nonsense_are_refused(values: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        Change(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [{"rate": 0, "burst": 1}, {"rate": 1, "burst": 0}, {"rate": 1.5, "burst": 1}])
def test_policers_that_make_no_sense_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="policer"):
        Policer(**values)  # type: ignore[arg-type]
