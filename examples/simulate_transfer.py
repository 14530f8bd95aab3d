"""Send 2 MB across a bad network in virtual time, and print what happened.

    PYTHONPATH=src python3 examples/simulate_transfer.py [SEED]

No socket is opened and nothing waits: a minute of the path passes in seconds. The same seed gives the same transfer,
packet for packet.
"""

from __future__ import annotations

import random
import sys

from surewire.core.units import NS_PER_MS
from surewire.impair import LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from surewire.rdp.records import sender_summary

SIZE = 2_000_000


def main(seed: int) -> int:
    path = LinkConfig(
        loss=0.1,
        duplicate=0.02,
        corrupt=0.01,
        delay=25 * NS_PER_MS,
        jitter=5 * NS_PER_MS,
        rate=20_000_000,  # bits a second
        queue=64 * 1024,
    )
    transfer = RdpSimulation(random.Random(seed).randbytes(SIZE), path, seed=seed).run()

    print(sender_summary(transfer.sender.packets, transfer.sender.duration), end="")
    log, rtt = transfer.sender.packets.data_bytes, transfer.sender.outbound.rtt
    print(f"total/unique: {(log['s'] + log['S']) / log['s']:.3f}, and 1/(1-p) is {1 / (1 - path.loss):.3f}")
    print(f"smoothed round trip: {rtt.smoothed_rtt / NS_PER_MS:.1f} ms")
    for name, link in (("to the receiver", transfer.forward), ("to the sender", transfer.backward)):
        stats = link.stats
        print(f"{name}: {stats.offered} datagrams, {stats.lost} lost, {stats.queue_dropped} dropped by the full queue")
    print(f"identical: {transfer.is_identical}")
    return 0 if transfer.is_success else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
