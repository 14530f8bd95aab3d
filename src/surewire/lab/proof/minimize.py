"""Shrinks a failing case: whatever can be left out, set to its default or made smaller without the failure going away.

It works on any frozen dataclass. A step is kept when the smaller case still fails by the same rule, so the
result is a case of its own right, not a hint; what is left of it is needed for the failure (or the budget ran out).
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeVar

from surewire.errors import ConfigError
from surewire.lab.proof.plain_data import default

T = TypeVar("T")

_KEPT_FIELDS = {"seed"}  # another seed is another run, not a smaller one


@dataclasses.dataclass(frozen=True)
class Shrunk(typing.Generic[T]):
    """The smallest case found, and how many were tried."""

    case: T
    tried: int


def minimize(case: T, still_fails: Callable[[T], bool], *, most_runs: int = 400) -> Shrunk[T]:
    """Make a failing case smaller.

    Args:
        case: a frozen dataclass for which `still_fails` is true.
        still_fails: runs a case; True when it fails as the first one did.
        most_runs: how many cases to try at most.
    """
    tried = 0
    passed = 0  # candidates of the present case that are known not to fail, from the first on
    has_shrunk = True
    while has_shrunk:
        has_shrunk = False
        for index, smaller in enumerate(smaller_cases(case)):
            if index < passed:
                continue
            if tried >= most_runs:
                return Shrunk(case, tried)
            tried += 1
            if still_fails(smaller):
                case, has_shrunk, passed = smaller, True, index
                break
        if not has_shrunk and passed:
            has_shrunk, passed = True, 0  # what could not go before may go now
    return Shrunk(case, tried)


def smaller_cases(case: T) -> Iterator[T]:
    """Cases with one thing less, the boldest steps first."""
    for depth in range(_depth(case) + 1):
        yield from _smaller(case, depth)


def _depth(value: Any) -> int:
    if dataclasses.is_dataclass(value):
        return 1 + max((_depth(getattr(value, each.name)) for each in dataclasses.fields(value)), default=0)
    if isinstance(value, tuple):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _smaller(value: Any, depth: int, *, may_drop: bool = False) -> Iterator[Any]:
    """Smaller values, changed exactly `depth` levels below this one."""
    if dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            if each.name not in _KEPT_FIELDS:
                yield from _with_smaller_field(value, each, depth)
    elif isinstance(value, tuple):
        if may_drop and not depth:
            yield from _shorter(value)
        elif depth:
            for index, one in enumerate(value):
                for other in _smaller(one, depth - 1):
                    yield (*value[:index], other, *value[index + 1 :])
    elif not depth and isinstance(value, int | float) and not isinstance(value, bool):
        yield from _lower(value)


def _with_smaller_field(value: Any, each: dataclasses.Field[Any], depth: int) -> Iterator[Any]:
    old, usual = getattr(value, each.name), default(each)
    candidates: Iterator[Any]
    if not depth:
        candidates = iter(() if usual is dataclasses.MISSING or usual == old else (usual,))
    else:
        candidates = _smaller(old, depth - 1, may_drop=_is_list(type(value), each.name))
        if isinstance(usual, int | float):  # the default is simple enough, whatever lies below it
            candidates = (candidate for candidate in candidates if candidate > usual)
    for candidate in candidates:
        try:
            yield dataclasses.replace(value, **{each.name: candidate})
        except ConfigError:
            continue  # that alone makes no sense


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _is_list(kind: type, name: str) -> bool:
    """True for a field that is a tuple of any length."""
    return Ellipsis in typing.get_args(_hints(kind)[name])


def _shorter(value: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    piece = len(value) // 2
    while piece:
        for start in range(0, len(value) - piece + 1, piece):
            yield value[:start] + value[start + piece :]
        piece //= 2


def _lower(value: float) -> Iterator[float]:
    """Nought, one digit, half: whatever is smaller."""
    found: list[float] = []
    if isinstance(value, int):
        rounded = int(str(abs(value))[0]) * 10 ** (len(str(abs(value))) - 1)
        found = [0, 1, rounded, value // 2]
    else:
        found = [0.0, round(value, 1), round(value / 2, 2)]
    yield from dict.fromkeys(one for one in found if 0 <= one < value)
