"""Runs as data: what a path can deliver, what a run says of itself, how it fails."""

from __future__ import annotations

import pickle
import random
from dataclasses import replace

import pytest

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import ConfigError
from surewire.impair import Change, GilbertElliott, LinkConfig, Policer, Rebinding, Scenario
from surewire.lab.simulated.capacity import capacity, lost_share
from surewire.lab.simulated.runs import PROTOCOLS, Protocol, RunSpec, simulate

LINK = LinkConfig(delay=20 * NS_PER_MS, rate=20_000_000)
CLEAN = Scenario(name="clean", up=LINK, down=LINK)
DEAD = Scenario(name="dead", up=replace(LINK, loss=1.0), down=LINK)


def spec(protocol: Protocol, scenario: Scenario = CLEAN, size: int = 200_000, seed: int = 1) -> RunSpec:
    return RunSpec(protocol=protocol, scenario=scenario, size=size, seed=seed)


# C(1 - p)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (LINK, 0.0),
        (replace(LINK, loss=0.1), 0.1),
        (replace(LINK, loss=0.1, corrupt=0.2), 1 - 0.9 * 0.8),
        (replace(LINK, bursts=GilbertElliott.from_average(0.05, 5)), 0.05),
        (replace(LINK, bursts=GilbertElliott(p=0.1, r=0.3, loss_bad=0.5, loss_good=0.1)), 0.25 * 0.5 + 0.75 * 0.1),
        (replace(LINK, bursts=GilbertElliott(p=0.0, r=0.0, loss_good=0.2)), 0.2),
        (replace(LINK, loss=1.0, max_loss_run=3), 0.75),  # three lost, one spared
        (replace(LINK, loss=0.5, max_loss_run=1), 1 / 3),  # after each loss one is spared: 1 - 1 / (1 + 0.5)
    ],
)
def test_the_share_that_the_path_loses(link: LinkConfig, expected: float) -> None:
    assert lost_share(link) == pytest.approx(expected)
    assert capacity(link) == pytest.approx(20e6 * (1 - expected))


def test_the_bound_on_runs_of_losses_is_what_happens() -> None:
    draw = random.Random(1)
    run = lost = 0
    for _ in range(50_000):
        run = run + 1 if draw.random() < 0.6 and run < 2 else 0
        lost += run > 0
    assert lost_share(replace(LINK, loss=0.6, max_loss_run=2)) == pytest.approx(lost / 50_000, abs=0.01)


def test_the_narrowest_part_counts() -> None:
    assert capacity(replace(LINK, policer=Policer(rate=5_000_000, burst=10_000))) == 5e6
    assert capacity(replace(LINK, policer=Policer(rate=50_000_000, burst=10_000))) == 20e6
    assert capacity(LinkConfig(policer=Policer(rate=5_000_000, burst=10_000))) == 5e6


@pytest.mark.parametrize(
    "link",
    [
        LinkConfig(),
        replace(LINK, changes=(Change(at=NS_PER_S, rate=1_000_000),)),
        replace(LINK, changes=(Change(at=NS_PER_S, loss=0.5),)),
    ],
)
def test_some_paths_have_no_such_number(link: LinkConfig) -> None:
    assert capacity(link) is None


def test_a_change_of_delay_alone_leaves_it() -> None:
    assert capacity(replace(LINK, changes=(Change(at=NS_PER_S, delay=1),))) == 20e6


# Specs


@pytest.mark.parametrize("values", [{"protocol": "tcp"}, {"size": 0}, {"size": -1}, {"deadline": 0}])
def test_a_spec_that_makes_no_sense_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        replace(spec("rdp"), **values)  # type: ignore[arg-type]


def test_the_scenario_has_the_deadline_unless_the_spec_has() -> None:
    assert spec("rdp", replace(CLEAN, deadline=7)).limit == 7
    assert replace(spec("rdp", replace(CLEAN, deadline=7)), deadline=8).limit == 8


def test_a_spec_and_its_result_travel_to_other_processes() -> None:
    run = spec("rdp", replace(CLEAN, rebinding=Rebinding(first=NS_PER_S)), size=1000)
    assert pickle.loads(pickle.dumps(run)) == run
    result = simulate(run)
    assert pickle.loads(pickle.dumps(result)) == result


# Results


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_clean_run_says_what_it_cost(protocol: Protocol) -> None:
    result = simulate(spec(protocol))
    assert result.ok and result.error is None
    assert (result.retransmitted, result.lost, result.queue_dropped) == (0, 0, 0)
    assert result.goodput == pytest.approx(200_000 * 8 / result.seconds)
    assert result.utilisation == pytest.approx(result.goodput / 20e6)
    # 200,000 bytes at 20 Mbit/s and half a round trip each way: no confirmation can come before.
    assert 0.08 + 0.04 < result.seconds < 0.5
    assert 28 * result.datagrams / 200_000 + 1 < result.overhead < 1.15


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_loss_costs_time_and_bytes(protocol: Protocol) -> None:
    lossy = Scenario(name="lossy", up=replace(LINK, loss=0.2), down=LINK)
    clean, bad = simulate(spec(protocol)), simulate(spec(protocol, lossy))
    assert bad.ok
    assert bad.seconds > clean.seconds and bad.overhead > 1.15 * clean.overhead
    assert bad.retransmitted > 0 and bad.lost > 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_run_is_a_function_of_its_spec(protocol: Protocol) -> None:
    lossy = Scenario(name="lossy", up=replace(LINK, loss=0.1), down=LINK)
    traced = replace(spec(protocol, lossy, size=50_000), traced=True)
    first, again, other = (simulate(run) for run in (traced, traced, replace(traced, seed=2)))
    assert first == again
    assert first.trace_hash is not None and first.trace_hash != other.trace_hash
    assert simulate(replace(traced, traced=False)) == replace(first, trace_hash=None)


@pytest.mark.parametrize(("protocol", "error"), [("rdp", "HandshakeTimeout: "), ("streamer", "")])
def test_a_dead_path_ends_in_a_typed_error(protocol: Protocol, error: str) -> None:
    result = simulate(spec(protocol, DEAD))
    assert not result.ok and result.error is not None
    assert result.error.startswith(error) and result.error.endswith(" (sender)")
    assert (result.goodput, result.utilisation) == (0.0, 0.0)
    assert result.seconds > 1 and result.datagrams == result.lost > 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_run_that_takes_too_long_has_failed(protocol: Protocol) -> None:
    result = simulate(replace(spec(protocol), deadline=100 * NS_PER_MS))
    assert result.error is not None and result.error.startswith("Deadline: not over after 0.1 s")
    assert result.goodput == 0 and result.seconds <= 0.1
