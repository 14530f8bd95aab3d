"""What a socket cannot do, the endpoint over it does not try."""

from __future__ import annotations

from surewire.api.endpoints import fitted
from surewire.native.config import NativeConfig


def test_where_fragments_cannot_be_forbidden_nothing_longer_than_ethernet_is_searched_for() -> None:
    assert fitted(NativeConfig(), keeps_whole=False).max_datagram == 1_472
    assert fitted(NativeConfig(max_datagram=1_300), keeps_whole=False).max_datagram == 1_300
    assert fitted(NativeConfig(fixed_datagram=9_000), keeps_whole=False).fixed_datagram == 9_000


def test_else_the_configuration_stays_as_it_is() -> None:
    config = NativeConfig()
    assert fitted(config, keeps_whole=True) is config
