"""How many datagrams a second `surewire router` relays without being late and without dropping any.

    python bench/router.py [--rates 20000 40000 60000] [--seconds 3] [--runs 3] [--train 1] [-- ROUTER OPTIONS]

Three processes: the router, and a load program on each side of it that sends half of the rate and counts what
comes back. So each datagram counts once, though the router receives and sends it. The options after `--` go to the
router; default `--delay 10 --loss 1`. `--train N` lets the load hand the system N datagrams with one call where it can
(UDP_SEGMENT), which is what programs that care about speed do; 1 is a call for each.

A run is good when the router says that it kept up (nothing late, nothing dropped), its counters agree with what both
sides sent, and every datagram it delivered arrived, unchanged and in order (the options must not reorder or corrupt). A
rate counts as sustained when one of the runs is good: on a shared machine the others show its neighbours. Root can keep
these out with real-time priority: `chrt -r 1 python bench/router.py`. Ends with status 1 when the first rate is not
sustained.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

from surewire.core.trains import Train
from surewire.core.units import NS_PER_S
from surewire.drivers.udp import UdpSocket

TICK = NS_PER_S // 1000
DRAIN_S = 1.0
DEFAULT_OPTIONS = ["--delay", "10", "--loss", "1"]
HEADER = f"{'rate':>8} {'sent/s':>8} {'good runs':>9} {'worst late ms':>13} {'CPU s/million':>13} {'CPU share':>9}"


class Load:
    """One side: sends numbered datagrams at a steady rate and checks those that come."""

    def __init__(self, sock: UdpSocket, options: argparse.Namespace) -> None:
        self.sock = sock
        self.rate: float = options.rate / 2
        self.train: int = options.train
        self.size: int = options.size
        self.filling: bytes = (bytes(range(256)) * (self.size // 256 + 1))[: self.size - 8]
        self.sent = 0
        self.received = 0
        self.wrong = 0
        self.newest = -1
        self.peer: Any = None

    def payload(self, number: int) -> bytes:
        return b"%08d" % number + self.filling

    def send_due(self, elapsed: int) -> None:
        """Send what the rate allows by now, at most 50 ms of it: what a stopped process missed is not made up for."""
        due = int(elapsed * self.rate / NS_PER_S)
        due = min(due, self.sent + int(self.rate / 20) + self.train)
        while self.sent + self.train <= due:
            datagrams = [self.payload(self.sent + i) for i in range(self.train)]
            self.sock.send(Train(datagrams, self.size, self.size * self.train, self.peer))
            while not self.sock.flush():
                self.sock.wait(TICK, writable=True)
            self.sent += self.train

    def take(self) -> None:
        for _ in range(64):
            got = self.sock.receive()
            if got is None:
                return
            self.peer = got.source
            whole = got.buffer
            for start in range(0, len(whole), got.stride):
                self.check(whole[start : start + got.stride])

    def check(self, datagram: memoryview) -> None:
        self.received += 1
        number = int(datagram[:8])
        if number < self.newest or datagram[8:] != self.filling:
            self.wrong += 1
        self.newest = number

    def run(self, seconds: float) -> None:
        while self.peer is None:
            self.sock.wait(None)
            self.take()
        began = time.monotonic_ns()
        end = began + int(seconds * NS_PER_S)
        while (now := time.monotonic_ns()) < end:
            self.send_due(now - began)
            self.take()
            self.sock.wait(TICK)
        quiet_after = time.monotonic() + DRAIN_S
        while time.monotonic() < quiet_after:
            self.sock.wait(TICK * 10)
            self.take()


def load_side(options: argparse.Namespace) -> int:
    """The load program: with a port it begins, without one it waits to be met."""
    with UdpSocket(("127.0.0.1", 0)) as sock:
        load = Load(sock, options)
        if options.port:
            load.peer = ("127.0.0.1", options.port)
        print(sock.address[1], flush=True)
        load.run(options.seconds)
        result = {"sent": load.sent, "received": load.received, "wrong": load.wrong, "missed": sock.stats.kernel_drops}
    print(json.dumps(result), flush=True)
    return 0


def start_load(options: argparse.Namespace, rate: int, port: int) -> tuple[subprocess.Popen[str], int]:
    """Start the load program; its process and its port."""
    numbers = {"rate": rate, "seconds": options.seconds, "size": options.size, "train": options.train, "port": port}
    arguments = [word for name, value in numbers.items() for word in (f"--{name}", str(value))]
    process = subprocess.Popen([sys.executable, __file__, "--side", *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def measure(options: argparse.Namespace, rate: int) -> dict[str, Any]:
    """One run at one rate."""
    server, server_port = start_load(options, rate, 0)
    command = [sys.executable, "-m", "surewire.apps.router", "--listen", "127.0.0.1:0", "--quiet", "--json"]
    command += ["--to", f"127.0.0.1:{server_port}", "--seed", "1", *(options.options or DEFAULT_OPTIONS)]
    router = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert router.stdout is not None
    assert router.stderr is not None
    router_port = int(router.stderr.readline().rsplit(":", 1)[-1])
    client, _ = start_load(options, rate, router_port)
    sides = [json.loads(process.communicate(timeout=options.seconds + 30)[0]) for process in (client, server)]
    router.send_signal(signal.SIGTERM)
    summary = json.loads(router.stdout.read())
    _, _, usage = os.wait4(router.pid, 0)
    router.returncode = 0
    router.stdout.close()
    router.stderr.close()
    seconds = usage.ru_utime + usage.ru_stime
    return judge(sides, summary, seconds, options.seconds)


def judge(sides: list[dict[str, int]], summary: dict[str, Any], cpu: float, seconds: float) -> dict[str, Any]:
    """What was wrong with a run, and its figures."""
    failures = []
    if not summary["kept_up"]:
        failures.append("the router says it did not keep up")
    for side, other, direction in ((sides[0], sides[1], "up"), (sides[1], sides[0], "down")):
        link = summary[direction]
        if link["offered"] != side["sent"]:
            failures.append(f"{direction}: {side['sent']} sent, {link['offered']} offered to the link")
        if link["delivered"] != other["received"]:
            missed = f" ({other['missed']} reads missed by the load program)" if other["missed"] else ""
            failures.append(f"{direction}: {link['delivered']} delivered, {other['received']} arrived{missed}")
        if other["wrong"]:
            failures.append(f"{direction}: {other['wrong']} changed or out of order")
    sent = sum(side["sent"] for side in sides)
    return {
        "failures": failures,
        "rate": sent / seconds,
        "late_ms": summary["relay"]["worst_lateness_ms"],
        "cpu_per_million": cpu / max(sent, 1) * 1e6,
        "cpu_share": cpu / seconds,
    }


def line(rate: int, runs: list[dict[str, Any]]) -> str:
    good = [run for run in runs if not run["failures"]]
    best = min(good or runs, key=lambda run: float(run["cpu_per_million"]))
    return (
        f"{rate:>8} {best['rate']:>8.0f} {f'{len(good)} / {len(runs)}':>9} {best['late_ms']:>13.2f}"
        f" {best['cpu_per_million']:>13.1f} {best['cpu_share']:>9.0%}"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=int, nargs="+", default=[20_000, 40_000, 60_000], help="datagrams a second")
    parser.add_argument("--seconds", type=float, default=3, help="of load in each run (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="of each rate (default: %(default)s)")
    parser.add_argument("--size", type=int, default=1200, help="bytes of a datagram (default: %(default)s)")
    parser.add_argument("--train", type=int, default=1, help="datagrams a call of the load (default: %(default)s)")
    parser.add_argument("options", nargs="*", help="for the router, after --")
    for name in ("--rate", "--port"):
        parser.add_argument(name, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--side", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if options.side:
        return load_side(options)
    words = " ".join(options.options or DEFAULT_OPTIONS)
    print(f"{options.size}-byte datagrams, {options.train} a call, router {words}")
    print(HEADER)
    sustained = []
    for rate in options.rates:
        runs = [measure(options, rate) for _ in range(options.runs)]
        print(line(rate, runs), flush=True)
        for run in runs:
            if run["failures"]:
                print(f"         not good: {'; '.join(run['failures'])}", flush=True)
        sustained.append(any(not run["failures"] for run in runs))
    return 0 if sustained[0] else 1


if __name__ == "__main__":
    sys.exit(main())
