"""A named network: both directions, what else goes on there, and what is usually moved across.

A `Scenario` is data; `surewire.sim.path` and the laboratory's other hosts bring it to life. Its files are read by
`surewire.lab.scenario_files`, the tables in them by `parse_scenario` here:

    description = "one line"            # needed
    source = "where its numbers come from"
    size = "1M"                         # bytes usually moved
    deadline = 600                      # seconds in which that must have ended

    [path]                              # both directions: keys of surewire.impair.path_options
    delay = 50
    [up]                                # client to server only, over [path]
    [down]                              # server to client only, over [path]

    [rebinding]                         # a NAT gives the client another source port (and address)
    first = 1                           # seconds
    every = 5                           # seconds; without it, once
    address = false

    [[cross-traffic]]                   # bulk TCP-like flows over the same bottleneck, any number of tables
    algorithm = "cubic"                 # or newreno
    flows = 1
    start = 0                           # seconds
    stop = 30                           # seconds; without it, to the end
    direction = "up"                    # or down

Invariant: parse_scenario(name, tomllib.loads(scenario_toml(scenario))) == scenario, see `scenario_text`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from surewire.errors import ConfigError
from surewire.impair.checks import check_optional_whole, check_whole
from surewire.impair.config import LinkConfig
from surewire.impair.path_options import link_config
from surewire.impair.quantities import parse_count, parse_seconds, parse_size, parse_text, parse_truth

ALGORITHMS = ("cubic", "newreno")
DIRECTIONS = ("up", "down")
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Rebinding:
    """A NAT that forgets: the client's datagrams come from another source port from then on.

    Attributes:
        first: when the first time, ns from the first datagram, >= 0.
        every: ns between the times after that, >= 1; None for once.
        address: whether the address changes, too.

    Raises:
        ConfigError: a value is out of its range or of another type.
    """

    first: int
    every: int | None = None
    address: bool = False

    def __post_init__(self) -> None:
        check_whole("rebinding.first", self.first, least=0)
        check_optional_whole("rebinding.every", self.every, least=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossTraffic:
    """TCP-like flows that always have something to send, over the same bottleneck.

    Attributes:
        algorithm: their congestion control, "cubic" (RFC 9438) or "newreno" (RFC 9002 section 7).
        flows: how many, >= 1.
        start: when they begin, ns, >= 0.
        stop: when they end, ns, > `start`; None for never.
        direction: which way their data goes, "up" (client to server) or "down".

    Raises:
        ConfigError: a value is out of its range or of another type.
    """

    algorithm: str
    flows: int = 1
    start: int = 0
    stop: int | None = None
    direction: str = "up"

    def __post_init__(self) -> None:
        for name, known in (("algorithm", ALGORITHMS), ("direction", DIRECTIONS)):
            if getattr(self, name) not in known:
                raise ConfigError(f"cross-traffic.{name} must be {' or '.join(known)}, not {getattr(self, name)!r}")
        check_whole("cross-traffic.flows", self.flows, least=1)
        check_whole("cross-traffic.start", self.start, least=0)
        check_optional_whole("cross-traffic.stop", self.stop, least=self.start + 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """A network by name.

    Attributes:
        name: how it is called; not empty.
        up: client (sender) to server (receiver).
        down: server to client.
        description: one line.
        source: where its numbers come from; empty if they are ours.
        rebinding: what the NAT before the client does; None for nothing.
        cross_traffic: other flows on the path.
        size: bytes usually moved, >= 0.
        deadline: ns within which moving these must have ended, >= 1.

    Raises:
        ConfigError: a value is out of its range or of another type.
    """

    name: str
    up: LinkConfig
    down: LinkConfig
    description: str = ""
    source: str = ""
    rebinding: Rebinding | None = None
    cross_traffic: tuple[CrossTraffic, ...] = ()
    size: int = 1024 * 1024
    deadline: int = 600 * _NS_PER_S

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ConfigError(f"a scenario needs a name, not {self.name!r}")
        check_whole("size", self.size, least=0)
        check_whole("deadline", self.deadline, least=1)
        for flows in self.cross_traffic:
            if (self.up if flows.direction == "up" else self.down).rate is None:
                raise ConfigError(f"cross traffic {flows.direction} needs a rate there, or it would never be slowed")


_Readers = Mapping[str, Callable[[object], Any]]

_REBINDING: _Readers = {"first": parse_seconds, "every": parse_seconds, "address": parse_truth}
_CROSS_TRAFFIC: _Readers = {
    "algorithm": parse_text,
    "flows": parse_count,
    "start": parse_seconds,
    "stop": parse_seconds,
    "direction": parse_text,
}
_TOP: _Readers = {"description": parse_text, "source": parse_text, "size": parse_size, "deadline": parse_seconds}
_TABLES = ("path", "up", "down", "rebinding", "cross-traffic")


def parse_scenario(name: str, table: Mapping[str, object]) -> Scenario:
    """Make a scenario out of what a TOML file says.

    Args:
        name: what it is to be called.
        table: as from `tomllib`; the form stands at the head of this module.

    Raises:
        ConfigError: a key is unknown or missing or its value makes no sense; the text names scenario and key.
    """
    try:
        top = {key: value for key, value in table.items() if key not in _TABLES}
        both = _table(table, "path")
        ways = {way: _link({**both, **_table(table, way)}, way) for way in DIRECTIONS}
        return Scenario(
            name=name,
            up=ways["up"],
            down=ways["down"],
            rebinding=_rebinding(table),
            cross_traffic=tuple(_flows(one) for one in _tables(table, "cross-traffic")),
            **_read(top, _TOP, needed=("description",)),
        )
    except ConfigError as error:
        raise ConfigError(f"scenario {name}: {error}") from error


def _link(values: Mapping[str, object], way: str) -> LinkConfig:
    try:
        return link_config(values)
    except ConfigError as error:
        raise ConfigError(f"{way}: {error}") from error


def _rebinding(table: Mapping[str, object]) -> Rebinding | None:
    if "rebinding" not in table:
        return None
    return Rebinding(**_read(_table(table, "rebinding"), _REBINDING, needed=("first",), where="rebinding."))


def _flows(values: Mapping[str, object]) -> CrossTraffic:
    return CrossTraffic(**_read(values, _CROSS_TRAFFIC, needed=("algorithm",), where="cross-traffic."))


def _read(
    values: Mapping[str, object], readers: _Readers, *, needed: tuple[str, ...], where: str = ""
) -> dict[str, Any]:
    """Each value by its reader."""
    for key in needed:
        if key not in values:
            raise ConfigError(f"{where}{key} is missing")
    read = {}
    for key, value in values.items():
        if key not in readers:
            raise ConfigError(f"there is no key '{where}{key}', only {', '.join(where + one for one in readers)}")
        try:
            read[key] = readers[key](value)
        except ConfigError as error:
            raise ConfigError(f"{where}{key}: {error}") from error
    return read


def _table(table: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = table.get(key, {})
    if not isinstance(value, Mapping):
        raise ConfigError(f"{key}: expected a table, not {value!r}")
    return value


def _tables(table: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise ConfigError(f"{key}: expected tables, [[{key}]], not {value!r}")
    return value
