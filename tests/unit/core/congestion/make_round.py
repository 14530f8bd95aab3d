"""Rounds as tests need them: what arrived and what was lost, with the rest filled in."""

from __future__ import annotations

from surewire.core.congestion.round_trips import Round
from surewire.core.units import NS_PER_MS

SAMPLES = 100


def make_round(acked: int, lost: int = 0, *, rtt: int = 50 * NS_PER_MS, is_app_limited: bool = False) -> Round:
    """A round in which so many bytes arrived and were lost; everything was in flight at once."""
    settled = acked + lost
    return Round(
        rtt=rtt,
        quartile=rtt,
        latest_rtt=rtt,
        samples=SAMPLES,
        least=rtt,
        acked=acked,
        took=rtt,
        settled=settled,
        loss=lost / settled if settled else 0.0,
        used=settled,
        is_app_limited=is_app_limited,
    )
