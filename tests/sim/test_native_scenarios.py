"""Native transfers over every combination of impairments and over the scenarios, watched by the wire checker."""

from __future__ import annotations

import itertools

import pytest

from surewire.lab.proof.native_wire_checker import NativeWireChecker
from surewire.lab.scenario_files import load_scenario, scenario_names
from surewire.lab.simulated.native_simulation import SERVER, NativeSimulation
from tests.sim.world import content, impaired

IMPAIRMENTS = ("loss", "duplicate", "reorder", "corrupt")
COMBINATIONS = [combination for count in range(5) for combination in itertools.combinations(IMPAIRMENTS, count)]
SIZES = [400_000, 50_000, 1_175, 0]  # one a seed
SEALED = ("loss30", "mixed-1mb", "nat-rebinding", "mtu-blackhole")
MOST = 300_000  # bytes of a file over a scenario here; the matrix has the whole ones


@pytest.mark.parametrize("combination", COMBINATIONS, ids=lambda names: "+".join(names) or "clean")
def test_the_file_arrives_identical(combination: tuple[str, ...]) -> None:
    link = impaired(**dict.fromkeys(combination, 0.1))
    for seed, size in enumerate(SIZES, start=1):
        checker = NativeWireChecker(SERVER)
        run = NativeSimulation(content(size, seed), link, seed=seed, tap=checker).run()
        assert run.is_success, f"seed {seed}, {size} bytes: {run.outcomes}"
        assert [str(violation) for violation in checker.findings.kept] == [], f"seed {seed}, {size} bytes"
        assert checker.halves(run.client.connection_id) is not None
        if not combination:
            assert run.client.stats().retransmitted_bytes == 0 and checker.forged == 0
        if "corrupt" in combination and size > MOST:
            assert checker.forged > 0


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_delivers_and_breaks_no_rule(name: str) -> None:
    scenario = load_scenario(name)
    checker = NativeWireChecker(SERVER)
    run = NativeSimulation(content(min(scenario.size, MOST), 1), scenario, seed=1, tap=checker).run(limit_s=300)
    assert run.is_success, run.outcomes
    assert [str(violation) for violation in checker.findings.kept] == []
    for endpoint in run.endpoints:
        assert endpoint.connections == [] and endpoint.half_open == 0


@pytest.mark.parametrize("name", SEALED)
def test_scenarios_sealed(name: str) -> None:
    pytest.importorskip("cryptography")
    scenario = load_scenario(name)
    run = NativeSimulation(content(min(scenario.size, MOST), 2), scenario, seed=2, sealed=True).run(limit_s=300)
    assert run.is_success, run.outcomes


def test_a_new_address_is_followed() -> None:
    run = NativeSimulation(content(5_000_000, 1), load_scenario("rebind-addr"), seed=1).run()
    assert run.is_success and run.server is not None
    assert run.server.peer == run.hosts[0].address
