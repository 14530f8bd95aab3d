"""Runs and samples for the tests of the core, with the parts that a test is not about filled in."""

from __future__ import annotations

from collections.abc import Sequence

from surewire.core.congestion import AckSample, PhaseOutcome
from surewire.core.delivery import DeliverySampler, RateSample
from surewire.core.sent_log import SentRun, Snapshot

NO_SNAPSHOT = DeliverySampler(0).snapshot(0, 0, now=0, bytes_in_flight=0, phase=0)


def make_run(
    first: int,
    *,
    count: int = 1,
    segment: int = 100,
    nbytes: int | None = None,
    offset: int | None = None,
    sent_at: int = 0,
    retransmission: bool = False,
    snapshot: Snapshot = NO_SNAPSHOT,
) -> SentRun:
    """`count` full segments (the last shorter if `nbytes` says so), by default where their numbers put them."""
    size = count * segment if nbytes is None else nbytes
    return SentRun(
        first=first,
        count=count,
        offset=first * segment if offset is None else offset,
        nbytes=size,
        segment=segment,
        sent_at=sent_at,
        retransmission=retransmission,
        snapshot=snapshot,
    )


def numbers(runs: Sequence[SentRun]) -> list[int]:
    """The packet numbers of runs, in their order."""
    return [number for run in runs for number in range(run.first, run.last + 1)]


def make_sample(
    *,
    now: int,
    rate: int,
    is_app_limited: bool = False,
    round_start: bool = False,
    sent: int = 0,
    bytes_in_flight: int = 0,
    outcomes: list[PhaseOutcome],
) -> AckSample:
    """What one acknowledgment says."""
    return AckSample(
        now=now,
        rate=RateSample(delivery_rate=rate, is_app_limited=is_app_limited, round_start=round_start),
        acked=sum(outcome.acked for outcome in outcomes),
        sent=sent,
        bytes_in_flight=bytes_in_flight,
        outcomes=outcomes,
    )
