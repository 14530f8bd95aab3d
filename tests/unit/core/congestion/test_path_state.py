"""What the parts of the default controller have in common, by hand."""

from __future__ import annotations

import pytest

from surewire.core.congestion.path_state import PathState
from tests.unit.core.congestion.known_path import BDP, NOW, make_path
from tests.unit.core.congestion.make_round import make_round


def test_a_window_of_which_hardly_anything_arrives_is_held_and_then_given_up() -> None:
    """Three quarters are lost where half is taken for the path's: as a start into a short queue leaves it."""
    path = make_path(loss=0.5)
    ended = make_round(BDP // 4, BDP - BDP // 4)
    plateaus = []
    for _ in range(4):
        plateaus.append(path.plateau(ended))
        path.grow(ended, now=NOW)
    assert path.window == BDP
    assert plateaus == [0, 0, 0, BDP // 2]
    path.begin()
    assert path.plateau(ended) == 0


def grown(path: PathState, arrived: int) -> None:
    """The window is half as large again as when so much arrived in a round of it."""
    path.plateau(make_round(arrived))
    path.window = path.window * 3 // 2
    path.plateau(make_round(arrived))


def test_a_plateau_is_no_more_than_arrives() -> None:
    """What the growth began with was too much already: half of it was lost then, too."""
    path = make_path()
    grown(path, BDP // 2)
    assert path.plateau(make_round(BDP // 2, BDP)) == BDP // 2


def test_on_a_path_that_loses_it_is_made_up_for() -> None:
    path = make_path(loss=0.5)
    grown(path, BDP // 2)
    assert path.plateau(make_round(BDP // 2, BDP)) == BDP


@pytest.mark.parametrize(("size", "is_judged"), [(30, False), (BDP // 1000, True)])
def test_a_round_that_ends_with_the_first_of_a_bunch_is_no_plateau(size: int, is_judged: bool) -> None:
    """Of few segments: of many, losses that are known later are a part of what is not settled yet."""
    path = make_path()
    path.window = size * path.segment
    grown(path, path.window)
    ended = make_round(path.window // 10)
    assert path.plateau(ended) > 0
    assert (path.plateau(ended._replace(used=path.window)) > 0) is is_judged


def test_nor_does_it_give_a_held_window_up() -> None:
    path = make_path(loss=0.5)
    path.window = 30 * path.segment
    ended = make_round(7 * path.segment, 23 * path.segment)
    for _ in range(3):
        path.grow(ended, now=NOW)
    assert path.plateau(ended._replace(settled=path.segment)) == 0
    assert path.plateau(ended) == 14 * path.segment
