"""`surewire sim run`: one file over one scenario in virtual time, and how it went.

This file is the command: arguments in, a run, figures out. What the exit statuses mean is in `EPILOG`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json

from surewire.apps import console, exit_codes
from surewire.apps.sim_options import add_scenario_arguments, chosen_scenario, seed
from surewire.errors import ConfigError
from surewire.lab.simulated.capacity import capacity
from surewire.lab.simulated.runs import HEADERS, PROTOCOLS, RunResult, RunSpec, simulate

DESCRIPTION = (
    "Move a file over a scenario in virtual time; no packet leaves the process, and the same seed does the same."
)

EPILOG = f"""\
figures:
  seconds      of virtual time until the sender had its confirmation
  goodput      bytes of the file in that time, also as a share of C(1 - p): the rate
               of the bottleneck, less what the path loses
  overhead     bytes that the sending side put on the link for each byte of the file,
               {HEADERS} bytes of IP and UDP headers a datagram included

exit status:
  0    the file arrived unchanged, and both sides know it
  2    wrong arguments, or there is no such scenario
  6    the run failed; the reason is printed
  130  interrupted
"""

_PROG = "surewire sim run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("--protocol", choices=PROTOCOLS, default=PROTOCOLS[0], help="default %(default)s")
    parser.add_argument("--seed", type=seed, default=1, metavar="N", help="of everything random, default %(default)s")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_scenario_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run as the parsed arguments say; return the exit status."""
    try:
        scenario = chosen_scenario(args)
        spec = RunSpec(protocol=args.protocol, scenario=scenario, size=scenario.size, seed=args.seed, traced=True)
    except ConfigError as error:
        console.complain(_PROG, error)
        return exit_codes.USAGE
    with console.plain_interrupts():
        result = simulate(spec)
    print(json.dumps(record(spec, result)) if args.json else text(spec, result), flush=True)
    if result.error is not None:
        console.complain(_PROG, result.error)
    return exit_codes.OK if result.ok else exit_codes.LOST


def record(spec: RunSpec, result: RunResult) -> dict[str, object]:
    """What was run and how it went, for programs; figures as in `RunResult`."""
    return {
        "scenario": spec.scenario.name,
        "protocol": spec.protocol,
        "size": spec.size,
        "seed": spec.seed,
        **dataclasses.asdict(result),
    }


def text(spec: RunSpec, result: RunResult) -> str:
    """The same for people."""
    scenario = spec.scenario
    what = f"{scenario.name}: {scenario.description}" if scenario.description else scenario.name
    bound = capacity(scenario.up)
    share = f", {result.utilisation:.0%} of C(1 - p)" if bound and result.utilisation is not None else ""
    figures = {
        "result": "delivered" if result.ok else "failed",
        "seconds": f"{result.seconds:.3f}",
        "goodput": f"{result.goodput / 1e6:.3f} Mbit/s{share}",
        "overhead": f"{result.overhead:.3f} bytes on the link for each of the file",
        "datagrams": f"{result.datagrams:,} sent, {result.retransmitted:,} of them repeated data",
        "the path": f"{result.lost:,} lost, {result.queue_dropped:,} dropped by a queue, both ways and all traffic",
        "trace": result.trace_hash or "",
    }
    lines = [what, f"{spec.protocol}, {spec.size:,} bytes, seed {spec.seed}", ""]
    return "\n".join(lines + [f"{name:<12}{value}" for name, value in figures.items()])
