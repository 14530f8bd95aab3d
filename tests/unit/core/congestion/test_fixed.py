"""The fixed controller: it is what it was told to be, and works out the half that it was not told."""

from __future__ import annotations

import pytest

from surewire.core.congestion import CongestionController, FixedRate, PhaseOutcome
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import ConfigError
from tests.unit.core.makers import make_sample


def upset(controller: CongestionController) -> None:
    """Tell it of everything that makes others faster or slower."""
    controller.on_ack(make_sample(now=1, rate=10**9, round_start=True, outcomes=[PhaseOutcome(0, 100, 0)]))
    controller.on_lost([PhaseOutcome(0, 0, 10**6)], now=2)
    controller.on_segment(9_000)


def test_nothing_changes_it() -> None:
    controller: CongestionController = FixedRate(rate=1000, cwnd=500)
    controller.on_rtt(5, rttvar=1, sent_at=0)
    upset(controller)
    assert (controller.pacing_rate, controller.cwnd, controller.phase, controller.bandwidth) == (1000, 500, 0, 0)


def test_a_rate_alone_is_never_held_back_by_its_window() -> None:
    controller = FixedRate(rate=1_000_000, initial_rtt=200 * NS_PER_MS)
    assert (controller.pacing_rate, controller.cwnd) == (1_000_000, 400_000)
    for rtt, rttvar, window in ((500, 0, 1_000_000), (100, 100, 1_000_000), (50, 0, 100_000)):
        controller.on_rtt(rtt * NS_PER_MS, rttvar=rttvar * NS_PER_MS, sent_at=0)
        upset(controller)
        assert (controller.pacing_rate, controller.cwnd) == (1_000_000, window)


def test_the_window_of_a_rate_has_room_for_a_train() -> None:
    controller = FixedRate(rate=1_000)
    controller.on_rtt(NS_PER_MS, rttvar=0, sent_at=0)
    assert controller.cwnd == 65_536


def test_a_window_alone_is_not_spread_over_time() -> None:
    controller = FixedRate(cwnd=64 << 10)
    controller.on_rtt(NS_PER_S, rttvar=0, sent_at=0)
    upset(controller)
    assert controller.cwnd == 64 << 10
    assert controller.pacing_rate >= 1 << 30  # a gigabyte a second: what leaves waits for the window only


@pytest.mark.parametrize(("rate", "cwnd"), [(0, 1), (1, 0), (-1, 1), (1, -1), (0, None), (None, 0), (None, None)])
def test_values_that_would_send_nothing_are_refused(rate: int | None, cwnd: int | None) -> None:
    with pytest.raises(ConfigError):
        FixedRate(rate=rate, cwnd=cwnd)
