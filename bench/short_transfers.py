"""Short transfers over a path that does everything to datagrams, in virtual time: seconds, bytes, where the time goes.

    python bench/short_transfers.py [--seeds 30] [--first 1] [--bytes 1000000] [--scenario mixed-1mb] [--queue BYTES]
                                    [--slow 5] [--sealed] [--no-sums]

The path is a scenario's, `mixed-1mb` as a rule: 20 Mbit/s, 20 ms there and back, 10% lost, 5% doubled, 5% out of order
and 2% damaged, each way. A transfer's time is the client's, from before its first datagram until it knows that the
server has everything; so it holds the handshake and the end. The bound is a round trip and the payload at the rate that
full datagrams leave for it, lost and damaged ones deducted: RTT + size / (C (1-p) x 1440/1500), where
p = 1 - (1 - lost)(1 - damaged). `bytes` are those put on the link towards the server, IP and UDP headers included, for
each byte of the file.

The time is divided by what the client can see: *opening* until the connection is established, *bulk* until all bytes
have been sent and nothing is known to be lost, *repairs* until all are acknowledged, *end* until both sides know that
the other one has ended.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import replace
from statistics import median, quantiles
from typing import NamedTuple

from surewire.impair.scenario import Scenario
from surewire.lab.scenario_files import load_scenario
from surewire.lab.simulated.native_simulation import ETHERNET, NativeSimulation
from surewire.native.config import NativeConfig

HEADERS = 28  # of IPv4 and UDP
PAYLOAD_SHARE = 1440 / 1500  # of a full datagram on Ethernet
STAGES = ("opening", "bulk", "repairs", "end")


class Row(NamedTuple):
    """What one transfer showed; times in seconds."""

    seed: int
    is_success: bool
    seconds: float
    ratio: float  # bytes on the link for each byte of the file
    stages: tuple[float, ...]  # as `STAGES`
    dropped: int  # datagrams that found the queue full
    spurious: int


class Stopwatch:
    """Looks at a client after each event, and notes when it passed from one stage to the next."""

    def __init__(self, run: NativeSimulation) -> None:
        self._run = run
        self._began = run.network.now
        self.times: list[int] = []

    def look(self) -> bool:
        """Note what has been reached; True when the transfer is over."""
        run = self._run
        while len(self.times) < len(STAGES) and self._is_reached(len(self.times)):
            self.times.append(run.network.now - self._began)
        return run.is_over

    def _is_reached(self, stage: int) -> bool:
        run, client = self._run, self._run.client
        if stage == 0:
            return client.is_established
        if stage == 1:
            return client.stats().is_app_limited or client.is_confirmed
        return (stage == 2 and client.acknowledged >= len(run.data)) or client.is_confirmed

    def stages(self) -> tuple[float, ...]:
        """Seconds spent in each stage."""
        return tuple((stop - start) / 1e9 for start, stop in zip([0, *self.times], self.times, strict=False))


def transfer(scenario: Scenario, nbytes: int, seed: int, config: NativeConfig, *, sealed: bool) -> Row:
    """Run one transfer."""
    run = NativeSimulation(random.Random(seed).randbytes(nbytes), scenario, seed=seed, config=config, sealed=sealed)
    watch = Stopwatch(run)
    began = run.network.now
    run.network.run(until=began + 120 * 10**9, stop=watch.look)
    watch.look()
    confirmed_at = run.outcomes[0].confirmed_at
    seconds = float("inf") if confirmed_at is None else (confirmed_at - began) / 1e9
    link = run.forward.stats
    ratio = (link.offered_bytes + HEADERS * link.offered) / nbytes
    stats = run.client.stats()
    return Row(seed, run.is_success, seconds, ratio, watch.stages(), link.queue_dropped, stats.spurious)


def bound(scenario: Scenario, nbytes: int) -> float:
    """Seconds below which nobody gets: a round trip and the payload at the rate that arrives."""
    link = scenario.up
    arriving = (1 - link.loss) * (1 - link.corrupt) * PAYLOAD_SHARE
    return (link.delay + scenario.down.delay) / 1e9 + 8 * nbytes / ((link.rate or float("inf")) * arriving)


def show(rows: list[Row], least: float, slow: int) -> None:
    """Print the table of all rows, and the slowest of them."""
    seconds = sorted(row.seconds for row in rows)
    low, middle, high = quantiles(seconds, n=4)
    late = quantiles(seconds, n=20)[-1]
    print(f"complete {sum(row.is_success for row in rows)} of {len(rows)}; bound {least:.3f} s")
    print(
        f"seconds  quartiles {low:.3f} {middle:.3f} {high:.3f}, 95th percentile {late:.3f}, slowest {seconds[-1]:.3f}"
    )
    print(f"         median {middle / least:.2f} and 95th percentile {late / least:.2f} times the bound")
    ratios = sorted(row.ratio for row in rows)
    print(
        "bytes    quartiles " + " ".join(f"{each:.3f}" for each in quantiles(ratios, n=4)) + f", most {ratios[-1]:.3f}"
    )
    print(
        f"median   {median(row.dropped for row in rows):.0f} dropped by the queue, "
        f"{median(row.spurious for row in rows):.0f} resent for nothing"
    )
    by_stage = zip(STAGES, zip(*(row.stages for row in rows), strict=True), strict=True)
    for name, times in by_stage:
        print(f"{name:<8} median {median(times):.3f}, 95th percentile {quantiles(times, n=20)[-1]:.3f}")
    for row in sorted(rows, key=lambda row: -row.seconds)[:slow]:
        parts = ", ".join(f"{name} {time:.3f}" for name, time in zip(STAGES, row.stages, strict=False))
        print(f"seed {row.seed}: {row.seconds:.3f} s, {row.ratio:.3f} bytes, {row.dropped} dropped: {parts}")


def main() -> None:
    """Run all seeds and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--bytes", type=int, default=1_000_000)
    parser.add_argument("--scenario", default="mixed-1mb", help="a name, or a file")
    parser.add_argument("--queue", type=int, help="bytes that may wait for the bottleneck, instead of the scenario's")
    parser.add_argument("--slow", type=int, default=5, help="print so many of the slowest")
    parser.add_argument("--no-sums", action="store_true", help="the peer works out nothing: copies and repairs only")
    parser.add_argument("--sealed", action="store_true", help="as on a real path; takes three times as long")
    args = parser.parse_args()
    scenario = load_scenario(args.scenario)
    if args.queue is not None:
        up, down = (replace(link, queue=args.queue) for link in (scenario.up, scenario.down))
        scenario = replace(scenario, up=up, down=down)
    seeds = range(args.first, args.first + args.seeds)
    config = replace(ETHERNET, repair_window=0) if args.no_sums else ETHERNET
    rows = [transfer(scenario, args.bytes, seed, config, sealed=args.sealed) for seed in seeds]
    show(rows, bound(scenario, args.bytes), args.slow)


if __name__ == "__main__":
    main()
