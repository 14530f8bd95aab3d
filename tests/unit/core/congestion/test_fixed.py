"""The fixed controller: it is what it was told to be."""

from __future__ import annotations

import pytest

from surewire.core.congestion import CongestionController, FixedRate, PhaseOutcome
from surewire.errors import ConfigError
from tests.unit.core.makers import make_sample


def test_nothing_changes_it() -> None:
    controller: CongestionController = FixedRate(rate=1000, cwnd=500)
    controller.on_rtt(5, rttvar=1, phase=0)
    controller.on_ack(make_sample(now=1, rate=10**9, round_start=True, outcomes=[PhaseOutcome(0, 100, 0)]))
    controller.on_lost([PhaseOutcome(0, 0, 10**6)], now=2)
    assert (controller.pacing_rate, controller.cwnd, controller.phase) == (1000, 500, 0)


@pytest.mark.parametrize(("rate", "cwnd"), [(0, 1), (1, 0), (-1, 1), (1, -1)])
def test_values_that_would_send_nothing_are_refused(rate: int, cwnd: int) -> None:
    with pytest.raises(ConfigError):
        FixedRate(rate=rate, cwnd=cwnd)
