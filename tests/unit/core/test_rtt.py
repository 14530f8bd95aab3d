"""Round-trip estimation against numbers worked out by hand from RFC 9002 §5 and §6.2.1."""

from __future__ import annotations

import pytest

from surewire.core.rtt import GRANULARITY, RttEstimator
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_US as US


def estimator(*samples: tuple[int, int], initial_rtt: int = 100 * MS) -> RttEstimator:
    """After samples (round trip, ack_delay)."""
    rtt = RttEstimator(initial_rtt)
    for value, ack_delay in samples:
        rtt.on_sample(value, ack_delay=ack_delay)
    return rtt


def test_before_the_first_sample_the_guess_stands() -> None:
    rtt = estimator(initial_rtt=333 * MS)
    assert (rtt.smoothed_rtt, rtt.rttvar, rtt.samples) == (333 * MS, 333 * MS // 2, 0)
    assert rtt.pto(0) == 999 * MS  # RFC 9002 §6.2.2: about one second


def test_the_first_sample_replaces_the_guess_and_ignores_the_ack_delay() -> None:
    rtt = estimator((80 * MS, 10 * MS))
    assert (rtt.latest_rtt, rtt.min_rtt, rtt.smoothed_rtt, rtt.rttvar) == (80 * MS, 80 * MS, 80 * MS, 40 * MS)


def test_later_samples_by_hand() -> None:
    # adjusted 120 - 10 = 110: rttvar (3 * 40 + |80 - 110|) / 4 = 37.5, smoothed (7 * 80 + 110) / 8 = 83.75
    rtt = estimator((80 * MS, 0), (120 * MS, 10 * MS))
    assert (rtt.latest_rtt, rtt.min_rtt) == (120 * MS, 80 * MS)
    assert (rtt.rttvar, rtt.smoothed_rtt) == (37_500 * US, 83_750 * US)
    # 85 < 80 + 10, so not adjusted: rttvar (3 * 37.5 + |83.75 - 85|) / 4, smoothed (7 * 83.75 + 85) / 8
    rtt.on_sample(85 * MS, ack_delay=10 * MS)
    assert (rtt.rttvar, rtt.smoothed_rtt) == (28_437_500, 83_906_250)
    assert rtt.pto(5 * MS) == 83_906_250 + 4 * 28_437_500 + 5 * MS
    assert rtt.samples == 3


@pytest.mark.parametrize(("sample", "adjusted"), [(90 * MS, 80 * MS), (90 * MS - 1, 90 * MS - 1)])
def test_the_ack_delay_counts_only_where_the_round_trip_stays_at_the_minimum_or_above(
    sample: int, adjusted: int
) -> None:
    rtt = estimator((80 * MS, 0), (sample, 10 * MS))
    assert rtt.smoothed_rtt == (7 * 80 * MS + adjusted) // 8


def test_the_minimum_ignores_the_ack_delay_and_takes_a_new_low_at_once() -> None:
    rtt = estimator((80 * MS, 0), (60 * MS, 50 * MS))
    assert rtt.min_rtt == 60 * MS
    assert rtt.smoothed_rtt == (7 * 80 + 60) * MS // 8  # 60 < 60 + 50: not adjusted
    rtt.on_sample(200 * MS, ack_delay=0)
    assert rtt.min_rtt == 60 * MS


def test_the_probe_timeout_allows_for_the_timer_granularity() -> None:
    rtt = estimator((400 * US, 0), *[(400 * US, 0)] * 60)
    assert 4 * rtt.rttvar < GRANULARITY
    assert rtt.pto(0) == rtt.smoothed_rtt + GRANULARITY
    assert rtt.pto(3 * MS) == rtt.pto(0) + 3 * MS
