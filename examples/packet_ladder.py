"""Draw a short transfer as a ladder: what each side sent and received, in the order of time.

    PYTHONPATH=src python3 examples/packet_ladder.py [SEED]

The letters are those of the packet log: s sent, S sent again, r received, R received again. What an arrow that ends in
`x` carried never arrived (of equal packets, the latest sent before an arrival is taken for the one that did).
"""

from __future__ import annotations

import random
import sys
from typing import NamedTuple

from surewire.core.units import NS_PER_MS
from surewire.impair import LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation

STEP = NS_PER_MS // 4  # how exactly the ladder knows when a packet was sent or received


class Step(NamedTuple):
    at: int
    is_sender: bool
    event: str
    packet: tuple[str, int, int]  # type, number, length or window


def record(transfer: RdpSimulation) -> list[Step]:
    """Run the transfer in small steps and note what the logs of both sides gain in each."""
    steps: list[Step] = []
    now = start = transfer.network.now
    while not (transfer.sender_outcome.closed and transfer.receiver_outcome.closed):
        transfer.network.run(until=now)
        for is_sender, side in ((True, transfer.sender), (False, transfer.receiver)):
            for event, kind, number, size, *_ in side.take_records():
                steps.append(Step(now - start, is_sender, event, (kind.value, number, size)))
        now += STEP
    return steps


def delivered(steps: list[Step]) -> set[int]:
    """Indices of the steps whose packet arrived: an arrival goes to the latest equal packet sent before it."""
    under_way: dict[tuple[bool, tuple[str, int, int]], list[int]] = {}
    found = set()
    for index, step in enumerate(steps):
        if step.event in "sS":
            under_way.setdefault((step.is_sender, step.packet), []).append(index)
        elif copies := under_way.get((not step.is_sender, step.packet)):
            found.add(copies.pop())
    return found


def ladder(steps: list[Step]) -> list[str]:
    """One line for each step."""
    arrived = delivered(steps)
    lines = [f"{'ms':>7}  {'sender':<30}{'':21}receiver"]
    for index, step in enumerate(steps):
        text = f"{step.event} {step.packet[0]} {step.packet[1]} {step.packet[2]}"
        arrow = ""
        if step.event in "sS":
            arrow = "-" * 18 + ">" if index in arrived else "-" * 9 + "x"
        back = arrow[::-1].replace(">", "<")
        line = f"{text:<30}{arrow}" if step.is_sender else f"{'':30}{back:>19}  {text}"
        lines.append(f"{step.at / NS_PER_MS:7.2f}  {line}".rstrip())
    return lines


def main(seed: int) -> int:
    path = LinkConfig(loss=0.2, delay=20 * NS_PER_MS, jitter=2 * NS_PER_MS)
    transfer = RdpSimulation(random.Random(seed).randbytes(6_000), path, seed=seed)
    print("\n".join(ladder(record(transfer))))
    print(f"identical: {transfer.is_identical}")
    return 0 if transfer.is_success else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
