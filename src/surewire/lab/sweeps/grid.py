"""The plan of a sweep: which runs there are, in which order, and what each is called.

An axis is an option of the path (`surewire.impair.path_options`) with the values it takes, written as on a command
line and meant for both directions; besides, `rtt` (milliseconds, half of it as delay each way) and `size` (bytes to
move). A sweep is every combination of values, protocols and seeds over one base scenario.

Invariant: the same sweep gives the same points in the same order, with the same fingerprints.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from surewire.errors import ConfigError
from surewire.impair.path_options import PATH_OPTIONS, link_config
from surewire.impair.quantities import parse_milliseconds, parse_size
from surewire.impair.scenario import Scenario
from surewire.lab.simulated.runs import Protocol, RunSpec
from surewire.lab.sweeps.work import code_fingerprint

RTT = "rtt"
SIZE = "size"
_OPTIONS = {option.name: option for option in PATH_OPTIONS}

MAX_RUNS = 1_000_000
"""Runs in a sweep at most: all their results are kept in memory."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What is varied, and the values it takes.

    Attributes:
        name: an option of the path, "rtt" or "size".
        values: as written, at least one, no two alike.

    Raises:
        ConfigError: there is no such axis, or a value makes no sense for it.
    """

    name: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.name not in (RTT, SIZE) and self.name not in _OPTIONS:
            raise ConfigError(f"there is no axis '{self.name}', only {RTT}, {SIZE}, {', '.join(_OPTIONS)}")
        if not self.values or "" in self.values:
            raise ConfigError(f"axis {self.name}: expected values such as {self.name}=1,2,5")
        for value in self.values:
            self._check(value)
        if len({_plain(value) for value in self.values}) < len(self.values):
            raise ConfigError(f"axis {self.name}: a value stands there twice")

    def _check(self, value: str) -> None:
        try:
            if self.name == RTT:
                parse_milliseconds(value)
            elif self.name == SIZE:
                parse_size(value)
            else:
                _OPTIONS[self.name].check(value)
        except ConfigError as error:
            raise ConfigError(f"axis {self.name}: {error}") from error

    @property
    def unit(self) -> str:
        """What the values are in, for headings; "" where they say so themselves."""
        units = {"PCT": "%", "MS": "ms", "S": "s", "BITS": "bit/s", "BYTES": "bytes"}
        metavar = {RTT: "MS", SIZE: "BYTES"}.get(self.name) or _OPTIONS[self.name].metavar
        return units.get(metavar, "")


def _plain(value: str) -> str | float:
    """The same for 1, 1.0 and 01, which are one run and one place on the axis."""
    try:
        return float(value)
    except ValueError:
        return value


def parse_axis(text: str) -> Axis:
    """Read `NAME=VALUE,VALUE,...`.

    Raises:
        ConfigError: it is none.
    """
    name, sign, values = text.partition("=")
    if not sign:
        raise ConfigError(f"expected an axis such as loss=0,1,10, not '{text}'")
    return Axis(name=name.replace("_", "-"), values=tuple(value.strip() for value in values.split(",")))


@dataclass(frozen=True, kw_only=True)
class Point:
    """One run of a sweep.

    Attributes:
        labels: the value of each axis, as written.
        spec: what is run.
    """

    labels: tuple[str, ...]
    spec: RunSpec

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that say what was run, by which code: two runs with the same one are the same."""
        return hashlib.sha256(f"{code_fingerprint()} {self.spec!r}".encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """All runs.

    Attributes:
        base: the scenario that the axes change; its size is what is moved where that is no axis.
        axes: what is varied; none is allowed.
        protocols: which are run, at least one.
        seeds: of each combination, at least one.

    Raises:
        ConfigError: two axes are the same or contradict each other, or there is nothing to run, or too much.
    """

    base: Scenario
    axes: tuple[Axis, ...]
    protocols: tuple[Protocol, ...]
    seeds: range

    def __post_init__(self) -> None:
        names = [axis.name for axis in self.axes]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"axis {name} stands there twice")
        if RTT in names and "delay" in names:
            raise ConfigError("rtt and delay set the same, so only one of them can be an axis")
        if not 1 <= len(self) <= MAX_RUNS:
            raise ConfigError(f"a sweep has 1 to {MAX_RUNS:,} runs, not {len(self):,}")
        next(self.points())  # values that contradict the base show at the first run, not at the last

    def __len__(self) -> int:
        """The number of runs."""
        combinations = 1
        for axis in self.axes:
            combinations *= len(axis.values)
        return combinations * len(self.protocols) * len(self.seeds)

    def points(self) -> Iterator[Point]:
        """Every run: the first axis changes slowest, then the protocol, the seed fastest.

        Raises:
            ConfigError: a combination of values makes no path.
        """
        for labels in itertools.product(*(axis.values for axis in self.axes)):
            values = dict(zip((axis.name for axis in self.axes), labels, strict=True))
            scenario, size = self._at(values)
            for protocol in self.protocols:
                for seed in self.seeds:
                    yield Point(labels=labels, spec=RunSpec(protocol=protocol, scenario=scenario, size=size, seed=seed))

    def _at(self, values: Mapping[str, str]) -> tuple[Scenario, int]:
        """The scenario, and the bytes to move, for one value of each axis."""
        path = {name: value for name, value in values.items() if name not in (RTT, SIZE)}
        up, down = (link_config(path, base=link) for link in (self.base.up, self.base.down))
        if RTT in values:
            rtt = parse_milliseconds(values[RTT])
            up, down = replace(up, delay=rtt // 2), replace(down, delay=rtt - rtt // 2)
        size = parse_size(values[SIZE]) if SIZE in values else self.base.size
        return replace(self.base, up=up, down=down), size
