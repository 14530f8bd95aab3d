"""The list of mutants: each still fits the source, breaks it into valid Python, and is told apart from the others."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from scripts.mutants import Mutant, Verdict, chosen, first_failure, load_mutants, report_text

PACKAGE = Path(__file__).resolve().parents[3] / "src" / "surewire"
MUTANTS = load_mutants()


def test_there_are_enough() -> None:
    assert len(MUTANTS) >= 60
    assert len({(mutant.file, mutant.find, mutant.replace) for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.file}: {mutant.breaks}")
def test_it_applies_and_changes_what_the_code_does(mutant: Mutant) -> None:
    source = (PACKAGE / mutant.file).read_text(encoding="utf-8")
    assert ast.dump(ast.parse(mutant.apply(source))) != ast.dump(ast.parse(source))


@pytest.mark.parametrize("source", ["x = 1", "y = 2\ny = 2"])
def test_one_that_does_not_fit_exactly_once_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="times, not once"):
        Mutant(file="core/x.py", find="y = 2", replace="y = 3", breaks="y").apply(source)


def test_the_report_names_survivors() -> None:
    mutant = Mutant(file="core/x.py", find="a", replace="b", breaks="everything")
    text = report_text(
        [
            Verdict(mutant=mutant, noticed_by="tests/unit/test_x.py::test_y[a|b]", seconds=1),
            Verdict(mutant=mutant, noticed_by=None, seconds=1),
        ]
    )
    assert "1 of 2 were noticed (50%)." in text
    assert "| core/x.py | everything | `unit/test_x.py::test_y[a\\|b]` |" in text
    assert "| core/x.py | everything | **nobody** |" in text


def test_the_first_failure_is_read_from_the_summary() -> None:
    assert first_failure("F\n=== short\nFAILED tests/a.py::b - assert\nFAILED tests/c.py::d\n") == "tests/a.py::b"
    assert first_failure("3 passed") is None


def test_a_choice_looks_at_file_and_text() -> None:
    assert {mutant.file for mutant in chosen(MUTANTS, "core/rtt.py")} == {"core/rtt.py"}
    assert chosen(MUTANTS, "no such text anywhere") == []
