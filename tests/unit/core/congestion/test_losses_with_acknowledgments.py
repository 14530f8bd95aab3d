"""Losses that an acknowledgment shows: which of the two a controller hears of first."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from surewire.core.congestion import CongestionController, PhaseOutcome
from surewire.core.congestion.background import Background
from surewire.core.congestion.bbr1 import Bbr1
from surewire.core.congestion.cubic import Cubic
from surewire.core.congestion.model import PathModel
from surewire.core.congestion.newreno import NewReno
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from tests.unit.core.makers import make_sample

SEGMENT, RTT = 1000, 50 * MS
CONTROLLERS: list[Callable[..., CongestionController]] = [NewReno, Cubic, Background, Bbr1, PathModel]


def told(controller: CongestionController, way: str) -> list[tuple[int, int, int]]:
    """Rounds, from the twelfth on a third of each lost; window, rate and phase after each, told in this way."""
    seen = []
    for number in range(24):
        now = S + number * RTT
        phase = controller.phase
        controller.on_rtt(RTT, rttvar=MS, sent_at=now - RTT)
        lost = [PhaseOutcome(phase, 0, 20 * SEGMENT)] if number >= 12 else []
        sample = make_sample(
            now=now,
            rate=200_000,
            round_start=True,
            sent=number * 60 * SEGMENT,
            bytes_in_flight=controller.cwnd,
            outcomes=[PhaseOutcome(phase, 40 * SEGMENT, 0)],
        )
        if way == "with it":
            controller.on_ack(sample._replace(lost=lost))
        elif way == "before it":
            controller.on_lost(lost, now=now)
            controller.on_ack(sample)
        else:
            controller.on_ack(sample)
            if lost and way == "after it":
                controller.on_lost(lost, now=now)
        seen.append((controller.cwnd, controller.pacing_rate, controller.phase))
    return seen


@pytest.mark.parametrize("make", CONTROLLERS)
def test_the_model_hears_of_them_first_and_all_others_afterwards(make: Callable[..., CongestionController]) -> None:
    """A round of the model ends with an acknowledgment; that of the others, or their silence, is judged by it."""
    usual = "before it" if make is PathModel else "after it"
    seen = told(make(segment=SEGMENT, initial_rtt=RTT), "with it")
    assert seen == told(make(segment=SEGMENT, initial_rtt=RTT), usual)
    if make is not Bbr1:  # a loss only ends its probing
        assert seen != told(make(segment=SEGMENT, initial_rtt=RTT), "never")
