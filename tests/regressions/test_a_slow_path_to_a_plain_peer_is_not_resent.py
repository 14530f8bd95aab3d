"""A slow path to a plain peer was filled with copies: four times the file, at 50 kbit/s.

The first round trip beyond the loss delay led to a resend; from then on every acknowledgment was ambiguous, none gave
a round trip (Karn), and the estimate never grew to what the path took. Now the delay doubles until one is certain.
"""

from __future__ import annotations

import pytest

from surewire.impair import LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from tests.sim.world import MS, PLAIN, content


@pytest.mark.parametrize("rate", [50_000, 200_000, 1_000_000])
def test_a_clean_slow_path_carries_the_file_about_once(rate: int) -> None:
    path = LinkConfig(rate=rate, delay=20 * MS)
    transfer = RdpSimulation(content(100_000), path, seed=1, config=PLAIN).run()
    assert transfer.is_success, f"{transfer.sender_outcome}, {transfer.receiver_outcome}"
    sent = transfer.sender.packets.data_bytes
    assert sent["s"] + sent["S"] < 1.15 * sent["s"]
