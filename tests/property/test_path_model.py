"""The path model under any sequence of samples: it always leaves something to send, and a rate."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from surewire.core.congestion import PathModel, PhaseOutcome
from surewire.core.units import NS_PER_MS, NS_PER_S
from tests.unit.core.makers import make_sample

SEGMENT = 959
TIMES = st.one_of(st.integers(0, 50 * NS_PER_MS), st.integers(0, 20 * NS_PER_S))
SHARES = st.lists(st.tuples(st.integers(-6, 2), st.integers(0, 1 << 24)), min_size=1, max_size=3)
RTTS = st.integers(0, 3 * NS_PER_S)
RATES = st.one_of(st.just(0), st.integers(1, 1 << 34))


class PathModelHistory(RuleBasedStateMachine):
    """Neither a stall nor a standstill, whatever a path or a lying peer makes of the samples."""

    def __init__(self) -> None:
        super().__init__()
        self.model = PathModel(segment=SEGMENT, max_train=44 * SEGMENT, initial_rtt=150 * NS_PER_MS)
        self.now = 0

    @rule(pause=TIMES, rtt=RTTS, rate=RATES, more=RATES, flags=st.tuples(st.booleans(), st.booleans()), shares=SHARES)
    def acknowledge(
        self, pause: int, rtt: int, rate: int, more: int, flags: tuple[bool, bool], shares: list[tuple[int, int]]
    ) -> None:
        self.now += pause
        outcomes = [PhaseOutcome(self.model.phase + phase, nbytes, 0) for phase, nbytes in shares]
        if rtt:
            self.model.on_rtt(rtt, rttvar=rtt // 3, phase=outcomes[0].phase)
        self.model.on_ack(
            make_sample(
                now=self.now,
                rate=rate,
                advance_rate=rate + more if rate else 0,
                is_app_limited=flags[0],
                round_start=flags[1],
                bytes_in_flight=shares[0][1],
                outcomes=outcomes,
            )
        )

    @rule(shares=SHARES)
    def lose(self, shares: list[tuple[int, int]]) -> None:
        before = self.model.pacing_rate, self.model.cwnd
        self.model.on_lost(
            [PhaseOutcome(self.model.phase + phase, 0, nbytes) for phase, nbytes in shares], now=self.now
        )
        assert (self.model.pacing_rate, self.model.cwnd) == before  # loss alone says nothing about the path

    @invariant()
    def something_may_be_sent(self) -> None:
        assert self.model.pacing_rate > 0
        assert self.model.cwnd >= 4 * SEGMENT


TestPathModelHistory = PathModelHistory.TestCase
TestPathModelHistory.settings = settings(max_examples=60, stateful_step_count=40)
