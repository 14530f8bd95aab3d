"""CUBIC, with numbers worked by hand from RFC 9438; segments of 1,000 bytes, a round trip of 100 ms."""

from __future__ import annotations

import pytest

from surewire.core.congestion import Cubic, PhaseOutcome
from surewire.errors import ConfigError
from tests.unit.core.makers import make_sample

MS = 1_000_000
S = 1000 * MS


def acked(
    controller: Cubic,
    nbytes: int,
    *,
    phase: int,
    at: float = 0,
    is_app_limited: bool = False,
    round_start: bool = False,
) -> None:
    """Acknowledge bytes that were sent in `phase`, `at` seconds after the first one; the window was full."""
    controller.on_ack(
        make_sample(
            now=S + int(at * S),
            rate=0,
            is_app_limited=is_app_limited,
            round_start=round_start,
            bytes_in_flight=controller.cwnd,
            outcomes=[PhaseOutcome(phase, nbytes, 0)],
        )
    )


def lost(controller: Cubic, *, phase: int) -> None:
    controller.on_lost([PhaseOutcome(phase, 0, 1000)], now=S)


def grown(window: int, *, rtt: int = 100 * MS) -> Cubic:
    """In slow start, with this window."""
    controller = Cubic(segment=1000)
    controller.on_rtt(rtt, rttvar=0, sent_at=0)
    if window > controller.cwnd:
        acked(controller, window - controller.cwnd, phase=0)
    return controller


def reduced(window: int, *, rtt: int = 100 * MS) -> Cubic:
    """A loss at this window, then the first acknowledgment of what was sent since: t is 0."""
    controller = grown(window, rtt=rtt)
    lost(controller, phase=0)
    acked(controller, 1, phase=1)
    return controller


@pytest.mark.parametrize(("segment", "rtt"), [(0, 1), (1, 0), (-1, 1)])
def test_values_that_make_no_sense_are_refused(segment: int, rtt: int) -> None:
    with pytest.raises(ConfigError):
        Cubic(segment=segment, initial_rtt=rtt)


def test_slow_start_and_the_reduction() -> None:
    controller = grown(100_000)
    assert (controller.cwnd, controller.ssthresh, controller.is_starting) == (100_000, None, True)
    assert controller.pacing_rate == 2 * 100_000 * 10
    lost(controller, phase=0)
    assert (controller.cwnd, controller.ssthresh, controller.phase) == (70_000, 70_000, 1)
    assert controller.pacing_rate == 875_000  # 1.25 * 70,000 / 0.1 s


def test_one_reduction_in_a_round_trip() -> None:
    controller = grown(100_000)
    lost(controller, phase=0)
    lost(controller, phase=0)
    acked(controller, 70_000, phase=0)
    assert (controller.cwnd, controller.phase) == (70_000, 1)


def test_two_segments_are_the_least() -> None:
    controller = Cubic(segment=1000)
    for phase in range(9):
        lost(controller, phase=phase)
    assert (controller.cwnd, controller.ssthresh) == (2000, 2000)


def test_the_concave_part() -> None:
    """K = cbrt(30 / 0.4) = 4.2172 s; W(1.1 s) = 100 - 0.4 * 3.1172^3 = 87.884 segments."""
    controller = reduced(100_000)
    acked(controller, 1000, phase=1, at=1)
    assert controller.cwnd == pytest.approx(70_000 + 17_884 / 70, abs=2)
    acked(controller, controller.cwnd, phase=1, at=1)  # a whole window: all the way to the target
    assert controller.cwnd == pytest.approx(87_884, abs=10)


def test_the_plateau_is_the_window_of_the_loss() -> None:
    controller = reduced(100_000)
    acked(controller, 70_000, phase=1, at=4.1172)
    assert controller.cwnd == pytest.approx(100_000, abs=2)


def test_the_convex_part() -> None:
    """W(6.1 s) = 100 + 0.4 * (6.1 - 4.2172)^3 = 102.670 segments."""
    controller = reduced(100_000)
    acked(controller, 70_000, phase=1, at=4.1172)
    acked(controller, 100_000, phase=1, at=6)
    assert controller.cwnd == pytest.approx(102_670, abs=5)


def test_at_most_half_a_window_more_in_a_round_trip() -> None:
    controller = reduced(100_000)
    acked(controller, 1000, phase=1, at=60)
    assert controller.cwnd == pytest.approx(70_500, abs=1)


def test_fast_convergence() -> None:
    """Lost again at 70 of 100 segments: W_max = 0.85 * 70 = 59.5, K = cbrt((59.5 - 49) / 0.4) = 2.9720 s."""
    controller = reduced(100_000)
    lost(controller, phase=1)
    assert controller.cwnd == 49_000
    acked(controller, 1, phase=2)
    acked(controller, 49_000, phase=2, at=2.872)
    assert controller.cwnd == pytest.approx(59_500, abs=2)


def test_no_fast_convergence_above_the_last_maximum() -> None:
    controller = reduced(100_000)
    acked(controller, 70_000, phase=1, at=4.1172)
    acked(controller, 100_000, phase=1, at=6)  # 102,670
    acked(controller, 1, phase=1, at=6)  # else the two seconds would pass for a silence
    lost(controller, phase=1)
    assert controller.cwnd == pytest.approx(71_869, abs=5)
    acked(controller, 1, phase=2, at=6)
    acked(controller, controller.cwnd, phase=2, at=6 + 4.154)  # K = cbrt(0.3 * 102.67 / 0.4) = 4.254 s
    assert controller.cwnd == pytest.approx(102_670, abs=10)


def test_where_reno_is_faster_it_grows_as_reno() -> None:
    """7 of 10 segments at 10 ms: 9/17 of a segment each round trip, and from 10 segments on a whole one."""
    controller = reduced(10_000, rtt=10 * MS)
    seen = []
    for turn in range(1, 9):
        acked(controller, controller.cwnd, phase=1, at=turn / 100)
        seen.append(controller.cwnd)
    expected = [7529, 8059, 8588, 9118, 9647, 10_176, 11_176, 12_176]
    assert seen == [pytest.approx(value, abs=4) for value in expected]


def test_after_a_timeout_the_curve_begins_on_its_plateau() -> None:
    """Slow start up to 70 segments, then K = 0: W(2.1 s) = 70 + 0.4 * 2.1^3 = 73.704 segments."""
    controller = grown(100_000)
    lost(controller, phase=0)
    controller.on_persistent_congestion()
    assert (controller.cwnd, controller.ssthresh, controller.is_starting) == (2000, 70_000, True)
    acked(controller, 68_000, phase=1)
    assert (controller.cwnd, controller.is_starting) == (70_000, False)
    acked(controller, 1, phase=1)
    acked(controller, 70_000, phase=1, at=2)
    assert controller.cwnd == pytest.approx(73_704, abs=5)


def test_time_without_data_does_not_count() -> None:
    controller = reduced(100_000)
    acked(controller, 1000, phase=1, at=10, is_app_limited=True)
    assert controller.cwnd == 70_000
    acked(controller, 1000, phase=1, at=11)
    assert controller.cwnd == pytest.approx(70_000 + 17_884 / 70, abs=2)


def round_trips(controller: Cubic, rtt: int, *, count: int = 8) -> None:
    """One round: its first acknowledgment ends the one before."""
    for turn in range(count):
        acked(controller, 100, phase=0, round_start=turn == 0)
        controller.on_rtt(rtt, rttvar=0, sent_at=0)


def test_longer_round_trips_end_slow_start() -> None:
    """From 100 to 112 ms is less than an eighth more, to 113 ms is not; then five rounds of a quarter (RFC 9406)."""
    controller = Cubic(segment=1000)
    round_trips(controller, 100 * MS)
    round_trips(controller, 112 * MS)
    assert controller.cwnd == 11_600  # 16 * 100 more
    round_trips(controller, 112 * MS + 14 * MS)  # exactly 112 + 112/8
    assert controller.cwnd == 12_400
    for _ in range(4):
        round_trips(controller, 126 * MS)
    assert controller.cwnd == 12_400 + 32 * 25
    assert controller.is_starting
    acked(controller, 100, phase=0, round_start=True)
    assert (controller.cwnd, controller.ssthresh) == (13_200, 13_200)
    assert not controller.is_starting


def test_after_leaving_slow_start_without_a_loss_the_curve_begins_on_its_plateau() -> None:
    controller = Cubic(segment=1000)
    for rtt in (100, 200, 200, 200, 200, 200):
        round_trips(controller, rtt * MS)
    acked(controller, 100, phase=0, round_start=True)
    window = controller.cwnd
    acked(controller, 1, phase=0)
    acked(controller, window, phase=0, at=3)  # W(3 s + about 0.2 s) = window + 0.4 * 3.2^3 = 13.1 segments
    assert controller.cwnd == pytest.approx(min(window + 13_107, 1.5 * window), rel=0.02)


def test_round_trips_that_shrink_again_keep_slow_start() -> None:
    controller = Cubic(segment=1000)
    round_trips(controller, 100 * MS)
    round_trips(controller, 120 * MS)
    before = controller.cwnd
    acked(controller, 400, phase=0)
    assert controller.cwnd == before + 100
    round_trips(controller, 105 * MS)
    before = controller.cwnd
    acked(controller, 400, phase=0)
    assert controller.cwnd == before + 400
