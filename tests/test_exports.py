"""What `import surewire` gives: the names it promises, each with a docstring, and nothing heavy on the way."""

from __future__ import annotations

import inspect
import subprocess
import sys
import types
from pathlib import Path

import pytest

import surewire

SRC = Path(surewire.__file__).resolve().parent.parent

# Command-line tools, and what only they or an event loop need.
NOT_NEEDED = {
    "surewire.aio",
    "surewire.api",
    "surewire.apps",
    "surewire.crypto",
    "surewire.drivers",
    "surewire.lab",
    "surewire.native",
    "cryptography",
    "socket",
    "select",
    "ssl",
    "argparse",
    "asyncio",
    "multiprocessing",
    "concurrent.futures",
    "unittest",
    "pdb",
}


# Loaded when first asked for; see `__getattr__` there.
LAZY = {"aio", "connect", "listen"}


def is_documented(name: str, value: object, module_docstring: str) -> bool:
    """A class, function or module needs a docstring of its own; a plain value is named in the package's."""
    if inspect.ismodule(value):
        return bool(value.__doc__)
    if not isinstance(value, type | types.FunctionType):
        return f"`{name}`" in module_docstring or name == "__version__"
    docstring = value.__dict__.get("__doc__") if isinstance(value, type) else value.__doc__
    # dataclasses and named tuples that have none are given their signature instead
    return bool(docstring) and not str(docstring).startswith(f"{name}(")


def test_exports_are_unique_and_exist() -> None:
    assert len(set(surewire.__all__)) == len(surewire.__all__)
    assert [name for name in surewire.__all__ if not hasattr(surewire, name)] == []


def test_exports_are_all_that_is_public() -> None:
    public = {
        name
        for name, value in vars(surewire).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    }
    assert public | LAZY == {name for name in surewire.__all__ if not name.startswith("_")}


def test_what_is_loaded_late_is_listed_and_typed() -> None:
    assert set(dir(surewire)) >= LAZY
    assert surewire.connect.__module__ == surewire.listen.__module__ == "surewire.api.blocking"
    assert surewire.aio.connect.__module__ == "surewire.api.aio"
    with pytest.raises(AttributeError, match="no attribute 'conect'"):
        getattr(surewire, "conect")  # noqa: B009 - the type checker would object to the plain form


def test_exports_are_documented() -> None:
    docstring = surewire.__doc__ or ""
    undocumented = [n for n in surewire.__all__ if not is_documented(n, getattr(surewire, n), docstring)]
    assert undocumented == []


def test_importing_loads_no_tools() -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); import surewire; print(*sys.modules)"
    # -S, too: a package in the environment may import what it likes from a .pth file
    command = [sys.executable, "-I", "-S", "-c", program, str(SRC)]
    loaded = set(subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.split())
    assert "surewire" in loaded
    assert loaded & NOT_NEEDED == set()


class Undocumented:
    pass


class Inherits(ValueError):
    pass


class SignatureOnly(tuple[int, ...]):
    __doc__ = "SignatureOnly(a: int, b: int)"


class Documented:
    """Says what it is."""


def documented() -> None:
    """Say what it does."""


def undocumented() -> None:
    pass


@pytest.mark.parametrize("value", [Undocumented, Inherits, SignatureOnly, undocumented])
def test_a_missing_docstring_is_found(value: type | types.FunctionType) -> None:
    assert not is_documented(value.__name__, value, "")


@pytest.mark.parametrize("value", [Documented, documented])
def test_a_docstring_is_seen(value: type | types.FunctionType) -> None:
    assert is_documented(value.__name__, value, "")


def test_a_plain_value_is_named_in_the_docstring_of_the_package() -> None:
    assert is_documented("LIMIT", 7, "`LIMIT` is the largest number.")
    assert not is_documented("LIMIT", 7, "No word of it.")
