"""Limits on the length of files and functions and on the attributes an object starts with.

A file or class that reaches one has more than one idea in it and is divided. No exceptions.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

FILE_LINES = 600
FUNCTION_LINES = 70
CONSTRUCTOR_ATTRIBUTES = 15

Function = ast.FunctionDef | ast.AsyncFunctionDef


def files(*folders: str) -> list[Path]:
    return [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]


SOURCE = files("src", "scripts", "streamer")
ALL = files("src", "scripts", "streamer", "tests", "examples", "bench")


def functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def length(function: Function) -> int:
    """Lines from `def` to the end, docstring included, decorators not."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def attributes(constructor: Function) -> set[str]:
    """Names of the attributes that the function sets on its first parameter."""
    own = [*constructor.args.posonlyargs, *constructor.args.args][:1]
    return {
        node.attr
        for node in ast.walk(constructor)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id in [parameter.arg for parameter in own]
    }


def long_functions(source: str) -> list[str]:
    return [f"{f.name}: {length(f)} lines" for f in functions(ast.parse(source)) if length(f) > FUNCTION_LINES]


def wide_constructors(source: str) -> list[str]:
    """Constructors with too many attributes, by line: the class's name is above it."""
    counts = [(f.lineno, len(attributes(f))) for f in functions(ast.parse(source)) if f.name == "__init__"]
    return [f"line {line}: {count} attributes" for line, count in counts if count > CONSTRUCTOR_ATTRIBUTES]


def long_file(source: str) -> list[str]:
    count = len(source.splitlines())
    return [f"{count} lines"] if count > FILE_LINES else []


def name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("file", ALL, ids=name)
def test_file_is_short(file: Path) -> None:
    assert long_file(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("file", SOURCE, ids=name)
def test_functions_are_short(file: Path) -> None:
    assert long_functions(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("file", SOURCE, ids=name)
def test_constructors_are_narrow(file: Path) -> None:
    assert wide_constructors(file.read_text(encoding="utf-8")) == []


def test_the_file_limit_is_exact() -> None:
    assert long_file("x = 1\n" * FILE_LINES) == []
    assert long_file("x = 1\n" * (FILE_LINES + 1)) != []


@pytest.mark.parametrize("keyword", ["def", "async def"])
def test_the_function_limit_is_exact(keyword: str) -> None:
    head = f"class C:\n    @property\n    {keyword} f(self):\n"
    body = "        x = 1\n"
    assert long_functions(head + body * (FUNCTION_LINES - 1)) == []
    assert long_functions(head + body * FUNCTION_LINES) != []


@pytest.mark.parametrize("form", ["self.a{} = 1", "self.a{}: int = 1", "self.a{}, self.b = 1, 2", "x = self.a{} = 1"])
def test_the_attribute_limit_is_exact(form: str) -> None:
    extra = "b" in form
    lines = [f"        {form.format(i)}\n" for i in range(CONSTRUCTOR_ATTRIBUTES + 1 - extra)]
    head = "class C:\n    def __init__(self):\n        self.a0 = self.a0.b0\n"
    assert wide_constructors(head + "".join(lines[:-1])) == []
    assert wide_constructors(head + "".join(lines)) != []


def test_attributes_of_other_objects_do_not_count() -> None:
    body = "".join(f"        x.a{i} = self.b{i}\n" for i in range(2 * CONSTRUCTOR_ATTRIBUTES))
    assert wide_constructors("class C:\n    def __init__(self, x):\n" + body) == []
