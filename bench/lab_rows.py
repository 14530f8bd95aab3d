"""Single rows of what is demanded of recovery and rate control, for real: `bench/lab.py rows`.

- loss: 50 MB at 100 Mbit/s, 50 ms, 500 kB of queue, with 0 to 50% lost both ways.
- jitter: the same with 10% lost, and each packet 12.5 to 37.5 ms on its way: the round trip varies by half of it.
- cubic: ours against one flow of the kernel's TCP cubic for 60 s, queues of 0.5, 1 and 4 bandwidth-delay products.
- mixed: 1 MB at 20 Mbit/s, 20 ms, lost, doubled, out of order and damaged, 30 runs.

"Of C(1-p)" is payload stored by the receiver, each byte when it came, holes not counted, from one second after the
sender began to connect until the last byte was stored, against the payload of full datagrams at the wire's rate
(1,440 of 1,500 bytes) less what is lost.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from lab_flows import Sharing, share
from lab_links import CLEAN, COLUMNS, MEGABYTE, goodput_bound, least_overhead
from lab_peers import OURS, PEERS
from lab_table import finished, markdown, middle_seconds, say, tell
from lab_transfer import Outcome, make_source, transfer

from surewire.impair import LinkConfig

_LOSSES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
_FIRST_S = 1.0
_BUFFERS = (0.5, 1.0, 4.0)
_RTT_S = 0.05
_FLOW_SECONDS = 60.0
_MIXED_RUNS = 30

Row = Callable[[Path, argparse.Namespace], tuple[str, bool]]
"""Takes a folder and the command's options; returns the text to show and whether what is demanded was reached."""


def goodput_after_first_second(outcome: Outcome) -> float | None:
    """Bits of payload a second, see above; None if it was over before, or has not ended."""
    if outcome.seconds is None or not outcome.samples:
        return None
    cut = float(outcome.said["sender"]["began"]) + _FIRST_S
    before = [sample for sample in outcome.samples if sample[0] <= cut]
    end, stored = outcome.samples[-1]
    if end <= cut or not before:
        return None
    # What came between two samples is spread evenly.
    at, count = before[-1]
    after, more = next(sample for sample in outcome.samples if sample[0] > cut)
    count_at_cut = count + (more - count) * (cut - at) / (after - at)
    return (stored - count_at_cut) * 8 / (end - cut)


def spurious_share(outcome: Outcome) -> float:
    """Segments that were declared lost and arrived after all, of the datagrams sent."""
    stats = outcome.said["sender"].get("stats", {})
    return float(stats.get("spurious", 0)) / max(1, int(stats.get("datagrams_sent", 0)))


def _transfers(name: str, link: LinkConfig, folder: Path, args: argparse.Namespace, runs: int) -> list[Outcome]:
    """Ours, some runs of it."""
    done = []
    for seed in range(runs):
        done.append(transfer(PEERS[OURS], name, link, folder / "source", seed=seed, limit_s=args.limit, sampled=True))
        tell(done[-1])
        _keep(args, done[-1])
        if done[-1].seconds is None:
            break
    return done


def _keep(args: argparse.Namespace, result: Outcome | Sharing) -> None:
    """Add an outcome to the file of all of them."""
    if args.json is not None:
        before: list[dict[str, Any]] = json.loads(args.json.read_text()) if args.json.exists() else []
        args.json.write_text(json.dumps([*before, dataclasses.asdict(result)], indent=1))


def _bulk_row(name: str, link: LinkConfig, done: list[Outcome], demanded: float, most_spurious: float) -> list[str]:
    """One line of a table of transfers; the last cell is the verdict."""
    if not finished(done):
        return [name, f"{done[-1].arrived / MEGABYTE:.1f} MB in time", "", "", "", "", "MISSED"]
    shares = [goodput / goodput_bound(link) for goodput in map(goodput_after_first_second, done) if goodput is not None]
    spurious = max(map(spurious_share, done))
    drops = median(one.wire["up"]["queue_dropped"] / one.wire["up"]["offered"] for one in done)
    is_good = bool(shares) and median(shares) >= demanded and spurious <= most_spurious
    late = "" if all(one.kept_up for one in done) else " (wire late)"
    return [
        name,
        f"{middle_seconds(done):.2f} s{late}",
        f"{median(shares):.1%} ({min(shares):.1%} to {max(shares):.1%})" if shares else "too short",
        f"{median(one.overhead for one in done):.3f} (bound {least_overhead(link):.3f})",
        f"{drops:.2%}",
        f"{spurious:.2%}",
        "ok" if is_good else "MISSED",
    ]


_HEADS = ["seconds", "of C(1-p) after 1 s", "IP bytes sent a byte", "queue drops", "most spurious", ""]


def loss(folder: Path, args: argparse.Namespace) -> tuple[str, bool]:
    """Row 1."""
    make_source(folder / "source", int(50 * MEGABYTE * args.scale))
    rows = [["lost", *_HEADS]]
    for share_lost in _LOSSES:
        link = replace(CLEAN, loss=share_lost)
        done = _transfers(f"loss {share_lost:.0%}", link, folder, args, args.runs or 3)
        rows.append(_bulk_row(f"{share_lost:.0%}", link, done, 0.85 if share_lost >= 0.5 else 0.95, 1.0))
    return markdown(rows), all(row[-1] == "ok" for row in rows[1:])


def jitter(folder: Path, args: argparse.Namespace) -> tuple[str, bool]:
    """Row 2."""
    make_source(folder / "source", int(50 * MEGABYTE * args.scale))
    link = replace(CLEAN, loss=0.1, jitter=CLEAN.delay // 2)
    done = _transfers("10%, jitter", link, folder, args, args.runs or 3)
    row = _bulk_row("10%, round trip 25 to 75 ms", link, done, 0.85, 0.02)
    return markdown([["link", *_HEADS], row]), row[-1] == "ok"


def cubic(folder: Path, args: argparse.Namespace) -> tuple[str, bool]:
    """Row 6."""
    rows = [["queue", "ours, Mbit/s", "TCP cubic", "ours of both", "in the second half", "queue drops", ""]]
    rate = CLEAN.rate or 0
    for products in _BUFFERS:
        link = replace(CLEAN, queue=int(products * rate * _RTT_S / 8))
        name = f"{products:g} BDP"
        done = []
        for seed in range(args.runs or 1):
            flows = {"ours": ["native"], "cubic": ["tcp", "--congestion", "cubic"]}
            done.append(share(flows, name, link, folder, seed=seed, seconds=_FLOW_SECONDS * args.scale))
            say(f"{name}, run {seed}: {done[-1]}")
            _keep(args, done[-1])
        shares = [one.share("ours") for one in done]
        later = [one.later["ours"] / max(1, sum(one.later.values())) for one in done]
        late = "" if all(one.kept_up for one in done) else " (wire late)"
        rows.append(
            [
                f"{name} = {link.queue / 1000:g} kB",
                *(
                    f"{median(one.received[flow] for one in done) * 8e-6 / done[0].seconds:.1f}"
                    for flow in done[0].later
                ),
                f"{median(shares):.0%}{late}" + (f" ({min(shares):.0%} to {max(shares):.0%})" if len(done) > 1 else ""),
                f"{median(later):.0%}",
                f"{median(one.wire['queue_dropped'] / one.wire['offered'] for one in done):.2%}",
                "ok" if 0.25 <= median(shares) <= 0.75 else "MISSED",
            ]
        )
    return markdown(rows), all(row[-1] == "ok" for row in rows[1:])


def mixed(folder: Path, args: argparse.Namespace) -> tuple[str, bool]:
    """Row 9."""
    column = COLUMNS["mixed"]
    size = int(column.megabytes * MEGABYTE * args.scale)
    make_source(folder / "source", size)
    done = _transfers("mixed", column.link, folder, args, args.runs or _MIXED_RUNS)
    times = sorted(one.seconds if one.seconds is not None else args.limit for one in done)
    least = 2 * column.link.delay / 1e9 + column.bound_s(size)
    middle, most = median(times), quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else times[-1]
    is_good = middle <= 1.2 * least and most <= 1.6 * least
    late = sum(not one.kept_up for one in done)
    rows = [
        [
            "runs",
            "RTT + size/(C(1-p))",
            "median",
            "demanded",
            "95th percentile",
            "demanded",
            "most",
            "bytes a byte",
            "",
        ],
        [
            f"{len(done)}" + (f" ({late} wire late)" if late else ""),
            f"{least:.3f} s",
            f"{middle:.3f} s ({middle / least:.2f} x)",
            f"{1.2 * least:.3f} s (1.20 x)",
            f"{most:.3f} s ({most / least:.2f} x)",
            f"{1.6 * least:.3f} s (1.60 x)",
            f"{times[-1]:.3f} s",
            f"{median(one.overhead for one in done):.3f}",
            "ok" if is_good else "MISSED",
        ],
    ]
    return markdown(rows), is_good


ROWS: dict[str, Row] = {"loss": loss, "jitter": jitter, "cubic": cubic, "mixed": mixed}
