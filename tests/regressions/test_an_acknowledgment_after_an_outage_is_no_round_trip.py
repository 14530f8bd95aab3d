"""What a plain peer acknowledges after an outage may have arrived before it, when acknowledgments were lost.

The silence was taken for a round trip of 12 s, every repair waited as long, and 300 kB took seven minutes.
"""

from __future__ import annotations

import pytest

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from surewire.rdp.config import RdpConfig
from tests.sim.world import content


@pytest.mark.parametrize("start", [45, 50, 55, 60])
def test_acknowledgments_of_the_first_flight_are_lost(start: int) -> None:
    blackouts = ((start * NS_PER_MS, 10 * NS_PER_S),)
    link = LinkConfig(delay=20 * NS_PER_MS, rate=20_000_000, blackouts=blackouts)
    transfer = RdpSimulation(content(300_000), link, seed=2, config=RdpConfig(extensions=False)).run()
    assert transfer.is_success
    assert transfer.sender.duration < 20 * NS_PER_S
