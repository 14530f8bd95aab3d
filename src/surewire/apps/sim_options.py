"""What the commands of `surewire sim` that run scenarios have in common: which scenario, how much, by what.

A scenario is one that comes with surewire, a TOML file, or a plain path; options of the path change it. Nothing is run
here.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from surewire.apps.router_options import add_path_arguments, argument_type, link_config
from surewire.core.units import NS_PER_MS
from surewire.errors import ConfigError
from surewire.impair import LinkConfig, Scenario
from surewire.impair.quantities import parse_size
from surewire.lab.scenario_files import load_scenario
from surewire.lab.simulated.runs import PROTOCOLS, Protocol

_PLAIN_LINK = LinkConfig(delay=20 * NS_PER_MS, rate=20_000_000)
PLAIN = Scenario(
    name="plain", up=_PLAIN_LINK, down=_PLAIN_LINK, description="a clean path: 20 Mbit/s, 40 ms round trip"
)
"""What is run where no scenario is named."""

MAX_SEED = 2**32 - 1


def add_scenario_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which scenario, and the path's options that change it."""
    parser.add_argument(
        "--scenario",
        metavar="NAME",
        help="a scenario by name (surewire lab scenarios), or a TOML file; without it, 20 Mbit/s and 40 ms round trip",
    )
    parser.add_argument(
        "--size", type=size, metavar="BYTES", help="bytes to move (k, M, G: powers of 1024), default: the scenario's"
    )
    add_path_arguments(parser)


def chosen_scenario(args: argparse.Namespace) -> Scenario:
    """The scenario that the parsed arguments describe; with `--size` as its size.

    Raises:
        ConfigError: there is no such scenario, its file is wrong, or the options contradict each other.
    """
    scenario = PLAIN if args.scenario is None else load_scenario(args.scenario)
    up, down = link_config(args, "up", base=scenario.up), link_config(args, "down", base=scenario.down)
    return replace(scenario, up=up, down=down, size=scenario.size if args.size is None else args.size)


def protocols(text: str) -> tuple[Protocol, ...]:
    """An argument that is one protocol or several: `rdp,native`."""
    names = text.split(",")
    if len(set(names)) < len(names) or not set(names) <= set(PROTOCOLS):
        raise argparse.ArgumentTypeError(f"expected some of {','.join(PROTOCOLS)}, not '{text}'")
    return tuple(protocol for name in names for protocol in PROTOCOLS if protocol == name)


def _read_size(text: object) -> int:
    value = parse_size(text)
    if not value:
        raise ConfigError("a run moves at least 1 byte")
    return value


size = argument_type(_read_size)
"""An argument that is a number of bytes, at least 1."""


def whole(text: str, least: int, most: int) -> int:
    """An argument that is a whole number within bounds."""
    if not text.isascii() or not text.isdigit() or len(text) > 10 or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}, not '{text}'")
    return int(text)


def seed(text: str) -> int:
    """An argument that is a seed."""
    return whole(text, 0, MAX_SEED)


def jobs(text: str) -> int:
    """An argument that is a number of processes."""
    return whole(text, 1, 1024)
