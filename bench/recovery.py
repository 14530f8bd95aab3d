"""Recovery and rate control in virtual time: bytes sent for each byte, and speed against the bound.

    python bench/recovery.py [--seeds 20] [--megabytes 10] [--jobs 2]

Link: 20 Mbit/s, 20 ms round trip, a queue of one bandwidth-delay product (50 kB), random loss after it,
the same both ways. `total/unique` is of data bytes, as the sender's summary counts them; its bound is
1/(1-p). `of C(1-p)` is the file's bytes over the sender's duration (ACK of the SYN to ACK of the FIN)
against the link's rate times (1-p), counting the link's rate in IP bytes and the file's in payload bytes,
so that headers (119 of 1,052 bytes a packet) count against us: 88.7% is the most that can be had.
`spurious` are segments resent although the first copy arrived, of all segments sent.
The last row has no bottleneck, no loss, and 100 +- 50 ms of delay each way.
Medians over the seeds, then quartiles of total/unique.
"""

from __future__ import annotations

import argparse
import random
from concurrent.futures import ProcessPoolExecutor
from statistics import median, quantiles
from typing import NamedTuple

from surewire.core.units import NS_PER_MS
from surewire.impair import LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from surewire.wire.segment import PacketType

RATE = 20_000_000
CASES = {
    "no loss": LinkConfig(rate=RATE, delay=10 * NS_PER_MS, queue=50_000),
    "1% loss": LinkConfig(rate=RATE, delay=10 * NS_PER_MS, queue=50_000, loss=0.01),
    "10% loss": LinkConfig(rate=RATE, delay=10 * NS_PER_MS, queue=50_000, loss=0.10),
    "30% loss": LinkConfig(rate=RATE, delay=10 * NS_PER_MS, queue=50_000, loss=0.30),
    "jitter": LinkConfig(delay=100 * NS_PER_MS, jitter=50 * NS_PER_MS),
}


class Row(NamedTuple):
    """What one transfer showed."""

    is_identical: bool
    ratio: float
    share: float
    spurious: float
    queue_dropped: float


def transfer(case: str, seed: int, nbytes: int) -> Row:
    """Run one transfer."""
    link = CASES[case]
    run = RdpSimulation(random.Random(seed).randbytes(nbytes), link, seed=seed).run()
    log, outbound = run.sender.packets, run.sender.outbound
    seconds = run.sender.duration / 1e9
    bound = (link.rate or 0) / 8 * (1 - link.loss)
    packets = log.count("sS", PacketType.DAT)
    return Row(
        run.is_success,
        (log.data_bytes["s"] + log.data_bytes["S"]) / log.data_bytes["s"],
        nbytes / seconds / bound if bound else 0.0,
        outbound.stats.spurious_segments / packets,
        run.forward.stats.queue_dropped / packets,
    )


def main() -> None:
    """Run all cases and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--megabytes", type=float, default=10.0)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    nbytes = int(args.megabytes * 1_000_000)
    print("case       identical  total/unique  (quartiles)      bound   x(1-p)  of C(1-p)  spurious  queue drops")
    with ProcessPoolExecutor(args.jobs) as pool:
        for case, link in CASES.items():
            rows = list(pool.map(transfer, *zip(*((case, seed, nbytes) for seed in range(args.seeds)), strict=True)))
            ratios = [row.ratio for row in rows]
            low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
            print(
                f"{case:<10} {sum(row.is_identical for row in rows):>4}/{len(rows):<4} {median(ratios):>13.4f}"
                f"  ({low:.4f}-{high:.4f}) {1 / (1 - link.loss):>7.4f} {median(ratios) * (1 - link.loss):>8.4f}"
                f" {median(row.share for row in rows):>10.1%} {median(row.spurious for row in rows):>9.2%}"
                f" {median(row.queue_dropped for row in rows):>12.2%}"
            )


if __name__ == "__main__":
    main()
