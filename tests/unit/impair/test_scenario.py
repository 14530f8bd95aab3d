"""Scenarios as data and as tables: what is read, what is refused and by which name, and the way back to text."""

from __future__ import annotations

import tomllib

import pytest

from surewire.errors import ConfigError
from surewire.impair import CrossTraffic, LinkConfig, Rebinding, Scenario, parse_scenario
from surewire.impair.scenario_text import scenario_toml

MS = 1_000_000
S = 1_000_000_000

FULL = """
description = "all there is"
source = "here"
size = "3M"
deadline = 90.5

[path]
rate = "20M"
delay = 10
loss = 2
blackout = ["1:1", "3:0.5"]

[up]
loss = 5

[down]
rate = "2M"
blackout = "none"
codel = "5:100"

[rebinding]
first = 1
every = 0.5
address = true

[[cross-traffic]]
algorithm = "cubic"
flows = 2
start = 1
stop = 3.5

[[cross-traffic]]
algorithm = "newreno"
direction = "down"
"""


def parse(text: str) -> Scenario:
    return parse_scenario("mine", tomllib.loads(text))


def test_every_key_is_read() -> None:
    scenario = parse(FULL)
    assert scenario.name == "mine"
    assert (scenario.description, scenario.source) == ("all there is", "here")
    assert (scenario.size, scenario.deadline) == (3 * 1024 * 1024, 90 * S + S // 2)
    assert (scenario.up.loss, scenario.up.rate, scenario.up.delay) == (0.05, 20_000_000, 10 * MS)
    assert scenario.up.blackouts == ((S, 2 * S), (3 * S, 3 * S + S // 2))
    assert (scenario.down.loss, scenario.down.rate, scenario.down.blackouts) == (0.02, 2_000_000, ())
    assert scenario.up.codel is None is not scenario.down.codel
    assert scenario.rebinding == Rebinding(first=S, every=S // 2, address=True)
    assert scenario.cross_traffic == (
        CrossTraffic(algorithm="cubic", flows=2, start=S, stop=3 * S + S // 2, direction="up"),
        CrossTraffic(algorithm="newreno", direction="down"),
    )


def test_the_least_is_a_description() -> None:
    expected = Scenario(name="mine", up=LinkConfig(), down=LinkConfig(), description="x")
    assert parse('description = "x"') == expected
    assert (expected.size, expected.deadline) == (1024 * 1024, 600 * S)


def test_the_text_reads_as_the_same_scenario() -> None:
    scenario = parse(FULL)
    assert parse(scenario_toml(scenario)) == scenario
    assert scenario_toml(parse('description = "x"')) == 'description = "x"\nsize = "1M"\ndeadline = 600\n'


@pytest.mark.parametrize(
    "text", ['quo"te', "back\\slash", "tab\tline\nfeed", "\x7f\x01", "snow \u2603 \U0001f600", "7"]
)
def test_any_description_survives(text: str) -> None:
    scenario = Scenario(name="mine", up=LinkConfig(), down=LinkConfig(), description=f"{text}.", source=text)
    assert parse(scenario_toml(scenario)).description == f"{text}."


HEAD = 'description = "x"\n'


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "description is missing"),
        ("description = 7", "description: "),
        (HEAD + "source = 1", "source: "),
        (HEAD + "size = -1", "size: "),
        (HEAD + 'deadline = "soon"', "deadline: "),
        (HEAD + "deadline = 0", "deadline must"),
        (HEAD + "loss = 1", "no key 'loss'"),
        (HEAD + "path = 1", "path: expected a table"),
        (HEAD + "[path]\nloss = 101", "up: loss: "),
        (HEAD + "[up]\nlos = 1", "up: there is no option 'los'"),
        (HEAD + '[down]\nrate = "fast"', "down: rate: "),
        (HEAD + '[down]\nchange = "1:rate=5M"', "down: a change of rate"),
        (HEAD + "rebinding = true", "rebinding: expected a table"),
        (HEAD + "[rebinding]\nevery = 1", "rebinding.first is missing"),
        (HEAD + "[rebinding]\nfirst = -1", "rebinding.first: "),
        (HEAD + "[rebinding]\nfirst = 1\nevery = 0", "rebinding.every must"),
        (HEAD + "[rebinding]\nfirst = 1\naddress = 1", "rebinding.address: "),
        (HEAD + "[rebinding]\nfirst = 1\nport = 1", "no key 'rebinding.port'"),
        (HEAD + "cross-traffic = 1", "cross-traffic: expected tables"),
        (HEAD + "[cross-traffic]\nflows = 1", "cross-traffic: expected tables"),
        (HEAD + "[[cross-traffic]]\nflows = 1", "cross-traffic.algorithm is missing"),
        (HEAD + '[[cross-traffic]]\nalgorithm = "bbr"', "cross-traffic.algorithm must be cubic or newreno"),
        (HEAD + '[[cross-traffic]]\nalgorithm = "cubic"\nflows = 0', "cross-traffic.flows must"),
        (HEAD + '[[cross-traffic]]\nalgorithm = "cubic"\nflows = 1.5', "cross-traffic.flows: "),
        (HEAD + '[[cross-traffic]]\nalgorithm = "cubic"\nstart = 2\nstop = 2', "cross-traffic.stop must"),
        (HEAD + '[[cross-traffic]]\nalgorithm = "cubic"\ndirection = "both"', "cross-traffic.direction must"),
        (HEAD + '[[cross-traffic]]\nalgorithm = "cubic"\nrate = 2', "no key 'cross-traffic.rate'"),
        (HEAD + '[[cross-traffic]]\nalgorithm = "cubic"', "cross traffic up needs a rate"),
    ],
)
def test_a_bad_table_is_refused_by_the_key_at_fault(text: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert str(caught.value).startswith("scenario mine: ")
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", None])
def test_a_scenario_needs_a_name(name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        Scenario(name=name, up=LinkConfig(), down=LinkConfig())
