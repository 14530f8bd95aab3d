"""Keyword arguments become settings, or an error that names the argument."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from surewire.api.options import client_of, native_config, public_key, server_of, split_address
from surewire.core.congestion import Congestion
from surewire.core.units import NS_PER_MS
from surewire.errors import ConfigError
from surewire.native.config import NativeConfig


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (("host", 5), ("host", 5)),
        ("host:5", ("host", 5)),
        ("[::1]:5000", ("::1", 5000)),
        ("[fe80::1%eth0]:1", ("fe80::1%eth0", 1)),
        (":0", ("", 0)),
        (("::1", 65535), ("::1", 65535)),
    ],
)
def test_addresses_come_in_two_forms(address: Any, expected: tuple[str, int]) -> None:
    assert split_address(address) == expected


@pytest.mark.parametrize(
    "address",
    ["host", "host:", "::1:5", "host:5x", "host:65536", "[::1]", ("host",), ("host", "5"), ("h", -1), 5, None],
)
def test_what_is_no_address_is_refused(address: Any) -> None:
    with pytest.raises(ConfigError, match="an address is"):
        split_address(address)


def test_settings_are_taken_over() -> None:
    assert native_config(None, mtu=None) == NativeConfig()
    base = NativeConfig(keepalive=7)
    made = native_config(base, mtu=1500, timeout=0.25)
    assert (made.keepalive, made.fixed_datagram) == (7, 1500)
    assert made.transport.handshake_timeout == 250 * NS_PER_MS
    assert made.transport.idle_timeout == base.transport.idle_timeout
    wrongs: list[dict[str, Any]] = [
        {"mtu": 1199},
        {"mtu": 65508},
        {"mtu": None, "timeout": 0},
        {"mtu": None, "timeout": -1.0},
        {"mtu": None, "congestion": "pigeon"},
        {"mtu": None, "congestion": "fixed"},
        {"mtu": None, "congestion": 5},
        *({"mtu": None, "max_rate": rate} for rate in (0, -1, 2.5, "20M", True)),
    ]
    for wrong in wrongs:
        with pytest.raises(ConfigError):
            native_config(None, **wrong)


def test_how_fast_to_send_may_be_said_without_a_configuration() -> None:
    base = NativeConfig(congestion=Congestion("cubic"), max_rate=5)
    assert native_config(base, mtu=None) == base
    named = native_config(base, mtu=None, congestion="newreno", max_rate=7)
    assert (named.congestion, named.max_rate) == (Congestion("newreno"), 7)
    fixed = Congestion("fixed", rate=1_000)
    assert native_config(None, mtu=None, congestion=fixed).congestion is fixed


NOBODY: dict[str, Any] = {"psk": None, "server_key": None, "trust": None, "known_servers": None, "plain": False}
KEY = bytes(32)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"plain": True, "psk": KEY}, "plain and psk exclude"),
        ({"psk": KEY, "server_key": KEY}, "psk and server_key exclude"),
        ({"server_key": KEY, "trust": "sw1:x"}, "server_key and trust exclude"),
        ({"psk": b"short"}, "32 bytes, not 5"),
        ({"server_key": b"short"}, "32 bytes, not 5"),
        ({"server_key": "xyz"}, "64 hexadecimal digits"),
        ({"trust": "sw1:short"}, "a fingerprint is"),
    ],
)
def test_clients_know_their_server_in_one_way(given: dict[str, Any], named: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=named):
        client_of("host", 1, **{**NOBODY, "known_servers": tmp_path / "known", **given})


@pytest.mark.parametrize(
    "given", [{"plain": True, "psk": KEY}, {"plain": True, "server_key": KEY}, {"psk": KEY, "server_key": KEY}]
)
def test_servers_let_in_in_one_way(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="exclude"):
        server_of(**{"psk": None, "server_key": None, "plain": False, **given})


def test_each_way_has_its_suites() -> None:
    assert server_of(psk=None, server_key=None, plain=True).security.suites == (0,)
    assert server_of(psk=KEY, server_key=None, plain=False).security.suites == (2, 4)
    by_key = server_of(psk=None, server_key=KEY, plain=False)
    assert by_key.security.suites == (1, 3)
    assert by_key.public_key is not None


def test_public_keys_come_in_two_forms() -> None:
    key = bytes(range(32))
    assert public_key(key) == public_key(key.hex()) == key
