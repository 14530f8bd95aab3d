"""The loss floor by hand: which phases' losses count, and what must be sent to make up for them."""

from __future__ import annotations

import pytest

from surewire.core.congestion.base import PhaseOutcome
from surewire.core.congestion.loss_floor import LossFloor
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S

SEGMENT = 1000
RTT = 40 * MS
LOST, SENT = 10, 100  # segments of each phase


class Flow:
    """A loss floor that is shown phases of `SENT` segments, of which `LOST` are lost."""

    def __init__(self) -> None:
        self.floor = LossFloor(segment=SEGMENT)
        self._now = 0

    def phases(self, count: int, *, is_quiet: bool, rtt: int = RTT, segments: int = SENT) -> float:
        """Go through phases, all but the last four of which are judged by then; the floor, 0..1."""
        for _ in range(count):
            self._now += RTT
            self.floor.begin_phase(is_quiet=is_quiet, min_rtt=RTT, now=self._now)
            lost = segments * LOST // SENT
            outcome = PhaseOutcome(self.floor.phase, (segments - lost) * SEGMENT, lost * SEGMENT)
            self.floor.count([outcome])
            self.floor.on_rtt(rtt, phase=self.floor.phase)
        return self.floor.floor / LossFloor.ONE

    def silence(self, duration: int) -> float:
        self._now += duration
        self.floor.begin_phase(is_quiet=False, min_rtt=RTT, now=self._now)
        return self.floor.floor / LossFloor.ONE


def test_quiet_phases_with_an_empty_queue_show_the_share_lost() -> None:
    floor = Flow().phases(20, is_quiet=True)
    assert 0.08 < floor < LOST / SENT  # leans to zero by half a standard deviation


def test_loss_while_sending_above_the_bandwidth_does_not_count() -> None:
    assert Flow().phases(20, is_quiet=False) == 0


def test_loss_with_a_standing_queue_does_not_count() -> None:
    assert Flow().phases(20, is_quiet=True, rtt=2 * RTT) == 0


def test_a_handful_of_segments_does_not_count() -> None:
    assert Flow().phases(20, is_quiet=True, segments=7) == 0


def test_it_halves_when_nothing_valid_was_seen_for_eight_seconds() -> None:
    flow = Flow()
    floor = flow.phases(20, is_quiet=True)
    flow.phases(4, is_quiet=False)  # the last quiet ones are judged
    floor = flow.floor.floor / LossFloor.ONE
    assert flow.silence(8 * S - 8 * RTT) == pytest.approx(floor)
    assert flow.silence(9 * RTT) == pytest.approx(floor / 2, rel=0.01)


def test_what_must_be_sent_for_a_rate_to_arrive() -> None:
    flow = Flow()
    assert flow.floor.compensate(1000) == 1000
    floor = flow.phases(20, is_quiet=True)
    assert flow.floor.compensate(900) == pytest.approx(900 / (1 - floor), abs=1)


def test_it_never_asks_for_more_than_two_and_a_half_times_the_rate() -> None:
    floor = LossFloor(segment=SEGMENT)
    for phase in range(1, 40):
        floor.begin_phase(is_quiet=True, min_rtt=RTT, now=phase * RTT)
        floor.count([PhaseOutcome(phase, SEGMENT, 99 * SEGMENT)])
        floor.on_rtt(RTT, phase=phase)
    assert floor.compensate(1000) == pytest.approx(2500, abs=1)
