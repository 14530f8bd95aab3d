"""docs/design.md against the code: the state diagram, the timers, and the names it mentions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from surewire.core.state import DUPLEX, SIMPLEX, Transitions, mermaid
from surewire.core.timers import Timer

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
SOURCE = "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "src").rglob("*.py")))
FILES = sorted(set(re.findall(r"`([a-z_]+(?:/[a-z_]+)+\.py)`", DOCUMENT)))
METHODS = sorted(set(re.findall(r"`([A-Z][A-Za-z]+)\.([a-z_]+)`", DOCUMENT)) - {("random", "Random")})


@pytest.mark.parametrize("table", [SIMPLEX, DUPLEX])
def test_the_state_diagrams_are_current(table: Transitions) -> None:
    assert f"```mermaid\n{mermaid(table)}```\n" in DOCUMENT


def test_every_timer_is_explained() -> None:
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", DOCUMENT, re.MULTILINE)) == {timer.name for timer in Timer}


@pytest.mark.parametrize("file", FILES)
def test_files_it_names_exist(file: str) -> None:
    assert (ROOT / "src" / "surewire" / file).is_file() or (ROOT / file).is_file()


@pytest.mark.parametrize(("owner", "method"), METHODS)
def test_methods_it_names_exist(owner: str, method: str) -> None:
    body = re.search(rf"^class {owner}\b.*?(?=^class |\Z)", SOURCE, re.DOTALL | re.MULTILINE)
    assert body is not None
    assert f"    def {method}(" in body[0]


def test_it_names_something() -> None:
    assert len(FILES) > 10
    assert len(METHODS) > 10
