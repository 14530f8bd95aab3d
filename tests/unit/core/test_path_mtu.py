"""The search for the path's MTU: what it finds and how soon, black holes, outages, refusals of the interface."""

from __future__ import annotations

import pytest

from surewire.core.path_mtu import RAISE_INTERVAL, TRIES, PathMtu, granularity
from surewire.core.units import NS_PER_S
from surewire.errors import ConfigError
from tests.unit.core.narrow_path import PTO, RTT, NarrowPath

LOOPBACK = 65_507


def on_path(largest: int, *, ceiling: int = LOOPBACK, interface: int = 1 << 16, is_busy: bool = True) -> NarrowPath:
    return NarrowPath(PathMtu(ceiling=ceiling, now=0), largest=largest, interface=interface, is_busy=is_busy)


def is_over(path: NarrowPath) -> bool:
    return not path.mtu.is_searching


def test_nothing_is_probed_before_the_first_acknowledgment() -> None:
    mtu = PathMtu(ceiling=LOOPBACK, now=0)
    assert mtu.size == 1200
    assert mtu.poll_probe(now=10 * NS_PER_S) is None
    assert mtu.next_deadline() is None
    mtu.on_progress(now=10 * NS_PER_S)
    assert mtu.poll_probe(now=10 * NS_PER_S) == 1472


def test_loopback_takes_three_round_trips() -> None:
    """Both sides of the boundary."""
    path = on_path(LOOPBACK)
    path.run(3 * RTT - 1)
    assert path.mtu.size == 8972
    assert not is_over(path)
    path.run(1)
    assert path.mtu.size == LOOPBACK
    assert path.sizes == [1472, 8972, LOOPBACK]
    assert is_over(path)
    path.run(10 * RAISE_INTERVAL)
    assert len(path.sent) == 3, "there is nothing to raise"


@pytest.mark.parametrize("largest", [1452, 1472, 8952, 8972, LOOPBACK, 1500])
def test_usual_sizes_are_found_exactly(largest: int) -> None:
    """1,500 is the ceiling of that test: what the peer takes."""
    path = on_path(largest, ceiling=1500 if largest == 1500 else LOOPBACK)
    path.run(20 * PTO)
    assert path.mtu.size == largest
    path.run(30 * PTO)
    assert path.mtu.size == largest
    assert is_over(path)


@pytest.mark.parametrize("largest", [1200, 1232, 1280, 1392, 1420, 1464, 1700, 4000, 9000, 9200, 20_000, 65_000])
def test_any_other_size_is_found_to_its_granularity(largest: int) -> None:
    path = on_path(largest)
    path.run(120 * PTO)
    assert is_over(path)
    assert largest - granularity(largest) <= path.mtu.size <= largest


def test_ethernet_behind_a_jumbo_interface() -> None:
    """1,472 is in use after one round trip; a bound that fails is given up after eight probes, others after two."""
    path = on_path(1472, interface=9000)
    path.run(RTT)
    assert path.mtu.size == 1472
    path.run(60 * PTO)
    assert path.sizes == [1472, 8972, 8972, 8952, 8952] + [1472 + granularity(1472)] * TRIES
    assert is_over(path)


def test_a_refusal_of_the_interface_costs_no_time() -> None:
    path = on_path(LOOPBACK, interface=1472)
    path.run(RTT)
    assert path.mtu.size == 1472
    assert path.sizes == [1472, 8972, 8952, 1472 + granularity(1472)]
    assert is_over(path)


def test_a_refusal_of_the_size_in_use_lowers_it_at_once() -> None:
    path = on_path(8972)
    path.run(50 * PTO)
    assert path.mtu.size == 8972
    path.interface = path.largest = 4000
    path.mtu.on_too_long(8972, now=path.now)
    assert path.mtu.size == 1200
    path.run(RTT)
    assert path.mtu.size == 1200, "what has passed must be proven again"
    path.run(100 * PTO)
    assert 4000 - granularity(4000) <= path.mtu.size <= 4000
    path.mtu.on_too_long(1000, now=path.now)
    assert path.mtu.size > 1200, "a refused datagram below the base says nothing that could be helped"


def test_a_probe_is_the_same_until_it_was_sent() -> None:
    mtu = PathMtu(ceiling=LOOPBACK, now=0)
    mtu.on_progress(now=0)
    assert [mtu.poll_probe(now=0) for _ in range(3)] == [1472] * 3
    assert mtu.next_deadline() is None, "it depends on others when it can be sent"
    mtu.on_probe_sent(7, 1400, pto=PTO, now=0)
    mtu.on_probe_sent(8, 1472, pto=PTO, now=0)
    assert mtu.probe_number == 8, "a datagram of another size is no probe"
    assert mtu.poll_probe(now=0) is None
    assert mtu.next_deadline() == PTO
    mtu.on_acked(0, 8, now=RTT)
    mtu.on_acked(9, 20, now=RTT)
    assert mtu.probe_number == 8
    mtu.on_acked(0, 9, now=RTT)
    assert mtu.size == 1472
    assert mtu.poll_probe(now=RTT) == 8972


def test_a_late_acknowledgment_counts() -> None:
    """A slow link may need longer for a large datagram than the timeout of small ones."""
    mtu = PathMtu(ceiling=1500, now=0)
    mtu.on_progress(now=0)
    for number in range(3):
        now = 10 * number * NS_PER_S
        size = mtu.poll_probe(now=now)
        assert size is not None
        mtu.on_probe_sent(number, size, pto=PTO, now=now)
        mtu.on_progress(now=now + 1)
    assert size == 1452
    mtu.on_acked(0, 1, now=31 * NS_PER_S)
    assert mtu.size == 1472
    assert mtu.poll_probe(now=31 * NS_PER_S) == 1500


def test_silence_says_nothing_of_sizes() -> None:
    path = on_path(LOOPBACK)
    path.run(RTT + RTT // 2)
    path.is_silent = True
    path.run(60 * NS_PER_S)
    assert path.sizes == [1472, 8972, 8972], "one more for the last acknowledgment, then nothing"
    path.is_silent = False
    path.run(3 * RTT)
    assert path.mtu.size == LOOPBACK
    assert path.sizes[3:] == [8972, LOOPBACK]


def test_an_idle_connection_is_left_alone_once_the_search_is_over() -> None:
    path = on_path(1472, is_busy=False)
    path.progress()
    path.run(30 * NS_PER_S)
    assert path.mtu.size == 1472
    assert is_over(path)
    assert len(path.sent) < 20


@pytest.mark.parametrize("had", [1472, LOOPBACK])
def test_a_black_hole_is_left_at_the_second_timeout_in_a_row(had: int) -> None:
    path = on_path(had)
    path.run(60 * PTO)
    mtu = path.mtu
    assert mtu.size == had
    path.is_silent = True
    path.largest = 1300
    mtu.on_pto(1, now=path.now)
    assert mtu.size == had
    mtu.on_pto(2, now=path.now)
    assert mtu.size == 1200
    path.run(NS_PER_S)
    mtu.on_pto(3, now=path.now)
    probed = len(path.sent)
    path.is_silent = False
    path.run(100 * PTO)
    assert path.sizes[probed] == had
    assert 1300 - granularity(1300) <= mtu.size <= 1300


def test_an_outage_that_looked_like_one_costs_one_round_trip() -> None:
    path = on_path(LOOPBACK)
    path.run(60 * PTO)
    for count in range(1, 6):
        path.mtu.on_pto(count, now=path.now)
    assert path.mtu.size == 1200
    path.run(RTT // 4)  # when the next small datagram is acknowledged
    probed = len(path.sent)
    path.run(RTT)
    assert path.mtu.size == LOOPBACK
    assert path.sizes[probed - 1 :] == [LOOPBACK]


def test_small_datagrams_that_pass_do_not_hide_a_black_hole() -> None:
    path = on_path(1472)
    path.run(60 * PTO)
    mtu = path.mtu
    for _ in range(2):
        mtu.on_pto(1, now=path.now)
        mtu.on_progress(now=path.now, size=60)
        assert mtu.size == 1472
    mtu.on_pto(1, now=path.now)
    assert mtu.size == 1200


@pytest.mark.parametrize("size", [1472, None])
def test_timeouts_far_apart_are_no_black_hole(size: int | None) -> None:
    path = on_path(1472)
    path.run(60 * PTO)
    for _ in range(10):
        path.mtu.on_pto(1, now=path.now)
        path.mtu.on_progress(now=path.now, size=size)
    assert path.mtu.size == 1472


def test_a_path_that_grew_is_noticed() -> None:
    path = on_path(1472)
    path.run(60 * PTO)
    searched = len(path.sent)
    path.run(3 * RAISE_INTERVAL)
    asked = path.sizes[searched:]
    assert set(asked) == {1472 + granularity(1472)}, "only the bound is asked, which is the cheapest question"
    assert len(asked) <= 9
    path.largest = 8972
    path.run(RAISE_INTERVAL + 30 * PTO)
    assert path.mtu.size == 8972


def test_a_fixed_size_is_never_probed() -> None:
    mtu = PathMtu(ceiling=LOOPBACK, fixed=9000, now=0)
    mtu.on_progress(now=0)
    for count in range(1, 5):
        mtu.on_pto(count, now=count)
    assert mtu.size == 9000
    assert not mtu.is_searching
    assert mtu.poll_probe(now=100 * NS_PER_S) is None
    assert mtu.next_deadline() is None
    mtu.on_too_long(9001, now=0)
    assert mtu.size == 9000
    mtu.on_too_long(9000, now=0)
    assert mtu.size == 1200


@pytest.mark.parametrize(
    "options", [{"ceiling": 1199}, {"ceiling": 1500, "fixed": 1501}, {"ceiling": 1500, "fixed": 1199}]
)
def test_contradictions_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        PathMtu(**options, now=0)
