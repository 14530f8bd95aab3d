"""The settings of a connection: which values are refused."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from surewire.core.config import TransportConfig
from surewire.errors import ConfigError

NAMES = [field.name for field in fields(TransportConfig)]
OPTIONAL = {
    "ack_pairs",
    "ack_reordered",
    "overtaking_window",
    "min_pto",
    "tail_effort",
    "tail_effort_spared",
}  # 0 leaves them out


def config_with(name: str, value: Any) -> TransportConfig:
    return TransportConfig(**{name: value})


@pytest.mark.parametrize("name", sorted(OPTIONAL))
def test_what_may_be_left_out_is_zero_and_not_less(name: str) -> None:
    assert not getattr(config_with(name, 0), name)
    with pytest.raises(ConfigError, match=f"{name} must not be negative"):
        config_with(name, -1)


@pytest.mark.parametrize("name", sorted(set(NAMES) - OPTIONAL))
@pytest.mark.parametrize("value", [0, -1])
def test_nothing_else_may_be_zero_or_negative(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=name):
        config_with(name, value)


@pytest.mark.parametrize("name", NAMES)
def test_the_least_value_is_accepted(name: str) -> None:
    assert getattr(config_with(name, 1), name) == 1


def test_a_train_has_as_many_segments_as_the_system_call_takes() -> None:
    assert TransportConfig(max_train=64).max_train == 64
    with pytest.raises(ConfigError, match="max_train"):
        TransportConfig(max_train=65)


def test_settings_do_not_change() -> None:
    config = TransportConfig()
    with pytest.raises(FrozenInstanceError):
        config.max_pto = 1  # type: ignore[misc]


def test_every_setting_is_documented() -> None:
    assert TransportConfig.__doc__ is not None
    assert [name for name in NAMES if f"{name}:" not in TransportConfig.__doc__] == []
