"""What congestion control does, in virtual time: loss, jitter, buffers, policers, others on the link, changes.

    python bench/congestion.py [ROW ...] [--seeds 20] [--jobs 2] [--scale 1.0] [--json FILE]
    python bench/congestion.py --document docs/congestion.md | --charts docs

Each line is one demand on one case: the median over the seeds and the quartiles, what is demanded, the value that is
worst by that and its seed, how many seeds miss it, MISSED where the median does, and medians of other figures.
`congestion_rows.py` has the cases and the demands, `congestion_runs.py` how each is run and counted:

- of C(1-p): the stream's bytes that arrived in order, as a share of C (1 - p) x 1440/1500, that is of the payload that
  full Ethernet datagrams carry on a link of the rate C when the share p of them is lost. Random loss strikes both
  ways, behind the bottleneck. Rows 1 to 3: 50 MB, without the first second (ten round trips if that is more), which
  begins with the handshake.
- drops: by the bottleneck's queue or policer, as a share of what came to it, without the random loss.
- wait: in the bottleneck's queue, time on the wire included.
- spurious: datagrams taken for lost that arrived, as a share of those sent.
- first, second (row 8): round trips, as they are after the change, until 85% of the new rate arrive, see
  `congestion_runs.change`; queue: until nothing waits longer than that; dropped: in products of rate and round trip.
- ours, the other, busy, idle: shares of C x 1440/1500. least share: of an equal part.

The same seeds give the same figures on any machine. `--scale` multiplies times and amounts: below 1 the figures mean
little. `--document` also puts the table, in place of the one there, into a file that has the marks for it; `--charts`
makes the pictures of docs/congestion.md instead, and needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from congestion_chart import draw_all
from congestion_rows import CASES, Case, Figure
from congestion_runs import Figures

HEAD = (
    "| row | case | figure | median of {seeds} (quartiles) | demanded | worst (seed) | missed by | also, medians |\n"
    "|---|---|---|---|---|---|---|---|"
)
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"


def run(index: int, seed: int, scale: float) -> Figures:
    """One run of a case, by its place in the table."""
    return CASES[index].run(seed, scale)


def lines(case: Case, results: Sequence[Figures]) -> Iterator[str]:
    """The lines of a case; `results` are those of the seeds from 1 on."""
    values = {figure.name: [result[figure.name] for result in results] for figure in case.figures}
    also = ", ".join(
        f"{figure.name} {figure.written(median(values[figure.name]))}" for figure in case.figures if not figure.demanded
    )
    for figure in case.figures:
        if figure.demanded:
            yield f"| {case.row} | {case.name} | {judged(figure, values[figure.name])} | {also} |"
            also = ""


def judged(figure: Figure, values: Sequence[float]) -> str:
    """A figure and what is demanded of it, as fields of a line."""
    low, middle, high = quartiles(values)
    spread = f"{figure.written(middle)} ({figure.written(low, bare=True)}-{figure.written(high, bare=True)})"
    margins = [figure.margin(value) for value in values]
    at = margins.index(min(margins))
    worst = f"{figure.written(values[at])} ({at + 1})"
    count = sum(margin < 0 for margin in margins)
    missed = f"{count} of {len(values)}" * bool(count) + ", MISSED" * (figure.margin(middle) < 0)
    return f"{figure.name} | {spread} | {figure.demanded} | {worst} | {missed}"


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile."""
    if len(values) == 1 or float("inf") in values:
        return min(values), median(values), max(values)
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return low, middle, high


def measure(rows: Sequence[int], seeds: int, jobs: int, scale: float) -> tuple[list[dict[str, Any]], str]:
    """Run and print; all values, for `--json`, and what was printed."""
    found: list[dict[str, Any]] = []
    printed = [HEAD.format(seeds=seeds)]
    print(printed[0], flush=True)
    with ProcessPoolExecutor(jobs) as pool:
        waiting: list[tuple[Case, list[Future[Figures]]]] = [
            (case, [pool.submit(run, index, seed, scale) for seed in range(1, min(seeds, case.most_seeds) + 1)])
            for index, case in enumerate(CASES)
            if case.row in rows
        ]
        for case, futures in waiting:
            results = [future.result() for future in futures]
            for line in lines(case, results):
                print(line, flush=True)
                printed.append(line)
            found += [
                {"row": case.row, "case": case.name, "figure": figure.name, "unit": figure.unit.strip()}
                | {"least": figure.least, "most": figure.most, "values": [result[figure.name] for result in results]}
                for figure in case.figures
            ]
    return found, "\n".join(printed) + "\n"


def put(table: str, document: Path) -> None:
    """Put the table between the marks."""
    text = document.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    document.write_text(before + BEGIN + "\n" + table + "\n" + END + rest.partition(END)[2], encoding="utf-8")


def main() -> None:
    """Print the table, or draw."""
    every = sorted({case.row for case in CASES})
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rows", metavar="ROW", nargs="*", type=int, help=f"of {every}; all when none is given")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--json", metavar="FILE", type=Path)
    parser.add_argument("--charts", metavar="FOLDER", type=Path)
    parser.add_argument("--document", metavar="FILE", type=Path)
    args = parser.parse_args()
    if args.document is not None and BEGIN not in args.document.read_text(encoding="utf-8"):
        parser.error(f"no place for a table in {args.document}")
    if unknown := set(args.rows) - set(every):
        parser.error(f"no such row: {', '.join(map(str, sorted(unknown)))}")
    if args.charts is not None:
        sys.exit(draw_all(args.charts, scale=args.scale, jobs=args.jobs))
    found, table = measure(args.rows or every, args.seeds, args.jobs, args.scale)
    if args.document is not None:
        put(table, args.document)
    if args.json is not None:
        args.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
