"""The assignment's self-test: every combination of four impairments at 10% each way, many seeds.

`bench/selftest.py` runs the same with 1 MiB for any number of seeds; here most files are smaller.
"""

from __future__ import annotations

import itertools

import pytest

from surewire.lab.simulated.rdp_simulation import RdpSimulation
from tests.sim.world import Audit, assert_counters_equal_records, content, impaired, tap_both

IMPAIRMENTS = ("loss", "duplicate", "reorder", "corrupt")
COMBINATIONS = [combination for count in range(5) for combination in itertools.combinations(IMPAIRMENTS, count)]
SIZES = [1 << 20] * 5 + [100_000] * 8  # one a seed


@pytest.mark.parametrize("combination", COMBINATIONS, ids=lambda names: "+".join(names) or "clean")
def test_the_file_arrives_identical(combination: tuple[str, ...]) -> None:
    link = impaired(**dict.fromkeys(combination, 0.1))
    for seed, size in enumerate(SIZES, start=1):
        why = f"seed {seed}, {size} bytes, {combination}"
        data = content(size, seed)
        simulation = RdpSimulation(data, link, seed=seed)
        at_sender, _ = tap_both(simulation)
        simulation.run()
        assert simulation.is_success, f"{why}: {simulation.sender_outcome} {simulation.receiver_outcome}"
        assert simulation.sender_host.max_datagram <= 1024 >= simulation.receiver_host.max_datagram, why
        assert_counters_equal_records(simulation.sender.packets, simulation.sender.take_records(), why)
        assert_counters_equal_records(simulation.receiver.packets, simulation.receiver.take_records(), why)
        assert simulation.sender.packets.data_bytes["s"] == size == simulation.receiver.packets.data_bytes["r"], why
        if size < 1 << 20:
            Audit(data, why).read(at_sender.log)
        if not combination:
            assert simulation.sender.packets.data_bytes["S"] == 0, why
