"""The scenario matrix: every scenario by every protocol, as a table in a document that is checked in.

Each entry is the median of a few fixed seeds in virtual time, so it is exact: when a number changes, the code has
changed what it does, and the difference is read as a number in review. The table is Markdown between two marks in a
document; the rest of the document is anybody's.

Invariant: read_matrix(with_matrix(document, entries)) gives the cells of these entries.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from surewire.errors import SurewireError
from surewire.impair import Scenario
from surewire.lab.simulated.runs import PROTOCOLS, RunResult, RunSpec

SEEDS = (1, 2, 3)
"""Of the runs of each entry."""

COLUMNS = (
    "scenario",
    "protocol",
    "bytes",
    "delivered",
    "seconds",
    "Mbit/s",
    "of C(1 - p)",
    "overhead",
    "datagrams",
    "error",
)
"""Of the table; the first two name an entry."""

_BEGIN, _END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
_NOTHING = "-"
_MBIT = 1e6

Key = tuple[str, str]
Cells = Mapping[Key, Mapping[str, str]]
"""By scenario and protocol, then by column, what stands there."""


class MatrixError(SurewireError):
    """A document has no matrix, or one that cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One scenario with one protocol.

    Attributes:
        spec: one of its runs.
        results: of all seeds.
    """

    spec: RunSpec
    results: Sequence[RunResult]

    @property
    def key(self) -> Key:
        """Scenario and protocol."""
        return self.spec.scenario.name, self.spec.protocol

    @property
    def cells(self) -> dict[str, str]:
        """What stands in the table: figures are medians of the runs that delivered, datagrams of all."""
        good = [result for result in self.results if result.ok]
        shares = [result.utilisation for result in good if result.utilisation is not None]
        errors = {(result.error or "").partition(":")[0] for result in self.results if not result.ok}
        texts = (
            *self.key,
            str(self.spec.size),
            f"{len(good)}/{len(self.results)}",
            f"{median(result.seconds for result in good):.3f}" if good else _NOTHING,
            f"{median(result.goodput for result in good) / _MBIT:.3f}" if good else _NOTHING,
            f"{median(shares):.1%}" if shares else _NOTHING,
            f"{median(result.overhead for result in good):.3f}" if good else _NOTHING,
            f"{median(result.datagrams for result in self.results):.0f}",
            ", ".join(sorted(errors)) or _NOTHING,
        )
        return dict(zip(COLUMNS, texts, strict=True))


def matrix_specs(scenarios: Iterable[Scenario], *, seeds: Sequence[int] = SEEDS) -> list[RunSpec]:
    """The runs behind the matrix of these scenarios, each with its usual size, in the table's order."""
    return [
        RunSpec(protocol=protocol, scenario=scenario, size=max(scenario.size, 1), seed=seed)
        for scenario in scenarios
        for protocol in PROTOCOLS
        for seed in seeds
    ]


def entries(specs: Sequence[RunSpec], results: Sequence[RunResult]) -> list[Entry]:
    """Put the seeds of each scenario and protocol together; a result for each spec, in the same order."""
    found: dict[Key, list[tuple[RunSpec, RunResult]]] = {}
    for spec, result in zip(specs, results, strict=True):
        found.setdefault((spec.scenario.name, spec.protocol), []).append((spec, result))
    return [Entry(spec=runs[0][0], results=[result for _, result in runs]) for runs in found.values()]


def matrix_text(matrix: Sequence[Entry]) -> str:
    """The table in Markdown, with the marks around it."""
    rows = [COLUMNS, ["---"] * 2 + ["--:"] * 7 + ["---"], *(tuple(entry.cells.values()) for entry in matrix)]
    return "\n".join([_BEGIN, "", *(f"| {' | '.join(row)} |" for row in rows), "", _END])


def with_matrix(document: str, matrix: Sequence[Entry]) -> str:
    """The document with this matrix in place of the one it has.

    Raises:
        MatrixError: it does not have the marks, begin and end, each once.
    """
    before, _, after = _divided(document)
    return before + matrix_text(matrix) + after


def read_matrix(document: str) -> Cells:
    """The matrix in a document.

    Raises:
        MatrixError: it has none, or one with other columns.
    """
    _, body, _ = _divided(document)
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in body.splitlines() if line[:1] == "|"]
    if not rows or rows[0] != list(COLUMNS):
        raise MatrixError(f"the matrix has other columns than {', '.join(COLUMNS)}")
    cells: dict[Key, Mapping[str, str]] = {}
    for row in rows[2:]:
        if len(row) != len(COLUMNS):
            raise MatrixError(f"this row of the matrix has {len(row)} cells: {' | '.join(row)}")
        cells[row[0], row[1]] = dict(zip(COLUMNS, row, strict=True))
    return cells


def differences(old: Cells, new: Cells) -> Iterator[str]:
    """What changed, one line for each number: old, new, and by how much."""
    for key in dict.fromkeys([*old, *new]):
        name = f"{key[0]}, {key[1]}"
        if key not in new:
            yield f"{name}: is no more"
        elif key not in old:
            yield f"{name}: is new"
        else:
            for column in COLUMNS:
                before, after = old[key][column], new[key][column]
                if before != after:
                    yield f"{name}: {column} {before} -> {after}{_change(before, after)}"


def _change(before: str, after: str) -> str:
    old, new = _number(before), _number(after)
    return f" ({new / old - 1:+.1%})" if old and new is not None else ""


def _number(cell: str) -> float | None:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)%?", cell)
    return float(match[1]) if match else None


def _divided(document: str) -> tuple[str, str, str]:
    """What stands before, between and after the marks."""
    if document.count(_BEGIN) != 1 or document.count(_END) != 1:
        raise MatrixError(f"the document needs the lines {_BEGIN} and {_END}, each once")
    before, _, rest = document.partition(_BEGIN)
    body, mark, after = rest.partition(_END)
    if not mark:
        raise MatrixError(f"{_END} stands before {_BEGIN}")
    return before, body, after
