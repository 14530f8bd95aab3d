"""How long the end of a stream waits for that of the peer."""

from __future__ import annotations

import random

import pytest

from surewire.api.outcomes import PEER_END_WAIT_S, peer_end_wait
from surewire.core.config import TransportConfig
from surewire.core.units import NS_PER_MS as MS
from surewire.crypto.checked import CheckedClient
from surewire.native.config import NativeConfig
from surewire.native.connection import Connection


@pytest.mark.parametrize(("round_trip", "seconds"), [(1, PEER_END_WAIT_S), (50, PEER_END_WAIT_S), (600, 10.8)])
def test_it_is_a_second_or_a_few_probe_timeouts(round_trip: int, seconds: float) -> None:
    """Before anything was measured, a probe timeout is three times the round trip guessed."""
    config = NativeConfig(transport=TransportConfig(initial_rtt=round_trip * MS, max_ack_delay=1))
    connection = Connection.open(
        ("192.0.2.1", 1), security=CheckedClient(), connection_id=bytes(8), config=config, rng=random.Random(1), now=0
    )
    assert peer_end_wait(connection) == pytest.approx(seconds, abs=0.01)
