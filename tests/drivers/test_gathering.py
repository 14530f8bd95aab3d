"""When datagrams may gather before they are read, and for how long: the judgement alone, without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surewire.core.units import NS_PER_MS, NS_PER_S, NS_PER_US
from surewire.drivers.gathering import Gathering
from surewire.drivers.udp_options import UdpStats

START = 50 * NS_PER_S


class Bulk:
    """Reads that come one by one, `gap` ns apart."""

    def __init__(self) -> None:
        self.stats = UdpStats()
        self.gathering = Gathering(self.stats)
        self.now = START

    def come(self, count: int, *, gap: int, nbytes: int = 1_472) -> None:
        for _ in range(count):
            self.now += gap
            self.stats.receive_calls += 1
            self.stats.bytes_received += nbytes
            self.gathering.on_read(self.now)

    def wait_for_windows(self, turns: int) -> int:
        """Four datagrams under way on a path of 0.2 ms, so many times; how often they had to wait to be read."""
        paused = 0
        for _ in range(turns):
            pause = self.pause()
            paused += pause > 0
            self.now += pause
            self.come(4, gap=50 * NS_PER_US)
        return paused

    def pause(self, *, asked_at: int = START - NS_PER_S) -> int:
        return self.gathering.pause(self.now, asked_at=asked_at)


@pytest.mark.parametrize(
    ("gap", "nbytes", "expected"),
    [
        (120 * NS_PER_US, 1_472, 840 * NS_PER_US),  # 100 Mbit/s: eight at a time
        (300 * NS_PER_US, 1_472, NS_PER_MS),  # 40 Mbit/s: a millisecond is enough
        (600 * NS_PER_US, 1_472, 0),  # 20 Mbit/s: fewer than two would gather
        (12 * NS_PER_US, 1_472, 0),  # 1 Gbit/s: each turn finds several anyway
        (120 * NS_PER_US, 65_507, 0),  # so long that a small buffer would not hold them
        (120 * NS_PER_US, 30_000, 65_536 * 120 * NS_PER_US // 30_000),  # as many as it holds
    ],
)
def test_the_pace_decides(gap: int, nbytes: int, expected: int) -> None:
    bulk = Bulk()
    bulk.come(64, gap=gap, nbytes=nbytes)
    assert bulk.pause() == expected


def test_it_takes_a_while_to_know_the_pace_and_it_is_followed() -> None:
    bulk = Bulk()
    bulk.come(31, gap=120 * NS_PER_US)
    assert bulk.pause() == 0
    bulk.come(33, gap=120 * NS_PER_US)
    assert bulk.pause() > 0
    bulk.come(64, gap=2 * NS_PER_MS)
    assert bulk.pause() == 0


def test_what_was_asked_for_is_prolonged_by_a_small_part_only() -> None:
    """A dialogue has something asked for every few datagrams: it is never kept waiting."""
    bulk = Bulk()
    bulk.come(64, gap=120 * NS_PER_US)
    assert bulk.pause(asked_at=bulk.now) == 0
    assert bulk.pause(asked_at=bulk.now - 10 * NS_PER_MS) == 0
    assert bulk.pause(asked_at=bulk.now - 64 * NS_PER_MS) == 500 * NS_PER_US
    assert bulk.pause(asked_at=bulk.now - NS_PER_S) == 840 * NS_PER_US


def test_a_sender_that_waits_to_be_read_is_not_held_up() -> None:
    """Each pause would be on top of every round trip."""
    assert 0 < Bulk().wait_for_windows(2_000) < 200


def test_a_sender_that_came_to_wait_to_be_read_is_not_held_up_for_good() -> None:
    """A steady bulk before that had, without pauses, the pace that this one has with them."""
    bulk = Bulk()
    bulk.come(320, gap=300 * NS_PER_US)
    assert 0 < bulk.wait_for_windows(3_000) < 1_500


def test_a_path_that_became_slower_is_found_out_and_gathers_again() -> None:
    bulk = Bulk()
    bulk.come(320, gap=120 * NS_PER_US)
    assert bulk.pause() > 0
    bulk.come(32, gap=240 * NS_PER_US)
    assert bulk.pause() == 0
    bulk.come(64, gap=240 * NS_PER_US)
    assert bulk.pause() > 0


@given(
    st.lists(st.tuples(st.integers(1, 80), st.integers(0, 5 * NS_PER_MS), st.integers(1, 65_507)), max_size=12),
    st.integers(0, NS_PER_S),
)
def test_it_is_never_long(steps: list[tuple[int, int, int]], since: int) -> None:
    bulk = Bulk()
    for count, gap, nbytes in steps:
        bulk.come(count, gap=gap, nbytes=nbytes)
    pause = bulk.pause(asked_at=bulk.now - since)
    assert 0 <= pause <= min(NS_PER_MS, since // 128)
