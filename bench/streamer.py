"""Streamer under the conditions S1 to S7: bytes on Ethernet, seconds, failures, against what is demanded.

    python bench/streamer.py [S1 S4 ...] [--pairs 10] [--single FILE] [--jobs 2] [--json]
    python bench/streamer.py simulated [S4 S6 ...] [--runs 200] [--json]

The first form runs the drop-in folder's tester, both hosts as processes, in real time. Run k of a condition has
STREAMER_SEED k at host 1 and 100+k at host 2. Bytes are both hosts' ETH_BYTES_SENT together; seconds pass from the
start of host 2, when host 1 is up, until both have exited. A run fails if a host exits with another status than 0,
outlives `--limit` (it is killed), prints anything to standard error, or does not receive all numbers in order.
`--single` takes a one-file streamer.py in place of the folder's. `--numbers` replaces a condition's count, and then
nothing is compared with a target.

S7 is about speed: the bytes of both streams, which go one after the other, divided by the seconds from the first
packet (the first call of sendto) to the last number received on host 2 (the return of its last recv). The ceiling
is 1/T full packets a second, of which (1 - loss) * (1 - corruption/bits) ** bits arrive whole, with the payload of a
full segment each. T is what sendto takes here when nothing else runs, the mean of 100 calls before each run; a second
line takes the nominal 10 ms.

The second form plays S4 and S6, or the conditions named, in virtual time with the seeds 1 to `--runs`; its seconds
end when the later session has closed.

Ends with status 1 if a run failed. A missed target only says so: seconds depend on the machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tester_hosts import ROOT, Folder, Network, Pair, run_pair, sendto_seconds

from surewire.core.units import NS_PER_S
from surewire.impair import MAX_DATAGRAM, SEND_TIME, ClassroomConfig
from surewire.lab.simulated.streamer_simulation import StreamerSimulation
from surewire.streamer.sending import SEGMENT

SPEED_CONDITION = "S7"
SPEED_SHARE = 0.9
SENDTO_CALLS = 100
VIRTUAL_DEADLINE = 600 * NS_PER_S
HEADER = (
    "   |       runs |                      bytes                |           seconds           |\n"
    "   |    (failed)|      mean      min      max    (demanded) |   mean     max   (demanded) |\n"
    "---+------------+-------------------------------------------+-----------------------------+-------"
)


@dataclasses.dataclass(frozen=True)
class Condition:
    """A network and what is demanded on it; None for nothing."""

    network: Network
    max_bytes: int | None = None
    max_seconds: float | None = None
    is_for_each: bool = False  # the bytes of every run are limited; else their mean, as the seconds' always is


CONDITIONS = {
    "S1": Condition(Network(1000), 8300, 3.5, is_for_each=True),
    "S2": Condition(Network(1000, delay=0.1), 8400, 3.5, is_for_each=True),
    "S3": Condition(Network(1000, loss=0.1, delay=0.1), 9700, 3.3),
    "S4": Condition(Network(1000, loss=0.1, corruption=0.1, delay=0.1), 11_000, 4.0),
    "S5": Condition(Network(10_000, loss=0.1, corruption=0.1, delay=0.1), 131_000, 8.0),
    "S6": Condition(Network(1000, loss=0.3, corruption=0.3, delay=0.3), 19_000, 7.0),
    "S7": Condition(Network(100_000, loss=0.1, corruption=0.1, delay=0.1)),
}


class Summary(NamedTuple):
    """A line of the table."""

    condition: str
    runs: int
    failed: int
    bytes_mean: float
    bytes_min: int
    bytes_max: int
    bytes_limit: int | None
    seconds_mean: float
    seconds_max: float
    seconds_limit: float | None
    verdict: str

    def line(self, is_for_each: bool) -> str:
        bytes_limit = "-" if self.bytes_limit is None else f"({self.bytes_limit} {'each' if is_for_each else 'mean'})"
        seconds_limit = "-" if self.seconds_limit is None else f"({self.seconds_limit:.1f} mean)"
        return (
            f"{self.condition} | {self.runs:3} {f'({self.failed})':>6} |"
            f" {self.bytes_mean:9.0f} {self.bytes_min:8} {self.bytes_max:8} {bytes_limit:>13} |"
            f" {self.seconds_mean:6.2f} {self.seconds_max:7.2f} {seconds_limit:>12} | {self.verdict}"
        )


class Speed(NamedTuple):
    """How S7 compares with what the socket could carry. Payload bytes, seconds, bytes a second."""

    payload: int
    seconds: list[float]
    sendto_idle: float
    sendto_there: float
    ceiling: float
    ceiling_nominal: float

    def share(self, ceiling: float) -> float:
        """Mean speed of the runs over the ceiling."""
        return statistics.mean(self.payload / seconds for seconds in self.seconds) / ceiling

    def lines(self) -> str:
        slowest, fastest = (self.payload / pick(self.seconds) for pick in (max, min))
        return (
            f"   {self.payload} payload bytes from the first packet to the last number in"
            f" {statistics.mean(self.seconds):.2f} s (mean; {min(self.seconds):.2f} to {max(self.seconds):.2f})\n"
            f"   sendto takes {1000 * self.sendto_idle:.3f} ms when nothing else runs, {1000 * self.sendto_there:.3f}"
            f" ms in these runs\n"
            f"   ceiling with that {self.ceiling:.0f} B/s, reached {self.share(self.ceiling):.1%}"
            f" ({slowest / self.ceiling:.1%} to {fastest / self.ceiling:.1%}),"
            f" demanded {SPEED_SHARE:.0%}: {_verdict(self.share(self.ceiling) >= SPEED_SHARE)}\n"
            f"   ceiling at 10 ms  {self.ceiling_nominal:.0f} B/s, reached {self.share(self.ceiling_nominal):.1%}"
            f" ({slowest / self.ceiling_nominal:.1%} to {fastest / self.ceiling_nominal:.1%}),"
            f" demanded {SPEED_SHARE:.0%}: {_verdict(self.share(self.ceiling_nominal) >= SPEED_SHARE)}"
        )


class Run(NamedTuple):
    """What the table needs of a run, real or simulated."""

    name: str  # what to repeat it with
    eth_bytes: int
    seconds: float
    failures: list[str]


def _verdict(is_met: bool) -> str:
    return "OK" if is_met else "MISSED"


def summarize(name: str, condition: Condition, runs: Sequence[Run], *, is_judged: bool) -> Summary:
    """The line of one condition. Runs that failed are counted and left out of the figures, unless all did."""
    good = [run for run in runs if not run.failures] or runs
    sizes, seconds = [run.eth_bytes for run in good], [run.seconds for run in good]
    size = max(sizes) if condition.is_for_each else statistics.mean(sizes)
    misses = [run for run in runs if run.failures]
    is_met = (
        not misses
        and size <= (condition.max_bytes or float("inf"))
        and statistics.mean(seconds) <= (condition.max_seconds or float("inf"))
    )
    return Summary(
        name,
        len(runs),
        len(misses),
        statistics.mean(sizes),
        min(sizes),
        max(sizes),
        condition.max_bytes if is_judged else None,
        statistics.mean(seconds),
        max(seconds),
        condition.max_seconds if is_judged else None,
        "FAILED" if misses else _verdict(is_met) if is_judged and condition.max_bytes else "",
    )


def speed(network: Network, pairs: Sequence[Pair], sendto: float) -> Speed | None:
    """The figures of S7; None if no run was good."""
    good = [pair for pair in pairs if pair.stream_seconds is not None]
    if not good:
        return None
    bits = 8 * MAX_DATAGRAM
    arriving = SEGMENT * (1 - network.loss) * (1 - network.corruption / bits) ** bits
    return Speed(
        payload=2 * sum(len(b"%d " % number) for number in range(network.numbers)),
        seconds=[pair.stream_seconds for pair in good if pair.stream_seconds is not None],
        sendto_idle=sendto,
        sendto_there=statistics.mean(pair.sendto_seconds for pair in good if pair.sendto_seconds is not None),
        ceiling=arriving / sendto,
        ceiling_nominal=arriving / (SEND_TIME / NS_PER_S),
    )


def run_real(
    folder: Folder, name: str, network: Network, options: argparse.Namespace
) -> tuple[list[Run], Speed | None]:
    """All runs of one condition."""
    seeds = [(first, 100 + first) for first in range(1, options.pairs + 1)]
    is_speed = name == SPEED_CONDITION
    sendto: list[float] = []

    def one(pair: tuple[int, int]) -> Pair:
        if is_speed:
            sendto.append(sendto_seconds(folder, network, SENDTO_CALLS))
        return run_pair(folder, network, pair, limit=options.limit, stamped=is_speed)

    # Two runs of S7 at a time would take each other's processor.
    with ThreadPoolExecutor(1 if is_speed else options.jobs) as pool:
        pairs = list(pool.map(one, seeds))
    runs = [Run(f"seeds {p.seeds[0]} and {p.seeds[1]}", p.eth_bytes, p.seconds, p.failures) for p in pairs]
    return runs, speed(network, pairs, statistics.mean(sendto)) if is_speed else None


def run_virtual(job: tuple[Network, int]) -> Run:
    """One run in virtual time."""
    network, seed = job
    link = ClassroomConfig(loss=network.loss, corruption=network.corruption, max_delay=round(network.delay * NS_PER_S))
    outcome = StreamerSimulation(network.numbers, link, seed=seed).run(VIRTUAL_DEADLINE)
    failures = []
    for instance, host in ((1, outcome.host1), (2, outcome.host2)):
        if host.closed_at is None:
            failures.append(f"host {instance} has not closed")
        if host.error is not None or host.note is not None:
            failures.append(f"host {instance} says {host.error or host.note}")
        if not host.is_right:
            failures.append(f"host {instance} did not read what it should")
    seconds = VIRTUAL_DEADLINE if outcome.both_closed_at is None else outcome.both_closed_at
    return Run(f"seed {seed}", outcome.eth_bytes, seconds / NS_PER_S, failures)


def folder_with(single: Path | None, scratch: Path) -> Folder:
    """The drop-in folder, or one in `scratch` with another streamer.py, which gets no package."""
    own = ROOT / "streamer"
    if single is None:
        return Folder(own, ROOT / "src")
    shutil.copy(single, scratch / "streamer.py")
    for name in ("lossy_socket.py", "test.py"):
        shutil.copy(own / name, scratch / name)
    return Folder(scratch, None)


class Result(NamedTuple):
    """All of one condition."""

    summary: Summary
    runs: list[Run]
    speed: Speed | None

    def text(self) -> str:
        """What the table shows of it."""
        lines = [self.summary.line(CONDITIONS[self.summary.condition].is_for_each)]
        if self.speed is not None:
            lines.append(self.speed.lines())
        lines += [f"   FAILED {run.name}: {'; '.join(run.failures)}" for run in self.runs if run.failures]
        return "\n".join(lines)

    def as_object(self) -> dict[str, object]:
        """The same and every run, for JSON."""
        return {
            "summary": self.summary._asdict(),
            "speed": self.speed and self.speed._asdict(),
            "runs": [run._asdict() for run in self.runs],
        }


def measure(name: str, folder: Folder | None, options: argparse.Namespace) -> Result:
    """Run one condition, in virtual time if there is no folder."""
    condition = CONDITIONS[name]
    network = dataclasses.replace(condition.network, numbers=options.numbers or condition.network.numbers)
    if folder is None:
        with ProcessPoolExecutor(options.jobs) as pool:
            jobs = [(network, seed) for seed in range(1, options.runs + 1)]
            runs, reached = list(pool.map(run_virtual, jobs, chunksize=4)), None
    else:
        runs, reached = run_real(folder, name, network, options)
    return Result(summarize(name, condition, runs, is_judged=options.numbers is None), runs, reached)


def measure_all(names: Sequence[str], is_virtual: bool, options: argparse.Namespace) -> int:
    """Run, print, and return the exit status."""
    began = time.monotonic()
    results: list[Result] = []
    if not options.json:
        print(HEADER)
    with tempfile.TemporaryDirectory() as scratch:
        folder = None if is_virtual else folder_with(options.single, Path(scratch))
        for name in names:
            results.append(measure(name, folder, options))
            if not options.json:
                print(results[-1].text(), flush=True)
    if options.json:
        print(json.dumps([result.as_object() for result in results], indent=2))
    failed = sum(result.summary.failed for result in results)
    if not options.json:
        print(f"{sum(len(result.runs) for result in results)} runs, {failed} failed, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


def positive(text: str) -> int:
    """A whole number above 0."""
    if (value := int(text)) <= 0:
        raise ValueError
    return value


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "cases", nargs="*", metavar="simulated | S1 ... S7", help="all conditions, unless some are named"
    )
    parser.add_argument("--pairs", type=positive, default=10, help="runs of each condition (default: %(default)s)")
    parser.add_argument("--runs", type=positive, default=200, help="simulated runs of each (default: %(default)s)")
    parser.add_argument("--jobs", type=positive, default=1, help="runs at a time, except of S7 (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=100, help="seconds for a host (default: %(default)s)")
    parser.add_argument("--single", type=Path, metavar="FILE", help="a streamer.py that needs no package")
    parser.add_argument("--numbers", type=positive, help="in place of a condition's; nothing is judged then")
    parser.add_argument("--json", action="store_true", help="print all runs as JSON instead of the table")
    options = parser.parse_args()
    is_virtual = options.cases[:1] == ["simulated"]
    names = options.cases[1:] if is_virtual else options.cases
    if unknown := [name for name in names if name not in CONDITIONS]:
        parser.error(f"there is no condition {unknown[0]}")
    if not names:
        names = ["S4", "S6"] if is_virtual else list(CONDITIONS)
    return measure_all(names, is_virtual, options)


if __name__ == "__main__":
    sys.exit(main())
