"""`surewire sim matrix`: every scenario by every protocol in virtual time, and what has changed since the last time.

This file is the command: arguments in, runs on all cores, a table out, into a document or against it. What the exit
statuses mean is in `EPILOG`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from surewire.apps import console, exit_codes
from surewire.apps.sim_options import jobs
from surewire.errors import ConfigError
from surewire.impair import Scenario
from surewire.lab.scenario_files import load_scenario, scenario_names
from surewire.lab.simulated.runs import RunResult, RunSpec
from surewire.lab.sweeps.local import cores, run_here
from surewire.lab.sweeps.matrix import (
    SEEDS,
    Entry,
    MatrixError,
    differences,
    entries,
    matrix_specs,
    matrix_text,
    read_matrix,
    with_matrix,
)

DESCRIPTION = f"""\
Run every scenario by every protocol in virtual time, {len(SEEDS)} seeds each, and print the
medians as a table; or write it into a document, or compare it with what stands there.
"""

EPILOG = """\
The runs are exact, so every difference is a change of the code. Review it as numbers,
then write it down with --write.

exit status:
  0    done; with --check, nothing differs
  1    --check: something differs, one line for each number
  2    wrong arguments, or there is no such scenario
  3    the document cannot be read or written, or has no matrix
  130  interrupted
"""

DIFFERENT = 1

_PROG = "surewire sim matrix"
_CLEAR_LINE = "\r\x1b[K"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", type=Path, metavar="FILE", help="put the table into this document, between its marks")
    what.add_argument("--check", type=Path, metavar="FILE", help="print what differs from the table there")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="these scenarios only, by name or TOML file; not with --write"
    )
    parser.add_argument("--jobs", type=jobs, metavar="N", help="processes, default: one a core")


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments say; return the exit status."""
    document = args.write or args.check
    try:
        if args.only and args.write:
            raise ConfigError("--write takes all scenarios, so there is no --only beside")
        scenarios = [load_scenario(name) for name in args.only or scenario_names()]
        text = "" if document is None else document.read_text(encoding="utf-8")
        if document is not None:
            with_matrix(text, [])  # rather now than after the runs
    except ConfigError as error:
        return _fail(exit_codes.USAGE, error)
    except MatrixError as error:
        return _fail(exit_codes.FILE, f"{document}: {error}")
    except (OSError, UnicodeDecodeError) as error:
        return _fail(exit_codes.FILE, f"cannot read {document}: {getattr(error, 'strerror', None) or error}")
    try:
        matrix = _matrix(scenarios, args.jobs or cores())
    except KeyboardInterrupt:
        return _fail(exit_codes.INTERRUPTED, "interrupted")
    if args.check:
        return _check(text, matrix, is_all=not args.only, document=document)
    if not args.write:
        print(matrix_text(matrix), flush=True)
        return exit_codes.OK
    try:
        document.write_text(with_matrix(text, matrix), encoding="utf-8")
    except OSError as error:
        return _fail(exit_codes.FILE, f"cannot write {document}: {console.os_reason(error)}")
    return exit_codes.OK


def _matrix(scenarios: Sequence[Scenario], processes: int) -> list[Entry]:
    specs: list[RunSpec] = matrix_specs(scenarios)
    results: dict[int, RunResult] = {}
    is_live = console.is_error_terminal()
    for number, result in run_here(dict(enumerate(specs)), jobs=processes):
        results[number] = result
        if is_live:
            console.say(f"{_CLEAR_LINE}{len(results)} of {len(specs)} runs")
    if is_live:
        console.say(_CLEAR_LINE)
    return entries(specs, [results[number] for number in range(len(specs))])


def _check(text: str, matrix: Sequence[Entry], *, is_all: bool, document: Path) -> int:
    """Print what differs."""
    new = {entry.key: entry.cells for entry in matrix}
    try:
        old = read_matrix(text)
    except MatrixError as error:
        return _fail(exit_codes.FILE, f"{document}: {error}")
    if not is_all:
        chosen = {scenario for scenario, _ in new}
        old = {key: cells for key, cells in old.items() if key[0] in chosen}
    lines = list(differences(old, new))
    for line in lines:
        print(line, flush=True)
    return DIFFERENT if lines else exit_codes.OK


def _fail(status: int, reason: object) -> int:
    console.complain(_PROG, reason)
    return status
