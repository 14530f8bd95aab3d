"""The background controller, round by round; segments of 1,000 bytes, a path of 50 ms."""

from __future__ import annotations

import pytest

from surewire.core.congestion import Background, PhaseOutcome
from surewire.errors import ConfigError
from tests.unit.core.makers import make_sample

MS = 1_000_000
S = 1000 * MS
SEGMENT = 1000
RTT = 50 * MS


class Path:
    """Gives a controller whole round trips: everything sent arrives, but for what is said to be lost."""

    def __init__(self) -> None:
        self.controller = Background(segment=SEGMENT)
        self.now = S

    def round(self, queue_ms: int = 0, *, is_used: bool = True) -> float:
        """A round trip that met such a queue; the rate afterwards, in segments a round trip of the empty path."""
        rtt = RTT + queue_ms * MS
        self.now += rtt
        controller = self.controller
        for _ in range(40):  # enough for the smoothed round trip to follow
            controller.on_rtt(rtt, rttvar=0, sent_at=0)
        controller.on_ack(
            make_sample(
                now=self.now,
                rate=0,
                round_start=True,
                bytes_in_flight=controller.cwnd if is_used else 0,
                outcomes=[PhaseOutcome(controller.phase, SEGMENT, 0)],
            )
        )
        return controller.pacing_rate * RTT / S / SEGMENT

    def lose(self, segments: int) -> None:
        controller = self.controller
        controller.on_lost([PhaseOutcome(controller.phase, 0, segments * SEGMENT)], now=self.now)

    def grow_to(self, segments: int) -> None:
        while self.controller.cwnd < segments * SEGMENT:
            self.round()


@pytest.mark.parametrize(("segment", "rtt"), [(0, 1), (1, 0)])
def test_values_that_make_no_sense_are_refused(segment: int, rtt: int) -> None:
    with pytest.raises(ConfigError):
        Background(segment=segment, initial_rtt=rtt)


def test_it_starts_small_and_grows_every_second_round_while_the_queue_is_empty() -> None:
    path = Path()
    windows = [round(path.round(), 1) for _ in range(4)]
    assert windows[0] == windows[1] == pytest.approx(5.6, abs=0.1)  # 4 * 1.4
    assert windows[2] == windows[3] == pytest.approx(7.8, abs=0.2)


def test_a_window_that_is_not_used_does_not_grow() -> None:
    path = Path()
    before = path.controller.cwnd
    for _ in range(20):
        path.round(is_used=False)
    assert path.controller.cwnd == before


def test_a_queue_that_is_too_long_is_taken_for_ours_first_and_for_others_then() -> None:
    path = Path()
    path.grow_to(100)
    path.round()
    window = path.controller.cwnd
    path.round(30)
    assert path.controller.cwnd == pytest.approx(window * 59 / 80, rel=0.01)  # 50 ms + the target of 9 ms
    path.round(30)  # what was sent before the window changed says nothing new
    assert path.controller.cwnd == pytest.approx(window * 59 / 80, rel=0.01)
    for _ in range(10):
        path.round(30)
    assert path.controller.cwnd == 2 * SEGMENT


def test_while_others_queue_even_the_least_window_is_not_sent_each_round_trip() -> None:
    path = Path()
    path.grow_to(20)
    for _ in range(40):
        rate = path.round(150)
    assert path.controller.cwnd == 2 * SEGMENT
    assert rate == pytest.approx(0.5 * 50 / 200, rel=0.05)  # half a segment for each of these long round trips
    assert path.round() >= 1.9


def test_what_others_leave_is_taken_up_by_leaps() -> None:
    path = Path()
    path.grow_to(60)
    for _ in range(40):
        path.round(50)
    rounds = 0
    while path.round() < 60:
        rounds += 1
    assert rounds <= 45  # eight to be sure, and 13 steps of 1.3 each second round


def test_a_short_pause_of_others_is_not_taken_up() -> None:
    path = Path()
    path.grow_to(60)
    for _ in range(40):
        path.round(50)
    for _ in range(6):  # as long as CUBIC leaves a queue of half a round trip nearly empty
        rate = path.round(3)
    assert rate < 4  # two segments, and six thirds


def test_below_the_target_a_third_of_a_segment_a_round_trip() -> None:
    path = Path()
    path.grow_to(60)
    path.round(7)
    before = path.controller.cwnd
    for _ in range(9):
        path.round(7)
    assert path.controller.cwnd - before == pytest.approx(9 / 3 * SEGMENT * 1.1, abs=5)  # 1 / ceil(120 / 50)


def test_loss_in_excess_halves_the_window_once() -> None:
    path = Path()
    path.grow_to(60)
    path.round()
    window, phase = path.controller.cwnd, path.controller.phase
    path.lose(1)
    assert path.controller.cwnd == window
    path.lose(1)
    assert path.controller.cwnd == pytest.approx(window / 2, abs=1)
    path.controller.on_lost([PhaseOutcome(phase, 0, 9 * SEGMENT)], now=path.now)
    assert path.controller.cwnd == pytest.approx(window / 2, abs=1)


def test_after_loss_without_delay_the_window_comes_back_without_leaps() -> None:
    path = Path()
    path.grow_to(60)
    path.lose(2)
    window = path.controller.cwnd
    for _ in range(30):
        path.round()
    assert path.controller.cwnd <= window + 30 / 3 * SEGMENT * 1.1 + 1


def test_after_loss_with_delay_it_leaps() -> None:
    path = Path()
    path.grow_to(60)
    path.round(30)
    path.lose(2)
    window = path.controller.cwnd
    for _ in range(30):
        path.round()
    assert path.controller.cwnd > 2 * window


def test_every_ten_seconds_a_look_at_the_path() -> None:
    path = Path()
    path.grow_to(60)
    while path.now < 10 * S:
        path.round(7)
    windows = [path.controller.cwnd]
    while windows[-1] >= windows[0] // 2:
        path.round(7)
        windows.append(path.controller.cwnd)
    top = windows[-2]
    for _ in range(5):
        path.round()
        windows.append(path.controller.cwnd)
    assert windows[-6:] == [pytest.approx(top * share, rel=0.01) for share in (1 / 4, 1 / 4, 1 / 4, 1 / 2, 1 / 2, 1)]


def test_after_a_silence_it_starts_again() -> None:
    path = Path()
    path.grow_to(60)
    path.now += 2 * S
    path.round()
    assert path.controller.cwnd <= 7 * SEGMENT


def test_segments_of_another_length() -> None:
    controller = Background(segment=SEGMENT)
    controller.on_segment(10 * SEGMENT)
    assert controller.cwnd == 20 * SEGMENT
