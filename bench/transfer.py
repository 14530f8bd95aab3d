"""The tools as processes over loopback, in real time.

    python bench/transfer.py [loopback] [router] [selftest] [--runs 3] [--megabytes 100] [--folder DIR]

`loopback`: rdpr and rdps back to back, packet logs to files (DIR should be in memory), `--megabytes`.
`router`:   10 MB through `surewire router` at 20 Mbit/s, 20 ms round trip, a 50 kB queue, 10% loss each way.
            C(1-p) counts the router's rate in IP bytes (1,052 a full packet) and goodput in payload bytes, over
            the time from before the first SYN until rdps has ended.
`selftest`: the assignment's: 1 MiB through the router at every combination of loss, duplication, reordering and
            corruption at 10% each way, 20 ms delay and 20 Mbit/s, one run of each; says only whether all are identical.
Seconds are rdps's own, from before opening until the last ACK. Medians of the runs; machines vary, so
compare figures of one run only.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

ROUTER = ["--rate", "20M", "--delay", "10", "--loss", "10", "--queue", "50k"]
SELFTEST = ["--rate", "20M", "--delay", "20"]
IMPAIRMENTS = ("loss", "duplicate", "reorder", "corrupt")
BOUND = 20_000_000 / 8 * 0.9


def start(module: str, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """Start a tool that says on standard error where it listens; return it and its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    return process, line.rsplit(":", 1)[-1].strip()


def transfer(folder: Path, source: Path, *, router_options: list[str] | None = None) -> dict[str, Any]:
    """One transfer, through a router when there are options for it; the sender's figures."""
    target = folder / "received"
    receiver, port = start("surewire.apps.rdpr", "127.0.0.1", "0", str(target), "--log", str(folder / "rdpr.log"))
    router = None
    if router_options is not None:
        router, port = start(
            "surewire.apps.router", "--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{port}", "--quiet", *router_options
        )
    stats = folder / "stats.json"
    command = [
        "surewire.apps.rdps",
        "127.0.0.1",
        "0",
        "127.0.0.1",
        port,
        str(source),
        "--log",
        str(folder / "rdps.log"),
    ]
    subprocess.run(
        [sys.executable, "-m", *command, "--stats", str(stats)], check=True, stdout=subprocess.DEVNULL, timeout=300
    )
    if receiver.wait(60) != 0:
        raise SystemExit("rdpr failed")
    if router is not None:
        router.terminate()
        router.wait(10)
    if target.read_bytes() != source.read_bytes():
        raise SystemExit("the received file differs")
    figures: dict[str, Any] = json.loads(stats.read_text())
    return figures


def report(name: str, rows: list[dict[str, Any]], nbytes: int, bound: float | None) -> None:
    """Print one line."""
    rate = median(nbytes / row["seconds"] for row in rows)
    ratio = median(row["total_bytes"] / row["unique_bytes"] for row in rows)
    share = f", {rate / bound:.1%} of C(1-p)" if bound else ""
    print(f"{name}: {rate / 1e6:.2f} MB/s{share}, total/unique {ratio:.4f}, {len(rows)} runs, all identical")


def selftest(folder: Path, source: Path) -> None:
    """Every combination of impairments, one transfer each."""
    combinations = [names for count in range(5) for names in itertools.combinations(IMPAIRMENTS, count)]
    for seed, names in enumerate(combinations):
        options = [*SELFTEST, "--seed", str(seed)]
        for name in names:
            options += [f"--{name}", "10"]
        transfer(folder, source, router_options=options)
    print(f"selftest: {len(combinations)} combinations of 10% {', '.join(IMPAIRMENTS)}, 1 MiB each, all identical")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="loopback|router|selftest")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--megabytes", type=float, default=100.0, help="file for loopback")
    parser.add_argument("--router-megabytes", type=float, default=10.0, help="file for the router")
    parser.add_argument("--folder", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        source = folder / "sent"
        for case in args.cases or ["loopback", "router", "selftest"]:
            nbytes = int({"router": args.router_megabytes, "selftest": 1.048576}.get(case, args.megabytes) * 1_000_000)
            source.write_bytes(os.urandom(nbytes))
            if case == "selftest":
                selftest(folder, source)
                continue
            seeded = [[*ROUTER, "--seed", str(run)] if case == "router" else None for run in range(args.runs)]
            rows = [transfer(folder, source, router_options=options) for options in seeded]
            report(case, rows, nbytes, BOUND if case == "router" else None)


if __name__ == "__main__":
    main()
