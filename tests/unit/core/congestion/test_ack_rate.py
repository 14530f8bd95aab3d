"""The rate of the latest acknowledgments by hand: what it is taken over, and what it leaves out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surewire.core.congestion.ack_rate import AckRate
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S

SEGMENT = 1000
HALF = 20 * MS  # half a round trip
EVER = 1 << 62
FULL = 1_000_000  # bytes a second: a segment a millisecond


class Acks:
    """Acknowledgments at a pace, each of so many bytes."""

    def __init__(self, *, longest: int = HALF) -> None:
        self.rate = AckRate()
        self.now = S
        self.sent = 0
        self.longest = longest

    def come(self, count: int, *, every: int = MS, acked: int = SEGMENT, lost: int = 0) -> int:
        """So many, `every` ns, before each of which so many bytes were lost; the rate then."""
        for _ in range(count):
            self.now += every
            self.sent += lost + acked
            self.rate.on_ack(acked, sent=self.sent, now=self.now, longest=self.longest, segment=SEGMENT)
        return self.rate.value


def test_nothing_is_known_before_two_acknowledgments() -> None:
    acks = Acks()
    assert acks.rate.value == 0
    assert acks.come(1) == 0
    assert acks.come(1) == FULL


def test_acknowledgments_at_one_time_show_no_rate() -> None:
    assert Acks().come(5, every=0) == 0


def test_of_several_at_one_time_all_bytes_count() -> None:
    acks = Acks()
    for _ in range(5):
        acks.come(1, every=3 * MS)
        acks.come(2, every=0)
    assert acks.rate.value == FULL


@pytest.mark.parametrize("longest", [HALF, EVER])
def test_a_steady_stream_shows_its_rate(longest: int) -> None:
    assert Acks(longest=longest).come(100) == FULL


def test_only_half_a_round_trip_counts() -> None:
    acks = Acks()
    acks.come(100, every=MS, acked=100)  # few bytes: it is the time that ends it
    assert acks.come(21, every=MS, acked=200) == 2 * FULL // 10


def test_what_is_younger_than_that_counts() -> None:
    acks = Acks()
    acks.come(100, every=MS, acked=100)
    assert FULL // 10 < acks.come(10, every=MS, acked=200) < 2 * FULL // 10


def test_of_many_acknowledgments_so_many_count_as_tell_of_thirty_two_segments() -> None:
    acks = Acks(longest=EVER)
    acks.come(100)
    assert acks.come(31, every=MS // 2) < 2 * FULL
    assert acks.come(1, every=MS // 2) == 2 * FULL


def test_nine_acknowledgments_count_whatever_they_tell_of() -> None:
    """One that tells of a train says only when the train was over."""
    acks = Acks(longest=EVER)
    acks.come(100, every=40 * MS, acked=40 * SEGMENT)
    assert acks.come(7, every=20 * MS, acked=40 * SEGMENT) < 2 * FULL
    assert acks.come(1, every=20 * MS, acked=40 * SEGMENT) == 2 * FULL


def test_two_acknowledgments_are_enough_however_far_apart() -> None:
    """Where one comes in a round trip or two there is no other rate to be had."""
    assert Acks().come(5, every=100 * MS, acked=100 * SEGMENT) == FULL


def test_the_pause_between_two_windows_does_not_count() -> None:
    """A small window is sent in half a round trip, and nothing in the other half."""
    acks = Acks()
    for _ in range(3):
        acks.come(1, every=HALF)
        rate = acks.come(15)
    assert rate == FULL


def test_a_long_silence_does_not_count() -> None:
    acks = Acks()
    acks.come(50)
    acks.come(1, every=10 * HALF)
    assert acks.come(10) == FULL


def test_what_the_path_takes_is_what_it_delivers_where_nothing_is_lost() -> None:
    acks = Acks()
    assert acks.rate.taken(loss=0.0) == 0
    assert acks.come(100) == acks.rate.taken(loss=0.0) == FULL


@pytest.mark.parametrize("lost", [0, 1])
def test_however_many_are_lost_by_chance_the_path_takes_as_much(lost: int) -> None:
    """A third is lost as a rule; none, or half of these few."""
    acks = Acks()
    acks.come(60, every=(1 + lost) * MS, lost=lost * SEGMENT)
    assert acks.rate.taken(loss=1 / 3) == FULL
    assert acks.rate.value == FULL // (1 + lost)


def test_more_than_chance_explains_is_what_a_queue_drops() -> None:
    """Twice as fast as the link: of two datagrams one is dropped, and the one that arrives takes its time."""
    acks = Acks(longest=EVER)
    acks.come(200, lost=SEGMENT)
    assert acks.rate.taken(loss=0.05) == pytest.approx(FULL / 0.95, rel=1e-3)


def test_an_overtaken_acknowledgment_takes_nothing_back() -> None:
    acks = Acks(longest=EVER)
    acks.come(20)
    acks.rate.on_ack(SEGMENT, sent=10 * SEGMENT, now=acks.now + 1, longest=EVER, segment=SEGMENT)
    assert acks.rate.taken(loss=0.0) == pytest.approx(FULL, rel=0.1)


def test_two_or_three_that_come_together_after_a_pause_show_no_rate() -> None:
    """A microsecond apart they would show a gigabyte a second."""
    acks = Acks()
    acks.come(50)
    acks.come(1, every=10 * HALF)
    assert acks.come(1, every=1000) == 0
    assert acks.come(1, every=1000) == 0
    assert 0 < acks.come(1, every=4 * MS) < FULL


def test_two_over_a_part_of_a_round_trip_show_one() -> None:
    acks = Acks()
    acks.come(50)
    acks.come(1, every=10 * HALF)
    assert acks.come(1) == FULL


PACES = st.lists(st.tuples(st.integers(1, 100 * SEGMENT), st.integers(1, 100 * MS)), min_size=1, max_size=60)


@given(paces=PACES, longest=st.integers(0, S), segment=st.integers(1, 9000))
def test_no_rate_is_shown_that_never_was(paces: list[tuple[int, int]], longest: int, segment: int) -> None:
    rate, now = AckRate(), S
    rate.on_ack(1, sent=1, now=now, longest=longest, segment=segment)
    seen: list[float] = []
    for acked, pause in paces:
        now += pause
        rate.on_ack(acked, sent=acked, now=now, longest=longest, segment=segment)
        seen.append(acked * S / pause)
        assert rate.value == 0 or min(seen) * (1 - 1e-9) - 1 <= rate.value <= max(seen) * (1 + 1e-9)
