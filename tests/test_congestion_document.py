"""docs/congestion.md against the code: the files and names it mentions, the table's cases and demands, the example."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from surewire.core.congestion import NAMES

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = (ROOT / "docs" / "congestion.md").read_text(encoding="ascii")
PROSE = re.sub(r"^```.*?^```$", "", DOCUMENT, flags=re.DOTALL | re.MULTILINE)
CONGESTION = ROOT / "src" / "surewire" / "core" / "congestion"
SOURCE = "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "src").rglob("*.py")))
TOKENS = sorted(set(re.findall(r"`([^`\n]+)`", PROSE)))
FILES = [token for token in TOKENS if re.fullmatch(r"[a-z_]+(/[a-z_]+)+(\.py)?", token)]
COMMANDS = [token for token in TOKENS if token.startswith("python bench/")]
WORDS = [token for token in TOKENS if re.fullmatch(r"[A-Za-z_]+", token)]
LINKS = sorted(set(re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", DOCUMENT)))
(EXAMPLE,) = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)

FIGURES = {"first", "second"}  # of the table


@pytest.fixture(scope="module")
def rows() -> ModuleType:
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        return importlib.import_module("congestion_rows")
    finally:
        sys.path.remove(str(ROOT / "bench"))


@pytest.mark.parametrize("file", FILES)
def test_files_it_names_exist(file: str) -> None:
    assert (ROOT / "src" / "surewire" / file).exists() or (ROOT / file).exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_it_names_exist(command: str) -> None:
    _, script, *arguments = command.split()
    text = (ROOT / script).read_text(encoding="utf-8")
    for argument in arguments:
        assert argument in text or (ROOT / argument).exists()


@pytest.mark.parametrize("link", LINKS)
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / "docs" / link).exists()


@pytest.mark.parametrize("word", WORDS)
def test_names_it_mentions_exist(word: str) -> None:
    is_module = (CONGESTION / f"{word}.py").is_file()
    is_defined = re.search(rf"^\s*(class |def |)?{word}\b\s*[:=(,]", SOURCE, re.MULTILINE) is not None
    assert is_module or is_defined or word in NAMES or word in FIGURES


def test_every_controller_is_explained() -> None:
    assert set(re.findall(r"^\| `([a-z0-9]+)` \|", DOCUMENT, re.MULTILINE)) == set(NAMES)


def test_the_table_has_every_case_and_demand(rows: Any) -> None:
    found = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| [^|]+ \| ([^|]+) \|", DOCUMENT, re.MULTILINE)
    assert found == [
        (str(case.row), case.name, figure.name, figure.demanded)
        for case in rows.CASES
        for figure in case.figures
        if figure.demanded
    ]


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(EXAMPLE.replace("run(12)", "run(4)").replace("(4, 12)", "(2, 4)"), "docs/congestion.md", "exec"), {})
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()] == ["model", "bbr1", "TCP", "queue"]


def test_it_names_something() -> None:
    assert len(FILES) > 5
    assert len(COMMANDS) > 2
    assert len(WORDS) > 15
    assert len(LINKS) > 8
