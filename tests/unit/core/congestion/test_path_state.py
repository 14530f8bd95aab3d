"""What the parts of the default controller have in common, by hand."""

from __future__ import annotations

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
