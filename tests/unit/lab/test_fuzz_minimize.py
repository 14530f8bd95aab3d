"""Shrinking: what is not needed goes, what is needed stays."""

from __future__ import annotations

from dataclasses import dataclass, field

from surewire.errors import ConfigError
from surewire.lab.proof.minimize import minimize, smaller_cases


@dataclass(frozen=True)
class Inner:
    size: int = 5
    share: float = 0.0

    def __post_init__(self) -> None:
        if self.size < 2:
            raise ConfigError("too small")


@dataclass(frozen=True)
class Toy:
    seed: int
    steps: tuple[tuple[str, int], ...] = ()
    pair: tuple[int, int] | None = None
    inner: Inner = field(default_factory=Inner)
    is_loud: bool = False
    needed: int = 7


BIG = Toy(
    seed=9,
    steps=tuple(("write", 100 + index) for index in range(20)),
    pair=(30, 40),
    inner=Inner(size=1234, share=0.123),
    is_loud=True,
    needed=900,
)


def test_nothing_is_needed() -> None:
    shrunk = minimize(BIG, lambda case: True)
    assert shrunk.case == Toy(seed=9)
    assert shrunk.tried < 60


def test_what_is_needed_stays_in_its_smallest_form() -> None:
    def fails(case: Toy) -> bool:
        return ("write", 107) in case.steps and case.inner.share > 0.1 and case.pair is not None and case.pair[1] > 20

    shrunk = minimize(BIG, fails)
    assert shrunk.case.steps == (("write", 107),)
    assert shrunk.case.pair is not None and shrunk.case.pair[0] == 0 and 20 < shrunk.case.pair[1] <= 40
    assert 0.1 < shrunk.case.inner.share <= 0.123
    assert not shrunk.case.is_loud and shrunk.case.seed == 9
    assert fails(shrunk.case)
    assert not any(fails(smaller) for smaller in smaller_cases(shrunk.case))


def test_the_budget_is_kept() -> None:
    runs = 0

    def fails(case: Toy) -> bool:
        nonlocal runs
        runs += 1
        return True

    assert minimize(BIG, fails, most_runs=3).tried == runs == 3


def test_smaller_cases_are_legal_and_differ() -> None:
    smaller = list(smaller_cases(BIG))
    assert BIG not in smaller and len(set(smaller)) == len(smaller)
    assert all(case.seed == 9 for case in smaller)
    assert all(len(step) == 2 for case in smaller for step in case.steps)
