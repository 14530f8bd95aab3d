"""Kernel TCP, QUIC, RDP and ours over the very same emulated link: `surewire lab`'s namespaces and wire. Needs root.

    python bench/lab.py peers [--peers NAME ...] [--only LINK ...] [--runs 3] [--scale 1.0] [--json FILE] [--strict]
    python bench/lab.py rows [loss] [jitter] [cubic] [mixed] [--runs 3] [--scale 1.0] [--json FILE]

`peers` prints two tables: seconds at the sender, from before connecting until the receiver has confirmed everything
("x MB": so much had arrived when it was stopped after `--limit` seconds), and IP bytes put on the wire from sender to
receiver for each byte of the file. Interpreters and imports do not count: the clock is the sender's own. Medians of
the runs; the seeds of the emulator are the runs' numbers, so all meet the same dice, not the same losses.

`rows` measures what a single row of `bench/congestion.py` needs to be shown for real, see `lab_rows`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from lab_links import COLUMNS
from lab_peers import PEERS, USUAL, Peer
from lab_rows import ROWS
from lab_table import chosen_columns, compare, say, tables, verdicts

import surewire
from surewire.errors import SurewireError

SRC = Path(surewire.__file__).resolve().parent.parent


def _present(names: list[str]) -> list[Peer]:
    """Those whose packages are there; the others are named and left out."""
    peers = []
    for name in names or USUAL:
        missing = PEERS[name].missing
        if missing:
            say(f"left out: {name}, which needs {', '.join(missing)}")
        else:
            peers.append(PEERS[name])
    return peers


def _compare(args: argparse.Namespace, folder: Path) -> bool:
    peers, columns = _present(args.peers), chosen_columns(args.only)
    options = {"runs": args.runs or 3, "scale": args.scale, "limit_s": args.limit, "record": args.json}
    cells = compare(peers, columns, folder, **options)
    print(tables(peers, columns, cells, args.scale))
    missed = verdicts(peers, columns, cells, whole=args.scale == 1)
    print("".join(f"\n{line}" for line in missed))
    return not missed


def _rows(args: argparse.Namespace, folder: Path) -> bool:
    passed = True
    if args.json is not None:
        args.json.unlink(missing_ok=True)
    for name in args.rows or ROWS:
        text, is_good = ROWS[name](folder, args)
        print(text, end="\n\n", flush=True)
        passed = passed and is_good
    return passed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--runs", type=int, help="(default: 3; of the row mixed 30, of cubic 1)")
    shared.add_argument("--scale", type=float, default=1.0, help="of the files' sizes, or of a row's seconds")
    shared.add_argument("--limit", type=float, default=60.0, help="seconds a transfer")
    shared.add_argument("--json", type=Path, metavar="FILE", help="write every outcome to FILE")
    shared.add_argument("--strict", action="store_true", help="exit with 1 when something that is demanded was missed")
    shared.add_argument("--folder", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    tasks = parser.add_subparsers(dest="task", required=True)
    comparing = tasks.add_parser("peers", parents=[shared], help="everybody on the same links")
    comparing.add_argument("--peers", nargs="+", choices=list(PEERS), default=[])
    comparing.add_argument("--only", nargs="+", choices=list(COLUMNS), default=[])
    rows = tasks.add_parser("rows", parents=[shared], help="ours alone, and against a flow of TCP")
    rows.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    return parser


def main() -> int:
    """Measure; the exit status."""
    parser = _parser()
    args = parser.parse_args()
    unknown = [name for name in vars(args).get("rows", []) if name not in ROWS]
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    # What runs in the laboratory imports what was imported here.
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in (str(SRC), os.environ.get("PYTHONPATH")) if path)
    try:
        with tempfile.TemporaryDirectory(dir=args.folder) as name:
            passed = (_compare if args.task == "peers" else _rows)(args, Path(name))
    except SurewireError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130
    return int(args.strict and not passed)


if __name__ == "__main__":
    sys.exit(main())
