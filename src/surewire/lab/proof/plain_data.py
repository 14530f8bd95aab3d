"""Frozen dataclasses as JSON values and back, by their type hints.

For data that people keep in files: a field that has its default is left out, an unknown one is an error.
Understood are dataclasses, tuples, enums, bytes (as Latin-1 text), numbers, text, truth values, and unions with None.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from surewire.errors import ConfigError

T = TypeVar("T")


def to_plain(value: object) -> Any:
    """A value as JSON can write it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            each.name: to_plain(getattr(value, each.name))
            for each in dataclasses.fields(value)
            if getattr(value, each.name) != default(each)
        }
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, tuple | list):
        return [to_plain(one) for one in value]
    return value


def from_plain(kind: type[T], plain: object) -> T:
    """The dataclass that `to_plain` wrote.

    Raises:
        ConfigError: the value does not fit, or a field is unknown, missing or out of its range.
    """
    made: T = _read(kind, plain, kind.__name__)
    return made


def default(each: dataclasses.Field[Any]) -> object:
    """The default of a dataclass's field; `dataclasses.MISSING` when it has none."""
    if each.default_factory is not dataclasses.MISSING:
        return each.default_factory()
    return each.default


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return typing.get_type_hints(kind)


def _read(kind: Any, plain: object, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(typing.cast(type, kind), plain, where)
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        if plain is None:
            return None
        (kind,) = (one for one in typing.get_args(kind) if one is not type(None))
        return _read(kind, plain, where)
    if origin is tuple:
        return _read_tuple(typing.get_args(kind), plain, where)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _made(lambda: kind(plain), where)
    if kind is bytes and isinstance(plain, str):
        return _made(lambda: plain.encode("latin-1"), where)
    if kind is float and isinstance(plain, int) and not isinstance(plain, bool):
        return float(plain)
    if not isinstance(plain, kind) or (kind is int and isinstance(plain, bool)):
        raise ConfigError(f"{where}: expected {kind.__name__}, not {plain!r}")
    return plain


def _read_dataclass(kind: type, plain: object, where: str) -> Any:
    if not isinstance(plain, Mapping):
        raise ConfigError(f"{where}: expected an object, not {plain!r}")
    hints = _hints(kind)
    unknown = [name for name in plain if name not in {each.name for each in dataclasses.fields(kind)}]
    if unknown:
        raise ConfigError(f"{where}: there is no {unknown[0]}")
    values = {name: _read(hints[name], value, f"{where}.{name}") for name, value in plain.items()}
    return _made(lambda: kind(**values), where)


def _read_tuple(kinds: tuple[Any, ...], plain: object, where: str) -> tuple[Any, ...]:
    if not isinstance(plain, list):
        raise ConfigError(f"{where}: expected a list, not {plain!r}")
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(plain)
    if len(kinds) != len(plain):
        raise ConfigError(f"{where}: expected {len(kinds)} values, not {len(plain)}")
    return tuple(
        _read(kind, one, f"{where}[{index}]") for index, (kind, one) in enumerate(zip(kinds, plain, strict=True))
    )


def _made(make: Callable[[], Any], where: str) -> Any:
    try:
        return make()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from error
