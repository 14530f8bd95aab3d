"""Runs of flows that share one bottleneck, in virtual time, and what is measured in them.

Each function is one run: it takes the seed of everything random and `scale`, by which all times and amounts are
multiplied (below 1 the figures mean little), and returns figures by name. Percentages are of 100, waits in ms.

Where the path itself does nothing at random, the seed changes what a repetition in a real network would: the flows
begin up to a second later, the way of a flow that is alone is up to 0.5 ms longer each way, a change comes up to two
seconds later.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Any

from surewire.core.congestion import Congestion
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import LinkConfig
from surewire.impair.config import Change
from surewire.lab.simulated.shared_link import Native, SharedLink, Tcp

FULL, PAYLOAD = 1500, 1440  # bytes of a full datagram on the link, and what of it is counted as payload
DEFAULT = Congestion()
_LEAST_QUEUE = 2 * FULL
_LONGER = NS_PER_MS // 2
_SUSTAINED = 10  # round trips
_ENOUGH = 0.85  # of the new rate

Figures = dict[str, float]


def path(mbit: float, rtt_ms: float, *, bdp: float = 1.0, **both: Any) -> tuple[LinkConfig, LinkConfig]:
    """The two links of a path: so many Mbit/s and ms, a queue of `bdp` times their product; the rest both ways."""
    rate = int(mbit * 1e6)
    queue = max(int(bdp * rate / 8 * rtt_ms / 1000), _LEAST_QUEUE)
    there = LinkConfig(rate=rate, delay=int(rtt_ms * NS_PER_MS / 2), queue=queue, **both)
    return there, replace(there, queue=max(queue, 1 << 18), policer=None)


def bound(mbit: float, loss: float = 0.0) -> float:
    """C(1 - p) in bytes of payload a second."""
    return mbit * 1e6 / 8 * (1 - loss) * PAYLOAD / FULL


def jain(rates: Sequence[float]) -> float:
    """Jain's index: 1 when all get the same, 1/n when one of n gets everything."""
    return sum(rates) ** 2 / (len(rates) * sum(rate * rate for rate in rates)) if any(rates) else 0.0


class _Clock:
    """Seconds as a case states them, to seconds and ns of a run of another scale."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def s(self, seconds: float) -> float:
        return seconds * self.scale

    def ns(self, seconds: float) -> int:
        return int(seconds * self.scale * NS_PER_S)

    def sample(self, ms: float) -> int:
        return max(int(ms * NS_PER_MS * self.scale), NS_PER_MS)


def _shared(
    links: tuple[LinkConfig, LinkConfig], flows: Sequence[Native | Tcp], seed: int, clock: _Clock, ms: float = 100
) -> SharedLink:
    return SharedLink(*links, flows, seed=seed, sample_every=clock.sample(ms))


def _a_little_longer(seed: int) -> int:
    return int(random.Random(seed).random() * _LONGER)


def amount(
    seed: int, scale: float, *, mbit: float, rtt_ms: float, megabytes: float, loss: float = 0.0,
    congestion: Congestion = DEFAULT, forward: dict[str, Any] | None = None, **both: Any,
) -> Figures:  # fmt: skip
    """One flow, from the end of its first second, or ten round trips, until so much has arrived.

    `forward` is for that link alone.
    `loss` is of both links if they do not say otherwise (`bursts`), and always that of the bound.
    """
    clock = _Clock(scale)
    if "bursts" not in both:
        both["loss"] = loss
    there, back = path(mbit, rtt_ms, **both)
    flow = Native(congestion=congestion, extra_delay=_a_little_longer(seed))
    shared = _shared((replace(there, **forward or {}), back), [flow], seed, clock, 10)
    nbytes, first = megabytes * 1e6 * scale, clock.s(max(1, rtt_ms / 100))
    limit = first + 60 * nbytes / bound(mbit, loss)
    while shared.samples[-1].delivered[0] < nbytes and shared.samples[-1].at < limit * NS_PER_S:
        shared.run(clock.s(0.25))
    end = next((sample.at for sample in shared.samples if sample.delivered[0] >= nbytes), shared.samples[-1].at)
    seconds = max(end / NS_PER_S, first + clock.s(0.1))
    stats = shared.stats(0)
    return {
        "of C(1-p)": 100 * shared.rates(first, seconds)[0] / bound(mbit, loss),
        "beginning": 100 * shared.rates(0, first)[0] / bound(mbit, loss),
        "spurious": 100 * stats.spurious / max(stats.datagrams_sent, 1),
        "drops": 100 * shared.drop_share(0, seconds),
        "mean wait": shared.mean_wait(first, seconds) / NS_PER_MS,
    }


def alone(
    seed: int, scale: float, *, links: tuple[LinkConfig, LinkConfig], mbit: float, skip: float, seconds: float,
    loss: float = 0.0, congestion: Congestion = DEFAULT,
) -> Figures:  # fmt: skip
    """One flow without end: its rate after `skip` seconds, and drops from the beginning."""
    clock = _Clock(scale)
    flow = Native(congestion=congestion, extra_delay=_a_little_longer(seed))
    shared = _shared(links, [flow], seed, clock)
    stop = clock.s(skip + seconds)
    shared.run(stop + clock.s(0.2))
    skipped = clock.s(skip)
    return {
        "of C(1-p)": 100 * shared.rates(skipped, stop)[0] / bound(mbit, loss),
        "drops": 100 * shared.drop_share(skipped, stop),
        "drops with start-up": 100 * shared.drop_share(0, stop),
        "mean wait": shared.mean_wait(skipped, stop) / NS_PER_MS,
        "worst wait": max(sample.worst_wait for sample in shared.between(skipped, stop)) / NS_PER_MS,
    }


def against(
    seed: int, scale: float, *, links: tuple[LinkConfig, LinkConfig], mbit: float, other: Native | Tcp, skip: float,
    seconds: float,
) -> Figures:  # fmt: skip
    """One of ours against another, from `skip` seconds after both run; for even seeds ours comes first."""
    clock = _Clock(scale)
    later = clock.ns(random.Random(seed).random())
    ours, theirs = (0, later) if seed % 2 == 0 else (later, 0)
    shared = _shared(links, [Native(start=ours), replace(other, start=theirs)], seed, clock)
    start = later / NS_PER_S + clock.s(skip)
    stop = start + clock.s(seconds)
    shared.run(stop + clock.s(0.2))
    rates = shared.rates(start, stop)
    return {
        "ours": 100 * rates[0] / bound(mbit),
        "the other": 100 * rates[1] / bound(mbit),
        "Jain": jain(rates),
        "drops": 100 * shared.drop_share(start, stop),
        "mean wait": shared.mean_wait(start, stop) / NS_PER_MS,
    }


def together(
    seed: int, scale: float, *, links: tuple[LinkConfig, LinkConfig], mbit: float, starts: Sequence[float],
    loss: float = 0.0, extra_ms: Sequence[float] = (), skip: float = 20, seconds: float = 30,
) -> Figures:  # fmt: skip
    """Flows of ours that begin at `starts` s, and up to half a second later, judged from `skip` s after the last."""
    clock, rng = _Clock(scale), random.Random(seed)
    extras = [int(ms * NS_PER_MS / 2) for ms in extra_ms] or [0] * len(starts)
    begins = [clock.ns(start + rng.random() / 2) for start in starts]
    flows = [Native(start=at, extra_delay=extra) for at, extra in zip(begins, extras, strict=True)]
    shared = _shared(links, flows, seed, clock)
    start = max(begins) / NS_PER_S + clock.s(skip)
    stop = start + clock.s(seconds)
    shared.run(stop + clock.s(0.2))
    rates = shared.rates(start, stop)
    return {
        "Jain": jain(rates),
        "drops": 100 * shared.drop_share(start, stop),
        "drops with start-up": 100 * shared.drop_share(0, stop),
        "total": 100 * sum(rates) / bound(mbit, loss),
        "least share": 100 * min(rates) * len(rates) / bound(mbit, loss),
        "mean wait": shared.mean_wait(start, stop) / NS_PER_MS,
    }


def change(
    seed: int, scale: float, *, mbit: float, rtt_ms: float, to: tuple[Change, Change] | None, outage: float = 0.0,
    apart: float = 8.0, after: float = 8.0,
) -> Figures:  # fmt: skip
    """One flow on a path that changes and changes back, or that is gone for a while.

    `first` and `second` are the round trips (as they are after the change) until the end of the first two in which
    at least 85% of the new rate arrived, and in the ten after which, too. `queue after the first` (second) are those
    from which on nothing waits in the queue for a round trip or longer, until the next change; `dropped at the first`
    (second) is by the queue until then, in products of rate and round trip, the largest there is.
    """
    clock = _Clock(scale)
    first = clock.s(8 + 2 * random.Random(seed).random())
    second = first + clock.s(outage or apart)
    there, back = path(mbit, rtt_ms)
    at = [int(first * NS_PER_S), int(second * NS_PER_S)]
    if to is None:
        there, back = (replace(link, blackouts=((at[0], at[1]),)) for link in (there, back))
        steps = [(second, mbit, rtt_ms)]
    else:
        changes = tuple(replace(change, at=when) for change, when in zip(to, at, strict=True))
        there, back = (replace(link, changes=changes) for link in (there, back))
        steps = [_step(change, mbit, rtt_ms, when) for change, when in zip(to, (first, second), strict=True)]
    shared = _shared((there, back), [Native()], seed, clock, 10)
    shared.run(second + clock.s(after))
    product = max(rate * rtt for _, rate, rtt in [(0, mbit, rtt_ms), *steps]) * 1e6 / 8 / 1000
    figures = {}
    untils = [*(when for when, _, _ in steps[1:]), second + clock.s(after - 0.1)]
    for name, (when, rate, rtt), until in zip(("first", "second"), steps, untils, strict=False):
        before, *_, last = shared.between(when, until)
        figures[name] = _regained(shared, when, rate, rtt, until=until)
        figures[f"queue after the {name}"] = _drained(shared, when, rtt, until=until)
        figures[f"dropped at the {name}"] = (last.dropped - before.dropped) * FULL / product
    return figures


def _step(change: Change, mbit: float, rtt_ms: float, when: float) -> tuple[float, float, float]:
    rate = mbit if change.rate is None else change.rate / 1e6
    rtt = rtt_ms if change.delay is None else 2 * change.delay / NS_PER_MS
    return when, rate, rtt


def _regained(shared: SharedLink, when: float, mbit: float, rtt_ms: float, *, until: float) -> float:
    rtt, wanted = rtt_ms / 1000, _ENOUGH * bound(mbit)
    start = when
    while start + 2 * rtt < until:
        span, longer = shared.between(start, start + 2 * rtt), min(start + (2 + _SUSTAINED) * rtt, until)
        if len(span) > 1 and shared.rates(start, start + 2 * rtt)[0] >= wanted <= shared.rates(start, longer)[0]:
            return (start + 2 * rtt - when) / rtt
        start += rtt / 4
    return inf


def _drained(shared: SharedLink, when: float, rtt_ms: float, *, until: float) -> float:
    span = shared.between(when, until)
    long = [sample.at for sample in span if sample.worst_wait > rtt_ms * NS_PER_MS]
    if not long:
        return 0.0
    return inf if long[-1] == span[-1].at else (long[-1] / NS_PER_S - when) * 1000 / rtt_ms


def background(
    seed: int, scale: float, *, links: tuple[LinkConfig, LinkConfig], mbit: float, comes: float, leaves: float
) -> Figures:
    """`background`, and a CUBIC flow that runs from `comes` to `leaves` s.

    `busy` is the share of `background` from 5 s after CUBIC came, or both run, until it leaves; `idle` that of the
    seconds before it came, from the third, or else of 5 s from 5 s after it left.
    """
    clock, rng = _Clock(scale), random.Random(seed)
    own = 2.0 if comes == 0 else 0.0
    flows: list[Native | Tcp] = [
        Native(congestion=Congestion("background"), start=clock.ns(own + rng.random() / 2)),
        Tcp(start=clock.ns(comes + rng.random() / 2), stop=clock.ns(leaves)),
    ]
    shared = _shared(links, flows, seed, clock)
    shared.run(clock.s(leaves + 10.2))

    def share(start: float, stop: float) -> float:
        return 100 * shared.rates(clock.s(start), clock.s(stop))[0] / bound(mbit)

    figures = {"busy": share(max(comes, own) + 5.5, leaves), "idle again": share(leaves + 5, leaves + 10)}
    if comes > 4:
        figures["idle before"] = share(3, comes)
    return figures


__all__ = [
    "FULL", "PAYLOAD", "Figures", "against", "alone", "amount", "background", "bound", "change", "jain", "path",
    "together",
]  # fmt: skip
