"""What is demanded of the native transport, and what it came to: the table of `bench/native.py`.

Each measure is computed run by run from transfers of that run only, so a ratio compares what was measured a few
seconds apart; the table has the median of the runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from native_ends import Transfer

Run = dict[str, Transfer]
"""Transfers of one run by the names of their ways."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One row. `floor` has to be reached, `aim` is hoped for; None where there is none."""

    name: str
    ways: tuple[str, ...]
    value: Callable[[Run], float]
    floor: float | None
    aim: float | None
    unit: str


def _rate(name: str, way: str, floor: float, aim: float | None) -> Measure:
    return Measure(name=name, ways=(way,), value=lambda run: run[way].rate / 1e6, floor=floor, aim=aim, unit="MB/s")


def _ratio(way: str, other: str, floor: float | None, aim: float | None) -> Measure:
    return Measure(
        name=f"{way} : {other}",
        ways=(way, other),
        value=lambda run: run[way].rate / run[other].rate,
        floor=floor,
        aim=aim,
        unit="x",
    )


def _round_trips(way: str) -> Measure:
    return Measure(
        name=f"{way}, 64 bytes each way",
        ways=(way,),
        value=lambda run: run[way].said["round_trips"] / run[way].seconds,
        floor=5_000,
        aim=10_000,
        unit="a second",
    )


MEASURES = (
    _rate("checked, one connection", "checked, held", 700, 1200),
    _ratio("checked, held", "kernel TCP, MSS 1,460", 0.35, None),
    _rate("sealed, one connection", "sealed, held", 400, 700),
    _rate("path MTU left free, checked", "checked, MTU free", 1200, None),
    _ratio("checked, MTU free", "kernel TCP, MSS free", None, 1.0),
    _rate("path MTU left free, sealed", "sealed, MTU free", 800, None),
    _ratio("sealed, MTU free", "kernel TCP, MSS free", None, 1.0),
    _rate("no GSO or GRO, checked", "checked, held, no offload", 100, 150),
    _rate("no GSO or GRO, sealed", "sealed, held, no offload", 100, 150),
    _ratio("sealed, held", "aioquic", 10, 20),
    _ratio("sealed, held", "qh3", 3, 6),
    _ratio("sealed, 1,200 bytes", "quinn, CUBIC", 1, 2),
    _ratio("sealed, 1,200 bytes", "quinn, BBR", 1, 2),
    _ratio("asyncio, sealed, held", "sealed, held", 0.8, 1.0),
    _rate("RDP text format, logs off", "RDP, no logs", 150, 300),
    _rate("RDP text format, logs to files", "RDP, logs to files", 50, 100),
    _round_trips("round trips, sealed"),
    _round_trips("round trips, checked"),
)


def verdict(measure: Measure, value: float) -> str:
    """In words: the floor, then the aim."""
    if measure.floor is not None and value < measure.floor:
        return "FAILED"
    if measure.aim is None:
        return "passed"
    return "aim reached" if value >= measure.aim else "passed" if measure.floor is not None else "aim missed"


def measure_rows(measures: list[Measure], runs: list[Run]) -> list[list[str]]:
    """The table of measures, headings first."""
    rows = [["measure", "median", "runs", "floor", "aim", "verdict"]]
    for measure in measures:
        values = [measure.value(run) for run in runs]
        middle = median(values)
        row = [measure.name, f"{_number(middle)} {measure.unit}", " ".join(map(_number, sorted(values)))]
        row += ["" if bound is None else _number(bound) for bound in (measure.floor, measure.aim)]
        rows.append([*row, verdict(measure, middle)])
    return rows


def way_rows(runs: list[Run]) -> list[list[str]]:
    """What each way took: rate, CPU seconds a gigabyte and most memory of either end."""
    rows = [["way", "MB", "MB/s", "CPU s/GB sender", "receiver", "peak MB sender", "receiver"]]
    for name in runs[0]:
        transfers = [run[name] for run in runs]
        if not transfers[0].nbytes:
            continue
        ends = [[transfer.sending for transfer in transfers], [transfer.receiving for transfer in transfers]]
        rows.append(
            [
                name,
                f"{transfers[0].nbytes / 1e6:g}",
                _number(median(transfer.rate / 1e6 for transfer in transfers)),
                *(f"{median(side.cpu_s for side in end) / transfers[0].nbytes * 1e9:.2f}" for end in ends),
                *(f"{median(side.peak_mb for side in end):.0f}" for end in ends),
            ]
        )
    return rows


def table(rows: list[list[str]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 20 else f"{value:.2f}"
