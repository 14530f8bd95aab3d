"""Draws a case of the fuzzer from a seed: any scenario, any settings, any application.

Half of the cases stay near what is usual, the others go to the ends of the ranges. Work is limited to some
hundred datagrams a case, by the size that fits the smallest piece the settings allow. The same seed gives the
same case on every Python.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, TypeVar

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import (
    Change,
    ClassroomConfig,
    CoDel,
    GilbertElliott,
    LinkConfig,
    Policer,
    Rebinding,
)
from surewire.lab.proof.fuzz_case import FuzzPath, Injection

T = TypeVar("T")

MS = NS_PER_MS
S = NS_PER_S

_MOODS = ("clean", "fair", "fair", "fair", "bad", "bad", "awful")
_MAX_LOSS = {"clean": 0.0, "fair": 0.1, "bad": 0.3, "awful": 0.6}
_DELAYS = (0, 100_000, MS, 5 * MS, 20 * MS, 50 * MS, 150 * MS, 300 * MS)


class Dice:
    """Draws; only `random.Random.random` is asked, whose values are the same on every Python."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed).random

    def chance(self, probability: float) -> bool:
        """True with a probability."""
        return self._random() < probability

    def whole(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return least + int(self._random() * (most - least + 1))

    def real(self, least: float, most: float) -> float:
        """A number between the two, with four digits behind the point: short in a file."""
        return round(least + self._random() * (most - least), 4)

    def pick(self, values: Sequence[T]) -> T:
        """One of the values."""
        return values[int(self._random() * len(values))]

    def stretched(self, least: int, most: int) -> int:
        """A whole number of any order of magnitude between two positive ones, two digits of it significant."""
        value: float = least * (most / least) ** self._random()
        unit = int(10 ** max(len(str(int(value))) - 2, 0))
        return min(max(int(value) // unit * unit, least), most)

    def some(self, probability: float, **values: Sequence[Any]) -> dict[str, Any]:
        """For each name, with a probability, one of its values."""
        return {name: self.pick(choices) for name, choices in values.items() if self.chance(probability)}


def draw_path(dice: Dice, *, may_corrupt: bool, may_be_classroom: bool) -> FuzzPath:
    """Both directions, mostly different."""
    if may_be_classroom and dice.chance(0.3):
        return FuzzPath(classroom=_classroom(dice))
    up = draw_link(dice, dice.pick(_MOODS), may_corrupt=may_corrupt)
    down = up if dice.chance(0.15) else draw_link(dice, dice.pick(_MOODS), may_corrupt=may_corrupt)
    rebinding = None
    if dice.chance(0.02 if may_be_classroom else 0.12):
        rebinding = Rebinding(
            first=dice.stretched(MS, 5 * S),
            every=dice.stretched(50 * MS, 10 * S) if dice.chance(0.5) else None,
            address=dice.chance(0.4),
        )
    return FuzzPath(up=up, down=down, rebinding=rebinding)


def _classroom(dice: Dice) -> ClassroomConfig:
    most = dice.pick((0.0, 0.1, 0.1, 0.3, 0.6))
    return ClassroomConfig(
        loss=dice.real(0, most),
        corruption=dice.real(0, most),
        max_delay=dice.pick((0, 10 * MS, 100 * MS, 100 * MS, 500 * MS)),
        reliable_after=dice.stretched(100 * MS, 10 * S) if dice.chance(0.2) else None,
    )


def draw_link(dice: Dice, mood: str, *, may_corrupt: bool) -> LinkConfig:
    """One direction in some mood."""
    values: dict[str, Any] = {"delay": dice.pick((*_DELAYS, S, 3 * S) if mood == "awful" else _DELAYS)}
    if dice.chance(0.4):
        values["jitter"] = dice.stretched(100_000, 50 * MS if mood != "awful" else S)
    if dice.chance(0.5):
        values |= _bottleneck(dice)
    if mood != "clean":
        values |= _misfortunes(dice, _MAX_LOSS[mood], may_corrupt=may_corrupt)
    if mood in ("bad", "awful"):
        values |= _outages(dice, is_awful=mood == "awful")
    if dice.chance(0.04):
        values["mtu"] = dice.pick((100, 576, 1000, 1052, 1280, 1400, 1500))
    if dice.chance(0.15):
        values["changes"] = _changes(dice, _MAX_LOSS[mood], has_rate="rate" in values)
    return LinkConfig(**values)


def _bottleneck(dice: Dice) -> dict[str, Any]:
    values: dict[str, Any] = {
        "rate": dice.stretched(20_000, 50_000_000),
        "queue": dice.pick((0, 1_500, 3_000, 8_000, 20_000, 64_000, 64_000, 256 * 1024)),
    }
    values |= dice.some(
        0.15,
        queue_packets=(0, 1, 2, 5, 20, 100),
        codel=(CoDel(), CoDel(target=MS, interval=10 * MS)),
        overhead=(0, 46, 100),
    )
    if dice.chance(0.15):
        values["policer"] = Policer(
            rate=dice.stretched(50_000, 20_000_000), burst=dice.pick((1_600, 5_000, 20_000, 100_000))
        )
    return values


def _misfortunes(dice: Dice, most: float, *, may_corrupt: bool) -> dict[str, Any]:
    values = dice.some(
        0.25,
        duplicate=(0.01, 0.1, 0.5, 1.0),
        reorder=(0.01, 0.1, 0.25, 1.0),
        reorder_gap=(2, 5),
        max_loss_run=(1, 2, 5),
        drops=((1,), (2, 3), (1, 2, 3, 5, 8, 13)),
    )
    if dice.chance(0.6):
        values["loss"] = dice.real(0, most)
    if dice.chance(0.25):
        values["bursts"] = _bursts(dice, most)
    if may_corrupt and dice.chance(0.3):
        values["corrupt"] = dice.pick((0.01, 0.1, min(0.3, most)))
        values |= dice.some(0.3, corrupt_bits=(1, 2), max_corrupt_run=(1, 2, 5))
    return values


def _bursts(dice: Dice, most: float) -> GilbertElliott:
    if dice.chance(0.2):
        return GilbertElliott(p=dice.real(0, 0.2), r=dice.real(0.1, 1), loss_bad=dice.real(0.2, 1), loss_good=0.01)
    return GilbertElliott.from_average(dice.real(0.01, max(0.5 * most, 0.01)), dice.pick((1.5, 3, 5, 10)))


def _outages(dice: Dice, *, is_awful: bool) -> dict[str, Any]:
    if not dice.chance(0.3):
        return {}
    blackouts: list[tuple[int, int]] = []
    at = dice.stretched(MS, 5 * S)
    for _ in range(dice.whole(1, 3)):
        stop = at + dice.stretched(10 * MS, 60 * S if is_awful else 5 * S)
        blackouts.append((at, stop))
        at = stop + dice.stretched(10 * MS, 5 * S)
    values: dict[str, Any] = {"blackouts": tuple(blackouts)}
    if dice.chance(0.2):
        values["blackout_period"] = blackouts[-1][1] + dice.stretched(10 * MS, 10 * S)
    return values


def _changes(dice: Dice, most: float, *, has_rate: bool) -> tuple[Change, ...]:
    at, changes = 0, []
    for _ in range(dice.whole(1, 3)):
        at += dice.stretched(MS, 3 * S)
        values = dice.some(0.5, delay=_DELAYS, loss=(0.0, round(most / 2, 4), most))
        if has_rate and dice.chance(0.5):
            values["rate"] = dice.stretched(20_000, 50_000_000)
        changes.append(Change(at=at, **(values or {"loss": 0.0})))
    return tuple(changes)


def draw_injections(dice: Dice, kinds: Sequence[str]) -> tuple[Injection, ...]:
    """What strangers do, most of the time nothing."""
    if not kinds or not dice.chance(0.15):
        return ()
    return tuple(
        Injection(
            kind=dice.pick(kinds),
            first=dice.stretched(MS, 2 * S),
            every=dice.stretched(100_000, 200 * MS),
            count=dice.whole(1, 40),
            at_server=dice.chance(0.6),
            spoofed=dice.chance(0.7),
        )
        for _ in range(dice.whole(1, 3))
    )
