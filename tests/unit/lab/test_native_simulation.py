"""A file over the native transport in virtual time: its figures, its ends, and runs of `surewire sim`."""

from __future__ import annotations

import dataclasses
import random

import pytest

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import ConfigError, HandshakeTimeout, IdleTimeout
from surewire.impair import LinkConfig, Scenario
from surewire.lab.simulated.native_simulation import CLIENT, ETHERNET, SERVER, NativeSimulation
from surewire.lab.simulated.runs import RunSpec, simulate
from surewire.native.config import NativeConfig

MS = NS_PER_MS
LINK = LinkConfig(delay=20 * MS, rate=20_000_000)
BAD = LinkConfig(delay=20 * MS, rate=20_000_000, loss=0.1, duplicate=0.05, corrupt=0.05, reorder=0.05)
CLEAN = Scenario(name="clean", up=LINK, down=LINK)


def content(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.mark.parametrize("size", [0, 1, 1_174, 1_175, 100_000])
@pytest.mark.parametrize("link", [LINK, BAD], ids=["good", "bad"])
def test_a_file_arrives_and_both_sides_know(link: LinkConfig, size: int) -> None:
    run = NativeSimulation(content(size), link, seed=size).run(limit_s=60)
    assert run.is_success and run.sink.committed == content(size)
    client, server = run.outcomes
    for side in (client, server):
        assert side.established_at is not None and side.confirmed_at is not None and side.closed_at is not None
        assert side.established_at < side.confirmed_at <= side.closed_at
    assert server.established_at is not None and client.established_at is not None
    assert client.established_at < server.established_at  # by the WELCOME, and by what answered it


def test_it_takes_a_round_trip_to_open_and_one_for_the_data() -> None:
    run = NativeSimulation(content(1_000), LinkConfig(delay=20 * MS), seed=1).run()
    assert run.outcomes[0].established_at == NS_PER_S + 40 * MS
    assert run.outcomes[0].confirmed_at == NS_PER_S + 80 * MS


def test_sealed_runs_look_the_same_but_for_the_longer_seals() -> None:
    pytest.importorskip("cryptography")
    checked = NativeSimulation(content(50_000), LINK, seed=1).run()
    sealed = NativeSimulation(content(50_000), LINK, seed=1, sealed=True, traced=True).run()
    again = NativeSimulation(content(50_000), LINK, seed=1, sealed=True, traced=True).run()
    assert checked.is_success and sealed.is_success
    assert sealed.hosts[0].sent_bytes > checked.hosts[0].sent_bytes
    assert sealed.network.trace_hash == again.network.trace_hash


def test_datagrams_fit_ethernet_unless_said_otherwise() -> None:
    assert NativeSimulation(content(500_000), LINK, seed=1).run().hosts[0].max_datagram == ETHERNET.max_datagram
    fast = dataclasses.replace(LINK, rate=1_000_000_000)
    jumbo = NativeSimulation(content(2_000_000), fast, seed=1, config=NativeConfig(max_datagram=9_000)).run()
    assert jumbo.hosts[0].max_datagram > 8_000


def test_the_same_seed_gives_the_same_trace() -> None:
    def trace(seed: int) -> str:
        return NativeSimulation(content(30_000), BAD, seed=seed, traced=True).run().network.trace_hash

    assert trace(1) == trace(1) != trace(2)


def test_nobody_answers() -> None:
    run = NativeSimulation(b"x", LINK, LinkConfig(loss=1.0), seed=1).run(limit_s=60)
    assert isinstance(run.outcomes[0].error, HandshakeTimeout)
    assert not run.is_success and run.server is None and run.is_over


def test_a_path_that_dies() -> None:
    dead = LinkConfig(delay=20 * MS, rate=1_000_000, blackouts=((100 * MS, 3_600 * NS_PER_S),))
    run = NativeSimulation(content(100_000), dead, seed=1).run(limit_s=300)
    assert all(isinstance(side.error, IdleTimeout) for side in run.outcomes) and not run.is_identical


def test_a_scenario_has_both_directions() -> None:
    with pytest.raises(ConfigError, match="both directions"):
        NativeSimulation(b"", CLEAN, LINK, seed=1)
    assert NativeSimulation(b"x", CLEAN, seed=1).run().is_success


def test_runs() -> None:
    spec = RunSpec(protocol="native", scenario=CLEAN, size=200_000, seed=1, traced=True)
    result = simulate(spec)
    assert result == simulate(spec) and result.ok and result.error is None
    assert result.utilisation is not None and 0.25 < result.utilisation < 0.975
    assert 1.03 < result.overhead < 1.1 and result.retransmitted == 0 and result.trace_hash


def test_a_run_that_fails_says_who_and_why() -> None:
    scenario = Scenario(name="deaf", up=LINK, down=LinkConfig(loss=1.0))
    result = simulate(RunSpec(protocol="native", scenario=scenario, size=10, seed=1))
    assert not result.ok and result.error == "HandshakeTimeout: no answer in 30 s (client)"
    late = simulate(RunSpec(protocol="native", scenario=CLEAN, size=10**6, seed=1, deadline=NS_PER_S // 10))
    assert late.error == "Deadline: not over after 0.1 s (client)"


def test_bytes_sent_again_are_counted() -> None:
    lossy = Scenario(name="lossy", up=BAD, down=BAD)
    result = simulate(RunSpec(protocol="native", scenario=lossy, size=200_000, seed=2))
    assert result.ok and 10 < result.retransmitted < 60


def test_addresses() -> None:
    assert CLIENT not in (SERVER, ("192.168.1.100", 40_000))  # the latter is where the fuzzer's NAT puts it first
