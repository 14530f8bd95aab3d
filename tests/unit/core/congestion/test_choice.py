"""The choice of a controller: every name makes one, and what means nothing is refused."""

from __future__ import annotations

from typing import Any

import pytest

from surewire.core.congestion import NAMES, Congestion, CongestionController, Cubic, FixedRate, NewReno, PathModel
from surewire.core.units import NS_PER_MS
from surewire.errors import ConfigError

KINDS = {"model": PathModel, "cubic": Cubic, "newreno": NewReno, "fixed": FixedRate}


def made(choice: Congestion, *, segment: int = 1_400) -> CongestionController:
    return choice.make(segment=segment, initial_rtt=100 * NS_PER_MS)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_makes_a_controller_that_lets_something_out(name: str) -> None:
    controller = made(Congestion(name, rate=1_000 if name == "fixed" else None))
    assert controller.cwnd >= 1_400 and controller.pacing_rate > 0


@pytest.mark.parametrize("name", list(KINDS))
def test_a_name_is_what_it_says(name: str) -> None:
    assert isinstance(made(Congestion(name, rate=1_000 if name == "fixed" else None)), KINDS[name])


def test_the_first_name_is_the_default() -> None:
    assert Congestion() == Congestion(NAMES[0])
    assert isinstance(made(Congestion()), PathModel)


def test_each_connection_gets_a_controller_of_its_own() -> None:
    choice = Congestion("cubic")
    assert made(choice) is not made(choice)


def test_a_fixed_one_gets_its_values() -> None:
    both = made(Congestion("fixed", rate=2_000_000, window=10_000))
    assert (both.pacing_rate, both.cwnd) == (2_000_000, 10_000)
    assert made(Congestion("fixed", rate=2_000_000)).cwnd == 2 * 2_000_000 // 10
    assert made(Congestion("fixed", window=10_000)).cwnd == 10_000


@pytest.mark.parametrize("name", ["cubic", "newreno"])
def test_a_window_begins_as_wide_as_segments_are_long(name: str) -> None:
    assert made(Congestion(name), segment=1_000).cwnd == 10_000


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": "reno"}, "not 'reno'"),
        ({"name": ""}, "not ''"),
        ({"name": "Cubic"}, "not 'Cubic'"),
        ({"name": "fixed"}, "goes with fixed"),
        ({"name": "cubic", "rate": 1}, "with no other"),
        ({"name": "model", "window": 1}, "with no other"),
        ({"name": "fixed", "rate": 0}, "positive"),
        ({"name": "fixed", "window": -1}, "positive"),
        ({"name": "fixed", "rate": 1, "window": 0}, "positive"),
    ],
)
def test_what_means_nothing_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Congestion(**values)


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_tells_every_name(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Congestion("pigeon")
