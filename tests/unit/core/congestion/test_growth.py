"""Growth by hand: its steps, and when it has become pointless. Segments of 1,000 bytes."""

from __future__ import annotations

import pytest

from surewire.core.congestion.growth import Growth

SEGMENT = 1000
WINDOW = 200 * SEGMENT


def steps(
    count: int, *, window: int = WINDOW, is_gentle: bool = False, is_blind: bool = False, is_clear: bool = False
) -> list[int]:
    growth = Growth(is_blind=is_blind)
    return [growth.step(window, segment=SEGMENT, is_gentle=is_gentle, is_clear=is_clear) for _ in range(count)]


def growing(rounds: int, *, is_clear: bool, is_blind: bool = False) -> int:
    """The window after so many rounds in which everything arrived."""
    growth = Growth(is_blind=is_blind)
    window = WINDOW
    for _ in range(rounds):
        assert growth.plateau(window, window, segments=1000, loss=0) == 0
        window += growth.step(window, segment=SEGMENT, is_gentle=False, is_clear=is_clear)
    return window


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


def test_where_there_is_surely_no_queue_a_wider_path_is_taken_faster() -> None:
    assert growing(8, is_clear=True) > growing(8, is_clear=False)
    assert growing(8, is_clear=True, is_blind=True) == growing(8, is_clear=False, is_blind=True)


def test_the_first_steps_are_as_small_however_clear_it_is() -> None:
    assert steps(3, is_clear=True) == steps(3)


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


def windows_until_clear(delivered: float) -> list[int]:
    """Windows of eight rounds with a clear queue, of each of which this share arrives a round later."""
    growth, window, before = Growth(), WINDOW, WINDOW
    windows = []
    for _ in range(8):
        growth.plateau(window, int(min(before, WINDOW) + (before - WINDOW) * delivered), segments=1000, loss=0)
        before = window
        window += growth.step(window, segment=WINDOW // 20, is_gentle=False, is_clear=True)
        windows.append(window)
    return windows


def test_growth_that_nothing_answers_to_is_no_reason_to_jump() -> None:
    """An empty queue alone is not: behind a policer it always is."""
    assert windows_until_clear(1.0)[4] > 1.4 * windows_until_clear(0.0)[3]


def test_far_more_than_was_sent_is_no_wider_path() -> None:
    """When a path becomes shorter, what was on the way comes all at once."""
    growth, window = Growth(), WINDOW
    for _ in range(4):
        growth.plateau(window, WINDOW, segments=1000, loss=0)
        window += growth.step(window, segment=WINDOW // 20, is_gentle=False, is_clear=True)
    growth.plateau(window, 2 * window, segments=1000, loss=0)
    assert growth.step(window, segment=SEGMENT, is_gentle=False, is_clear=True) < window // 2
