"""The plan of a sweep: axes, combinations, order, fingerprints."""

from __future__ import annotations

from dataclasses import replace

import pytest

from surewire.core.units import NS_PER_MS
from surewire.errors import ConfigError
from surewire.impair import LinkConfig, Scenario
from surewire.lab.sweeps.grid import Axis, Sweep, parse_axis

LINK = LinkConfig(delay=20 * NS_PER_MS, rate=20_000_000)
BASE = Scenario(name="base", up=LINK, down=replace(LINK, loss=0.02), size=1000)


def sweep(*axes: str, protocols: tuple[str, ...] = ("rdp",), seeds: range = range(1, 3)) -> Sweep:
    return Sweep(base=BASE, axes=tuple(map(parse_axis, axes)), protocols=protocols, seeds=seeds)  # type: ignore[arg-type]


def test_an_axis_is_a_name_and_values() -> None:
    assert parse_axis("loss=0,1, 10") == Axis(name="loss", values=("0", "1", "10"))
    assert parse_axis("queue_packets=10,none").name == "queue-packets"
    assert [parse_axis(text).unit for text in ("loss=1", "rtt=1", "rate=1M", "size=1", "burst=1:2")] == [
        "%",
        "ms",
        "bit/s",
        "bytes",
        "",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("loss", "expected an axis such as"),
        ("loss=", "expected values such as"),
        ("loss=1,,2", "expected values such as"),
        ("loss=1,2,1", "twice"),
        ("loss=1,2,1.0", "twice"),
        ("loss=101", "axis loss: expected a percentage"),
        ("rtt=x", "axis rtt: expected milliseconds"),
        ("size=x", "axis size: expected"),
        ("colour=red", "no axis 'colour', only rtt, size, loss"),
    ],
)
def test_what_is_no_axis_is_refused(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        parse_axis(text)


def test_every_combination_has_its_turn() -> None:
    both = sweep("loss=0,1", "rate=1M,2M", protocols=("rdp", "streamer"))
    points = list(both.points())
    assert len(points) == len(both) == 16
    order = [(*point.labels, point.spec.protocol, point.spec.seed) for point in points]
    assert order[:5] == [
        ("0", "1M", "rdp", 1),
        ("0", "1M", "rdp", 2),
        ("0", "1M", "streamer", 1),
        ("0", "1M", "streamer", 2),
        ("0", "2M", "rdp", 1),
    ]
    assert len(set(order)) == 16
    assert order == [(*point.labels, point.spec.protocol, point.spec.seed) for point in both.points()]


def test_values_go_to_both_directions_and_leave_the_rest() -> None:
    (point,) = sweep("loss=10", "size=2k", seeds=range(1)).points()
    scenario = point.spec.scenario
    assert (scenario.up, scenario.down) == (replace(LINK, loss=0.1), replace(LINK, loss=0.1))
    assert point.spec.size == 2048


def test_a_round_trip_is_halved() -> None:
    (point,) = sweep("rtt=0.000003", seeds=range(1)).points()  # 3 ns
    assert (point.spec.scenario.up.delay, point.spec.scenario.down.delay) == (1, 2)


def test_without_an_axis_the_base_is_run() -> None:
    (point,) = sweep(seeds=range(5, 6)).points()
    assert (point.labels, point.spec.scenario, point.spec.size, point.spec.seed) == ((), BASE, 1000, 5)


@pytest.mark.parametrize(
    ("axes", "why"),
    [
        (("loss=1", "loss=2"), "twice"),
        (("rtt=1", "delay=2"), "only one of them"),
        (("blackout=5:10", "blackout-period=1"), "blackout_period"),
        (("size=0",), "at least 1 byte"),
    ],
)
def test_axes_that_contradict_each_other_are_refused(axes: tuple[str, ...], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        sweep(*axes)


def test_a_sweep_has_an_end_and_a_beginning() -> None:
    with pytest.raises(ConfigError, match="1 to 1,000,000 runs, not 0"):
        sweep(seeds=range(0))
    with pytest.raises(ConfigError, match="not 1,000,001"):
        sweep(seeds=range(1_000_001))
    assert len(sweep(seeds=range(1_000_000))) == 1_000_000


def test_a_fingerprint_is_of_everything_that_is_run() -> None:
    prints = [
        {point.fingerprint for point in each.points()}
        for each in (
            sweep("loss=0,1"),
            sweep("loss=0,1"),
            sweep("loss=0,1", seeds=range(3, 5)),
            sweep("loss=2,3"),
            sweep("size=1,2"),
            sweep("loss=0,1", protocols=("streamer",)),
        )
    ]
    assert prints[0] == prints[1] and len(prints[0]) == 4
    assert len(set.union(*prints)) == 20
