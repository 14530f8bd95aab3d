"""Runs for the tests of the core: what a sender would have logged, with the unimportant parts filled in."""

from __future__ import annotations

from surewire.core.sent_log import SentRun, Snapshot

NO_SNAPSHOT = Snapshot(delivered=0, delivered_at=0, first_sent_at=0, is_app_limited=False, phase=0)


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
    """`count` full segments (the last one shorter if `nbytes` says so), by default the number's place in the stream."""
    return SentRun(
        first=first,
        count=count,
        offset=first * segment if offset is None else offset,
        nbytes=count * segment if nbytes is None else nbytes,
        segment=segment,
        sent_at=sent_at,
        retransmission=retransmission,
        snapshot=snapshot,
    )


def numbers(runs: list[SentRun]) -> list[int]:
    """The packet numbers of runs, in their order."""
    return [number for run in runs for number in range(run.first, run.last + 1)]
