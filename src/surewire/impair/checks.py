"""Checks of configuration values, shared by the dataclasses of this package; each error names the field."""

from __future__ import annotations

from surewire.errors import ConfigError


def check_probability(name: str, value: object) -> None:
    """Raises ConfigError unless `value` is a number from 0 to 1."""
    # The comparison is also false for NaN.
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"{name} must be a probability from 0 to 1, not {value!r}")


def check_whole(name: str, value: object, *, least: int) -> None:
    """Raises ConfigError unless `value` is a whole number, at least `least`."""
    if not isinstance(value, int) or value < least:
        raise ConfigError(f"{name} must be a whole number, at least {least}, not {value!r}")


def check_optional_whole(name: str, value: object, *, least: int) -> None:
    """As `check_whole`, but None is fine, too."""
    if value is not None:
        check_whole(name, value, least=least)
