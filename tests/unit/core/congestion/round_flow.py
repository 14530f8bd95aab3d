"""A flow of datagrams whose round trips a test chooses, and the rounds that `RoundTrips` makes of them."""

from __future__ import annotations

import random

from surewire.core.congestion.base import PhaseOutcome
from surewire.core.congestion.round_trips import Round, RoundTrips
from surewire.core.units import NS_PER_MS as MS
from tests.unit.core.makers import make_sample

RTT = 50 * MS
SEGMENT = 1000
ANY = 1 << 62  # no noise is too much


class Flow:
    """Rounds that are told of one datagram a millisecond, whose round trips have this mean deviation (ns)."""

    def __init__(self, *, spread: int = 0) -> None:
        self.rounds = RoundTrips()
        self.now = 10 * RTT
        self.spread = spread
        self._rng = random.Random(1)

    def ack(
        self,
        phase: int | None = None,
        *,
        wait: int = MS,
        rtt: int | None = None,
        rttvar: int | None = None,
        tolerance: int = ANY,
        acked: int = SEGMENT,
        in_flight: int = 0,
        is_app_limited: bool = False,
    ) -> Round | None:
        """One datagram, sent in `phase` (None: just now), is acknowledged `wait` ns after the one before."""
        self.now += wait
        if rtt is None:
            rtt = RTT + self._rng.randint(-2 * self.spread, 2 * self.spread)
        if rtt:
            self.rounds.on_rtt(rtt, rttvar=self.spread if rttvar is None else rttvar, sent_at=self.now - rtt)
        outcomes = [PhaseOutcome(self.rounds.phase if phase is None else phase, acked, 0)]
        sample = make_sample(
            now=self.now, rate=0, is_app_limited=is_app_limited, bytes_in_flight=in_flight, outcomes=outcomes
        )
        return self.rounds.on_ack(sample, tolerance=tolerance)

    def ended(
        self,
        *,
        rtt: int | None = None,
        rttvar: int | None = None,
        tolerance: int = ANY,
        acked: int = SEGMENT,
        in_flight: int = 0,
    ) -> Round:
        """When no round trip can take longer, what was sent just now is acknowledged; the round that ends by it."""
        ended = self.ack(wait=2 * RTT, rtt=rtt, rttvar=rttvar, tolerance=tolerance, acked=acked, in_flight=in_flight)
        assert ended is not None
        return ended

    def ended_after(self, *rtts: int, rttvar: int = 0) -> Round:
        """A round of datagrams with these round trips, so far apart that none overtakes another."""
        for rtt in rtts[:-1]:
            assert self.ack(self.rounds.phase - 1, wait=RTT, rtt=rtt, rttvar=rttvar) is None
        return self.ended(rtt=rtts[-1], rttvar=rttvar)

    def begin(self) -> None:
        """Change the window, and let the answers come that are not waited for."""
        self.rounds.begin()
        assert self.ack() is None
