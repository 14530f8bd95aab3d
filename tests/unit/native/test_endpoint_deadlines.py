"""The earliest of many deadlines, against a plain dictionary; and how much is kept."""

from __future__ import annotations

import random

from surewire.native.deadlines import Alarmed, Deadlines


def test_the_earliest_is_that_of_a_dictionary_whatever_happens() -> None:
    rng = random.Random(3)
    deadlines: Deadlines[Alarmed] = Deadlines()
    plain: dict[Alarmed, int] = {}
    owners = [Alarmed(serial) for serial in range(30)]
    now = 0
    for _ in range(20_000):
        owner = rng.choice(owners)
        choice = rng.random()
        if choice < 0.6:
            at = now + rng.choice([1, 5, 100, 3_000])
            deadlines.set(owner, at)
            plain[owner] = at
        elif choice < 0.7:
            deadlines.set(owner, None)
            plain.pop(owner, None)
        elif choice < 0.75:
            deadlines.forget(owner)
            plain.pop(owner, None)
        else:
            now += rng.choice([0, 1, 50])
            due = []
            while (passed := deadlines.pop_due(now)) is not None:
                due.append(passed)
            assert [plain[passed] for passed in due] == sorted(plain[passed] for passed in due)
            assert set(due) == {one for one, at in plain.items() if at <= now}
            assert len(due) == len(set(due))
            for passed in due:
                del plain[passed]
        assert deadlines.earliest() == min(plain.values(), default=None)
        assert len(deadlines) <= 2 * len(owners) + 65


def test_a_deadline_that_moves_to_and_fro_keeps_nothing_behind() -> None:
    deadlines: Deadlines[Alarmed] = Deadlines()
    owner = Alarmed(1)
    for now in range(10_000):
        deadlines.set(owner, 1_000_000)
        deadlines.set(owner, now)
        assert deadlines.pop_due(now) is owner
        assert len(deadlines) <= 70
    assert deadlines.earliest() is None


def test_one_that_is_put_off_is_not_due() -> None:
    deadlines: Deadlines[Alarmed] = Deadlines()
    owner = Alarmed(1)
    deadlines.set(owner, 10)
    deadlines.set(owner, 20)
    assert deadlines.pop_due(15) is None
    assert deadlines.earliest() == 20
    assert deadlines.pop_due(20) is owner
    assert deadlines.pop_due(30) is None


def test_one_that_is_forgotten_is_never_due() -> None:
    deadlines: Deadlines[Alarmed] = Deadlines()
    owner, other = Alarmed(1), Alarmed(2)
    deadlines.set(owner, 10)
    deadlines.set(other, 10)
    deadlines.forget(owner)
    assert deadlines.pop_due(10) is other
    assert deadlines.pop_due(10) is None
