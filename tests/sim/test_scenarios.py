"""The matrix in docs/scenarios.md is what the code does: here what is quick, all by `surewire sim matrix --check`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from surewire.lab.scenario_files import load_scenario, scenario_names
from surewire.lab.simulated.runs import PROTOCOLS
from surewire.lab.sweeps.matrix import SEEDS, differences, entries, matrix_specs, read_matrix
from surewire.lab.sweeps.work import run_one

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "scenarios.md"
MATRIX = read_matrix(DOCUMENT.read_text(encoding="utf-8"))
QUICK_BYTES = 1024 * 1024
QUICK_DATAGRAMS = 2_000
REWRITE = "review the numbers, then: surewire sim matrix --write docs/scenarios.md"


def quick() -> list[str]:
    """Scenarios of which a run takes a fraction of a second by either protocol."""
    return [name for name in scenario_names() if all(_is_quick(MATRIX.get((name, protocol))) for protocol in PROTOCOLS)]


def _is_quick(cells: Mapping[str, str] | None) -> bool:
    return cells is not None and int(cells["bytes"]) <= QUICK_BYTES and int(cells["datagrams"]) <= QUICK_DATAGRAMS


def test_every_scenario_has_its_rows() -> None:
    expected = [(name, protocol) for name in scenario_names() for protocol in PROTOCOLS]
    assert list(MATRIX) == expected, REWRITE


def test_enough_of_them_are_quick() -> None:
    assert len(quick()) >= 8


@pytest.mark.parametrize("name", quick())
def test_what_is_quick_does_what_the_table_says(name: str) -> None:
    specs = matrix_specs([load_scenario(name)], seeds=SEEDS)
    found = {entry.key: entry.cells for entry in entries(specs, [run_one(spec) for spec in specs])}
    old = {key: cells for key, cells in MATRIX.items() if key[0] == name}
    assert list(differences(old, found)) == [], REWRITE
