"""Draw a short transfer as a ladder: what each side sent and received, in the order of time.

    PYTHONPATH=src python3 examples/packet_ladder.py [SEED]

The letters are those of the packet log: s sent, S sent again, r received, R received again. An arrow that ends in `x`
never arrived. Pairs are found by type, numbers and order, so of two equal packets the earlier may be shown as the lost one.
"""

from __future__ import annotations

import random
import sys
from typing import NamedTuple

from surewire.apps.rdp_simulation import RdpSimulation
from surewire.core.units import NS_PER_MS
from surewire.impair import LinkConfig

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
            for event, kind, number, size, _ in side.take_records():
                steps.append(Step(now - start, is_sender, event, (kind.value, number, size)))
        now += STEP
    return steps


def ladder(steps: list[Step]) -> list[str]:
    """One line for each step."""
    arrived: dict[tuple[bool, tuple[str, int, int]], int] = {}
    for step in steps:
        if step.event in "rR":
            key = (not step.is_sender, step.packet)
            arrived[key] = arrived.get(key, 0) + 1
    lines = [f"{'ms':>7}  {'sender':<32}{'':20}receiver"]
    for step in steps:
        text = f"{step.event} {step.packet[0]} {step.packet[1]} {step.packet[2]}"
        arrow = "-" * 18 + (">" if step.is_sender else "<")
        if step.event in "sS":
            key = (step.is_sender, step.packet)
            arrived[key] = arrived.get(key, 0) - 1
            if arrived[key] < 0:
                arrow = "-" * 8 + "x"
        else:
            arrow = ""
        left, right = (text, "") if step.is_sender else ("", text)
        if not step.is_sender:
            arrow = f"{arrow[::-1]:>19}"
        lines.append(f"{step.at / NS_PER_MS:7.2f}  {left:<32}{arrow:<20}{right}".rstrip())
    return lines


def main(seed: int) -> int:
    path = LinkConfig(loss=0.2, delay=20 * NS_PER_MS, jitter=2 * NS_PER_MS)
    transfer = RdpSimulation(random.Random(seed).randbytes(6_000), path, seed=seed)
    print("\n".join(ladder(record(transfer))))
    print(f"identical: {transfer.is_identical}")
    return 0 if transfer.is_success else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
