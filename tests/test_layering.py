"""The architecture, checked on the import statements and names of every source file.

Each check takes a module name and its syntax tree and returns one line for each thing that is wrong.
Each is first run on small bad sources, so a check that finds nothing any more fails here.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parent.parent / "src"
ROOT = "surewire"

# What each part of the package may import besides itself. A new folder has to be entered here.
WIRE_LEVEL = {"errors"}
SESSION_LEVEL = {"errors", "wire", "core", "transfer"}
DRIVER_LEVEL = {"errors", "wire", "core", "transfer", "impair"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "wire": WIRE_LEVEL,
    "impair": WIRE_LEVEL,
    "transfer": WIRE_LEVEL,
    "core": WIRE_LEVEL | {"wire"},
    # what needs the `cryptography` package; the sessions that use it know its shape only
    "crypto": WIRE_LEVEL | {"wire"},
    "drivers": DRIVER_LEVEL,
    "sim": DRIVER_LEVEL,
    "rdp": SESSION_LEVEL,
    "streamer": SESSION_LEVEL,
    # of crypto, the checksum that long datagrams end in; keys come in from outside
    "native": SESSION_LEVEL | {"crypto"},
    # sockets for applications: native connections, a driver and the means to trust a peer
    "api": SESSION_LEVEL | {"crypto", "drivers", "native"},
    "aio": {"api"},  # a name for its asyncio half
    "lab": SESSION_LEVEL | {"impair", "crypto", "drivers", "sim", "rdp", "streamer", "native", "api"},
    # the package itself: what it re-exports, which is everything but the laboratory and the tools
    ROOT: SESSION_LEVEL | {"impair", "crypto", "drivers", "sim", "rdp", "streamer", "native", "api", "aio"},
}
ALLOWED["apps"] = set(ALLOWED)

# Where time, randomness and I/O come in as arguments.
PURE = {"errors", "wire", "core", "crypto", "impair", "transfer", "rdp", "streamer", "native"}
# fmt: off
BANNED_MODULES = {
    "socket", "ssl", "select", "selectors", "time", "datetime", "threading", "queue", "multiprocessing", "concurrent",
    "asyncio", "os", "io", "pathlib", "subprocess", "logging", "secrets", "uuid",
    # other doors to the same rooms
    "importlib", "posix", "signal", "shutil", "tempfile", "sched", "_thread", "_socket", "_io",
}
# fmt: on
BANNED_CALLS = {"open", "input", "print", "breakpoint", "__import__", "exec", "eval"}
# Public in spite of the underscore: it keeps them apart from field names.
NAMEDTUPLE_API = {"_replace", "_asdict", "_fields", "_make", "_field_defaults"}

Check = Callable[[str, ast.Module], Iterator[str]]


def source_modules() -> dict[str, ast.Module]:
    """Every module of the package by its dotted name; a package goes by its own name, without __init__."""
    modules = {}
    for file in sorted((SRC / ROOT).rglob("*.py")):
        parts = file.relative_to(SRC).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = ast.parse(file.read_bytes(), str(file))
    return modules


MODULES = source_modules()
PACKAGES = {name for name in MODULES if (SRC / name.replace(".", "/")).is_dir()}


def part_of(module: str) -> str:
    """`surewire.core.units` is in the part `core`, the package itself in the part `surewire`."""
    names = module.split(".")
    return names[1] if len(names) > 1 else names[0]


def imports(module: str, tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Line, module and name (empty for a plain import) of everything imported, relative imports resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = module.split(".")[: len(module.split(".")) - node.level + (module in PACKAGES)]
                base = ".".join([*up, *([base] if base else [])])
            for alias in node.names:
                yield node.lineno, base, alias.name


def own_imports(module: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and module of each import from this package: `from surewire.core import units` means the module units."""
    for line, base, name in imports(module, tree):
        if base.split(".")[0] != ROOT:
            continue
        whole = f"{base}.{name}"
        yield line, whole if name and (whole in MODULES or base == ROOT and name in ALLOWED) else base


def check_direction(module: str, tree: ast.Module) -> Iterator[str]:
    """Imports go down the layers only."""
    part = part_of(module)
    if part not in ALLOWED:
        yield f"{module}: the part {part!r} has no place in the table of layers"
        return
    for line, imported in own_imports(module, tree):
        target = part_of(imported)
        if target != part and target not in ALLOWED[part]:
            yield f"{module}:{line}: {part} may not import {target} ({imported})"


def check_purity(module: str, tree: ast.Module) -> Iterator[str]:
    """No I/O, clock, thread, log or entropy where they have to come in as arguments."""
    if part_of(module) not in PURE:
        return
    for line, base, _ in imports(module, tree):
        if base.split(".")[0] in BANNED_MODULES:
            yield f"{module}:{line}: imports {base}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BANNED_CALLS:
            yield f"{module}:{node.lineno}: calls {node.func.id}"


def check_random(module: str, tree: ast.Module) -> Iterator[str]:
    """`random.Random` may be named as a type; a generator is passed in, and the shared one is not used."""
    if part_of(module) not in PURE:
        return
    as_module, as_class = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            as_module |= {alias.asname or alias.name for alias in node.names if alias.name == "random"}
        elif isinstance(node, ast.ImportFrom) and node.module == "random":
            as_class |= {alias.asname or alias.name for alias in node.names if alias.name == "Random"}
            wrong = [alias.name for alias in node.names if alias.name != "Random"]
            yield from (f"{module}:{node.lineno}: imports random.{name}" for name in wrong)
    typed = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr == "Random"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in as_module and id(node) not in typed:
            yield f"{module}:{node.lineno}: uses the module random for more than random.Random"
        elif isinstance(node, ast.Call):
            match node.func:
                case ast.Attribute(value=ast.Name(id=name), attr="Random") if name in as_module:
                    yield f"{module}:{node.lineno}: makes a generator instead of taking one"
                case ast.Name(id=name) if name in as_class:
                    yield f"{module}:{node.lineno}: makes a generator instead of taking one"


def check_import_place(module: str, tree: ast.Module) -> Iterator[str]:
    """Imports stand at the top of the file, where the layers can be seen."""
    if part_of(module) not in PURE:
        return
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for node in ast.walk(scope):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield f"{module}:{node.lineno}: import inside {scope.name}"


def check_underscores(module: str, tree: ast.Module) -> Iterator[str]:
    """Names with one leading underscore are used by their own class or file only."""
    for line, base, name in imports(module, tree):
        if is_private(name) or base.split(".")[0] == ROOT and any(map(is_private, base.split("."))):
            yield f"{module}:{line}: imports {base}.{name}".rstrip(".")
    yield from private_attributes(module, tree, frozenset({"self", "cls"}))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in NAMEDTUPLE_API


def private_attributes(module: str, node: ast.AST, owners: frozenset[str]) -> Iterator[str]:
    """Walk down, adding each class to the owners of the names used inside it."""
    if isinstance(node, ast.ClassDef):
        owners |= {node.name}
    if isinstance(node, ast.Attribute) and is_private(node.attr):
        match node.value:
            case ast.Name(id=name) if name in owners:
                pass
            case ast.Call(func=ast.Name(id="super")):
                pass
            case _:
                yield f"{module}:{node.lineno}: {ast.unparse(node)} belongs to another object"
    for child in ast.iter_child_nodes(node):
        yield from private_attributes(module, child, owners)


def cycle(graph: Mapping[str, set[str]]) -> list[str]:
    """One cycle of the graph as a closed path, or nothing. Imports for types only count, too."""
    done: set[str] = set()
    for start in graph:
        path: list[str] = []
        pending = [(start, False)]
        while pending:
            name, is_left = pending.pop()
            if is_left:
                path.pop()
                done.add(name)
            elif name in path:
                return [*path[path.index(name) :], name]
            elif name not in done:
                path.append(name)
                pending.append((name, True))
                pending.extend((successor, False) for successor in graph.get(name, ()))
    return []


CHECKS: list[Check] = [check_direction, check_purity, check_random, check_import_place, check_underscores]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_source(check: Check) -> None:
    assert [line for module, tree in MODULES.items() for line in check(module, tree)] == []


def test_source_has_no_import_cycle() -> None:
    graph = {module: {name for _, name in own_imports(module, tree)} for module, tree in MODULES.items()}
    assert cycle(graph) == []


def test_there_is_source_to_check() -> None:
    assert {"surewire", "surewire.errors", "surewire.core", "surewire.core.units"} <= set(MODULES)
    assert {part_of(module) for module in MODULES} <= set(ALLOWED)


def test_the_builtins_that_are_banned_exist() -> None:
    assert set(dir(builtins)) >= BANNED_CALLS


# ruff's formatter would spread this table over ten times the lines
# fmt: off
BAD: list[tuple[Check, str, str]] = [
    (check_direction, "surewire.wire.text", "import surewire.core.units"),
    (check_direction, "surewire.wire.text", "from surewire.core import units"),
    (check_direction, "surewire.wire.text", "from surewire import core"),
    (check_direction, "surewire.wire.text", "from ..core import units"),
    (check_direction, "surewire.wire.text", "from .. import impair"),
    (check_direction, "surewire.wire", "from ..core import units"),
    (check_direction, "surewire.wire.text", "from surewire import __version__"),
    (check_direction, "surewire.impair.model", "from surewire.wire import text"),
    (check_direction, "surewire.transfer.files", "from surewire.core.units import NS_PER_S"),
    (check_direction, "surewire.core.acks", "from surewire.impair import model"),
    (check_direction, "surewire.core.acks", "from surewire.transfer import files"),
    (check_direction, "surewire.core.acks", "def f():\n    import surewire.sim.world"),
    (check_direction, "surewire.drivers.udp", "import surewire.sim.world"),
    (check_direction, "surewire.sim.world", "import surewire.drivers.udp"),
    (check_direction, "surewire.sim.world", "import surewire.rdp.sender"),
    (check_direction, "surewire.rdp.sender", "import surewire.drivers.udp"),
    (check_direction, "surewire.rdp.sender", "import surewire.sim.world"),
    (check_direction, "surewire.rdp.sender", "import surewire.streamer.session"),
    (check_direction, "surewire.errors", "import surewire.core.units"),
    (check_direction, "surewire.rdp.sender", "import surewire.apps.rdps"),
    (check_direction, "surewire", "from surewire.apps import rdps"),
    (check_direction, "surewire", "import surewire.lab"),
    (check_direction, "surewire.rdp.sender", "import surewire.lab.simulated"),
    (check_direction, "surewire.lab.simulated", "import surewire.apps.cli"),
    (check_direction, "surewire.brandnew.file", "x = 1"),
    *[(check_purity, "surewire.core.acks", f"import {name}") for name in sorted(BANNED_MODULES)],
    *[(check_purity, "surewire.core.acks", f"x = {name}('y')") for name in sorted(BANNED_CALLS)],
    (check_purity, "surewire.wire.text", "import os.path"),
    (check_purity, "surewire.impair.model", "from os import urandom"),
    (check_purity, "surewire.transfer.files", "from concurrent.futures import Executor"),
    (check_purity, "surewire.rdp.sender", "def f():\n    from time import monotonic_ns"),
    (check_random, "surewire.impair.model", "import random\nx = random.random()"),
    (check_random, "surewire.impair.model", "import random as r\nx = r.randbytes(4)"),
    (check_random, "surewire.impair.model", "import random\nroll = random.randint"),
    (check_random, "surewire.impair.model", "import random\nsource = random"),
    (check_random, "surewire.impair.model", "import random\nx = random.Random()"),
    (check_random, "surewire.impair.model", "import random\nx = random.SystemRandom()"),
    (check_random, "surewire.core.acks", "from random import choice"),
    (check_random, "surewire.rdp.sender", "from random import Random as R\nx = R(1)"),
    (check_import_place, "surewire.core.acks", "def f():\n    import struct"),
    (check_import_place, "surewire.wire.text", "async def f():\n    if x:\n        from struct import pack"),
    (check_import_place, "surewire.rdp.sender", "class C:\n    import struct"),
    (check_underscores, "surewire.core.acks", "def f(x):\n    return x._y"),
    (check_underscores, "surewire.drivers.udp", "class C:\n    def f(self):\n        self.x._y = 1"),
    (check_underscores, "surewire.apps.cli", "class C:\n    def f(self, other):\n        return other._x"),
    (check_underscores, "surewire.apps.cli", "class C:\n    _x = 1\ny = C._x"),
    (check_underscores, "surewire.apps.cli", "from surewire.core.acks import _inner"),
    (check_underscores, "surewire.apps.cli", "from surewire.core import _acks"),
    (check_underscores, "surewire.apps.cli", "import surewire._inner"),
    (check_underscores, "surewire.apps.cli", "import sys\nframe = sys._getframe()"),
]

GOOD: list[tuple[Check, str, str]] = [
    (check_direction, "surewire.core.acks", "from surewire.wire import text\nfrom ..errors import ConfigError"),
    (check_direction, "surewire.core", "from .units import NS_PER_S\nfrom . import trains"),
    (check_direction, "surewire.apps.cli", "from surewire import __version__, rdp\nimport surewire.drivers.udp"),
    (check_direction, "surewire.sim.world", "import surewire.impair.model, surewire.core.units"),
    (check_purity, "surewire.core.acks", "import hashlib, struct, re, zlib, heapq\nfrom x import open_it"),
    (check_purity, "surewire.core.acks", "class C:\n    def f(self):\n        self.open()"),
    (check_purity, "surewire.drivers.udp", "import socket, time, os\nprint(open('x'))"),
    (check_random, "surewire.impair.model", "import random\ndef f(r: random.Random) -> float:\n    return r.random()"),
    (check_random, "surewire.impair.model", "from random import Random\nx: Random"),
    (check_random, "surewire.sim.world", "import random\nx = random.Random(1)"),
    (check_import_place, "surewire.core.acks", "import struct\nif TYPE_CHECKING:\n    from x import y"),
    (check_import_place, "surewire.apps.cli", "def f():\n    import surewire.apps.rdps"),
    (check_underscores, "surewire.core.acks", "class C:\n    def f(self):\n        return self._x + C._y + super()._z"),
    (check_underscores, "surewire.core.acks", "class C:\n    @classmethod\n    def f(cls):\n        return cls._x"),
    (check_underscores, "surewire.core.acks", "from __future__ import annotations\ny = x.__class__, t._replace(a=1)"),
]
# fmt: on


@pytest.mark.parametrize(("check", "module", "source"), BAD)
def test_bad_source_is_found(check: Check, module: str, source: str) -> None:
    assert list(check(module, ast.parse(source)))


@pytest.mark.parametrize(("check", "module", "source"), GOOD)
def test_good_source_passes(check: Check, module: str, source: str) -> None:
    assert list(check(module, ast.parse(source))) == []


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ("", 0),
        ("a>b b>c a>c", 0),
        ("a>b a>c b>d c>d", 0),
        ("a>a", 1),
        ("a>b b>a", 2),
        ("x>a a>b b>c c>a", 3),
        ("a>b c>d d>e e>c", 3),
    ],
)
def test_cycles_are_found(edges: str, expected: int) -> None:
    graph: dict[str, set[str]] = {}
    for edge in edges.split():
        graph.setdefault(edge[0], set()).add(edge[2])
    found = cycle(graph)
    assert len(found) == (expected + 1 if expected else 0)
    assert all(after in graph[before] for before, after in zip(found, found[1:], strict=False))
