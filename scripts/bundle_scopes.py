"""Which names in a piece of Python mean the module's namespace, and which are local: scoping on the syntax tree.

For the syntax of Python 3.11. Left out: a class body that reads a global name before it binds the same name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Use(NamedTuple):
    """A name that means the module's namespace, and the names that would mean something else at that place."""

    node: ast.Name
    hidden: frozenset[str]


def bound_names(body: Sequence[ast.AST]) -> tuple[set[str], set[str]]:
    """Names that these statements bind in their own scope, and those they declare global."""
    bound: set[str] = set()
    declared: set[str] = set()
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
                continue
            case ast.Lambda():
                continue
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                inner = (n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr))
                bound.update(inner)
                continue
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                bound.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                bound.update(local_name(alias) for alias in names)
            case ast.Global(names=words):
                declared.update(words)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                bound.add(name)
            case ast.MatchMapping(rest=str(name)):
                bound.add(name)
        waiting.extend(ast.iter_child_nodes(node))
    return bound - declared, declared


def local_name(alias: ast.alias) -> str:
    """The name that an import binds."""
    return alias.asname or alias.name.partition(".")[0]


def uses(node: ast.AST, outer: frozenset[str] = frozenset(), own: frozenset[str] = frozenset()) -> Iterator[Use]:
    """Every name in `node` that means the module's namespace, where it is bound as well.

    Args:
        node: where to look.
        outer: names of the functions around it.
        own: names of the class around it, which functions in it do not see.
    """
    match node:
        case ast.Name(id=name):
            if name not in outer and name not in own:
                yield Use(node, outer | own)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            yield from function_uses(node, outer, own)
        case ast.ClassDef(body=body):
            for child in [*node.decorator_list, *node.bases, *node.keywords]:
                yield from uses(child, outer, own)
            for child in body:
                yield from uses(child, outer, frozenset(bound_names(body)[0]))
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            yield from uses(node.generators[0].iter, outer, own)
            targets = bound_names([generator.target for generator in node.generators])[0]
            for child in ast.iter_child_nodes(node):
                for part in ast.iter_child_nodes(child) if isinstance(child, ast.comprehension) else [child]:
                    if part is not node.generators[0].iter:
                        yield from uses(part, outer | targets)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from uses(child, outer, own)


def function_uses(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, outer: frozenset[str], own: frozenset[str]
) -> Iterator[Use]:
    """The uses in a function: what stands in its head is evaluated outside of it."""
    arguments = node.args
    parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    parameters += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    head: list[ast.expr | None] = [*arguments.defaults, *arguments.kw_defaults, *(one.annotation for one in parameters)]
    body: list[ast.stmt] | list[ast.expr] = [node.body] if isinstance(node, ast.Lambda) else node.body
    if not isinstance(node, ast.Lambda):
        head += [*node.decorator_list, node.returns]
    for part in head:
        if part is not None:
            yield from uses(part, outer, own)
    bound, declared = bound_names(body)
    inner = (outer - declared) | bound | {one.arg for one in parameters}
    for child in body:
        yield from uses(child, frozenset(inner))
