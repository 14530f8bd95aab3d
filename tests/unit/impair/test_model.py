"""The impairment model: each stage alone by hand or by statistics, then their order and the trace."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from surewire.errors import ConfigError
from surewire.impair import REORDER_HOLD, Delivery, GilbertElliott, Link, LinkConfig, LinkStats

MS = 1_000_000
S = 1_000_000_000


def make_link(config: LinkConfig, seed: int = 1) -> Link:
    return Link(config, random.Random(seed))


def offer(link: Link, count: int, size: int = 100, interval: int = MS) -> list[list[Delivery]]:
    """`count` datagrams of `size` bytes that carry their number, one each `interval`."""
    return [link.transmit(i.to_bytes(4, "big").ljust(size, b"."), now=i * interval) for i in range(count)]


def number(delivery: Delivery) -> int:
    return int.from_bytes(delivery.datagram[:4], "big")


def flipped_bits(before: bytes, after: bytes) -> int:
    return sum((a ^ b).bit_count() for a, b in zip(before, after, strict=True))


# Perfect links and accounting


def test_the_default_link_delivers_the_same_object_at_once_and_draws_nothing() -> None:
    rng = random.Random(1)
    state = rng.getstate()
    link = Link(LinkConfig(), rng)
    datagram = bytes(1000)
    (delivery,) = link.transmit(datagram, now=7)
    assert delivery == Delivery(7, datagram)
    assert delivery.datagram is datagram
    assert rng.getstate() == state
    assert link.stats == LinkStats(offered=1, offered_bytes=1000, delivered=1, delivered_bytes=1000)


HARSH = LinkConfig(
    loss=0.1,
    bursts=GilbertElliott.from_average(0.05, 4),
    duplicate=0.1,
    corrupt=0.1,
    reorder=0.1,
    delay=20 * MS,
    jitter=5 * MS,
    rate=1_000_000,
    queue=5_000,
    blackouts=((S, 2 * S),),
)


def test_every_datagram_offered_is_accounted_for() -> None:
    link = make_link(HARSH)
    deliveries = [d for got in offer(link, 5_000) for d in got]
    stats = link.stats
    assert stats.offered == 5_000
    assert stats.offered_bytes == 500_000
    assert stats.blacked_out == 1_000
    assert min(stats.queue_dropped, stats.lost, stats.duplicated, stats.corrupted, stats.reordered) > 0
    assert stats.delivered == len(deliveries)
    assert stats.delivered_bytes == sum(len(d.datagram) for d in deliveries)
    gone = stats.blacked_out + stats.queue_dropped + stats.lost
    assert stats.offered == gone + stats.delivered - stats.duplicated


def test_the_same_seed_gives_the_same_trace_and_another_seed_another() -> None:
    first, again, other = (offer(make_link(HARSH, seed), 2_000) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_no_delivery_precedes_its_datagram() -> None:
    link = make_link(LinkConfig(delay=MS, jitter=50 * MS, reorder=0.2, duplicate=0.2))
    for i, got in enumerate(offer(link, 2_000)):
        assert all(d.at >= i * MS for d in got)


# Loss


@pytest.mark.parametrize("loss", [0.01, 0.1, 0.5])
def test_independent_loss_has_its_rate(loss: float) -> None:
    link = make_link(LinkConfig(loss=loss))
    offer(link, 20_000)
    assert link.stats.lost / 20_000 == pytest.approx(loss, rel=0.2)


@pytest.mark.parametrize(("loss", "lost"), [(0.0, 0), (1.0, 100)])
def test_loss_of_all_or_none_is_exact(loss: float, lost: int) -> None:
    link = make_link(LinkConfig(loss=loss))
    offer(link, 100)
    assert link.stats.lost == lost


@pytest.mark.parametrize(("average", "mean_burst"), [(0.1, 1.0), (0.1, 5.0), (0.3, 10.0), (0.5, 1.0)])
def test_bursts_have_their_average_and_length(average: float, mean_burst: float) -> None:
    link = make_link(LinkConfig(bursts=GilbertElliott.from_average(average, mean_burst)))
    lost = [not got for got in offer(link, 100_000)]
    bursts = sum(now and not before for before, now in zip([False, *lost], lost, strict=False))
    assert sum(lost) / len(lost) == pytest.approx(average, rel=0.15)
    assert sum(lost) / bursts == pytest.approx(mean_burst, rel=0.15)


def test_bursts_with_partial_loss_in_both_states() -> None:
    # Half the time in each state: (0.2 + 0.6) / 2.
    link = make_link(LinkConfig(bursts=GilbertElliott(p=0.1, r=0.1, loss_bad=0.6, loss_good=0.2)))
    offer(link, 50_000)
    assert link.stats.lost / 50_000 == pytest.approx(0.4, rel=0.1)


def test_bursts_and_independent_loss_add_up() -> None:
    link = make_link(LinkConfig(loss=0.2, bursts=GilbertElliott.from_average(0.25, 3)))
    offer(link, 50_000)
    assert link.stats.lost / 50_000 == pytest.approx(1 - 0.8 * 0.75, rel=0.1)


def test_a_chain_that_alternates_surely_loses_every_other_datagram() -> None:
    link = make_link(LinkConfig(bursts=GilbertElliott(p=1, r=1)))
    assert [len(got) for got in offer(link, 6)] == [0, 1, 0, 1, 0, 1]


# Bottleneck


def test_serialisation_takes_the_size_with_overhead_over_the_rate() -> None:
    link = make_link(LinkConfig(rate=8_000_000))
    # (972 + 28) bytes at a byte a microsecond.
    (delivery,) = link.transmit(bytes(972), now=5)
    assert delivery.at == 5 + MS


def test_datagrams_queue_behind_each_other_and_the_idle_link_starts_afresh() -> None:
    link = make_link(LinkConfig(rate=8_000_000, overhead=0, delay=10 * MS))
    times = [link.transmit(bytes(1000), now=now)[0].at for now in (0, 0, MS // 2, 5 * MS)]
    assert times == [11 * MS, 12 * MS, 13 * MS, 16 * MS]


def test_serialisation_time_is_rounded_up() -> None:
    link = make_link(LinkConfig(rate=3_000_000_000, overhead=0))
    assert link.transmit(b"x", now=0)[0].at == 3


def test_the_queue_drops_what_does_not_fit_and_not_a_byte_earlier() -> None:
    link = make_link(LinkConfig(rate=8_000_000, queue=2_000, overhead=0))
    sizes = (1000, 1000, 999, 2, 1)
    taken = [bool(link.transmit(bytes(size), now=0)) for size in sizes]
    # The first is being serialised, so 2,000 bytes may wait: 1,000 + 999, not 2 more, but 1 more.
    assert taken == [True, True, True, False, True]
    assert link.stats.queue_dropped == 1
    assert link.stats.peak_queue_bytes == 2_000


def test_the_queue_has_room_again_once_a_datagram_starts_to_leave() -> None:
    config = LinkConfig(rate=8_000_000, queue=1_000, overhead=0)
    for now, fits in ((MS - 1, False), (MS, True)):
        link = make_link(config)
        link.transmit(bytes(1000), now=0)
        link.transmit(bytes(1000), now=0)
        assert bool(link.transmit(bytes(1000), now=now)) is fits


def test_without_a_queue_only_an_idle_bottleneck_takes_a_datagram() -> None:
    link = make_link(LinkConfig(rate=8_000_000, queue=0, overhead=0))
    taken = [bool(link.transmit(bytes(1000), now=now)) for now in (0, MS - 1, MS)]
    assert taken == [True, False, True]


def test_a_busy_bottleneck_carries_its_rate() -> None:
    link = make_link(LinkConfig(rate=10_000_000, queue=10_000))
    got = [d for each in offer(link, 20_000, size=972, interval=MS // 10) for d in each]
    # 2 s of offers at 80 Mbit/s; behind them at most the queue and one datagram.
    assert len(got) == pytest.approx(2 * 10_000_000 / 8_000, abs=12)
    assert link.stats.peak_queue_bytes == 10_000


def test_lost_datagrams_have_used_the_bottleneck() -> None:
    link = make_link(LinkConfig(rate=8_000_000, overhead=0, bursts=GilbertElliott(p=1, r=1)))
    assert link.transmit(bytes(1000), now=0) == []
    assert link.transmit(bytes(1000), now=0)[0].at == 2 * MS


# Duplication, corruption


def test_duplicates_have_their_rate_and_cost_the_bottleneck_nothing() -> None:
    link = make_link(LinkConfig(duplicate=0.1, rate=8_000_000, overhead=0))
    counts = [len(got) for got in offer(link, 20_000, size=1000)]
    assert set(counts) == {1, 2}
    assert counts.count(2) == link.stats.duplicated
    assert link.stats.duplicated / 20_000 == pytest.approx(0.1, rel=0.15)
    assert link.stats.peak_queue_bytes == 0


def test_copies_are_corrupted_and_delayed_independently() -> None:
    link = make_link(LinkConfig(duplicate=1, corrupt=0.5, delay=20 * MS, jitter=10 * MS))
    pairs = offer(link, 200)
    assert any(a.datagram != b.datagram for a, b in pairs)
    assert any(a.at != b.at for a, b in pairs)


def test_corruption_flips_one_to_three_distinct_bits_anywhere() -> None:
    link = make_link(LinkConfig(corrupt=1))
    original = bytes(range(16))
    got = [link.transmit(original, now=i)[0].datagram for i in range(3_000)]
    counts = [flipped_bits(original, each) for each in got]
    assert set(counts) == {1, 2, 3}
    assert all(counts.count(n) == pytest.approx(1_000, rel=0.2) for n in (1, 2, 3))
    touched = 0
    for each in got:
        touched |= int.from_bytes(original, "big") ^ int.from_bytes(each, "big")
    assert touched == 2**128 - 1
    assert link.stats.corrupted == 3_000


def test_corruption_has_its_rate() -> None:
    link = make_link(LinkConfig(corrupt=0.1))
    offer(link, 20_000)
    assert link.stats.corrupted / 20_000 == pytest.approx(0.1, rel=0.15)


def test_a_single_byte_can_be_corrupted() -> None:
    link = make_link(LinkConfig(corrupt=1))
    assert all(1 <= flipped_bits(b"\0", link.transmit(b"\0", now=i)[0].datagram) <= 3 for i in range(100))


def test_an_empty_datagram_passes_every_stage() -> None:
    link = make_link(LinkConfig(corrupt=1, duplicate=1, delay=MS, rate=8_000_000))
    assert link.transmit(b"", now=0) == [Delivery(28_000 + MS, b"")] * 2
    assert link.stats.corrupted == 0


# Delay


def test_jitter_is_uniform_around_the_delay() -> None:
    link = make_link(LinkConfig(delay=100 * MS, jitter=50 * MS))
    delays = [got[0].at - i * MS for i, got in enumerate(offer(link, 20_000))]
    assert 50 * MS <= min(delays) < 51 * MS
    assert 149 * MS < max(delays) <= 150 * MS
    assert sum(delays) / len(delays) == pytest.approx(100 * MS, rel=0.02)
    assert sum(d < 75 * MS for d in delays) / len(delays) == pytest.approx(0.25, rel=0.1)


def test_jitter_reorders() -> None:
    link = make_link(LinkConfig(delay=20 * MS, jitter=10 * MS))
    arrivals = sorted(d for got in offer(link, 1_000) for d in got)
    assert [number(d) for d in arrivals] != list(range(1_000))
    assert link.stats.reordered == 0


def test_jitter_above_the_delay_never_goes_below_zero() -> None:
    link = make_link(LinkConfig(jitter=10 * MS))
    delays = [got[0].at - i * MS for i, got in enumerate(offer(link, 2_000))]
    assert min(delays) == 0
    assert max(delays) > 9 * MS


def test_reordered_datagrams_skip_the_delay_and_overtake() -> None:
    link = make_link(LinkConfig(reorder=0.1, delay=20 * MS, jitter=2 * MS))
    delays = [got[0].at - i * MS for i, got in enumerate(offer(link, 10_000))]
    assert delays.count(0) == link.stats.reordered
    assert link.stats.reordered / 10_000 == pytest.approx(0.1, rel=0.15)
    assert min(d for d in delays if d) >= 18 * MS


def test_without_delay_reordered_datagrams_are_held_back() -> None:
    link = make_link(LinkConfig(reorder=0.1))
    delays = [got[0].at - i * MS for i, got in enumerate(offer(link, 1_000))]
    assert set(delays) == {0, REORDER_HOLD}
    assert delays.count(REORDER_HOLD) == link.stats.reordered


# Blackouts


def test_a_blackout_is_half_open_and_counts_from_the_first_datagram() -> None:
    link = make_link(LinkConfig(blackouts=((10, 20), (30, 31))))
    start = 1_000
    assert link.transmit(b"x", now=start)
    passed = {t: bool(link.transmit(b"x", now=start + t)) for t in (9, 10, 19, 20, 29, 30, 31)}
    assert passed == {9: True, 10: False, 19: False, 20: True, 29: True, 30: False, 31: True}
    assert link.stats.blacked_out == 3


def test_begin_sets_the_zero_of_blackouts_once() -> None:
    link = make_link(LinkConfig(blackouts=((10, 20),)))
    link.begin(now=100)
    link.begin(now=105)
    assert [bool(link.transmit(b"x", now=now)) for now in (109, 110, 119, 120)] == [True, False, False, True]


def test_a_blackout_from_zero_takes_the_first_datagram() -> None:
    link = make_link(LinkConfig(blackouts=((0, 5),)))
    assert [bool(link.transmit(b"x", now=now)) for now in (3, 7, 8)] == [False, False, True]


def test_datagrams_in_the_queue_outlive_the_start_of_a_blackout() -> None:
    link = make_link(LinkConfig(rate=8_000_000, overhead=0, blackouts=((MS, 2 * MS),)))
    deliveries = [link.transmit(bytes(1000), now=0)[0].at for _ in range(3)]
    assert deliveries == [MS, 2 * MS, 3 * MS]


# Configurations that make no sense


@pytest.mark.parametrize(
    "make",
    [
        lambda: LinkConfig(loss=-0.1),
        lambda: LinkConfig(loss=1.1),
        lambda: LinkConfig(loss=float("nan")),
        lambda: LinkConfig(duplicate=2),
        lambda: LinkConfig(corrupt=-1),
        lambda: LinkConfig(reorder=10),
        lambda: LinkConfig(loss="10"),  # type: ignore[arg-type]
        lambda: LinkConfig(delay=-1),
        lambda: LinkConfig(delay=0.02),  # type: ignore[arg-type]
        lambda: LinkConfig(jitter=-1),
        lambda: LinkConfig(rate=0),
        lambda: LinkConfig(rate=2e6),  # type: ignore[arg-type]
        lambda: LinkConfig(queue=-1),
        lambda: LinkConfig(overhead=-1),
        lambda: LinkConfig(blackouts=((5, 5),)),
        lambda: LinkConfig(blackouts=((-1, 5),)),
        lambda: GilbertElliott(p=1.5, r=0.5),
        lambda: GilbertElliott(p=0.5, r=-0.5),
        lambda: GilbertElliott(p=0.5, r=0.5, loss_bad=2),
        lambda: GilbertElliott(p=0.5, r=0.5, loss_good=float("nan")),
        lambda: GilbertElliott.from_average(1.0, 5),
        lambda: GilbertElliott.from_average(0.1, 0.5),
        lambda: GilbertElliott.from_average(0.1, float("inf")),
        lambda: GilbertElliott.from_average(0.1, float("nan")),
        lambda: GilbertElliott.from_average(0.9, 5),
    ],
)
def test_nonsense_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        make()


def test_from_average_by_hand() -> None:
    chain = GilbertElliott.from_average(0.2, 4)
    assert chain.r == 0.25
    assert chain.p == pytest.approx(0.0625)
    assert GilbertElliott.from_average(0, 1).p == 0
