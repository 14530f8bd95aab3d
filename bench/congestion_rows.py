"""The table of what congestion control must show: each case, how it is run, and what is demanded of it.

Rows 9 and 11 of that table are not here: short transfers are in `short_transfers.py`, other programs in `lab.py`.
Row numbers, networks and demands are fixed; where the demand leaves a choice, the choice is stated here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import congestion_runs as runs
from congestion_runs import Figures, path

from surewire.core.congestion import Congestion
from surewire.core.units import NS_PER_MS
from surewire.impair import LinkConfig
from surewire.impair.config import Change, GilbertElliott, Policer
from surewire.lab.simulated.shared_link import Native, Tcp


class Figure(NamedTuple):
    """A figure that a case shows, and its bounds, if there are any."""

    name: str
    unit: str = "%"
    least: float | None = None
    most: float | None = None

    @property
    def demanded(self) -> str:
        """The bounds in words; "" if there are none."""
        if self.least is not None and self.most is not None:
            return f"{self.least:g} to {self.most:g}{self.unit}"
        if self.least is not None:
            return f">= {self.least:g}{self.unit}"
        return f"<= {self.most:g}{self.unit}" if self.most is not None else ""

    def margin(self, value: float) -> float:
        """By how much a value keeps the bounds; negative if it does not."""
        least = value - self.least if self.least is not None else float("inf")
        return min(least, self.most - value) if self.most is not None else least

    def written(self, value: float, *, bare: bool = False) -> str:
        """A value as it is shown; `bare`: without its unit."""
        if value == float("inf"):
            return "never"
        number = f"{value:.3f}" if self.name == "Jain" else f"{value:.2f}" if abs(value) < 1 else f"{value:.1f}"
        return number if bare else number + self.unit


class Case(NamedTuple):
    """One line of the table: `run` takes a seed and a scale."""

    row: int
    name: str
    run: Callable[[int, float], Figures]
    figures: tuple[Figure, ...]
    most_seeds: int = 1000


WAIT = Figure("mean wait", " ms")
LOSSES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
BUFFERS = (0.1, 0.5, 1, 4, 16)


def _random_loss() -> Iterator[Case]:
    for loss in LOSSES:
        figures = (Figure("of C(1-p)", least=95 if loss <= 0.3 else 85), Figure("beginning"), Figure("drops"), WAIT)
        run = partial(runs.amount, mbit=100, rtt_ms=50, megabytes=50, loss=loss)
        yield Case(1, f"iid loss {loss:.0%}", run, figures)


def _jitter() -> Iterator[Case]:
    figures = (Figure("of C(1-p)", least=85), Figure("spurious", most=2), Figure("drops"))
    run = partial(runs.amount, mbit=100, rtt_ms=50, megabytes=50, loss=0.1)
    half, whole = NS_PER_MS * 25 // 2, NS_PER_MS * 25
    yield Case(2, "10%, 25 +- 12.5 ms each way", partial(run, jitter=half), figures)
    yield Case(2, "10%, 25 +- 25 ms there, 25 back", partial(run, forward={"jitter": whole}), figures)


def _bursts() -> Iterator[Case]:
    bursts = GilbertElliott.from_average(0.05, 5)
    run = partial(runs.amount, mbit=100, rtt_ms=200, megabytes=50, loss=0.05, bursts=bursts)
    yield Case(3, "bursts of 5, RTT 200 ms", run, (Figure("of C(1-p)", least=90), Figure("beginning"), WAIT))


def _policer() -> Iterator[Case]:
    for loss in (0.0, 0.1):
        there, back = path(1000, 50, loss=loss)
        links = replace(there, policer=Policer(rate=20_000_000, burst=25_000)), back
        run = partial(runs.alone, links=links, mbit=20, skip=2, seconds=15, loss=loss)
        figures = (Figure("of C(1-p)", least=85), Figure("drops", most=12), Figure("drops with start-up"))
        yield Case(4, f"policer 20 Mbit/s, loss {loss:.0%}", run, figures)


def _buffers() -> Iterator[Case]:
    for mbit, seconds, buffers in ((20, 15, BUFFERS), (100, 10, (0.1, 0.5, 16))):
        for bdp in buffers:
            run = partial(runs.alone, links=path(mbit, 50, bdp=bdp), mbit=mbit, skip=2, seconds=seconds)
            figures = (
                Figure("of C(1-p)", least=90),
                Figure("mean wait", " ms", most=50),
                Figure("drops", most=None if bdp == 0.1 else 2),
                Figure("drops with start-up"),
                Figure("worst wait", " ms"),
            )
            yield Case(5, f"{mbit} Mbit/s, {bdp:g} BDP", run, figures)


def _cubic() -> Iterator[Case]:
    for bdp in (0.5, 1, 4):
        run = partial(runs.against, links=path(20, 50, bdp=bdp), mbit=20, other=Tcp(), skip=0, seconds=60)
        figures = (Figure("ours", least=25, most=75), Figure("the other", least=25, most=75), Figure("drops"), WAIT)
        yield Case(6, f"against CUBIC, {bdp:g} BDP", run, figures)


def _sharing() -> Iterator[Case]:
    drops, total = Figure("drops", most=5), Figure("total")
    fair = (Figure("Jain", "", least=0.9), drops, total, Figure("least share"), WAIT)
    unequal = (Figure("Jain", "", least=0.75), drops, total, Figure("least share"), WAIT)
    bbr1 = Native(congestion=Congestion("bbr1"))
    for bdp in (1, 2, 4):
        run = partial(runs.against, links=path(100, 50, bdp=bdp), mbit=100, other=bbr1, skip=5, seconds=20)
        figures = (Figure("Jain", "", least=0.9), drops, Figure("ours"), Figure("the other"), WAIT)
        yield Case(7, f"against BBRv1, {bdp:g} BDP", run, figures)
    for flows in (2, 4, 16):
        for loss in (0.0, 0.1):
            starts = [number / 2 for number in range(flows)]
            skip, seconds = (20, 30) if flows == 16 else (10, 20)
            run = partial(runs.together, links=path(100, 50, loss=loss), mbit=100, starts=starts, loss=loss)
            run = partial(run, skip=skip, seconds=seconds)
            yield Case(7, f"{flows} of ours, loss {loss:.0%}", run, fair)
    late = partial(runs.together, links=path(100, 50), mbit=100, starts=(0, 10), skip=15, seconds=20)
    yield Case(7, "late comer after 10 s", late, fair)
    links = path(100, 20, bdp=2.5)
    run = partial(runs.together, links=links, mbit=100, starts=(0, 0), extra_ms=(0, 80))
    yield Case(7, "RTT 20 against 100 ms", run, unequal)


def _changes() -> Iterator[Case]:
    quick = partial(Figure, unit=" RTT", most=10)
    first, second = (partial(Figure, f"dropped at the {name}", " BDP") for name in ("first", "second"))
    queue = Figure("queue after the first", " RTT"), Figure("queue after the second", " RTT")
    rate = Change(at=0, rate=10_000_000), Change(at=0, rate=100_000_000)
    run = partial(runs.change, mbit=100, rtt_ms=50, to=rate)
    demands = quick("first"), first(most=2), quick("second"), second(most=2)
    yield Case(8, "100 to 10 to 100 Mbit/s", run, (*demands, *queue))
    delay = Change(at=0, delay=100 * NS_PER_MS), Change(at=0, delay=10 * NS_PER_MS)
    run = partial(runs.change, mbit=100, rtt_ms=20, to=delay)
    figures = quick("first"), first(most=2), Figure("second", " RTT"), second(), *queue
    yield Case(8, "RTT 20 to 200 (to 20) ms", run, figures)
    outage = partial(runs.change, mbit=100, rtt_ms=50, to=None, outage=10.0)
    yield Case(8, "outage of 10 s", outage, (quick("first"), first(most=2), queue[0]))


def _fat() -> Iterator[Case]:
    run = partial(runs.alone, links=path(1000, 100, loss=0.01), mbit=1000, skip=2, seconds=6, loss=0.01)
    yield Case(10, "1 Gbit/s, 100 ms, 1%", run, (Figure("of C(1-p)", least=90), Figure("drops"), WAIT), 5)


def _background() -> Iterator[Case]:
    paths: tuple[tuple[str, int, tuple[LinkConfig, LinkConfig]], ...] = (
        *((f"20 Mbit/s, {bdp:g} BDP", 20, path(20, 50, bdp=bdp)) for bdp in (0.5, 1, 4)),
        ("100 Mbit/s, 1 BDP", 100, path(100, 50)),
    )
    busy, again = Figure("busy", most=10), Figure("idle again", least=90)
    for name, mbit, links in paths:
        if mbit == 20:
            first = partial(runs.background, links=links, mbit=mbit, comes=0, leaves=25)
            yield Case(12, f"{name}, CUBIC first", first, (busy, again))
        late = partial(runs.background, links=links, mbit=mbit, comes=10, leaves=30)
        yield Case(12, f"{name}, CUBIC comes", late, (Figure("idle before", least=90), busy, again))


CASES = tuple(
    case
    for row in (
        _random_loss, _jitter, _bursts, _policer, _buffers, _cubic, _sharing, _changes, _fat, _background,
    )
    for case in row()
)  # fmt: skip

__all__ = ["CASES", "Case", "Figure"]
