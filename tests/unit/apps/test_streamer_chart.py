"""What a chart is made of, as far as nothing is drawn; the drawing is tested with the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from surewire.apps.streamer_chart import draw_bars, limits, shown
from surewire.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0.00"), (0.678, "0.68"), (14.62, "14.6"), (303.84, "304"), (178975.4, "178,975")]
)
def test_a_value_is_shown_with_three_digits_or_all(value: float, text: str) -> None:
    assert shown(value) == text


def test_values_alike_stand_on_a_linear_axis_with_room_for_labels() -> None:
    low, high, is_log = limits([2.0, 10.0, None])
    assert (low, is_log) == (0.0, False)
    assert high > 10.0


@pytest.mark.parametrize(("least", "low"), [(14.6, 1.0), (15.1, 10.0), (0.68, 0.1), (1.0, 0.1), (10.0, 1.0)])
def test_values_far_apart_stand_on_a_logarithmic_axis_that_shows_the_smallest(least: float, low: float) -> None:
    found, high, is_log = limits([least, 300 * least])
    assert is_log
    assert found == pytest.approx(low)
    assert high > 300 * least


@pytest.mark.parametrize("values", [[], [None], [0.0], [0.0, 1e6]])
def test_there_is_an_axis_for_nothing_and_for_zeros(values: list[float | None]) -> None:
    low, high, is_log = limits(values)
    assert low == 0.0 < high
    assert not is_log


def test_an_ending_that_says_no_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ends in \.svg or \.png"):
        draw_bars(tmp_path / "chart.gif", title="", names=[], panels=[])
