"""Whatever a link or a scenario is, its written form reads as the same."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from surewire.impair import CrossTraffic, LinkConfig, Rebinding, Scenario, link_config, parse_scenario
from surewire.impair.path_options import written
from surewire.impair.scenario_text import scenario_toml
from tests.property.link_strategies import link_configs

# Any but lone surrogates, which no UTF-8 file can hold.
texts = st.text(st.characters(codec="utf-8"), max_size=30)
any_time = st.integers(0, 10**16)


@st.composite
def cross_traffic(draw: st.DrawFn) -> CrossTraffic:
    start = draw(any_time)
    return CrossTraffic(
        algorithm=draw(st.sampled_from(("cubic", "newreno"))),
        flows=draw(st.integers(1, 9)),
        start=start,
        stop=draw(st.none() | st.integers(start + 1, start + 10**16)),
        direction=draw(st.sampled_from(("up", "down"))),
    )


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    up = draw(link_configs())
    # Often both directions are alike, which is written once.
    down = up if draw(st.booleans()) else draw(link_configs())
    flows = draw(st.lists(cross_traffic(), max_size=3))
    # Where there is no rate, there can be no cross traffic.
    has_rate = {"up": up.rate is not None, "down": down.rate is not None}
    rebindings = st.builds(Rebinding, first=any_time, every=st.none() | st.integers(1, 10**16), address=st.booleans())
    return Scenario(
        name="any",
        up=up,
        down=down,
        description=draw(texts),
        source=draw(texts),
        rebinding=draw(st.none() | rebindings),
        cross_traffic=tuple(one for one in flows if has_rate[one.direction]),
        size=draw(st.integers(0, 2**62)),
        deadline=draw(st.integers(1, 10**18)),
    )


@given(link_configs(), link_configs())
def test_a_written_link_reads_as_the_same(config: LinkConfig, base: LinkConfig) -> None:
    assert link_config(written(config)) == config
    assert link_config(written(config, base=base), base=base) == config


@given(scenarios())
def test_a_written_scenario_reads_as_the_same(scenario: Scenario) -> None:
    assert parse_scenario("any", tomllib.loads(scenario_toml(scenario))) == scenario
