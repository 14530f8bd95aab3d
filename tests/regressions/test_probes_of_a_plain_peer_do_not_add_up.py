"""In silence each probe of a plain peer repeated the same bytes, and all copies stayed in flight and in the sent log.

A file of 600 bytes had 270,000 in flight after two minutes, more than the limit towards such peers.
"""

from __future__ import annotations

from surewire.core.config import TransportConfig
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from surewire.rdp.config import RdpConfig


def test_copies_in_flight_are_limited() -> None:
    transport = TransportConfig(max_pto=NS_PER_S // 50, idle_timeout=60 * NS_PER_S, min_pto=1)
    config = RdpConfig(extensions=False, transport=transport)
    path = LinkConfig(delay=10 * NS_PER_MS, blackouts=((5 * NS_PER_MS, 10**15),))  # the SYN passes
    simulation = RdpSimulation(bytes(600), path, seed=1, config=config)
    simulation.run(limit_s=59)
    assert simulation.sender.outbound.stats.probes > 500
    assert simulation.sender.outbound.log.bytes_in_flight <= 257 * 1024
