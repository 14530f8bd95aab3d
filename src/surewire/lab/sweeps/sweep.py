"""A sweep and what is known of it: results by run, the table of them, where to go on.

Results come in any order, from any executor; the table has the sweep's order. A result that comes twice counts
once. Of a table that is to be continued, rows count that are of this very sweep: same runs, same code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import get_type_hints

from surewire.errors import ConfigError
from surewire.lab.simulated.runs import RunResult, RunSpec
from surewire.lab.sweeps.grid import SIZE, Axis, Point, Sweep
from surewire.lab.sweeps.table import Cell, Row, read_table, write_table
from surewire.lab.sweeps.work import CRASH

RUN = "run"
"""The column with the fingerprint of each run."""

_LEFT_OUT = ("trace_hash",)  # a sweep does not trace


def _result_columns() -> dict[str, type]:
    """The columns of a result; an optional value has the type it has when it is there."""
    hints = get_type_hints(RunResult)
    names = [field.name for field in dataclasses.fields(RunResult) if field.name not in _LEFT_OUT]
    kinds = {str | None: str, float | None: float}
    return {name: kinds.get(hints[name], hints[name]) for name in names}


RESULT_COLUMNS = _result_columns()


class Collection:
    """The results of a sweep so far."""

    def __init__(self, sweep: Sweep) -> None:
        """Nothing yet.

        Raises:
            ConfigError: a combination of the axes' values makes no path.
        """
        self.sweep = sweep
        self.points = list(sweep.points())
        self._results: dict[int, RunResult] = {}

    def __len__(self) -> int:
        """Runs that have a result."""
        return len(self._results)

    @property
    def is_complete(self) -> bool:
        """True when every run has one."""
        return len(self) == len(self.points)

    @property
    def missing(self) -> dict[int, RunSpec]:
        """The runs without a result, by number."""
        return {number: point.spec for number, point in enumerate(self.points) if number not in self._results}

    @property
    def results(self) -> list[tuple[Point, RunResult]]:
        """What there is, in the sweep's order."""
        return [(self.points[number], self._results[number]) for number in sorted(self._results)]

    @property
    def failed(self) -> int:
        """Runs that did not move their bytes."""
        return sum(not result.ok for result in self._results.values())

    @property
    def crashed(self) -> int:
        """Those of them that raised, or whose process died."""
        return sum((result.error or "").startswith(CRASH) for result in self._results.values())

    def add(self, number: int, result: RunResult) -> bool:
        """Take a result; False when there was one already, which stays."""
        if number in self._results:
            return False
        self._results[number] = result
        return True

    def resume(self, path: Path) -> None:
        """Take the results of an earlier, unfinished sweep; runs that crashed are done again.

        Raises:
            ConfigError: the table has runs that are none of this sweep.
            TableError: it is no table of a sweep.
            OSError: it cannot be read.
        """
        numbers = {point.fingerprint: number for number, point in enumerate(self.points)}
        for row in read_table(path, {RUN: str, **RESULT_COLUMNS}):
            number = numbers.get(str(row.pop(RUN)))
            if number is None:
                raise ConfigError(
                    f"{path} is the table of another sweep, or of another version of surewire, so it is left alone"
                )
            if not str(row["error"] or "").startswith(CRASH):
                self.add(number, RunResult(**row))  # type: ignore[arg-type]

    @property
    def columns(self) -> dict[str, type]:
        """The table's columns: axes, what was run, how it went, and the run's fingerprint."""
        axes = {axis.name: _kind(axis) for axis in self.sweep.axes}
        fixed = {} if SIZE in axes else {SIZE: int}
        return {**axes, "scenario": str, "protocol": str, **fixed, "seed": int, **RESULT_COLUMNS, RUN: str}

    def rows(self) -> list[Row]:
        """The table's rows, in the sweep's order."""
        return [self._row(point, result) for point, result in self.results]

    def write(self, path: Path) -> None:
        """Write the table; for errors see `write_table`."""
        write_table(path, self.columns, self.rows())

    def _row(self, point: Point, result: RunResult) -> Row:
        spec = point.spec
        row: Row = {"scenario": spec.scenario.name, "protocol": spec.protocol, SIZE: spec.size, "seed": spec.seed}
        row |= {axis.name: _cell(axis, label) for axis, label in zip(self.sweep.axes, point.labels, strict=True)}
        row |= {name: getattr(result, name) for name in RESULT_COLUMNS}
        return {name: row[name] for name in self.columns if name != RUN} | {RUN: point.fingerprint}


def _kind(axis: Axis) -> type:
    """Numbers where every value is one as it is written, else texts such as 20M."""
    kinds: Mapping[bool, type] = {True: float, False: str}
    return kinds[all(_number(value) is not None for value in axis.values)]


def _cell(axis: Axis, value: str) -> Cell:
    return _number(value) if _kind(axis) is float else value


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
