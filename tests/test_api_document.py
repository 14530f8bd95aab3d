"""The examples of docs/api.md and README.md can be copied: each is a whole program as far as its names go."""

from __future__ import annotations

import ast
import builtins
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = [
    text
    for page in ("docs/api.md", "README.md")
    for text in re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_imports_and_defines_what_it_uses(example: str) -> None:
    nodes = list(ast.walk(ast.parse(example)))
    compile(example, "example", "exec")  # no `await` where none can be
    known = set(dir(builtins))
    known |= {
        (each.asname or each.name).partition(".")[0]
        for n in nodes
        if isinstance(n, ast.Import | ast.ImportFrom)
        for each in n.names
    }
    known |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
    known |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    known |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    assert {n.id for n in nodes if isinstance(n, ast.Name)} <= known


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5
