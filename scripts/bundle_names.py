"""One namespace for several modules: what each name of each module is called in the bundle."""

from __future__ import annotations

import ast
import builtins
import re
import sys

from scripts.bundle_modules import NEIGHBOUR, RESTRICTED, BundleError, Module, Sources, Symbol
from scripts.bundle_scopes import bound_names, local_name


class Namespace:
    """What each name of each module is called in the one file.

    Raises:
        BundleError: two meanings of a name cannot be kept apart.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.imports = self._merged_imports()
        self._definers: dict[str, list[Module]] = {}
        for module in sources.ordered:
            for name in sorted(module.defined):
                self._definers.setdefault(name, []).append(module)
        self._taken = {
            word for module in sources.ordered for word in re.findall(r"\w+", module.source.decode(errors="replace"))
        }
        self._final: dict[Symbol, str] = {}
        for name, modules in sorted(self._definers.items()):
            self._settle(name, modules)
        for module in sources.ordered:
            self._refuse_hidden_builtins(module)

    def final(self, symbol: Symbol) -> str:
        """The name in the bundle of what `symbol` names, "" for a module."""
        origin = self._sources.resolve(symbol)
        return self._final[origin] if origin.name else ""

    def member(self, module: Symbol, name: str) -> str:
        """The name in the bundle of an attribute of the module that a symbol names."""
        return self.final(Symbol(self._sources.resolve(module).module, name))

    def of_own(self, module: Module, name: str) -> str:
        """The name in the bundle of what `module` defines as `name`."""
        return self._final[Symbol(module.name, name)]

    def _merged_imports(self) -> dict[str, tuple[str | None, str]]:
        """By the name they bind: what the import is from, if it is, and what it imports."""
        merged: dict[str, tuple[str | None, str]] = {}
        for module in self._sources.ordered:
            wanted = {use.node.id for use in module.uses}
            for alias, origin in module.imports:
                allowed_here = RESTRICTED.get(alias.name if origin is None else origin)
                if allowed_here is not None and not (module.is_entry and origin and alias.name in allowed_here):
                    module.refuse(alias, f"an import of {origin or alias.name} that the assignment does not allow")
                root = (origin or alias.name).partition(".")[0]
                if root not in sys.stdlib_module_names and root != NEIGHBOUR:
                    module.refuse(alias, f"{root}, which is not in the standard library")
                name = local_name(alias)
                if name in wanted and merged.setdefault(name, (origin, alias.name)) != (origin, alias.name):
                    module.refuse(alias, f"the import of {name}: another module imports something else by that name")
        return merged

    def _settle(self, name: str, modules: list[Module]) -> None:
        is_unique = len(modules) == 1 or len({constant(module, name) or module.name for module in modules}) == 1
        if is_unique and name not in self.imports:
            self._final.update({Symbol(module.name, name): name for module in modules})
            return
        if not name.startswith("_") or name.startswith("__"):
            where = ", ".join(str(module.file) for module in modules)
            also = ", and another module imports a thing by that name" if name in self.imports else ""
            raise BundleError(f"{name} is defined in {where}{also}: rename all but one, or make them private")
        for module in modules:
            self._final[Symbol(module.name, name)] = self._fresh(module, name)

    def _fresh(self, module: Module, name: str) -> str:
        """A private name that says which module it is from and occurs nowhere yet."""
        parts = (module.name or module.file.stem).split(".")
        for count in range(1, len(parts) + 1):
            prefix = "_".join(parts[-count:])
            if name.isupper():
                fresh = f"_{prefix.upper()}{name}"
            elif name[1:2].isupper():
                fresh = f"_{prefix.title().replace('_', '')}{name[1:]}"
            else:
                fresh = f"_{prefix}{name}"
            if fresh not in self._taken:
                self._taken.add(fresh)
                return fresh
        raise BundleError(f"{module.file}: found no free name for {name}")

    def _refuse_hidden_builtins(self, module: Module) -> None:
        known = (
            module.defined | set(module.ours) | {local_name(alias) for alias, _ in module.imports} | module.for_types
        )
        for use in module.uses:
            name = use.node.id
            if name not in known and (name in self._definers or name in self.imports):
                module.refuse(use.node, f"{name}, a builtin here: another module defines or imports {name}")


def constant(module: Module, name: str) -> str | None:
    """What a name is set to, if that is one assignment of a value that may as well be made twice."""
    statements = [statement for statement in module.kept if name in bound_names([statement])[0]]
    match statements:
        case [ast.Assign(targets=[ast.Name()], value=ast.expr() as value) | ast.AnnAssign(value=ast.expr() as value)]:
            plain = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.Tuple, ast.operator, ast.unaryop, ast.expr_context)
            known = module.defined | set(module.ours) | {local_name(alias) for alias, _ in module.imports}
            for node in ast.walk(value):
                is_builtin = isinstance(node, ast.Name) and node.id not in known and hasattr(builtins, node.id)
                if not is_builtin and not isinstance(node, plain):
                    return None
            return ast.dump(value)
    return None
