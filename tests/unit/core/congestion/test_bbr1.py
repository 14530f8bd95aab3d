"""BBR as first published, step by step; segments of 1,000 bytes, a path of 1 MB/s and 40 ms: 40 segments in flight."""

from __future__ import annotations

import pytest

from surewire.core.congestion import Bbr1, PhaseOutcome
from surewire.core.congestion.bbr1 import _Mode as Mode
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from surewire.errors import ConfigError
from tests.unit.core.makers import make_sample

SEGMENT = 1000
RTT = 40 * MS
RATE = 1_000_000
BDP = 40_000
ROOM = 3 * 2 * SEGMENT  # three quanta, of two segments at this rate


class Path:
    """Gives a controller samples."""

    def __init__(self) -> None:
        self.bbr = Bbr1(segment=SEGMENT, initial_rtt=100 * MS)
        self.now = S

    def ack(
        self,
        rate: int = RATE,
        *,
        wait: int = RTT + 1,
        rtt: int = RTT,
        in_flight: int = BDP,
        acked: int = BDP,
        is_app_limited: bool = False,
        round_start: bool = True,
    ) -> None:
        self.now += wait
        self.bbr.on_rtt(rtt, rttvar=0, sent_at=0)
        self.bbr.on_ack(
            make_sample(
                now=self.now,
                rate=rate,
                round_start=round_start,
                is_app_limited=is_app_limited,
                bytes_in_flight=in_flight,
                outcomes=[PhaseOutcome(self.bbr.phase, acked, 0)],
            )
        )


def cruising() -> Path:
    """Past start-up, in the cycle."""
    path = Path()
    for _ in range(4):
        path.ack(in_flight=2 * BDP)
    path.ack()
    assert path.bbr.mode is Mode.PROBE_BW
    return path


def cycle_at(gain: int) -> Path:
    """In the phase of the cycle with this gain; what is in flight fits every phase."""
    path = cruising()
    while path.bbr.pacing_rate != RATE * gain // 100:
        path.ack(in_flight=2 * BDP)
    return path


@pytest.mark.parametrize(("segment", "rtt"), [(0, 1), (1, 0)])
def test_values_that_make_no_sense_are_refused(segment: int, rtt: int) -> None:
    with pytest.raises(ConfigError):
        Bbr1(segment=segment, initial_rtt=rtt)


def test_it_starts_with_ten_segments_at_the_high_gain() -> None:
    bbr = Path().bbr
    assert (bbr.mode, bbr.cwnd, bbr.bandwidth) == (Mode.STARTUP, 10 * SEGMENT, 0)
    assert bbr.pacing_rate == 289_000  # 2.89 * 10,000 / 0.1 s


def test_start_up_goes_on_while_the_bandwidth_grows_by_a_quarter() -> None:
    path = Path()
    for rate in (100_000, 125_000, 156_250, 195_313, 244_142, 305_178):
        path.ack(rate)
    assert path.bbr.mode is Mode.STARTUP
    assert path.bbr.pacing_rate == 305_178 * 289 // 100


def test_start_up_ends_after_three_rounds_without_that() -> None:
    path = Path()
    for rate in (RATE, 1_100_000, 1_200_000):
        path.ack(rate, in_flight=3 * BDP)
        assert path.bbr.mode is Mode.STARTUP
    path.ack(1_240_000, in_flight=3 * BDP)
    assert path.bbr.mode is Mode.DRAIN
    assert path.bbr.pacing_rate == 1_240_000 * 35 // 100


def test_rounds_that_the_application_limits_do_not_end_start_up() -> None:
    path = Path()
    for _ in range(9):
        path.ack(is_app_limited=True)
    assert path.bbr.mode is Mode.STARTUP


def test_the_queue_is_drained_before_the_cycle_begins() -> None:
    path = Path()
    for _ in range(8):
        path.ack(in_flight=2 * BDP)
    modes = [path.bbr.mode]
    path.ack(in_flight=BDP)
    modes.append(path.bbr.mode)
    assert modes == [Mode.DRAIN, Mode.PROBE_BW]
    assert path.bbr.pacing_rate in (RATE, RATE * 5 // 4)


def test_the_cycle() -> None:
    path = cycle_at(125)
    gains = []
    for _ in range(16):
        gains.append(path.bbr.pacing_rate * 100 // RATE)
        path.ack(in_flight=2 * BDP)
    assert gains == [125, 75, 100, 100, 100, 100, 100, 100] * 2


def test_probing_lasts_until_the_queue_has_grown_or_something_is_lost() -> None:
    path = cycle_at(125)
    for _ in range(3):
        path.ack(in_flight=BDP)
        assert path.bbr.pacing_rate == RATE * 125 // 100
    path.bbr.on_lost([PhaseOutcome(path.bbr.phase - 1, 0, SEGMENT)], now=path.now)  # sent before
    path.ack(in_flight=BDP)
    assert path.bbr.pacing_rate == RATE * 125 // 100
    path.bbr.on_lost([PhaseOutcome(path.bbr.phase, 0, SEGMENT)], now=path.now)
    path.ack(in_flight=BDP)
    assert path.bbr.pacing_rate == RATE * 75 // 100


def test_draining_ends_early_when_it_is_done() -> None:
    path = cycle_at(75)
    path.ack(wait=MS, in_flight=2 * BDP, round_start=False)
    assert path.bbr.pacing_rate == RATE * 75 // 100
    path.ack(wait=MS, in_flight=BDP, round_start=False)
    assert path.bbr.pacing_rate == RATE


def test_the_window_is_two_products_and_room_for_trains() -> None:
    path = cycle_at(100)
    for _ in range(4):
        path.ack()
    assert path.bbr.cwnd == 2 * BDP + ROOM


def test_loss_changes_neither_rate_nor_window() -> None:
    path = cycle_at(100)
    before = path.bbr.pacing_rate, path.bbr.cwnd
    path.bbr.on_lost([PhaseOutcome(path.bbr.phase, 0, 30 * SEGMENT)], now=path.now)
    assert (path.bbr.pacing_rate, path.bbr.cwnd) == before


def test_the_bandwidth_is_the_best_of_ten_rounds() -> None:
    path = cruising()
    path.ack(2 * RATE)
    for _ in range(9):
        path.ack()
        assert path.bbr.bandwidth == 2 * RATE
    path.ack()
    assert path.bbr.bandwidth == RATE


def test_the_pace_of_the_application_never_lowers_the_bandwidth() -> None:
    path = cruising()
    for _ in range(30):
        path.ack(RATE // 2, is_app_limited=True)
    assert path.bbr.bandwidth == RATE
    path.ack(RATE * 2, is_app_limited=True)
    assert path.bbr.bandwidth == RATE * 2


def test_after_ten_seconds_it_looks_at_the_path() -> None:
    path = cruising()
    begin = path.now
    while path.bbr.mode is Mode.PROBE_BW:
        path.ack(rtt=RTT + MS)
    assert path.now - begin > 9 * S
    window = 2 * BDP + ROOM
    assert path.bbr.cwnd == 4 * SEGMENT
    path.ack(rtt=RTT - MS, in_flight=5 * SEGMENT)
    path.ack(rtt=RTT - MS, in_flight=4 * SEGMENT)
    drained = path.now
    while path.bbr.mode is Mode.PROBE_RTT:
        path.ack(rtt=RTT, wait=10 * MS, in_flight=4 * SEGMENT, acked=SEGMENT)
    begin = path.now
    assert begin - drained == 200 * MS
    assert path.bbr.rtprop == RTT - MS
    assert path.bbr.cwnd >= window - 2 * SEGMENT
    while path.bbr.cwnd > 4 * SEGMENT:
        path.ack()
    assert path.now - begin > 10 * S  # from the end of the look on


def test_a_shorter_path_is_believed_at_once_a_longer_one_after_ten_seconds() -> None:
    path = cruising()
    path.ack(rtt=RTT // 2)
    assert path.bbr.rtprop == RTT // 2
    while path.bbr.mode is not Mode.PROBE_RTT:
        path.ack(rtt=2 * RTT)
        assert path.bbr.rtprop in (RTT // 2, 2 * RTT)
    assert path.bbr.rtprop == 2 * RTT


def test_segments_of_another_length() -> None:
    bbr = Path().bbr
    bbr.on_segment(9 * SEGMENT)
    assert bbr.cwnd == 36 * SEGMENT
