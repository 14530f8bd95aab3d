"""The class-room link: each rule of LossyUDP by hand or by statistics, then the trace."""

from __future__ import annotations

import random
from collections import Counter
from math import comb, sqrt

import pytest

from surewire.errors import ConfigError, LocalProtocolError
from surewire.impair import MAX_DATAGRAM, ClassroomConfig, ClassroomLink, Delivery, LinkStats

MS = 1_000_000


def make_link(config: ClassroomConfig, seed: int = 1) -> ClassroomLink:
    return ClassroomLink(config, random.Random(seed))


def offer(link: ClassroomLink, count: int, size: int = 100, interval: int = MS) -> list[list[Delivery]]:
    """`count` equal datagrams of zeros, one each `interval`."""
    return [link.transmit(bytes(size), now=i * interval) for i in range(count)]


def flipped_bits(datagram: bytes) -> int:
    return int.from_bytes(datagram, "big").bit_count()


def is_likely(observed: int, trials: int, chance: float) -> bool:
    """Within five standard deviations of the mean: a false alarm in 10**6 runs, were the seed not fixed."""
    return abs(observed - trials * chance) <= 5 * sqrt(trials * chance * (1 - chance)) + 1


HARSH = ClassroomConfig(loss=0.3, corruption=0.3, max_delay=300 * MS)


def test_the_default_link_delivers_the_same_object_at_once_and_draws_nothing() -> None:
    rng = random.Random(1)
    state = rng.getstate()
    link = ClassroomLink(ClassroomConfig(), rng)
    datagram = bytes(MAX_DATAGRAM)
    (delivery,) = link.transmit(datagram, now=7)
    assert delivery == Delivery(7, datagram)
    assert delivery.datagram is datagram
    assert rng.getstate() == state
    assert link.stats == LinkStats(offered=1, offered_bytes=1472, delivered=1, delivered_bytes=1472)


def test_only_a_datagram_that_the_socket_would_refuse_is_refused() -> None:
    link = make_link(ClassroomConfig())
    with pytest.raises(LocalProtocolError, match="1473"):
        link.transmit(bytes(MAX_DATAGRAM + 1), now=0)
    assert link.stats == LinkStats()
    assert link.transmit(b"", now=0) == [Delivery(0, b"")]


def test_an_empty_datagram_has_no_bit_to_flip() -> None:
    link = make_link(ClassroomConfig(corruption=1.0))
    assert link.transmit(b"", now=0) == [Delivery(0, b"")]
    assert link.stats.corrupted == 0


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.5, 1.0])
def test_the_share_lost_is_the_one_configured(loss: float) -> None:
    link = make_link(ClassroomConfig(loss=loss))
    deliveries = [delivery for got in offer(link, 5_000) for delivery in got]
    assert is_likely(link.stats.lost, 5_000, loss)
    assert link.stats.delivered == len(deliveries) == 5_000 - link.stats.lost
    assert link.stats.delivered_bytes == 100 * len(deliveries)


@pytest.mark.parametrize(("size", "corruption"), [(1, 1.0), (1, 0.1), (20, 0.3), (1472, 0.1), (1472, 1.0)])
def test_the_number_of_flipped_bits_is_binomial(size: int, corruption: float) -> None:
    link = make_link(ClassroomConfig(corruption=corruption), seed=size)
    counts = Counter(flipped_bits(d.datagram) for got in offer(link, 10_000, size) for d in got)
    bits, chance = 8 * size, corruption / (8 * size)
    for flipped in range(8):
        share = comb(bits, flipped) * chance**flipped * (1 - chance) ** (bits - flipped)
        assert is_likely(counts[flipped], 10_000, share), flipped
    assert link.stats.corrupted == 10_000 - counts[0]


def test_every_bit_is_flipped_as_often_as_any_other() -> None:
    link = make_link(ClassroomConfig(corruption=1.0))
    places: Counter[int] = Counter()
    for got in offer(link, 20_000, size=4):
        number = int.from_bytes(got[0].datagram, "little")
        places.update(bit for bit in range(32) if number >> bit & 1)
    assert len(places) == 32
    assert all(is_likely(count, 20_000, 1 / 32) for count in places.values())


def test_the_delay_is_uniform_up_to_its_bound_and_reorders() -> None:
    link = make_link(ClassroomConfig(max_delay=100 * MS))
    arrivals = [got[0].at for got in offer(link, 5_000, interval=10 * MS)]
    delays = [at - 10 * MS * i for i, at in enumerate(arrivals)]
    assert min(delays) >= 0 and max(delays) < 100 * MS
    tenths = Counter(delay // (10 * MS) for delay in delays)
    assert all(is_likely(tenths[i], 5_000, 0.1) for i in range(10))
    assert arrivals != sorted(arrivals)


def test_from_a_stated_time_on_nothing_is_lost_or_corrupted_but_still_delayed() -> None:
    link = make_link(ClassroomConfig(loss=1.0, corruption=1.0, max_delay=10 * MS, reliable_after=50 * MS))
    link.begin(now=20 * MS)
    link.begin(now=60 * MS)  # does not move the start
    assert link.transmit(b"x", now=70 * MS - 1) == []
    delays = set()
    for turn in range(100):
        (delivery,) = link.transmit(b"xyz", now=70 * MS + turn)
        assert delivery.datagram == b"xyz"
        delays.add(delivery.at - 70 * MS - turn)
    assert len(delays) > 50


def test_time_counts_from_the_first_datagram_if_nobody_said_otherwise() -> None:
    link = make_link(ClassroomConfig(loss=1.0, reliable_after=MS))
    assert link.transmit(b"x", now=5 * MS) == []
    assert link.transmit(b"x", now=6 * MS - 1) == []
    assert len(link.transmit(b"x", now=6 * MS)) == 1


def test_a_link_that_is_reliable_after_nothing_is_reliable_at_once() -> None:
    link = make_link(ClassroomConfig(loss=1.0, corruption=1.0, reliable_after=0))
    assert link.transmit(b"x", now=5) == [Delivery(5, b"x")]


def test_the_same_seed_gives_the_same_trace_and_another_seed_another() -> None:
    first, again, other = (offer(make_link(HARSH, seed), 1_000) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_only_the_generators_random_is_used() -> None:
    class Meagre(random.Random):
        def getrandbits(self, k: int, /) -> int:
            raise AssertionError("not stable between versions of Python")

    link = ClassroomLink(HARSH, Meagre(1))
    assert offer(link, 500) == offer(make_link(HARSH), 500)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"loss": 1.1}, "loss"),
        ({"loss": float("nan")}, "loss"),
        ({"corruption": -0.1}, "corruption"),
        ({"corruption": "0.1"}, "corruption"),
        ({"max_delay": -1}, "max_delay"),
        ({"max_delay": 0.1}, "max_delay"),
        ({"max_delay": None}, "max_delay"),
        ({"reliable_after": -1}, "reliable_after"),
        ({"reliable_after": 10.0}, "reliable_after"),
    ],
)
def test_a_value_out_of_range_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ClassroomConfig(**values)  # type: ignore[arg-type]
