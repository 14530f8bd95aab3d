"""The native transport against what was asked of it, and against its peers, on the loopback interface.

    python bench/native.py [TEXT ...] [--runs 5] [--megabytes 1000] [--tables] [--quick] [--json FILE]

Every run takes each way once, in turns, each as two processes. TEXT chooses measures by a part of their names ("none"
leaves the tables alone). Seconds are the sender's, from before it connects until the receiver has stored everything
and the sender knows it. CPU seconds are those of the transfer, both ends apart, imports not counted (for commands: of
the whole process). `--tables` adds CPU and memory by size of the file and by loss. `--quick`: 1 MB, one run, for tests.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
from pathlib import Path

from native_ends import Transfer, transfer
from native_measures import MEASURES, Measure, Run, measure_rows, table, way_rows
from native_tables import loss_rows, make_source, size_rows
from native_ways import WAYS

_TRIPS = 20_000
_TABLE_WAYS = ("sealed, held", "checked, held")


def _chosen(texts: list[str]) -> list[Measure]:
    found = [measure for measure in MEASURES if not texts or any(text in measure.name for text in texts)]
    possible = []
    for measure in found:
        missing = sorted({name for way in measure.ways for name in WAYS[way].missing})
        if missing:
            _say(f"left out: {measure.name}, which needs {', '.join(missing)}")
        else:
            possible.append(measure)
    return possible


def _run(names: list[str], folder: Path, megabytes: float, trips: int) -> Run:
    done: Run = {}
    made = -1.0
    source = folder / "source"
    # the same size after each other, so that the source is made as rarely as can be
    for name in sorted(names, key=lambda name: -WAYS[name].most_megabytes):
        size = min(megabytes, WAYS[name].most_megabytes)
        if size != made:
            make_source(source, int(size * 1_000_000))
            made = size
        done[name] = transfer(WAYS[name], source, count=trips)
        _say(f"  {name}: {_outcome(done[name])}")
    return {name: done[name] for name in names}


def _outcome(done: Transfer) -> str:
    if done.nbytes:
        return f"{done.rate / 1e6:.0f} MB/s, CPU {done.sending.cpu_s:.2f} + {done.receiving.cpu_s:.2f} s"
    return f"{done.said['round_trips'] / done.seconds:.0f} a second"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Measure what was asked for; 1 when `--strict` and a floor was missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("measures", nargs="*", metavar="TEXT", help="measures whose names have TEXT in them")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--megabytes", type=float, default=1000.0)
    parser.add_argument("--also", action="append", default=[], choices=WAYS, help="a way that no measure needs")
    parser.add_argument("--tables", action="store_true", help="CPU and memory by size and by loss, too")
    parser.add_argument("--table-way", action="append", choices=WAYS, help="whose tables (default: sealed and checked)")
    parser.add_argument("--loss-megabytes", type=float, default=100.0, help="size of the file in the table of losses")
    parser.add_argument("--quick", action="store_true", help="1 MB, one run")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a floor is missed")
    parser.add_argument("--folder", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every transfer to FILE")
    args = parser.parse_args()
    if args.quick:
        args.runs, args.megabytes, args.loss_megabytes = 1, 1.0, 1.0
    measures = _chosen(args.measures)
    names = list(dict.fromkeys([way for measure in measures for way in measure.ways] + args.also))
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder, runs = Path(name), []
        for number in range(args.runs if names else 0):
            _say(f"run {number + 1}")
            runs.append(_run(names, folder, args.megabytes, 200 if args.quick else _TRIPS))
        rows = measure_rows(measures, runs) if runs else []
        if runs:
            print(table(rows), "", table(way_rows(runs)), sep="\n")
        for way in args.table_way or _TABLE_WAYS if args.tables else ():
            sizes = size_rows(folder, 1 if args.quick else 10_000, way, _say)
            losses = loss_rows(folder, args.loss_megabytes, way, _say)
            print(f"\n{way}, by size:\n", table(sizes), f"\n{way}, by loss:\n", table(losses), sep="\n")
    if args.json is not None:
        plain = [{way: dataclasses.asdict(done) for way, done in run.items()} for run in runs]
        args.json.write_text(json.dumps(plain, indent=1))
    return int(args.strict and any(row[-1] == "FAILED" for row in rows[1:]))


if __name__ == "__main__":
    sys.exit(main())
