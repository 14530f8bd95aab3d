"""NewReno, with numbers worked by hand from RFC 9002 §7 and appendix B; segments of 1,000 bytes."""

from __future__ import annotations

import pytest

from surewire.core.congestion import CongestionController, NewReno, PhaseOutcome
from surewire.errors import ConfigError
from tests.unit.core.makers import make_sample

MS = 1_000_000
S = 1000 * MS


def acked(
    controller: CongestionController,
    nbytes: int,
    *,
    phase: int = 0,
    now: int = S,
    in_flight: int | None = None,
    is_app_limited: bool = False,
) -> None:
    """Acknowledge bytes that were sent in `phase`; the window was full unless `in_flight` says otherwise."""
    controller.on_ack(
        make_sample(
            now=now,
            rate=0,
            is_app_limited=is_app_limited,
            bytes_in_flight=controller.cwnd if in_flight is None else in_flight,
            outcomes=[PhaseOutcome(phase, nbytes, 0)],
        )
    )


def lost(controller: CongestionController, nbytes: int, *, phase: int, now: int = S) -> None:
    controller.on_lost([PhaseOutcome(phase, 0, nbytes)], now=now)


@pytest.mark.parametrize(
    ("segment", "window"), [(1000, 10_000), (1448, 14_480), (1500, 14_720), (7360, 14_720), (9000, 18_000)]
)
def test_it_starts_with_the_initial_window(segment: int, window: int) -> None:
    assert NewReno(segment=segment).cwnd == window


@pytest.mark.parametrize(("segment", "rtt"), [(0, 1), (1, 0), (-1, 1)])
def test_values_that_make_no_sense_are_refused(segment: int, rtt: int) -> None:
    with pytest.raises(ConfigError):
        NewReno(segment=segment, initial_rtt=rtt)


def test_slow_start_grows_by_what_is_acknowledged() -> None:
    controller = NewReno(segment=1000)
    acked(controller, 2000)
    acked(controller, 500)
    assert (controller.cwnd, controller.ssthresh, controller.is_starting) == (12_500, None, True)


def test_a_loss_halves_the_window_and_ends_slow_start() -> None:
    controller = NewReno(segment=1000)
    lost(controller, 1000, phase=0)
    assert (controller.cwnd, controller.ssthresh, controller.phase) == (5000, 5000, 1)
    assert not controller.is_starting


def test_one_reduction_in_a_round_trip() -> None:
    controller = NewReno(segment=1000)
    lost(controller, 1000, phase=0)
    lost(controller, 3000, phase=0)
    acked(controller, 5000, phase=0)  # of before the reduction: nothing grows, either
    assert (controller.cwnd, controller.phase) == (5000, 1)
    lost(controller, 1000, phase=1)  # sent after it
    assert (controller.cwnd, controller.phase) == (2500, 2)


def test_congestion_avoidance_adds_a_segment_for_each_window() -> None:
    controller = NewReno(segment=1000)
    lost(controller, 1000, phase=0)
    acked(controller, 4999, phase=1)
    assert controller.cwnd == 5000
    acked(controller, 1, phase=1)
    assert controller.cwnd == 6000
    acked(controller, 5999, phase=1)
    assert controller.cwnd == 6000
    acked(controller, 1, phase=1)
    assert controller.cwnd == 7000


def test_what_counted_before_a_reduction_does_not_count_after_it() -> None:
    controller = NewReno(segment=1000)
    lost(controller, 1000, phase=0)
    acked(controller, 4999, phase=1)
    lost(controller, 1000, phase=1)
    acked(controller, 2499, phase=2)
    assert controller.cwnd == 2500


def test_two_segments_are_the_least() -> None:
    controller = NewReno(segment=1000)
    for phase in range(6):
        lost(controller, 1000, phase=phase)
    assert (controller.cwnd, controller.ssthresh, controller.phase) == (2000, 2000, 6)


def test_a_window_that_is_not_used_does_not_grow() -> None:
    controller = NewReno(segment=1000)
    acked(controller, 1000, is_app_limited=True)
    acked(controller, 1000, in_flight=3999)  # of 10,000
    assert controller.cwnd == 10_000
    acked(controller, 1000, in_flight=4000)
    assert controller.cwnd == 11_000


def test_pacing_is_a_little_faster_than_the_window() -> None:
    controller = NewReno(segment=1000, initial_rtt=200 * MS)
    assert controller.pacing_rate == 2 * 10_000 * 5
    controller.on_rtt(100 * MS, rttvar=0, sent_at=0)
    assert controller.pacing_rate == 2 * 10_000 * 10
    lost(controller, 1000, phase=0)
    assert controller.pacing_rate == 62_500  # 1.25 * 5000 / 0.1 s


# Persistent congestion: with a round trip of 100 ms and a variation of 50, a probe timeout is 100 + 4 * 50 + 5 ms.
SILENCE = (5 * 305 + 100) * MS


@pytest.mark.parametrize(
    ("silence", "in_flight", "cwnd"),
    [(SILENCE, 5000, 5500), (SILENCE + 1, 5000, 2000), (SILENCE + 1, 0, 5500)],
    ids=["not yet", "persistent", "idle"],
)
def test_losses_in_a_long_silence_are_persistent_congestion(silence: int, in_flight: int, cwnd: int) -> None:
    controller = NewReno(segment=1000)
    controller.on_rtt(100 * MS, rttvar=50 * MS, sent_at=0)
    acked(controller, 0, now=S, in_flight=in_flight)
    acked(controller, 1000, now=S + silence, in_flight=9000)
    lost(controller, 5000, phase=0, now=S + silence)
    assert (controller.cwnd, controller.ssthresh) == (cwnd, 5500)


def test_a_silence_counts_once() -> None:
    controller = NewReno(segment=1000)
    controller.on_rtt(100 * MS, rttvar=50 * MS, sent_at=0)
    acked(controller, 0, now=S, in_flight=5000)
    acked(controller, 1000, now=9 * S, in_flight=9000)
    lost(controller, 5000, phase=0, now=9 * S)
    assert controller.is_starting
    acked(controller, 2000, phase=1, now=9 * S)  # slow start again, up to the threshold
    assert controller.cwnd == 4000
    lost(controller, 1000, phase=0, now=9 * S)
    assert controller.cwnd == 4000


def test_without_a_round_trip_no_silence_is_long() -> None:
    controller = NewReno(segment=1000)
    acked(controller, 0, now=S, in_flight=5000)
    acked(controller, 1000, now=99 * S)
    lost(controller, 1000, phase=0, now=99 * S)
    assert controller.cwnd == 5500
