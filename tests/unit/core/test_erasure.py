"""Unknown symbols worked out from sums of them, against sums made of known ones."""

from __future__ import annotations

import random
from functools import reduce
from operator import xor

from hypothesis import given
from hypothesis import strategies as st

from surewire.core.erasure import Equations, add_up, indices


def total(symbols: list[int], mask: int) -> int:
    return reduce(xor, (symbols[index] for index in indices(mask)), 0)


def rank(masks: list[int]) -> int:
    """Independent ones, by elimination from the lowest bit on: another way than `Equations` goes."""
    found = 0
    rest = list(masks)
    while rest:
        mask = rest.pop()
        if mask:
            found += 1
            low = mask & -mask
            rest = [other ^ mask if other & low else other for other in rest]
    return found


@given(st.integers(0, (1 << 80) - 1))
def test_indices_are_the_set_bits_ascending(mask: int) -> None:
    assert indices(mask) == [index for index in range(80) if mask >> index & 1]


@given(st.data(), st.lists(st.integers(0, 1 << 20), max_size=70), st.integers(0, 1 << 20))
def test_those_that_the_mask_names_are_added_up(data: st.DataObject, symbols: list[int], start: int) -> None:
    mask = data.draw(st.integers(0, (1 << len(symbols)) - 1))
    assert add_up(mask, symbols, start) == start ^ total(symbols, mask)


@given(st.data(), st.integers(1, 12))
def test_whatever_sums_arrive_all_is_known_exactly_when_they_suffice(data: st.DataObject, count: int) -> None:
    symbols = data.draw(st.lists(st.integers(0, 255), min_size=count, max_size=count))
    unknown = data.draw(st.integers(1, (1 << count) - 1))
    masks = [mask & unknown for mask in data.draw(st.lists(st.integers(0, (1 << count) - 1), max_size=20))]
    equations = Equations(unknown)
    for index, mask in enumerate(masks, 1):
        assert equations.add(mask, total(symbols, mask))
        assert len(equations) == rank(masks[:index])
        assert equations.is_solved == (len(equations) == unknown.bit_count())
    if equations.is_solved:
        assert equations.solve() == {index: symbols[index] for index in indices(unknown)}


@given(st.data(), st.integers(1, 10), st.integers(1, 255))
def test_a_sum_that_is_wrong_is_seen_when_it_follows_from_others(data: st.DataObject, count: int, error: int) -> None:
    symbols = data.draw(st.lists(st.integers(0, 255), min_size=count, max_size=count))
    equations = Equations((1 << count) - 1)
    for index in range(count):
        assert equations.add(1 << index, symbols[index])
    mask = data.draw(st.integers(1, (1 << count) - 1))
    assert equations.add(mask, total(symbols, mask))
    assert not equations.add(mask, total(symbols, mask) ^ error)


def test_a_few_random_sums_more_than_needed_are_enough() -> None:
    """With e more than are needed all but 2**-e of the attempts succeed."""
    rng = random.Random(5)
    enough = 0
    for _ in range(200):
        equations = Equations((1 << 40) - 1)
        for _ in range(40 + 5):
            equations.add(rng.getrandbits(40), 0)
        enough += equations.is_solved
    assert enough >= 185
