"""The length of full datagrams by what path and rate allow."""

from __future__ import annotations

import pytest

from surewire.native.datagram_size import ORDINARY, datagram_size

MEGABIT = 125_000  # bytes a second


@pytest.mark.parametrize(
    ("longest", "megabits", "size"),
    [
        (1_200, 10_000, 1_200),
        (1_400, 1, 1_400),
        (65_507, 20, ORDINARY),
        (65_507, 70, ORDINARY),
        (65_507, 100, 8_972),
        (65_507, 1_000, 65_507),
        (8_972, 70, ORDINARY),
        (8_972, 1_000, 8_972),
        (4_000, 1, ORDINARY),
        (4_000, 1_000, 4_000),
    ],
)
def test_a_datagram_is_a_millisecond_of_the_rate_at_most(longest: int, megabits: int, size: int) -> None:
    assert datagram_size(longest, megabits * MEGABIT, present=1_200) == size


def test_a_rate_that_wavers_does_not_change_it_to_and_fro() -> None:
    size = 1_200
    sizes = set()
    for megabits in [600, 400, 300, 500, 550, 350] * 3:
        size = datagram_size(65_507, megabits * MEGABIT, present=size)
        sizes.add(size)
    assert sizes == {65_507}
    assert datagram_size(65_507, 250 * MEGABIT, present=size) == 8_972
