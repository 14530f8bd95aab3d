"""The modules that a program needs of our package, taken apart and in the order of their imports.

What the bundle cannot say is refused here, with file and line: relative imports, `import surewire.x`, imports of the
package inside functions, other people's packages.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple, NoReturn

from scripts.bundle_scopes import bound_names, local_name, uses

PACKAGE = "surewire"
NEIGHBOUR = "lossy_socket"
# What the assignment allows to import from these, and in streamer.py alone.
RESTRICTED = {NEIGHBOUR: {"LossyUDP"}, "socket": {"INADDR_ANY"}}


class BundleError(Exception):
    """The sources cannot become one file."""


class Symbol(NamedTuple):
    """Something by its place; a whole module if the name is empty."""

    module: str
    name: str


class Module:
    """A source file, taken apart."""

    def __init__(self, name: str, file: Path, is_entry: bool) -> None:
        self.name = name
        self.file = file
        self.is_entry = is_entry
        self.source = file.read_bytes()
        self.tree = ast.parse(self.source, str(file))
        self.docstring = ast.get_docstring(self.tree)
        self.imports: list[tuple[ast.alias, str | None]] = []  # of other modules: alias, and what it is from
        self.ours: dict[str, Symbol] = {}  # imported from the package: the local name and what it means
        self.kept: list[ast.stmt] = []
        self.dropped: list[ast.stmt] = []
        self.for_types: set[str] = set()  # bound for type checkers only
        self.version_check = ""  # the entry's look at sys.version_info, which has to stand above the imports
        for statement in self.tree.body:
            (self.dropped if self._is_dropped(statement) else self.kept).append(statement)
        self.defined = bound_names(self.kept)[0]
        self.uses = [use for statement in self.kept for use in uses(statement)]
        self._refuse_hidden_imports()

    def _is_dropped(self, statement: ast.stmt) -> bool:
        match statement:
            case ast.Expr(value=ast.Constant(value=str())) if statement is self.tree.body[0]:
                return True
            case ast.Import(names=names):
                for alias in names:
                    self._import(alias)
                return True
            case ast.ImportFrom(module=str(module), names=names, level=0):
                for alias in names:
                    self._import_from(module, alias)
                return True
            case ast.ImportFrom():
                self.refuse(statement, "a relative import")
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"), body=body, orelse=[]):
                self.for_types |= bound_names(body)[0]
                return True
            case ast.Try(body=[ast.Import(names=[ast.alias(name="surewire", asname=None)])]):
                return True
            case ast.If(test=ast.Compare(left=ast.Attribute(value=ast.Name(id="sys"), attr="version_info"))) if (
                self.is_entry
            ):
                self.version_check = ast.get_source_segment(self.source.decode(), statement) or ""
                return True
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                return not self.is_entry
        return False

    def _import(self, alias: ast.alias) -> None:
        if alias.name.partition(".")[0] != PACKAGE:
            self.imports.append((alias, None))
        elif alias.asname is None:
            self.refuse(alias, f"'import {alias.name}'; write 'from ... import ...'")
        else:
            self.ours[alias.asname] = Symbol(alias.name, "")

    def _import_from(self, module: str, alias: ast.alias) -> None:
        if alias.name == "*":
            self.refuse(alias, "'import *'")
        if module.partition(".")[0] == PACKAGE:
            self.ours[local_name(alias)] = Symbol(module, alias.name)
        elif module != "__future__":
            self.imports.append((alias, module))

    def _refuse_hidden_imports(self) -> None:
        for node in (inner for statement in self.kept for inner in ast.walk(statement)):
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in named:
                if name.partition(".")[0] in (PACKAGE, *RESTRICTED, ""):
                    self.refuse(node, f"an import of {name or 'the package'} that is not at the top of the file")

    def refuse(self, node: ast.AST | None, what: str) -> NoReturn:
        """Raise the error that tells of `what`."""
        raise BundleError(f"{self.file}:{getattr(node, 'lineno', 1)}: cannot flatten {what}")

    @property
    def is_transparent(self) -> bool:
        """True for a package that only hands on what it imports."""
        return self.file.name == "__init__.py" and not self.kept


class Sources:
    """The entry and all modules it needs."""

    def __init__(self, entry: Path, source: Path) -> None:
        self.source = source
        self._loaded: dict[str, Module | None] = {}
        self.entry = Module("", entry, True)
        self.ordered: list[Module] = []
        self._place(self.entry, ())

    def module(self, name: str) -> Module | None:
        """The module of a dotted name, or None if there is none."""
        if name not in self._loaded:
            base = self.source.joinpath(*name.split("."))
            files = [file for file in (base / "__init__.py", base.with_name(f"{base.name}.py")) if file.is_file()]
            self._loaded[name] = Module(name, files[0], False) if files else None
        return self._loaded[name]

    def resolve(self, symbol: Symbol) -> Symbol:
        """Where that which `symbol` names is defined: looks through modules that only import it."""
        module = self.module(symbol.module)
        if module is None:
            raise BundleError(f"there is no module {symbol.module} in {self.source}")
        if not symbol.name or symbol.name in module.defined:
            return symbol
        if symbol.name in module.ours:
            return self.resolve(module.ours[symbol.name])
        if self.module(f"{symbol.module}.{symbol.name}") is not None:
            return Symbol(f"{symbol.module}.{symbol.name}", "")
        raise BundleError(f"{module.file}: does not define {symbol.name}")

    def _place(self, module: Module, path: tuple[str, ...]) -> None:
        if module in self.ordered:
            return
        if module.name in path:
            raise BundleError(f"modules import each other: {' -> '.join([*path, module.name])}")
        for symbol in module.ours.values():
            needed = self.module(self.resolve(symbol).module)
            if needed is not None:
                self._place(needed, (*path, module.name))
        if not module.is_transparent:
            self.ordered.append(module)
