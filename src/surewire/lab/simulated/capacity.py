"""C(1 - p): what a path can deliver at most to a sender that repeats what is lost, so that speeds can be compared.

C is the bottleneck's rate, p the share of datagrams that the path itself loses in the long run. What a full queue
drops is not the path's doing, nor are blackouts, duplicates and other traffic counted; headers are part of C, so
goodput stays a few percent below.
"""

from __future__ import annotations

from surewire.impair import LinkConfig


def capacity(link: LinkConfig) -> float | None:
    """Bits a second that come through at most, headers included.

    Returns:
        None where there is no such number: without bottleneck, or where its rate or the loss changes.
    """
    rates = [part for part in (link.rate, link.policer.rate if link.policer else None) if part is not None]
    if not rates or any(change.rate is not None or change.loss is not None for change in link.changes):
        return None
    return min(rates) * (1 - lost_share(link))


def lost_share(link: LinkConfig) -> float:
    """Share of datagrams lost or damaged behind the bottleneck in the long run, 0..1.

    Where `max_loss_run` bounds bursts, this takes the losses for independent.
    """
    lost = 1 - (1 - link.loss) * (1 - _lost_in_bursts(link))
    return 1 - (1 - _bounded(lost, link.max_loss_run)) * (1 - _bounded(link.corrupt, link.max_corrupt_run))


def _lost_in_bursts(link: LinkConfig) -> float:
    bursts = link.bursts
    if bursts is None:
        return 0.0
    if bursts.p == 0:
        return bursts.loss_good  # the chain starts good and stays so
    bad = bursts.p / (bursts.p + bursts.r)
    return bad * bursts.loss_bad + (1 - bad) * bursts.loss_good


def _bounded(share: float, most_in_a_row: int | None) -> float:
    """The share that is left of independent events when none follows `most_in_a_row` of them.

    Runs of length k have the weight share**k, k from 0 to the bound; after each comes one that is spared.
    """
    if most_in_a_row is None:
        return share
    weights = [share**k for k in range(most_in_a_row + 1)]
    return 1 - 1 / sum(weights)
