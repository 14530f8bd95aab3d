"""The tools as processes over loopback, in real time.

    python bench/transfer.py [loopback] [router] [--runs 3] [--megabytes 100] [--folder DIR]

`loopback`: rdpr and rdps back to back, packet logs to files (DIR should be in memory), `--megabytes`.
`router`:   10 MB through `surewire router` at 20 Mbit/s, 20 ms round trip, a 50 kB queue, 10% loss each way.
            C(1-p) counts the router's rate in IP bytes (1,052 a full packet) and goodput in payload bytes, over
            the time from before the first SYN until rdps has ended.
Seconds are rdps's own, from before opening until the last ACK. Medians of the runs; machines vary, so
compare figures of one run only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

ROUTER = ["--rate", "20M", "--delay", "10", "--loss", "10", "--queue", "50k", "--quiet"]
BOUND = 20_000_000 / 8 * 0.9


def start(module: str, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """Start a tool that says on standard error where it listens; return it and its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    return process, line.rsplit(":", 1)[-1].strip()


def transfer(folder: Path, source: Path, *, seed: int | None) -> dict[str, Any]:
    """One transfer, through a router when there is a `seed` for it; the sender's figures."""
    target = folder / "received"
    receiver, port = start("surewire.apps.rdpr", "127.0.0.1", "0", str(target), "--log", str(folder / "rdpr.log"))
    router = None
    if seed is not None:
        router, port = start(
            "surewire.apps.router", "--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{port}", "--seed", str(seed), *ROUTER
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


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="loopback|router")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--megabytes", type=float, default=100.0, help="file for loopback")
    parser.add_argument("--router-megabytes", type=float, default=10.0, help="file for the router")
    parser.add_argument("--folder", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        source = folder / "sent"
        for case in args.cases or ["loopback", "router"]:
            through_router = case == "router"
            nbytes = int((args.router_megabytes if through_router else args.megabytes) * 1_000_000)
            source.write_bytes(os.urandom(nbytes))
            rows = [transfer(folder, source, seed=run if through_router else None) for run in range(args.runs)]
            report(case, rows, nbytes, BOUND if through_router else None)


if __name__ == "__main__":
    main()
