"""Losses of two cycles, by hand."""

from __future__ import annotations

import pytest

from surewire.core.congestion.cycle_losses import CycleLosses
from surewire.core.units import NS_PER_MS as MS
from tests.unit.core.congestion.make_round import make_round

BASE = 50 * MS


def shares(*lost: int, floor: float = 0.0) -> list[float]:
    """What is said at the end of each cycle of eight rounds of a hundred bytes, the first of which loses so many."""
    losses = CycleLosses()
    said = []
    for number in range(1, 8 * len(lost) + 1):
        cycle, first = divmod(number - 1, 8)
        some = 0 if first else lost[cycle]
        share = losses.on_round(make_round(100 - some, some), floor=floor, now=number * BASE, base=BASE)
        if share is not None:
            said.append(share)
    return said


def test_two_cycles_are_taken_together() -> None:
    assert shares(80, 0, 0) == pytest.approx([0.1, 0.05, 0.0])


def test_what_the_path_loses_does_not_count() -> None:
    assert shares(80, 80, floor=0.4) == pytest.approx([0.05, 0.05])
