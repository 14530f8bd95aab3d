"""The comparison of `bench/lab.py`: every peer on every link, run by run in turns, as a table."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from lab_links import COLUMNS, MEGABYTE, Column, least_overhead
from lab_peers import OURS, Peer
from lab_transfer import Outcome, make_source, transfer

Cells = dict[tuple[str, str], list[Outcome]]
"""Outcomes by peer and column."""


def compare(
    peers: Sequence[Peer],
    columns: Sequence[Column],
    folder: Path,
    *,
    runs: int,
    scale: float,
    limit_s: float,
    record: Path | None,
) -> Cells:
    """Take each peer over each link, `runs` times in turns, and write down every outcome at once.

    A peer that was stopped on a link is not tried there again: it would take the whole limit once more.
    """
    cells: Cells = {(peer.name, column.name): [] for column in columns for peer in peers}
    done: list[Outcome] = []
    for seed in range(runs):
        for column in columns:
            source = folder / "source"
            make_source(source, int(column.megabytes * MEGABYTE * scale))
            for peer in peers:
                cell = cells[peer.name, column.name]
                if any(one.seconds is None for one in cell):
                    continue
                outcome = transfer(peer, column.name, column.link, source, seed=seed, limit_s=limit_s)
                cell.append(outcome)
                done.append(outcome)
                tell(outcome)
                save(record, done)
    return cells


def tell(outcome: Outcome) -> None:
    """One line about a transfer, for whoever waits."""
    ends = " + ".join(f"{float(outcome.said[end].get('cpu_s', 0)):.2f}" for end in ("sender", "receiver"))
    took = f"{outcome.arrived / MEGABYTE:.1f} MB, {outcome.failure}"
    if outcome.seconds is not None:
        took = f"{outcome.seconds:.3f} s, {outcome.overhead:.3f} bytes a byte"
    up = outcome.wire["up"]
    late = "" if outcome.kept_up else f", THE WIRE DID NOT KEEP UP {outcome.wire['own']}"
    say(
        f"{outcome.link}, {outcome.peer}, run {outcome.seed}: {took}; queue drops {up['queue_dropped']},"
        f" lost {up['lost']} of {up['offered']}; CPU {ends} s, wire and starting {outcome.other_cpu_s:.2f} s{late}"
    )


def say(text: str) -> None:
    """For whoever waits; the tables go to standard output."""
    print(text, file=sys.stderr, flush=True)


def save(record: Path | None, outcomes: Sequence[Outcome]) -> None:
    """Keep the raw outcomes."""
    if record is not None:
        record.write_text(json.dumps([dataclasses.asdict(one) for one in outcomes], indent=1))


def tables(peers: Sequence[Peer], columns: Sequence[Column], cells: Cells, scale: float) -> str:
    """Seconds and overheads, Markdown."""
    sizes = [int(column.megabytes * MEGABYTE * scale) for column in columns]
    heads = [f"{column.name}: {size / MEGABYTE:g} MB" for column, size in zip(columns, sizes, strict=True)]
    whole = scale == 1
    seconds = [["seconds", *heads]]
    seconds.append(["bound", *(f"{c.bound_s(size):.2f}" for c, size in zip(columns, sizes, strict=True))])
    seconds.append(["ours must be", *(f"<= {c.must_seconds:.2f}" if whole else "" for c in columns)])
    overheads = [["IP bytes sent a byte", *heads], ["bound", *(f"{least_overhead(c.link):.2f}" for c in columns)]]
    overheads.append(["ours must be", *(f"<= {c.must_overhead:.2f}" if whole else "" for c in columns)])
    for peer in peers:
        mine = [cells[peer.name, column.name] for column in columns]
        seconds.append([peer.name, *map(_seconds_cell, mine)])
        overheads.append([peer.name, *map(_overhead_cell, mine)])
    return markdown(seconds) + "\n\n" + markdown(overheads)


def verdicts(peers: Sequence[Peer], columns: Sequence[Column], cells: Cells, *, whole: bool) -> list[str]:
    """What is demanded of ours and was missed, a line each; `whole`: of the demands that are for whole files, too."""
    if OURS not in [peer.name for peer in peers]:
        return []
    missed = []
    rivals = [peer.name for peer in peers if peer.is_rival]
    for column in columns:
        mine = cells[OURS, column.name]
        if not finished(mine):
            missed.append(f"{column.name}: {OURS} did not end in time")
            continue
        seconds, overhead = middle_seconds(mine), median(one.overhead for one in mine)
        ended = [name for name in rivals if finished(cells[name, column.name])]
        faster = [name for name in ended if middle_seconds(cells[name, column.name]) < seconds]
        if faster:
            missed.append(f"{column.name}: faster than {OURS}: {', '.join(faster)}")
        if whole and seconds > column.must_seconds:
            missed.append(f"{column.name}: {seconds:.2f} s, demanded {column.must_seconds:.2f}")
        if whole and overhead > column.must_overhead:
            missed.append(f"{column.name}: {overhead:.3f} bytes sent a byte, demanded {column.must_overhead:.2f}")
    return missed


def finished(outcomes: Sequence[Outcome]) -> bool:
    """Whether there are any, and all ended."""
    return bool(outcomes) and all(one.seconds is not None for one in outcomes)


def middle_seconds(outcomes: Sequence[Outcome]) -> float:
    """The median of those that ended."""
    return median(one.seconds for one in outcomes if one.seconds is not None)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table, headings first."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---" + "|---:" * (len(rows[0]) - 1) + "|")
    return "\n".join(lines)


def chosen_columns(names: Sequence[str]) -> list[Column]:
    """Those named, or all."""
    return [COLUMNS[name] for name in names or COLUMNS]


def _seconds_cell(outcomes: list[Outcome]) -> str:
    note = "" if all(one.kept_up for one in outcomes) else " (wire late)"
    ended = [one for one in outcomes if one.seconds is not None]
    stopped = [one for one in outcomes if one.seconds is None]
    parts = [f"{middle_seconds(ended):.2f}"] if ended else []
    if stopped:
        parts.append(f"{stopped[0].arrived / MEGABYTE:.1f} MB")
    return " and ".join(parts) + note


def _overhead_cell(outcomes: list[Outcome]) -> str:
    return f"{median(one.overhead for one in outcomes):.2f}" if finished(outcomes) else ""
