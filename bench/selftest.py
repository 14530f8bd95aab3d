"""The assignment's self-test in full: 16 combinations of impairments, many seeds, 1 MiB each, in the simulator.

    python bench/selftest.py --seeds 25

Loss, duplication, reordering and corruption are each off or at 10% in both directions; the path has 20 Mbit/s
and a 40 ms round trip. A transfer counts as passed when both sides ended without error, the file is identical,
no packet was longer than 1,024 bytes, and every counter of both summaries equals the number of its records.
Prints a table and the seeds that failed; ends with status 1 if any did. Needs `src` on the path or the
package installed.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from surewire.rdp.records import PacketLog, PacketRecord
from surewire.wire.segment import PacketType
from surewire.wire.text import MAX_PACKET

IMPAIRMENTS = ("loss", "duplicate", "reorder", "corrupt")
COMBINATIONS = [names for count in range(5) for names in itertools.combinations(IMPAIRMENTS, count)]


class Job(NamedTuple):
    """One transfer to run."""

    combination: tuple[str, ...]
    probability: float
    seed: int
    size: int


class Result(NamedTuple):
    """What became of it."""

    combination: tuple[str, ...]
    seed: int
    failure: str | None
    seconds: float  # of virtual time, from the ACK of the SYN to the ACK of the FIN
    bytes_ratio: float  # total / unique data bytes sent


def run(job: Job) -> Result:
    """Run one transfer and judge it."""
    link = LinkConfig(
        delay=20 * NS_PER_MS,
        rate=20_000_000,
        **dict.fromkeys(job.combination, job.probability),  # type: ignore[arg-type]
    )
    data = random.Random(job.seed).randbytes(job.size)
    simulation = RdpSimulation(data, link, seed=job.seed).run()
    sent = simulation.sender.packets.data_bytes
    return Result(
        job.combination,
        job.seed,
        _failure(simulation),
        simulation.sender.duration / NS_PER_S,
        (sent["s"] + sent["S"]) / max(sent["s"], 1),
    )


def _failure(simulation: RdpSimulation) -> str | None:
    """Why a transfer did not pass, or None."""
    for name, outcome in (("sender", simulation.sender_outcome), ("receiver", simulation.receiver_outcome)):
        if not outcome.closed or outcome.error is not None:
            return f"{name}: {outcome.error or 'never ended'}"
    if not simulation.is_identical:
        return "the file differs"
    if max(simulation.sender_host.max_datagram, simulation.receiver_host.max_datagram) > MAX_PACKET:
        return f"a packet of more than {MAX_PACKET} bytes"
    for session in (simulation.sender, simulation.receiver):
        if not _counters_agree(session.packets, session.take_records()):
            return "counters differ from the records"
    if simulation.sender.packets.data_bytes["s"] != len(simulation.data):
        return "unique bytes differ from the file's size"
    return None


def _counters_agree(log: PacketLog, records: list[PacketRecord]) -> bool:
    packets = Counter((event, kind) for event, kind, *_ in records)
    data = Counter[str]()
    for event, kind, _, size, *_ in records:
        if kind is PacketType.DAT:
            data[event] += size
    return packets == Counter(log.packets) and data == Counter(log.data_bytes)


def table(results: list[Result]) -> str:
    """One line a combination."""
    lines = [f"{'impairments':36} {'passed':>11} {'median s':>9} {'longest s':>9} {'bytes sent':>10} {'most':>7}"]
    for combination in COMBINATIONS:
        rows = [result for result in results if result.combination == combination]
        passed = sum(row.failure is None for row in rows)
        seconds = [row.seconds for row in rows]
        ratios = [row.bytes_ratio for row in rows]
        lines.append(
            f"{' + '.join(combination) or 'none':36} {f'{passed} / {len(rows)}':>11} {statistics.median(seconds):9.3f}"
            f" {max(seconds):9.3f} {statistics.median(ratios):10.3f} {max(ratios):7.3f}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=25, help="seeds for each combination (default: %(default)s)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default: %(default)s)")
    parser.add_argument("--size", type=int, default=1 << 20, help="bytes of each file (default: %(default)s)")
    parser.add_argument("--percent", type=float, default=10, help="of each impairment (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=None, help="processes (default: one for each core)")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    jobs = [Job(names, options.percent / 100, seed, options.size) for seed in seeds for names in COMBINATIONS]
    began = time.monotonic()
    with ProcessPoolExecutor(options.jobs) as pool:
        results = list(pool.map(run, jobs, chunksize=8))
    print(table(results))
    failed = [result for result in results if result.failure is not None]
    for result in failed:
        print(f"FAILED seed {result.seed}, {' + '.join(result.combination) or 'none'}: {result.failure}")
    took = time.monotonic() - began
    print(f"{len(results)} transfers of {options.size} bytes, {len(failed)} failed, in {took:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
