"""`surewire scenarios`: which networks there are by name, and what one of them does.

This file is the command: a table, a TOML text or JSON out. Nothing is run.
"""

from __future__ import annotations

import argparse
import dataclasses
import json

from surewire.apps import console, exit_codes
from surewire.errors import ConfigError
from surewire.impair.quantities import show_size
from surewire.impair.scenario import Scenario
from surewire.impair.scenario_text import scenario_toml
from surewire.lab.scenario_files import load_scenario, scenario_names

DESCRIPTION = """\
List the named networks that the router, the simulator and the laboratory know, or
show one of them, or one of your own from a file.
"""

EPILOG = """\
A network is shown as a scenario file: saved under another name and changed, it can
be used wherever a name can. "up" is client (sender) to server (receiver). With
--json, times are nanoseconds, rates bits a second, sizes bytes and probabilities
0 to 1, and what a scenario does not mention is there with its default.

exit status:
  0    shown
  2    there is no such scenario or file, or it makes no sense
"""

_PROG = "surewire scenarios"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="a scenario's name, or FILE.toml; without it, list all there are"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Show what the parsed arguments ask for; return the exit status."""
    try:
        if args.name is None:
            scenarios = [load_scenario(name) for name in scenario_names()]
            text = json.dumps([_headline(one) for one in scenarios]) if args.json else _listing(scenarios)
        else:
            scenario = load_scenario(args.name)
            text = json.dumps(dataclasses.asdict(scenario)) if args.json else scenario_toml(scenario).rstrip("\n")
    except ConfigError as error:
        console.complain(_PROG, str(error))
        return exit_codes.USAGE
    print(text)
    return exit_codes.OK


def _headline(scenario: Scenario) -> dict[str, object]:
    return {"name": scenario.name, "description": scenario.description, "size": scenario.size}


def _listing(scenarios: list[Scenario]) -> str:
    """A line each: name, bytes usually moved, description."""
    width = max(len(one.name) for one in scenarios)
    return "\n".join(f"{one.name:<{width}}  {show_size(one.size):>4}  {one.description}" for one in scenarios)
