"""What a path does at its worst, reckoned from its figures, with every doubt against it."""

from __future__ import annotations

from dataclasses import dataclass

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import LinkConfig
from surewire.lab.proof.fuzz_case import FuzzPath

MAX_LOSS = 0.35
"""Share lost in one direction beyond which nothing is expected."""

_SPARE_BYTES = 2 * 1472  # that stand in a queue behind each other, whatever it holds


@dataclass(frozen=True, kw_only=True)
class PathFigures:
    """What a path does at its worst.

    Attributes:
        answered: probability that a packet arrives and its answer too.
        run: packets in a row that one misfortune takes, on average.
        spaced_run: the same of packets that are sent one by one, to which a full queue does nothing in a row.
        rtt: longest round trip, ns, queues included.
        dark: longest silence at a time, ns, and all of them together if they follow each other.
    """

    answered: float
    run: float
    spaced_run: float
    rtt: int
    dark: int

    def fails(self, tries: float) -> float:
        """Probability that none of so many tries is answered."""
        return float((1 - self.answered) ** max(int(tries / self.run), 0))


def path_figures(path: FuzzPath, *, largest: int, nbytes: int) -> PathFigures | None:
    """The worst of a path for datagrams of up to `largest` bytes, `nbytes` in all; None when it is hopeless."""
    if path.classroom is not None:
        room = path.classroom
        lost = 1 - (1 - room.loss) * (1 - room.corruption)
        if lost > MAX_LOSS:
            return None
        return PathFigures(
            answered=(1 - lost) ** 2, run=1, spaced_run=1, rtt=2 * room.max_delay + 20 * NS_PER_MS, dark=0
        )
    answered, run, spaced_run, rtt, dark = 1.0, 1.0, 1.0, 0, 0
    for link in (path.up, path.down):
        lost, burst, spaced = _loss(link)
        if lost > MAX_LOSS or not _passes(link, largest):
            return None
        answered *= 1 - lost
        run, spaced_run = max(run, burst), max(spaced_run, spaced)
        rtt += _delay(link, nbytes)
        dark += _dark(link)
    return PathFigures(answered=answered, run=run, spaced_run=spaced_run, rtt=rtt, dark=dark)


def _loss(link: LinkConfig) -> tuple[float, float, float]:
    """Share of datagrams lost or damaged, and how many in a row by one burst: at most, and of those sent one by one."""
    kept = 1 - max([link.loss, *(change.loss for change in link.changes if change.loss is not None)])
    burst = 1.0
    if link.bursts is not None:
        chain = link.bursts
        bad = chain.p / (chain.p + chain.r) if chain.p + chain.r else 0.0
        kept *= 1 - bad * chain.loss_bad - (1 - bad) * chain.loss_good
        burst = 1 / chain.r if chain.r else float("inf")
    burst = spaced = max(burst, len(link.drops))
    if link.policer is not None or link.queue < 20_000 or (link.queue_packets or 100) < 20:
        burst = max(burst, 4.0)  # what is sent at once is lost together
    return 1 - kept * (1 - link.corrupt), burst, spaced


def _passes(link: LinkConfig, largest: int) -> bool:
    size = largest + link.overhead
    return (link.mtu is None or link.mtu >= size) and (link.policer is None or link.policer.burst >= size)


def _delay(link: LinkConfig, nbytes: int) -> int:
    longest = max([link.delay, *(change.delay for change in link.changes if change.delay is not None)]) + link.jitter
    if link.rate is None:
        return longest
    rate = min(link_rates(link))
    waiting = min(link.queue, 3 * nbytes + 20_000) + _SPARE_BYTES
    return longest + waiting * 8 * NS_PER_S // rate


def _dark(link: LinkConfig) -> int:
    longest = sum(stop - start for start, stop in link.blackouts)
    return longest if link.blackout_period is None or 4 * longest < link.blackout_period else 1 << 62


def link_rates(link: LinkConfig) -> list[int]:
    """Every rate it ever has."""
    rates = [link.rate, *(change.rate for change in link.changes)]
    return [rate for rate in rates if rate is not None] + ([link.policer.rate] if link.policer is not None else [])
