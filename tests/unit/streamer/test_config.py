"""Settings: the defaults agree with the format, bad values are refused, variables are read."""

from __future__ import annotations

import pytest

from surewire.core.config import TransportConfig
from surewire.errors import ConfigError
from surewire.streamer.config import AckPolicy, Pipelining, StreamerConfig
from surewire.wire import compact


def test_the_defaults_stay_within_what_the_format_can_say() -> None:
    config = StreamerConfig()
    assert max(config.send_buffer, config.transport.receive_window) < compact.MAX_WINDOW
    assert (config.transport.max_ack_ranges - 1) * 2 <= 8 * (compact.MAX_HOLES - 1)
    assert config.transport.max_train == 1


@pytest.mark.parametrize(
    "name",
    [
        "send_buffer",
        "receive_buffer",
        "ping_interval",
        "patient_pings",
        "max_ping_interval",
        "max_opening_interval",
        "peer_close_timeout",
        "last_ack_timeout",
    ],
)
@pytest.mark.parametrize("value", [0, -1])
def test_what_must_be_positive(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=name):
        StreamerConfig(**{name: value})  # type: ignore[arg-type]


def test_what_may_be_zero_may_not_be_less() -> None:
    assert StreamerConfig(coalesce_delay=0).coalesce_delay == 0
    with pytest.raises(ConfigError, match="coalesce_delay"):
        StreamerConfig(coalesce_delay=-1)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_is_from_0_to_1(share: float) -> None:
    with pytest.raises(ConfigError, match="repeat_acks_above"):
        StreamerConfig(repeat_acks_above=share)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pipelining", "stop-and-wait"),
        ("pipelining", "gbn"),
        ("acks", "each"),
        ("nagle", "off"),
        ("fin_rides", 1),
        ("ping_interval", 0.1),
        ("transport", None),
        ("congestion", "cubic"),
    ],
)
def test_a_value_of_another_type_is_refused_not_misread(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be of type"):
        StreamerConfig(**{name: value})  # type: ignore[arg-type]


def test_offsets_of_three_bytes_limit_what_may_be_on_its_way() -> None:
    StreamerConfig(send_buffer=(1 << 22) - 1, transport=TransportConfig(receive_window=(1 << 22) - 1))
    with pytest.raises(ConfigError, match="4 MiB"):
        StreamerConfig(send_buffer=1 << 22)
    with pytest.raises(ConfigError, match="4 MiB"):
        StreamerConfig(transport=TransportConfig(receive_window=1 << 22))


def test_no_variable_means_the_defaults() -> None:
    assert StreamerConfig.from_environment({}) == StreamerConfig()
    empty = {"STREAMER_MODE": "", "STREAMER_ACKS": "", "STREAMER_NAGLE": "", "OTHER": "x"}
    assert StreamerConfig.from_environment(empty) == StreamerConfig()


@pytest.mark.parametrize("pipelining", list(Pipelining))
@pytest.mark.parametrize("acks", list(AckPolicy))
@pytest.mark.parametrize("nagle", [True, False])
def test_variables_choose(pipelining: Pipelining, acks: AckPolicy, nagle: bool) -> None:
    variables = {
        "STREAMER_MODE": pipelining.value,
        "STREAMER_ACKS": acks.value,
        "STREAMER_NAGLE": "on" if nagle else "off",
    }
    expected = StreamerConfig(pipelining=pipelining, acks=acks, nagle=nagle)
    assert StreamerConfig.from_environment(variables) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STREAMER_MODE", "selective"),
        ("STREAMER_MODE", "GO-BACK-N"),
        ("STREAMER_ACKS", "never"),
        ("STREAMER_NAGLE", "1"),
    ],
)
def test_a_wrong_value_is_refused_and_the_right_ones_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is .* or .*, not '{value}'"):
        StreamerConfig.from_environment({name: value})
