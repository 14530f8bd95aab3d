"""`surewire sim sweep`: many runs in virtual time, one table and one picture of them.

This file is the command: arguments in, runs on this machine or a cluster, files out. What is run is in
`surewire.lab.sweeps`. What the exit statuses mean is in `EPILOG`.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import time
from collections.abc import Generator, Iterable
from pathlib import Path

from surewire.apps import console, exit_codes
from surewire.apps.sim_options import (
    MAX_SEED,
    add_scenario_arguments,
    chosen_scenario,
    jobs,
    protocols,
    seed,
    whole,
)
from surewire.errors import ConfigError, SurewireError
from surewire.lab.simulated.runs import PROTOCOLS, RunResult
from surewire.lab.sweeps import chart, table
from surewire.lab.sweeps.cluster import ClusterError, check_address, require_distributed, run_on_cluster
from surewire.lab.sweeps.grid import Axis, Sweep, parse_axis
from surewire.lab.sweeps.local import cores, run_here
from surewire.lab.sweeps.sweep import Collection

DESCRIPTION = """\
Run every combination of the given values, protocols and seeds in virtual time, and
write one table, a row a run, and one picture.
"""

EPILOG = f"""\
An axis is an option of the path without dashes, for both directions (loss=0,1,10), or
rtt=MS (half of it as delay each way), or size=BYTES. Everything else stays as the
scenario and the options of the path say.

The picture shows goodput / C(1 - p), the share of what the path can deliver: lines with
a band between the quartiles for one axis, a map of medians for two, a map for each
value of the third for three. Failed runs count as 0.

The table has a row for every run that was done, in the same order wherever it was done.
It is also written when the sweep is interrupted, and now and then meanwhile; --resume
goes on where it ends.

On a cluster (--cluster) the workers need the same surewire installed; give them one
thread each: dask worker tcp://HOST:8786 --nthreads 1 --nworkers -1

exit status:
  0    every run has its row; runs in which the transfer failed are counted, no more
  1    a run crashed, which is a defect; its row says how
  2    wrong arguments, or {", ".join(table.FORMATS)} or a chart need a package that is missing
  3    a file cannot be read or written
  4    the cluster cannot be used
  6    the cluster was lost; the table has what was done
  130  interrupted; the table has what was done
"""

CRASHED = 1

_PROG = "surewire sim sweep"
_CLEAR_LINE = "\r\x1b[K"
_SHOW_S = 0.2
_SAVE_S = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "--over", nargs="+", action="extend", type=_axis, default=[], metavar="AXIS=V,V", help="what is varied"
    )
    parser.add_argument(
        "--protocol",
        type=protocols,
        default=PROTOCOLS[:1],
        metavar="P,P",
        help="rdp, streamer, native or several, default rdp",
    )
    parser.add_argument(
        "--seeds", type=_seeds, default=10, metavar="N", help="runs of each combination, default %(default)s"
    )
    parser.add_argument("--seed", type=seed, default=1, metavar="N", help="seed of the first, default %(default)s")
    output = parser.add_argument_group("output")
    output.add_argument("--table", type=Path, required=True, metavar="FILE", help="FILE.csv or FILE.parquet")
    output.add_argument("--chart", type=Path, metavar="FILE", help="FILE.png or FILE.svg")
    output.add_argument("--resume", action="store_true", help="keep the runs that the table has, do the others")
    where = parser.add_argument_group("where")
    where.add_argument("--jobs", type=jobs, metavar="N", help="processes on this machine, default: one a core")
    where.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler, such as tcp://HOST:8786")
    add_scenario_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Sweep as the parsed arguments say; return the exit status."""
    try:
        collection = _prepared(args)
    except (ConfigError, table.TableError) as error:
        console.complain(_PROG, error)
        return exit_codes.USAGE if isinstance(error, ConfigError) else exit_codes.FILE
    except OSError as error:
        console.complain(_PROG, f"cannot use {error.filename}: {console.os_reason(error)}")
        return exit_codes.FILE
    status = _do_runs(args, collection)
    if not len(collection):
        return status  # an older table of that name stays
    try:
        collection.write(args.table)
        if args.chart is not None and collection.is_complete:
            chart.draw(args.chart, title=_title(args, collection), axes=args.over, results=collection.results)
    except OSError as error:
        console.complain(_PROG, f"cannot write {error.filename or args.table}: {console.os_reason(error)}")
        return exit_codes.FILE
    print(_summary(args, collection), flush=True)
    return status


def _prepared(args: argparse.Namespace) -> Collection:
    """The sweep, with everything that can be wrong with it found before the first run.

    Raises:
        ConfigError, TableError, OSError: something is.
    """
    table.check_format(args.table)
    if args.chart is not None:
        chart.check_chart(args.chart, args.over)
    if args.cluster is not None:
        check_address(args.cluster)
        require_distributed()
    for path in (args.table, args.chart):
        if path is not None and not path.absolute().parent.is_dir():
            raise FileNotFoundError(2, "there is no such folder", str(path))
    if args.seed + args.seeds - 1 > MAX_SEED:
        raise ConfigError(f"seeds end at {MAX_SEED}")
    size_is_axis = any(axis.name == "size" for axis in args.over)
    if size_is_axis and args.size is not None:
        raise ConfigError("size is an axis, so there is no --size beside")
    collection = Collection(
        Sweep(
            base=chosen_scenario(args),
            axes=tuple(args.over),
            protocols=args.protocol,
            seeds=range(args.seed, args.seed + args.seeds),
        )
    )
    if args.resume and args.table.exists():
        collection.resume(args.table)
    return collection


def _do_runs(args: argparse.Namespace, collection: Collection) -> int:
    """Do what is missing; the exit status, whatever happened."""
    try:
        with contextlib.closing(_results(args, collection)) as results:
            _collect(args, collection, results)
    except KeyboardInterrupt:
        console.complain(_PROG, f"interrupted after {len(collection)} of {len(collection.points)} runs")
        return exit_codes.INTERRUPTED
    except ClusterError as error:
        console.complain(_PROG, f"{error}; {len(collection)} of {len(collection.points)} runs are done")
        return exit_codes.LOST if len(collection) else exit_codes.ADDRESS
    except SurewireError as error:
        console.complain(_PROG, error)
        return exit_codes.USAGE
    return CRASHED if collection.crashed else exit_codes.OK


def _results(args: argparse.Namespace, collection: Collection) -> Generator[tuple[int, RunResult], None, None]:
    if args.cluster is None:
        return run_here(collection.missing, jobs=args.jobs or cores())
    for name in ("distributed", "distributed.client", "distributed.core", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is said in one line of ours
    return run_on_cluster(args.cluster, collection.missing)


def _collect(args: argparse.Namespace, collection: Collection, results: Iterable[tuple[int, RunResult]]) -> None:
    """Take the results as they come, show how far it is, and save the table now and then."""
    is_live = console.is_error_terminal()
    started = shown_at = saved_at = time.monotonic()
    done_before = len(collection)
    try:
        for number, result in results:
            collection.add(number, result)
            now = time.monotonic()
            if is_live and now - shown_at > _SHOW_S:
                shown_at = now
                console.say(_CLEAR_LINE + _progress(collection, len(collection) - done_before, now - started))
            if now - saved_at > _SAVE_S:
                saved_at = now
                with contextlib.suppress(OSError):  # said at the end, if it is still so
                    collection.write(args.table)
    finally:
        if is_live:
            console.say(_CLEAR_LINE)


def _progress(collection: Collection, done: int, elapsed: float) -> str:
    total = len(collection.points)
    left = round((total - len(collection)) * elapsed / done) if done else 0
    bar = "#" * (20 * len(collection) // total)
    failed = f", {collection.failed} failed" if collection.failed else ""
    return f"[{bar:<20}] {len(collection)} of {total} runs{failed}, {left // 60}:{left % 60:02} left"


def _title(args: argparse.Namespace, collection: Collection) -> str:
    base = collection.sweep.base
    varied = {axis.name for axis in args.over}
    what = [] if "size" in varied else [_human(base.size)]
    what.append(f"{args.seeds} seeds")
    name = base.description or base.name
    return f"{name}\n{', '.join(what)}; changed: {', '.join(sorted(varied))}"


def _human(nbytes: int) -> str:
    """A size as people write it: 1.5 MiB, 20 KiB, 5,000 bytes."""
    for power, unit in ((2, "MiB"), (1, "KiB")):
        if nbytes >= 1024**power and nbytes * 10 % 1024**power == 0:
            return f"{nbytes / 1024**power:g} {unit}"
    return f"{nbytes:,} bytes"


def _summary(args: argparse.Namespace, collection: Collection) -> str:
    total = len(collection.points)
    done = f"{total} runs" if collection.is_complete else f"{len(collection)} of {total} runs"
    failed = f", {collection.failed} of them failed" if collection.failed else ""
    crashed = f" ({collection.crashed} crashed)" if collection.crashed else ""
    files = [str(args.table)]
    if args.chart is not None and collection.is_complete:
        files.append(str(args.chart))
    return f"{done}{failed}{crashed}: {', '.join(files)}"


def _axis(text: str) -> Axis:
    try:
        return parse_axis(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _seeds(text: str) -> int:
    return whole(text, 1, 100_000)
