"""A link of one's own: bursts of loss, an outage and a bottleneck, seen datagram by datagram.

    PYTHONPATH=src python3 examples/lossy_link.py [SEED]

`surewire.impair.Link` needs no network: give it a datagram and the time, it says when which bytes come out.
Each character below is one datagram: `.` arrived, `x` lost.
"""

from __future__ import annotations

import random
import sys

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import GilbertElliott, Link, LinkConfig

DATAGRAMS = 640
SIZE = 1000
INTERVAL = 2 * NS_PER_MS


def main(seed: int) -> int:
    config = LinkConfig(
        bursts=GilbertElliott.from_average(0.1, mean_burst=4),  # 10% in all, four in a row on average
        blackouts=((NS_PER_S // 2, NS_PER_S // 2 + 100 * NS_PER_MS),),
        delay=20 * NS_PER_MS,
        jitter=3 * NS_PER_MS,
        rate=5_000_000,
        queue=32 * 1024,
    )
    link = Link(config, random.Random(seed))
    strip, delays = "", []
    for number in range(DATAGRAMS):
        now = number * INTERVAL
        deliveries = link.transmit(bytes(SIZE), now=now)
        strip += "." if deliveries else "x"
        delays += [delivery.at - now for delivery in deliveries]

    for start in range(0, DATAGRAMS, 64):
        print(f"{start * INTERVAL // NS_PER_MS:5} ms  {strip[start : start + 64]}")
    stats = link.stats
    print(f"{stats.offered} offered, {stats.delivered} delivered, {stats.lost} lost, {stats.blacked_out} in the outage")
    print(f"delay {min(delays) / NS_PER_MS:.1f} to {max(delays) / NS_PER_MS:.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
