"""The scenarios that come with the laboratory, and scenario files of one's own.

The built-in ones are the TOML files in the folder `scenarios` beside this module; the form of such a file stands at
the head of `surewire.impair.scenario`.
"""

from __future__ import annotations

import difflib
import tomllib
from importlib import resources
from pathlib import Path

from surewire.errors import ConfigError
from surewire.impair.scenario import Scenario, parse_scenario

_SUFFIX = ".toml"
_FOLDER = resources.files("surewire.lab") / "scenarios"


def scenario_names() -> list[str]:
    """The names of the built-in scenarios, sorted."""
    names = (file.name for file in _FOLDER.iterdir())
    return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))


def load_scenario(name_or_path: str) -> Scenario:
    """A scenario by name, or from a file of one's own.

    Args:
        name_or_path: a name of `scenario_names`; or a path, which has a slash in it or ends with `.toml`. Such a
            scenario is called as its file, without the suffix.

    Raises:
        ConfigError: there is no such scenario or file, or it makes no sense; the text says which and what.
    """
    if "/" in name_or_path or name_or_path.endswith(_SUFFIX):
        path = Path(name_or_path)
        return _parse(path.name.removesuffix(_SUFFIX), _read(path), str(path))
    names = scenario_names()
    if name_or_path not in names:
        near = difflib.get_close_matches(name_or_path, names, n=3)
        hint = f"; near to it: {', '.join(near)}" if near else f", only {', '.join(names)}"
        raise ConfigError(f"there is no scenario '{name_or_path}'{hint}")
    return _parse(name_or_path, (_FOLDER / f"{name_or_path}{_SUFFIX}").read_bytes(), f"scenario {name_or_path}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error


def _parse(name: str, content: bytes, where: str) -> Scenario:
    try:
        table = tomllib.loads(content.decode())
    except ValueError as error:
        # Beside what is no TOML or no UTF-8, numbers of thousands of digits.
        raise ConfigError(f"{where} is no TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{where} is nested too deeply") from error
    return parse_scenario(name, table)
