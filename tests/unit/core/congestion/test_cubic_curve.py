"""CUBIC's function of time by hand; segments of 1,000 bytes."""

from __future__ import annotations

import pytest

from surewire.core.congestion.cubic_curve import BETA, CubicCurve
from surewire.core.units import NS_PER_S as S

SEGMENT = 1000
WINDOW = 100_000.0
K = 4.217  # seconds: the cube root of 100 segments * 0.3 / 0.4 (RFC 9438 §4.2)


def reduced(window: float = WINDOW) -> CubicCurve:
    """A stage that began at 0 after a loss at `window`."""
    curve = CubicCurve(segment=SEGMENT)
    curve.end(window)
    curve.begin(window * BETA, now=0)
    return curve


def test_without_a_loss_the_stage_begins_on_the_plateau() -> None:
    curve = CubicCurve(segment=SEGMENT)
    curve.begin(WINDOW, now=5 * S)
    assert curve.at(5 * S) == WINDOW
    assert curve.at(6 * S) == pytest.approx(WINDOW + 0.4 * SEGMENT)
    assert curve.at(7 * S) == pytest.approx(WINDOW + 8 * 0.4 * SEGMENT)


def test_after_a_loss_it_comes_back_to_the_window_of_the_loss_in_k_seconds() -> None:
    curve = reduced()
    assert curve.at(0) == pytest.approx(BETA * WINDOW, abs=1)
    assert curve.at(int(K * S)) == pytest.approx(WINDOW, abs=1)
    assert curve.at(int(2 * K * S)) == pytest.approx(1.3 * WINDOW, rel=0.001)


@pytest.mark.parametrize("window", [10.0**exponent for exponent in range(3, 13)])
def test_a_stage_begins_with_the_window_it_is_given(window: float) -> None:
    assert reduced(window).at(0) == pytest.approx(BETA * window, rel=1e-4)


def test_it_is_concave_up_to_the_plateau_and_convex_beyond() -> None:
    curve = reduced()
    at = [curve.at(int(K * S * part / 4)) for part in range(9)]
    steps = [after - before for before, after in zip(at, at[1:], strict=False)]
    assert steps[:4] == sorted(steps[:4], reverse=True)
    assert steps[4:] == sorted(steps[4:])


def test_a_second_loss_below_the_first_leaves_room_for_new_flows() -> None:
    curve = reduced()
    curve.end(0.9 * WINDOW)
    assert not curve.is_begun
    curve.begin(0.9 * WINDOW * BETA, now=0)
    plateau = 0.9 * WINDOW * (1 + BETA) / 2  # §4.7
    seconds = ((plateau - 0.9 * WINDOW * BETA) / (0.4 * SEGMENT)) ** (1 / 3)
    assert curve.at(int(seconds * S)) == pytest.approx(plateau, abs=1)


def test_a_second_loss_above_the_first_keeps_its_window_as_the_plateau() -> None:
    curve = reduced()
    curve.end(1.2 * WINDOW)
    curve.begin(1.2 * WINDOW * BETA, now=0)
    k = K * 1.2 ** (1 / 3)
    assert curve.at(int(k * S)) == pytest.approx(1.2 * WINDOW, rel=0.001)


def test_what_is_forgotten_is_no_plateau() -> None:
    curve = reduced()
    curve.forget()
    assert not curve.is_begun
    curve.begin(WINDOW / 10, now=0)
    assert curve.at(0) == WINDOW / 10


def test_time_can_be_left_out() -> None:
    curve, late = reduced(), reduced()
    late.postpone(3 * S)
    assert late.at(5 * S) == curve.at(2 * S)


def test_reno_beside_it_is_slow_until_it_has_made_up_for_the_reduction() -> None:
    curve = reduced()
    first = curve.grow_as_reno(1.0, prior=WINDOW) - BETA * WINDOW
    assert first == pytest.approx(SEGMENT * 3 * (1 - BETA) / (1 + BETA))  # §4.3
    while (window := curve.grow_as_reno(1.0, prior=WINDOW)) < WINDOW:
        pass
    assert curve.grow_as_reno(1.0, prior=WINDOW) - window == pytest.approx(SEGMENT)
    assert curve.grow_as_reno(3.0, prior=WINDOW) - window == pytest.approx(4 * SEGMENT)


def test_longer_segments_grow_faster() -> None:
    curve = CubicCurve(segment=SEGMENT)
    curve.begin(WINDOW, now=0)
    curve.segment = 3 * SEGMENT
    assert curve.at(S) == pytest.approx(WINDOW + 0.4 * 3 * SEGMENT)
