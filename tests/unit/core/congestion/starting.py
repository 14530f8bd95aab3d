"""Start-up by hand: acknowledgments and rounds in segments of 1,000 bytes."""

from __future__ import annotations

from surewire.core.congestion.base import PhaseOutcome
from surewire.core.congestion.start_up import StartUp
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from tests.unit.core.congestion.make_round import make_round
from tests.unit.core.makers import make_sample

SEGMENT = 1000
RTT = 40 * MS


WINDOW = 32 * SEGMENT


def grow(
    start: StartUp,
    acked: int = SEGMENT,
    *,
    now: int = S,
    sent: int = 0,
    bytes_in_flight: int = 0,
    is_app_limited: bool = False,
    jitter: int = 0,
) -> int:
    sample = make_sample(
        now=now,
        rate=0,
        is_app_limited=is_app_limited,
        sent=sent,
        bytes_in_flight=bytes_in_flight,
        outcomes=[PhaseOutcome(0, acked, 0)],
    )
    return start.growth(sample, window=WINDOW, base=RTT, jitter=jitter, segment=SEGMENT)


def tried_after(start: StartUp, acked: int, lost: int = 0, *, used: float | None = None) -> int:
    """A round of so many segments has ended; the window that is to be tried then, in segments.

    `used` is the share of the window that it used, if the application had no more.
    """
    ended = make_round(acked * SEGMENT, lost * SEGMENT, rtt=RTT, is_app_limited=used is not None)
    return start.on_round(ended, window=int(ended.used / (used or 1.0)), segment=SEGMENT) // SEGMENT


def end_round(start: StartUp, acked: int, lost: int = 0, *, used: float | None = None) -> str:
    """A round of so many segments has ended, and the window is none to be doubted; why start-up is over."""
    assert tried_after(start, acked, lost, used=used) == 0
    return start.is_over_by


def doubling(loss: float, *, first: int = 10, rounds: int = 8) -> StartUp:
    """Rounds that double, a share of each of which is lost."""
    start = StartUp()
    for number in range(rounds):
        sent = first << number
        end_round(start, sent - round(sent * loss), round(sent * loss))
    return start
