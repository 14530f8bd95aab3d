"""A packet that skips the delay made the path look as short as itself.

The impairment model's `reorder` (as tc-netem's) lets a share of datagrams skip the propagation delay. When a packet
and its acknowledgment both did, the measured minimum round trip fell to a fraction of the path's; the window, computed
from it, throttled the flow, and the model saw a standing queue for ever. 5% of reordering made a transfer twenty
times as slow.
"""

from __future__ import annotations

import random

from surewire.impair import LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation

DATA = random.Random(1).randbytes(1_000_000)
MS = 1_000_000


def duration(*, reorder: float, seed: int) -> int:
    link = LinkConfig(loss=0.1, reorder=reorder, delay=20 * MS)
    done = RdpSimulation(DATA, link, seed=seed).run(limit_s=120)
    assert done.is_success
    return done.sender.duration


def test_reordering_by_skipping_the_delay_costs_less_than_half_the_speed() -> None:
    straight = sorted(duration(reorder=0.0, seed=seed) for seed in range(3))[1]
    reordered = sorted(duration(reorder=0.05, seed=seed) for seed in range(3))[1]
    assert reordered < 2 * straight
