"""Cross traffic in virtual time against what theory says of Reno and CUBIC.

    python bench/cross_traffic.py [--scale 1.0] [--seeds 3] [--jobs 2]

`response`: a lone flow without a bottleneck, 100 ms round trip (or as stated). `even` loses every n-th segment, as
the formulas assume, `random` each with that probability. `window` is the goodput in segments a mean round trip, waits
for the second segment of an acknowledgment included. Mathis is sqrt(3/2p), as the flows count bytes; PFTK adds
timeouts of 0.2 s, and `of theory` goes by it; CUBIC's is RFC 9438's, without fast convergence, and `of theory` goes by
the larger of it and Mathis. Medians over the seeds.

`bottleneck`: 20 Mbit/s, 50 ms; `share` is of the rate in IP bytes, `theory` Reno's sawtooth. `together`: two flows at
a queue of one product; Jain's index is 1 when both get the same.

`--scale` multiplies how long the flows run; below 1 the figures mean little.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from typing import NamedTuple

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import Delivery, Link, LinkConfig
from surewire.sim import Flow, Network, OneWayLink
from surewire.sim.flow_segments import MSS
from surewire.sim.response import cubic_window, mathis_window, pftk_window, reno_utilisation

RATE, RTT_MS = 20_000_000, 50
PRODUCT = RATE // 8 * RTT_MS // 1000
FULL = 1500
SKIP = 15


class PeriodicLoss:
    """A link that loses every n-th datagram."""

    def __init__(self, link: OneWayLink, period: int) -> None:
        self._link = link
        self._period = period
        self._count = 0

    def transmit(self, datagram: bytes, *, now: int) -> list[Delivery]:
        """As the link, but for every n-th."""
        self._count += 1
        return [] if self._count % self._period == 0 else self._link.transmit(datagram, now=now)


class Response(NamedTuple):
    """A lone flow that loses `loss`."""

    algorithm: str
    loss: float
    is_even: bool
    rtt_ms: int
    seconds: int


class Row(NamedTuple):
    """What one run showed."""

    window: float
    rtt: float
    timeouts: int


RESPONSES = [
    Response("newreno", 0.0001, True, 100, 600),
    Response("newreno", 0.001, True, 100, 400),
    Response("newreno", 0.01, True, 100, 200),
    Response("newreno", 0.0001, False, 100, 600),
    Response("newreno", 0.001, False, 100, 400),
    Response("newreno", 0.01, False, 100, 400),
    Response("newreno", 0.05, False, 100, 400),
    Response("newreno", 0.1, False, 100, 400),
    Response("cubic", 0.0001, True, 100, 600),
    Response("cubic", 0.001, True, 400, 600),
    Response("cubic", 0.001, True, 100, 400),
    Response("cubic", 0.001, True, 10, 60),
    Response("cubic", 0.0001, False, 100, 600),
    Response("cubic", 0.001, False, 100, 400),
    Response("cubic", 0.01, False, 100, 400),
]


def respond(case: Response, seed: int, scale: float) -> Row:
    """Run one lone flow."""
    network = Network()
    delay = case.rtt_ms * NS_PER_MS // 2
    loss = 0.0 if case.is_even else case.loss
    forward: OneWayLink = Link(LinkConfig(delay=delay, loss=loss), random.Random(seed))
    if case.is_even:
        forward = PeriodicLoss(forward, round(1 / case.loss))
    backward = Link(LinkConfig(delay=delay), random.Random(seed))
    flow = Flow(network, forward, backward, algorithm=case.algorithm, number=0, start=0)
    skip = int(SKIP * scale * NS_PER_S)
    network.run(until=skip)
    stats, delivered = flow.stats, flow.delivered
    count, total = stats.round_trips, stats.round_trip_sum
    seconds = case.seconds * scale
    network.run(until=skip + int(seconds * NS_PER_S))
    rtt = (stats.round_trip_sum - total) / (stats.round_trips - count) / NS_PER_S
    return Row((flow.delivered - delivered) / seconds / MSS * rtt, rtt, stats.timeouts)


def response_lines(pool: ProcessPoolExecutor, seeds: int, scale: float) -> Iterator[str]:
    """The table of lone flows without a bottleneck."""
    yield "response          loss           rtt    window   Mathis     PFTK    CUBIC  of theory  timeouts"
    runs = [
        (case, [pool.submit(respond, case, s, scale) for s in range(1 if case.is_even else seeds)])
        for case in RESPONSES
    ]
    for case, futures in runs:
        rows = [future.result() for future in futures]
        window, rtt = median(row.window for row in rows), median(row.rtt for row in rows)
        mathis = mathis_window(case.loss)
        pftk = pftk_window(case.loss, rtt=rtt, timeout=0.2)
        cubic = cubic_window(case.loss, rtt=rtt)
        theory = max(cubic, mathis) if case.algorithm == "cubic" else pftk
        yield (
            f"{case.algorithm:<10} {case.loss:>10.2%} {'even' if case.is_even else 'random':<6} {case.rtt_ms:>4} ms"
            f" {window:>9.2f} {mathis:>8.2f} {pftk:>8.2f} {cubic:>8.2f} {window / theory:>9.2f}"
            f" {median(row.timeouts for row in rows):>9.0f}"
        )


def share_bottleneck(algorithms: tuple[str, ...], buffer: float, scale: float) -> list[float]:
    """Shares of the bottleneck of flows that start one second after the other."""
    network = Network()
    delay = RTT_MS * NS_PER_MS // 2
    forward = Link(LinkConfig(rate=RATE, delay=delay, queue=int(buffer * PRODUCT)), random.Random(1))
    backward = Link(LinkConfig(delay=delay), random.Random(2))
    flows = [
        Flow(network, forward, backward, algorithm=name, number=number, start=int(number * scale * NS_PER_S))
        for number, name in enumerate(algorithms)
    ]
    skip = int(2 * SKIP * scale * NS_PER_S)
    network.run(until=skip)
    before = [flow.delivered for flow in flows]
    seconds = 100 * scale
    network.run(until=skip + int(seconds * NS_PER_S))
    bound = RATE / 8 / FULL * MSS * seconds
    return [(flow.delivered - start) / bound for flow, start in zip(flows, before, strict=True)]


def bottleneck_lines(pool: ProcessPoolExecutor, scale: float) -> Iterator[str]:
    """The tables of flows at a bottleneck."""
    alone = [(name, buffer) for name in ("newreno", "cubic") for buffer in (0.1, 0.25, 0.5, 1.0)]
    pairs = [("newreno", "newreno"), ("cubic", "cubic"), ("newreno", "cubic")]
    one = [pool.submit(share_bottleneck, (name,), buffer, scale) for name, buffer in alone]
    two = [pool.submit(share_bottleneck, pair, 1.0, scale) for pair in pairs]
    yield "bottleneck   queue    share   theory"
    for (name, buffer), future in zip(alone, one, strict=True):
        theory = f"{reno_utilisation(buffer):>8.1%}" if name == "newreno" else ""
        yield f"{name:<10} {buffer:>7} {future.result()[0]:>8.1%} {theory}".rstrip()
    yield "together                shares            Jain's index"
    for pair, future in zip(pairs, two, strict=True):
        shares = future.result()
        index = sum(shares) ** 2 / len(shares) / sum(share**2 for share in shares)
        yield f"{' '.join(pair):<20} {' '.join(f'{share:>8.1%}' for share in shares)} {index:>12.3f}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    with ProcessPoolExecutor(args.jobs) as pool:
        for lines in (response_lines(pool, args.seeds, args.scale), bottleneck_lines(pool, args.scale)):
            for line in lines:
                print(line, flush=True)


if __name__ == "__main__":
    main()
