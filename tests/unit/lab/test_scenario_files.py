"""The scenarios that come along: each loads and survives being written, and some have the numbers of their source."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from surewire.errors import ConfigError
from surewire.impair import LinkConfig, Rebinding, parse_scenario
from surewire.impair.scenario_text import scenario_toml
from surewire.lab.scenario_files import load_scenario, scenario_names

MS = 1_000_000
S = 1_000_000_000
MIB = 1024 * 1024

NAMES = scenario_names()
# Of quic-interop-runner: in all but longrtt the path is this one.
INTEROP_PATH = LinkConfig(rate=10_000_000, delay=15 * MS, queue_packets=25)
INTEROP = {
    "handshake",
    "transfer",
    "longrtt",
    "blackhole",
    "amplificationlimit",
    "handshakeloss",
    "transferloss",
    "handshakecorruption",
    "transfercorruption",
    "rebind-port",
    "rebind-addr",
    "goodput",
    "crosstraffic",
}


def test_the_names_are_sorted_and_those_of_the_files() -> None:
    assert sorted(NAMES) == NAMES
    assert set(NAMES) >= {"lab-router", "clean-100m", "mixed-1mb", "lte", *INTEROP}
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_loads_and_reads_as_the_same_when_written(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.description
    assert "\n" not in scenario.description
    assert len(scenario.description) <= 80
    assert parse_scenario(name, tomllib.loads(scenario_toml(scenario))) == scenario


@pytest.mark.parametrize("name", NAMES)
def test_each_can_be_done_within_half_its_deadline_if_nothing_is_wasted(name: str) -> None:
    scenario = load_scenario(name)
    rates = [scenario.up.rate, *(change.rate for change in scenario.up.changes)]
    if scenario.up.policer is not None:
        rates.append(scenario.up.policer.rate)
    slowest = min((rate for rate in rates if rate is not None), default=10**9)
    share = 1 + sum(flows.flows for flows in scenario.cross_traffic)
    assert scenario.size * 8 * S * share / slowest < scenario.deadline / 2


def test_the_interop_scenarios_have_their_numbers() -> None:
    scenarios = {name: load_scenario(name) for name in INTEROP}
    for name, scenario in scenarios.items():
        assert f"quic-interop-runner testcases_quic.py, {name}: " in scenario.source
        for link in (scenario.up, scenario.down):
            assert (link.rate, link.queue_packets) == (INTEROP_PATH.rate, INTEROP_PATH.queue_packets)
            assert link.delay == (750 * MS if name == "longrtt" else INTEROP_PATH.delay)
    for name in ("handshake", "transfer", "goodput"):
        assert scenarios[name].up == scenarios[name].down == INTEROP_PATH
    assert scenarios["blackhole"].down.blackouts == ((5 * S, 7 * S),)
    assert scenarios["amplificationlimit"].up.drops == (2, 3, 4, 5, 6, 7)
    assert scenarios["amplificationlimit"].down == INTEROP_PATH
    for name, loss, corrupt in (
        ("handshakeloss", 0.3, 0),
        ("transferloss", 0.02, 0),
        ("handshakecorruption", 0, 0.3),
        ("transfercorruption", 0, 0.02),
    ):
        up = scenarios[name].up
        assert (up.loss, up.corrupt) == (loss, corrupt)
        assert (up.max_loss_run, up.max_corrupt_run) == ((3, None) if loss else (None, 3))
    assert scenarios["rebind-port"].rebinding == Rebinding(first=S, every=5 * S)
    assert scenarios["rebind-addr"].rebinding == Rebinding(first=S, every=5 * S, address=True)
    assert [flows.algorithm for flows in scenarios["crosstraffic"].cross_traffic] == ["cubic"]
    assert {name: scenario.size // MIB for name, scenario in scenarios.items() if scenario.size >= MIB} == {
        "transfer": 10,
        "blackhole": 10,
        "transferloss": 2,
        "transfercorruption": 2,
        "rebind-port": 10,
        "rebind-addr": 10,
        "goodput": 10,
        "crosstraffic": 25,
    }


def test_the_numbers_in_a_source_are_those_of_the_scenario() -> None:
    for name in INTEROP:
        scenario = load_scenario(name)
        options = dict(re.findall(r"--([a-z_-]+)=([0-9]+)", scenario.source))
        assert int(options["delay"]) * MS == scenario.up.delay
        assert int(options["bandwidth"]) * 1_000_000 == scenario.up.rate
        assert int(options["queue"]) == scenario.up.queue_packets


def test_the_readme_accounts_for_all_24_of_them() -> None:
    readme = (resources.files("surewire.lab") / "scenarios" / "README.md").read_text()
    section = readme.split("\n## ")[1]
    named = {
        name
        for row in section.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`([^`]+)`", row.split("|")[1])
    }
    assert len(named) == 24
    assert named & set(NAMES) == INTEROP
    for name in set(re.findall(r"`([a-z0-9-]+)`", readme)) - named - {"to_server", "source"}:
        assert name in NAMES


def test_a_file_of_ones_own_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "my-net.toml"
    file.write_text('description = "mine"\n[path]\nloss = 7\n')
    scenario = load_scenario(str(file))
    assert (scenario.name, scenario.up.loss) == ("my-net", 0.07)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x =", "is no TOML"),
        (b"\xff", "is no TOML"),
        (b"loss = 1", "scenario bad: "),
        (b"x = " + b"1" * 5000, "is no TOML"),
        (b"x = " + b"[" * 9999, "nested"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="bad") as caught:
        load_scenario(str(file))
    assert said in str(caught.value)


def test_a_missing_file_and_an_unknown_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*none\.toml: No such file"):
        load_scenario(str(tmp_path / "none.toml"))
    with pytest.raises(ConfigError, match=r"no scenario 'clean-100'; near to it: clean-100m"):
        load_scenario("clean-100")
    with pytest.raises(ConfigError, match=r"no scenario 'zzzzzz', only amplificationlimit, "):
        load_scenario("zzzzzz")
