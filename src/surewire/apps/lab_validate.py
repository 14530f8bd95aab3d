"""`surewire lab validate`: what the wire is set to against what it does, as a table.

This file is the command: arguments in, a table or JSON out. The measuring is in `surewire.lab.wired.validation`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import TypeVar

from surewire.apps import exit_codes
from surewire.apps.console import complain, is_error_terminal, say
from surewire.apps.lab_run import COMMAND_FAILED, NO_LABORATORY
from surewire.drivers.namespaces import NamespaceError
from surewire.lab.wired.validation import Row, Step, checks, saturation

DESCRIPTION = """\
Build one laboratory after the other, set one thing in each, and measure it with
programs that know nothing of it; then flood a clean wire until the emulator falls
behind. About a minute; the machine should be idle.
"""

EPILOG = """\
exit status:
  0    everything measured lies within its tolerance
  1    something does not, or the emulator did not keep up with it
  3    the laboratory cannot be built here, or failed
  130  interrupted
"""

_PROG = "surewire lab validate"
_COUNT, _QUICK_COUNT = 10_000, 1_000
_FLOODS = {1500: (10_000, 20_000, 40_000, 80_000, 0), 100: (10_000, 40_000, 0)}
_QUICK_FLOODS = {1500: (10_000,)}

T = TypeVar("T")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    parser.add_argument("--json", action="store_true", help="print JSON, not tables")
    parser.add_argument("--quick", action="store_true", help="a tenth of the datagrams, and one flood")


def run(args: argparse.Namespace) -> int:
    """Measure, print, return the exit status."""
    floods = _QUICK_FLOODS if args.quick else _FLOODS
    try:
        rows = list(_shown(checks(_QUICK_COUNT if args.quick else _COUNT)))
        steps = [step for size, rates in floods.items() for step in _shown(saturation(size, rates))]
    except NamespaceError as error:
        complain(_PROG, f"error: {error}")
        return NO_LABORATORY
    except KeyboardInterrupt:
        complain(_PROG, "interrupted")
        return exit_codes.INTERRUPTED
    if args.json:
        found = [{**dataclasses.asdict(row), "is_right": row.is_right} for row in rows]
        print(json.dumps({"checks": found, "saturation": [dataclasses.asdict(step) for step in steps]}))
    else:
        print("\n".join([*_check_table(rows), "", *_flood_table(steps)]))
    wrong = [row.what for row in rows if not row.is_right or not row.kept_up]
    for what in wrong:
        complain(_PROG, f"not as set, or not kept up with: {what}")
    return COMMAND_FAILED if wrong else exit_codes.OK


def _shown(measurements: Iterable[T]) -> Iterator[T]:
    """A dot on the terminal for each."""
    for one in measurements:
        if is_error_terminal():
            say(".")
        yield one
    if is_error_terminal():
        say("\n")


def _check_table(rows: list[Row]) -> list[str]:
    lines = ["| what | set | measured | tolerance | |", "|---|---:|---:|---:|---|"]
    for row in rows:
        verdict = "ok" if row.is_right else "WRONG"
        values = " | ".join(f"{value:g} {row.unit}" for value in (row.set_to, row.measured, row.tolerance))
        lines.append(f"| {row.what} | {values} | {verdict}{'' if row.kept_up else ', not kept up'} |")
    return lines


def _flood_table(steps: list[Step]) -> list[str]:
    lines = [
        "| packets of | offered/s | delivered/s | Mbit/s | late | worst | slow turns | not read | kept up |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for step in steps:
        megabits = step.delivered * step.packet_bytes * 8 / 1e6
        lines.append(
            f"| {step.packet_bytes} B | {step.offered:,.0f} | {step.delivered:,.0f} | {megabits:,.0f} | {step.late} | "
            f"{step.worst_lateness_ms} ms | {step.slow_turns} | {step.unread} | {'yes' if step.kept_up else 'no'} |"
        )
    return lines
