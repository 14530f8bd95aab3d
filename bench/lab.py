"""Kernel TCP and RDP over the very same link: `surewire lab`'s namespaces, NAT and wire. Needs root.

    python bench/lab.py [--runs 1] [--scale 1.0] [--limit 60] [--only SCENARIO ...]

One table: seconds at the sender from before connecting until the receiver has confirmed everything by its SHA-256
(TCP) or as RDP does, and in brackets the IP bytes put on the wire from sender to receiver per byte of the file. TCP is
a plain sender and receiver in Python with the kernel's congestion control; RDP is rdps and rdpr with the packet log
in a file. Medians of the runs; the seeds are the runs' numbers, so all meet the same dice, not the same losses.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from surewire.impair import Scenario
from surewire.lab.scenario_files import load_scenario
from surewire.lab.wired.laboratory import LabOptions, WiredLab
from surewire.lab.wired.running import Patience, run_pair

CASES = {
    "clean-100m": 20_000_000,
    "loss1": 10_000_000,
    "loss10": 5_000_000,
    "loss30": 2_000_000,
    "bursts-rtt200": 10_000_000,
    "mixed-1mb": 1_000_000,
}
PEERS = ("tcp cubic", "tcp bbr", "rdp")
PORT = 8080
DIGEST = 32
PIECE = 1 << 17
SRC = Path(__file__).resolve().parent.parent / "src"


@dataclass(frozen=True)
class Outcome:
    """One transfer; `seconds` is None if it did not end in time."""

    seconds: float | None
    arrived: int
    overhead: float
    kept_up: bool


def receive(host: str, file: str) -> None:
    """TCP: store what comes and answer with its SHA-256."""
    digest = hashlib.sha256()
    with socket.create_server((host, PORT)) as listener, open(file, "wb") as target:
        connection, _ = listener.accept()
        with connection:
            while piece := connection.recv(PIECE):
                target.write(piece)
                target.flush()
                digest.update(piece)
            connection.sendall(digest.digest())


def send(host: str, algorithm: str, file: str, stats: str) -> None:
    """TCP: send a file, wait for the digest, and note the seconds."""
    data = Path(file).read_bytes()
    expected = hashlib.sha256(data).digest()
    began = time.monotonic()
    with socket.socket() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, algorithm.encode())
        sock.connect((host, PORT))
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while len(answer) < DIGEST and (piece := sock.recv(DIGEST)):
            answer += piece
    if answer != expected:
        raise SystemExit("the receiver has something else")
    Path(stats).write_text(json.dumps({"seconds": time.monotonic() - began}))


def one_bit(scenario: Scenario) -> Scenario:
    """Damage as netem does it. Two flipped bits may cancel in TCP's checksum, and the file would arrive damaged."""
    return replace(scenario, up=replace(scenario.up, corrupt_bits=1), down=replace(scenario.down, corrupt_bits=1))


def commands(peer: str, folder: Path) -> tuple[list[str], list[str]]:
    """Receiver and sender."""
    source, target, stats = (str(folder / name) for name in ("sent", "received", "stats"))
    if peer == "rdp":
        tools = [[sys.executable, "-m", f"surewire.apps.{name}"] for name in ("rdpr", "rdps")]
        logs = [["--log", str(folder / f"{name}.log")] for name in ("rdpr", "rdps")]
        receiver = [*tools[0], "{server}", str(PORT), target, "--linger", "0.5", *logs[0]]
        return receiver, [*tools[1], "{client}", "0", "{server}", str(PORT), source, "--stats", stats, *logs[1]]
    here = [sys.executable, __file__]
    algorithm = peer.removeprefix("tcp ")
    return [*here, "--receive", "{server}", target], [*here, "--send", "{server}", algorithm, source, stats]


def transfer(peer: str, scenario: Scenario, folder: Path, seed: int, limit: float) -> Outcome:
    """One transfer through a laboratory of its own."""
    for name in ("received", "stats"):
        (folder / name).unlink(missing_ok=True)
    receiver, sender = commands(peer, folder)
    patience = Patience(timeout_s=limit, grace_s=10.0, ready_s=30.0)
    with WiredLab(scenario, LabOptions(seed=seed, emulator="tun")) as lab:
        silence = (subprocess.DEVNULL, subprocess.DEVNULL)
        pair = run_pair(lab, receiver, sender, patience, server_streams=silence, client_streams=(silence[0], None))
        report = lab.finish()
    size = (folder / "sent").stat().st_size
    target = folder / "received"
    overhead = report.wire.up["offered_bytes"] / size
    if pair.failure is not None:
        print(f"{scenario.name}, {peer}, seed {seed}: {pair.failure}", file=sys.stderr)
        return Outcome(None, target.stat().st_size if target.exists() else 0, overhead, report.kept_up)
    if target.read_bytes() != (folder / "sent").read_bytes():
        raise SystemExit(f"{peer}: the received file differs")
    seconds = float(json.loads((folder / "stats").read_text())["seconds"])
    return Outcome(seconds, size, overhead, report.kept_up)


def cell(outcomes: list[Outcome]) -> str:
    """Median seconds and overhead, or what had arrived when the time was over."""
    note = "" if all(one.kept_up for one in outcomes) else " (wire did not keep up)"
    times = [one.seconds for one in outcomes if one.seconds is not None]
    if len(times) < len(outcomes):
        arrived = median(one.arrived for one in outcomes if one.seconds is None)
        return f"{arrived / 1e6:.2f} MB in time, {len(times)} of {len(outcomes)} ended{note}"
    return f"{median(times):.2f} s ({median(one.overhead for one in outcomes):.2f}){note}"


def table(args: argparse.Namespace) -> None:
    """Run everything and print it line by line."""
    print(f"| scenario | MB | {' | '.join(PEERS)} |\n|---|---:|{'---:|' * len(PEERS)}")
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as name:
        folder = Path(name)
        for case in args.only or CASES:
            size = int(CASES[case] * args.scale)
            (folder / "sent").write_bytes(os.urandom(size))
            scenario = one_bit(load_scenario(case))
            cells = [
                cell([transfer(peer, scenario, folder, seed, args.limit) for seed in range(args.runs)])
                for peer in PEERS
            ]
            print(f"| {case} | {size / 1e6:g} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Run the table, or one end of a TCP transfer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="of the files' sizes")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds a transfer")
    parser.add_argument("--only", nargs="+", choices=list(CASES))
    parser.add_argument("--receive", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--send", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.receive:
        receive(*args.receive)
    elif args.send:
        send(*args.send)
    else:
        table(args)


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in (str(SRC), os.environ.get("PYTHONPATH")) if path)
    main()
