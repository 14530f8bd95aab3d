"""How fast the simulator is: simulated datagrams for each second of CPU time.

    python bench/simulator.py [CASE ...] [--repeat 5] [--scale 1.0] [--against OTHER/src]

A datagram counts when a host's socket takes it, lost ones included; the time is `time.process_time` of
`Network.run` alone. Each measurement has a process of its own, and the best of `--repeat` is shown: other
load on the machine only ever makes one slower. With `--against`, the same cases run in turns with the
package in that directory (a checkout of another commit), and the last column is the median of the ratios.

network          two endpoints that only send and count, 1,000-byte datagrams, a lossy link
rdp clean        10 MB over 100 Mbit/s with a round trip of 40 ms and a queue of one bandwidth-delay product
rdp 10% loss     the same with every tenth datagram lost, both ways
rdp mixed        the same with 5% loss, 2% damaged, 2% twice, 5% reordered, +- 5 ms
streamer room    4 MB each way over the class-room network: 10% loss, 10% damage, delays up to 100 ms
streamer fast    8 MB each way over 100 Mbit/s and 40 ms at 1% loss, sendto taking no time
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from surewire.core.events import Closed, Event
from surewire.core.trains import Address, Buffer, Train
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import ClassroomConfig, Link, LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from surewire.lab.simulated.streamer_simulation import ClassroomPair, Player, streamer_session
from surewire.lab.simulated.workloads import Workload, bulk
from surewire.sim import Host, Network
from surewire.streamer.session import StreamerSession

PATH = LinkConfig(rate=100_000_000, delay=20 * NS_PER_MS, queue=500_000)
LOSSY = LinkConfig(rate=100_000_000, delay=20 * NS_PER_MS, queue=500_000, loss=0.1)
MIXED = LinkConfig(
    rate=100_000_000,
    delay=20 * NS_PER_MS,
    queue=500_000,
    loss=0.05,
    corrupt=0.02,
    duplicate=0.02,
    reorder=0.05,
    jitter=5 * NS_PER_MS,
)
ALMOST_CLEAN = LinkConfig(rate=100_000_000, delay=20 * NS_PER_MS, queue=500_000, loss=0.01)
ROOM = ClassroomConfig(loss=0.1, corruption=0.1, max_delay=100 * NS_PER_MS)
ADDRESSES = (("10.0.0.1", 7), ("10.0.0.2", 7))
SEED = 1


class Speed(NamedTuple):
    """What one measurement showed."""

    datagrams: int
    cpu_s: float

    @property
    def rate(self) -> float:
        return self.datagrams / self.cpu_s


class Ticker:
    """An endpoint that sends ten datagrams every millisecond until it has sent `count`, and counts what comes."""

    def __init__(self, peer: Address, count: int, *, start: int) -> None:
        self.received = 0
        self._left = count
        self._due = start
        self._train = Train([bytes(10_000)], 1000, 10_000, peer)

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        self.received += 1

    def handle_timeout(self, *, now: int) -> None:
        pass

    def poll_transmit(self, *, now: int) -> Train | None:
        if not self._left or now < self._due:
            return None
        self._due += NS_PER_MS
        self._left -= 10
        return self._train

    def poll_timeout(self) -> int | None:
        return self._due if self._left else None

    def poll_event(self) -> Event | None:
        return None


class FastStreamer:
    """A Streamer session and its application on a host whose sendto takes no time."""

    def __init__(self, which: int, workload: Workload, rng: random.Random) -> None:
        self.session = StreamerSession(ADDRESSES[1 - which], rng=rng, now=NS_PER_S)
        self.workload = workload
        self.host = Host(ADDRESSES[which], self.session, self._on_event, on_turn=self._on_turn)
        self.is_closed = False

    def _on_event(self, event: Event, now: int) -> None:
        self.is_closed |= isinstance(event, Closed)

    def _on_turn(self, now: int) -> bool:
        application = self.workload.application
        return application.done_at is None and application.on_turn(self.session, now)


def run_network(scale: float) -> Speed:
    """Endpoints that cost nearly nothing: the links and the heap."""
    count = round(20_000 * scale) * 10
    network = Network(start=NS_PER_S)
    tickers = [Ticker(peer, count, start=NS_PER_S) for peer in reversed(ADDRESSES)]
    hosts = [Host(address, ticker, lambda event, now: None) for address, ticker in zip(ADDRESSES, tickers, strict=True)]
    for host, other in zip(hosts, reversed(hosts), strict=True):
        network.connect(host, other, Link(LOSSY, random.Random(SEED)))
        network.add(host)
    speed = _timed(network, lambda: network.run(until=3600 * NS_PER_S))
    _check(all(0.85 * count < ticker.received < 0.95 * count for ticker in tickers), "the datagrams did not arrive")
    return speed


def run_rdp(config: LinkConfig, scale: float) -> Speed:
    """One transfer."""
    transfer = RdpSimulation(random.Random(SEED).randbytes(round(10_000_000 * scale)), config, seed=SEED)
    speed = _timed(transfer.network, transfer.run)
    _check(transfer.is_success, "the transfer failed")
    return speed


def run_room(scale: float) -> Speed:
    """Streamer as it is meant to be used."""
    players = (Player(workload=workload, make_session=streamer_session()) for workload in _streams(4_000_000, scale))
    pair = ClassroomPair(ROOM, *players, seed=SEED)
    speed = _timed(pair.network, lambda: pair.run(3600 * NS_PER_S))
    _check(pair.run(3600 * NS_PER_S).is_success, "the streams did not arrive")
    return speed


def run_fast(scale: float) -> Speed:
    """Streamer with nothing that holds it back but its window and the link."""
    network = Network(start=NS_PER_S)
    streams = enumerate(_streams(8_000_000, scale))
    sides = [FastStreamer(which, workload, random.Random(which)) for which, workload in streams]
    for side, other in zip(sides, reversed(sides), strict=True):
        network.connect(side.host, other.host, Link(ALMOST_CLEAN, random.Random(SEED)))
        network.add(side.host)
    speed = _timed(
        network, lambda: network.run(until=3600 * NS_PER_S, stop=lambda: all(side.is_closed for side in sides))
    )
    is_right = all(side.is_closed and side.workload.reads[0].data == side.workload.expected for side in sides)
    _check(is_right, "the streams did not arrive")
    return speed


def _streams(nbytes: int, scale: float) -> tuple[Workload, Workload]:
    rng = random.Random(SEED)
    return bulk(rng.randbytes(round(nbytes * scale)), rng.randbytes(round(nbytes * scale)))


def _timed(network: Network, run: Callable[[], object]) -> Speed:
    began = time.process_time()
    run()
    return Speed(network.datagrams, time.process_time() - began)


def _check(is_right: bool, otherwise: str) -> None:
    if not is_right:
        raise SystemExit(f"bench/simulator.py: {otherwise}; its speed would mean nothing")


CASES: dict[str, Callable[[float], Speed]] = {
    "network": run_network,
    "rdp clean": lambda scale: run_rdp(PATH, scale),
    "rdp 10% loss": lambda scale: run_rdp(LOSSY, scale),
    "rdp mixed": lambda scale: run_rdp(MIXED, scale),
    "streamer room": run_room,
    "streamer fast": run_fast,
}


def measure(case: str, scale: float, source: Path | None) -> Speed:
    """Run a case in a process of its own, with the package in `source` or the one imported here."""
    environment = dict(os.environ)
    if source is not None:
        environment["PYTHONPATH"] = str(source)
    command = [sys.executable, __file__, case, "--scale", str(scale), "--once"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    datagrams, cpu_s = done.stdout.split()
    return Speed(int(datagrams), float(cpu_s))


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all of them when none")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="times the usual amount of data")
    parser.add_argument("--against", type=Path, metavar="DIR", help="package to compare with (a directory src)")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)  # what `measure` runs
    args = parser.parse_args()
    if unknown := [case for case in args.cases if case not in CASES]:
        parser.error(f"no such case: {unknown[0]!r}")
    if args.once:
        print(*CASES[args.cases[0]](args.scale))
        return
    print("case           datagrams  a CPU second" + ("   other's   ratio" if args.against else ""), flush=True)
    for case in args.cases or CASES:
        pairs = [
            (measure(case, args.scale, None), measure(case, args.scale, args.against) if args.against else None)
            for _ in range(args.repeat)
        ]
        best = max((mine for mine, _ in pairs), key=lambda speed: speed.rate)
        line = f"{case:<14} {best.datagrams:>9,} {best.rate:>13,.0f}"
        if others := [(mine, other) for mine, other in pairs if other is not None]:
            line += f" {max(other.rate for _, other in others):>9,.0f}"
            line += f" {median(mine.rate / other.rate for mine, other in others):>6.2f}x"
        print(line, flush=True)


if __name__ == "__main__":
    main()
