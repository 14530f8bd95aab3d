"""Growth by hand: its steps, and when it has become pointless. Segments of 1,000 bytes."""

from __future__ import annotations

import pytest

from surewire.core.congestion.growth import Growth

SEGMENT = 1000
WINDOW = 200 * SEGMENT


def steps(count: int, *, window: int = WINDOW, is_gentle: bool = False, is_blind: bool = False) -> list[int]:
    growth = Growth(is_blind=is_blind)
    return [growth.step(window, segment=SEGMENT, is_gentle=is_gentle) for _ in range(count)]


def plateau_after(
    windows: list[int], delivered: list[int], *, loss: float = 0.0, segments: float = 1000.0
) -> tuple[int, int]:
    """Rounds until a plateau was seen, and the window that is left; (0, 0) if none was.

    `delivered` is what arrives of each window, in the round after it was chosen.
    """
    growth = Growth()
    for number, (window, acked) in enumerate(zip(windows, delivered, strict=True), start=1):
        found = growth.plateau(window, acked, segments=segments, loss=loss)
        if found:
            return number, found
    return 0, 0


GROWING = [WINDOW * (20 + number) // 20 for number in range(40)]
BEFORE = [WINDOW, *GROWING]  # each window is in force a round later


def test_steps_double_from_one_segment() -> None:
    assert steps(5) == [SEGMENT << number for number in range(5)]


def test_a_very_large_window_begins_with_more_than_one_but_a_small_part() -> None:
    window = 100_000 * SEGMENT
    assert SEGMENT < steps(1, window=window)[0] <= window // 50


def test_no_step_is_more_than_half_the_window() -> None:
    assert max(steps(100)) == WINDOW // 2


def test_each_step_is_a_segment_at_least() -> None:
    assert min(steps(20, window=SEGMENT)) == SEGMENT
    assert min(steps(20, window=SEGMENT, is_gentle=True)) == SEGMENT


def test_where_there_may_be_a_queue_steps_stay_small() -> None:
    assert steps(3, is_gentle=True) == steps(3)
    assert max(steps(30, is_gentle=True)) <= WINDOW // 20


def test_where_a_loss_will_be_the_only_sign_it_grows_half_as_fast() -> None:
    assert steps(9, is_blind=True)[8] == steps(9)[4]


def test_a_path_that_takes_all_that_is_added_has_no_plateau() -> None:
    assert plateau_after(GROWING, BEFORE[:-1]) == (0, 0)


def test_growth_by_which_no_more_arrives_is_a_plateau() -> None:
    rounds, window = plateau_after(GROWING, [WINDOW] * 40)
    assert 3 <= rounds <= 12
    assert 0.9 * WINDOW <= window <= 1.1 * WINDOW


def test_the_plateau_is_what_arrived_in_proportion_to_the_first_round() -> None:
    growth = Growth()
    growth.plateau(WINDOW, WINDOW // 2, segments=1000, loss=0)
    growth.plateau(2 * WINDOW, WINDOW // 2, segments=1000, loss=0)
    assert growth.plateau(2 * WINDOW, WINDOW // 2, segments=1000, loss=0) == WINDOW
    growth = Growth()
    growth.plateau(WINDOW, WINDOW // 2, segments=1000, loss=0)
    growth.plateau(2 * WINDOW, WINDOW // 2, segments=1000, loss=0)
    assert growth.plateau(2 * WINDOW, WINDOW * 2 // 5, segments=1000, loss=0) == WINDOW * 4 // 5


def test_a_little_growth_is_not_judged_yet() -> None:
    windows = [WINDOW * (100 + number) // 100 for number in range(20)]
    assert plateau_after(windows, [WINDOW] * 20) == (0, 0)


@pytest.mark.parametrize("loss", [0.1, 0.5])
def test_a_path_that_loses_a_steady_share_has_no_plateau(loss: float) -> None:
    delivered = [int(window * (1 - loss)) for window in BEFORE[:-1]]
    assert plateau_after(GROWING, delivered, loss=loss) == (0, 0)


def test_where_chance_may_be_the_reason_more_growth_is_waited_for() -> None:
    """A third of what was added arrives: not half, but of few segments with much loss many may be lost at once."""
    delivered = [WINDOW + (window - WINDOW) * 35 // 100 for window in BEFORE[:-1]]
    assert plateau_after(GROWING, delivered, loss=0.5, segments=10_000) != (0, 0)
    assert plateau_after(GROWING, delivered, loss=0.5, segments=20) == (0, 0)


def test_nothing_arriving_at_all_is_no_division_by_zero() -> None:
    growth = Growth()
    assert growth.plateau(WINDOW, 0, segments=0, loss=0.5) == 0
    assert growth.plateau(2 * WINDOW, 0, segments=0, loss=0.5) == 0
    growth.plateau(2 * WINDOW, 0, segments=0, loss=0.5)


def test_what_went_into_a_queue_is_no_growth_to_judge() -> None:
    """The window has doubled, most of that waits, and the queue is gone: the judging begins anew."""
    growth = Growth()
    for window in (WINDOW, WINDOW, 2 * WINDOW):
        assert not growth.plateau(window, WINDOW, segments=1000.0, loss=0.0)
    growth.forget()
    assert not growth.plateau(2 * WINDOW, WINDOW, segments=1000.0, loss=0.0)
