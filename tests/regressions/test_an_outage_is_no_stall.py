"""A long outage, shorter than the silence allowed, must not count as a peer that answers and takes nothing.

What is heard first after the outage may be old or repeated, so that nothing moves yet.
"""

from __future__ import annotations

import pytest

from surewire.core.config import TransportConfig
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from surewire.rdp.config import RdpConfig
from tests.unit.rdp.scripted import SenderScript

TRANSPORT = TransportConfig(idle_timeout=600 * NS_PER_S, handshake_timeout=600 * NS_PER_S)


def test_an_old_acknowledgment_after_an_outage_ends_nothing() -> None:
    script = SenderScript(bytes(50_000), config=RdpConfig(transport=TRANSPORT))
    script.ack(0, received=((0, 1),))
    script.wait(script.now + 500 * NS_PER_S)
    script.ack(0, received=((0, 1),))
    script.wait(script.now + 500 * NS_PER_S)
    assert script.closed() is None


@pytest.mark.parametrize("extensions", [True, False])
@pytest.mark.parametrize("began_ms", [0, 20, 200, 500])
def test_a_transfer_survives_it(began_ms: int, extensions: bool) -> None:
    began = (1 + began_ms) * NS_PER_MS
    path = LinkConfig(delay=20 * NS_PER_MS, rate=10_000_000, loss=0.1, blackouts=((began, began + 500 * NS_PER_S),))
    config = RdpConfig(extensions=extensions, transport=TRANSPORT)
    simulation = RdpSimulation(bytes(1_500_000), path, seed=began_ms, config=config)
    assert simulation.run(limit_s=1500).is_success
