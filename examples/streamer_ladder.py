"""Draw a run of the assignment's tester between two Streamers as a ladder: every packet, in the order of sending.

    PYTHONPATH=src python3 examples/streamer_ladder.py [SEED [LOSS CORRUPTION DELAY [NUMBERS]]]

LOSS and CORRUPTION are rates, DELAY is in seconds, as in the tester; all are 0 unless given, and NUMBERS is 1000. The
run takes place in virtual time, with the rules of the class-room socket, and is the same each time for a seed.
STREAMER_MODE, STREAMER_ACKS and STREAMER_NAGLE in the environment change the protocol, as they do for Streamer:

    STREAMER_MODE=go-back-n PYTHONPATH=src python3 examples/streamer_ladder.py 12 0.1 0.1 0.1

`sent` is when the packet was given to sendto, `arrives` when the other host gets it, in milliseconds. An arrow that
ends in `x` is a packet that is lost, one with a `?` a packet that arrives damaged. `[0, 1456)` are the places in the
stream that the data have, `#0` is the packet's number, and behind `acks` stand the numbers that are acknowledged.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import ETHERNET_OVERHEAD, SEND_TIME, ClassroomConfig, ClassroomLink, Delivery
from surewire.lab.simulated.streamer_simulation import StreamerOutcome, StreamerSimulation
from surewire.streamer.config import StreamerConfig
from surewire.wire import compact

LIMIT = 600 * NS_PER_S


class Step(NamedTuple):
    """One packet on its way; times are ns on the network's clock."""

    host: int  # 1 or 2: who sent it
    sent_at: int
    arrives_at: int | None
    is_damaged: bool
    packet: compact.Packet
    size: int  # bytes on an Ethernet


class Tap:
    """Reads along between a host and its link. What it decodes is what was sent, before the link damages it."""

    def __init__(self, host: int, link: ClassroomLink, steps: list[Step]) -> None:
        self.other: Tap = self  # the tap of the way back
        self._host = host
        self._link = link
        self._steps = steps
        self.nonce = 0
        self.next = compact.Expected()  # the next number and offset of this host, and the next number of the other

    def transmit(self, datagram: bytes, *, now: int) -> list[Delivery]:
        """Let a datagram through, as the link does, and note what became of it."""
        packet = self._decode(datagram)
        deliveries = self._link.transmit(datagram, now=now)
        at, delivered = deliveries[0] if deliveries else (None, datagram)
        is_damaged = delivered != datagram
        self._steps.append(Step(self._host, now - SEND_TIME, at, is_damaged, packet, len(datagram) + ETHERNET_OVERHEAD))
        return deliveries

    def _decode(self, datagram: bytes) -> compact.Packet:
        self.nonce = self.nonce or compact.peek_nonce(datagram) or 0
        expected = self.next._replace(ack=self.other.next.number)
        packet = compact.parse(datagram, sender_nonce=self.nonce, receiver_nonce=self.other.nonce, expected=expected)
        if packet.number is not None:
            stop = (packet.offset or 0) + len(packet.payload)
            self.next = compact.Expected(packet.number + 1, max(stop, self.next.offset))
        return packet


def record(simulation: StreamerSimulation) -> tuple[list[Step], StreamerOutcome]:
    """Run the simulation and note every packet."""
    steps: list[Step] = []
    taps = [Tap(host, link, steps) for host, link in enumerate(simulation.links, 1)]
    for tap, source, other, destination in zip(taps, simulation.hosts, taps[::-1], simulation.hosts[::-1], strict=True):
        tap.other = other
        simulation.network.connect(source, destination, tap)
    outcome = simulation.run(LIMIT)
    return sorted(steps, key=lambda step: step.sent_at), outcome


def words(packet: compact.Packet) -> str:
    """What a packet says, in one line."""
    parts = [] if packet.number is None else [f"#{packet.number}"]
    if packet.nonce is not None:
        parts.append("SYN")
    if packet.offset is not None and (packet.payload or not packet.fin):
        parts.append(f"data [{packet.offset}, {packet.offset + len(packet.payload)})")
    elif packet.offset is None and packet.number is not None:
        parts.append("ping")
    if packet.fin:
        parts.append("FIN")
    if packet.full:
        parts.append("FULL")
    if packet.ack is not None:
        ranges = [str(start) if stop == start + 1 else f"{start}-{stop - 1}" for start, stop in packet.ack.ranges()]
        parts.append("acks " + ",".join(reversed(ranges)))
    return " ".join(parts)


def ladder(steps: list[Step], *, start: int) -> list[str]:
    """One line for each packet; times count from `start`."""
    width = max(len(words(step.packet)) for step in steps)
    lines = [f"{'sent':>7}{'arrives':>9}  {'host 1':<{width}}{'':12}{'host 2':<{width}}{'bytes':>6}"]
    for step in steps:
        arrow = "---x" if step.arrives_at is None else "-----?--->" if step.is_damaged else "--------->"
        left, right = f"{words(step.packet):<{width}} {arrow:<10}", " " * width
        if step.host == 2:
            left, right = f"{'':<{width}} {arrow[::-1].replace('>', '<'):>10}", f"{words(step.packet):<{width}}"
        arrives = "" if step.arrives_at is None else f"{(step.arrives_at - start) / NS_PER_MS:.0f}"
        lines.append(f"{(step.sent_at - start) / NS_PER_MS:7.0f}{arrives:>9}  {left} {right}{step.size:>6}")
    return lines


def main(arguments: list[str]) -> int:
    seed = int(arguments[0]) if arguments else 1
    loss, corruption, delay_s = map(float, arguments[1:4] or (0, 0, 0))
    network = ClassroomConfig(loss=loss, corruption=corruption, max_delay=int(delay_s * NS_PER_S))
    numbers = int(arguments[4]) if len(arguments) > 4 else 1000
    config = StreamerConfig.from_environment(os.environ)
    simulation = StreamerSimulation(numbers, network, seed=seed, host1=config, host2=config)
    start = simulation.network.now
    steps, outcome = record(simulation)
    print("\n".join(ladder(steps, start=start)))
    end_s = (outcome.both_closed_at or 0) / NS_PER_S
    print(f"{len(steps)} packets, {outcome.eth_bytes} bytes on the Ethernet; both are closed after {end_s:.2f} s")
    return 0 if outcome.is_success else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
