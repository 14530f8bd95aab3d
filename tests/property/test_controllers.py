"""Every controller that adapts, under any sequence of calls: it always leaves something to send, and a rate."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from surewire.core.congestion import NAMES, Congestion, CongestionController, PhaseOutcome
from surewire.core.units import NS_PER_MS, NS_PER_S
from tests.unit.core.makers import make_sample

TIMES = st.one_of(st.integers(0, 50 * NS_PER_MS), st.integers(0, 20 * NS_PER_S))
SHARES = st.lists(st.tuples(st.integers(-6, 2), st.integers(0, 1 << 24)), min_size=1, max_size=3)
RTTS = st.one_of(st.integers(1, 3 * NS_PER_S), st.just(1))
RATES = st.one_of(st.just(0), st.integers(1, 1 << 34))
SEGMENTS = st.integers(1, 65_507)
FOLLOW_SEGMENTS = ("model", "background", "bbr1")  # the others' windows stay as they are when segments become longer
FLAGS = st.tuples(st.booleans(), st.booleans())


class ControllerHistory(RuleBasedStateMachine):
    """Neither a stall nor a standstill, whatever a path or a lying peer makes of the samples."""

    controller: CongestionController

    @initialize(name=st.sampled_from([name for name in NAMES if name != "fixed"]), segment=SEGMENTS, rtt=RTTS)
    def begin(self, name: str, segment: int, rtt: int) -> None:
        self.now = 0
        self.name = name
        self.segment = segment
        self.controller = Congestion(name).make(segment=segment, initial_rtt=rtt)

    def outcomes(self, shares: list[tuple[int, int]], *, is_loss: bool) -> list[PhaseOutcome]:
        phase = self.controller.phase
        return [
            PhaseOutcome(phase + later, 0 if is_loss else nbytes, nbytes if is_loss else 0) for later, nbytes in shares
        ]

    @rule(rtt=RTTS, times=st.integers(1, 20), share=st.integers(0, 4))
    def measure(self, rtt: int, times: int, share: int) -> None:
        for _ in range(times):
            self.controller.on_rtt(rtt, rttvar=rtt * share // 4, sent_at=0)

    @rule(pause=TIMES, rate=RATES, in_flight=RATES, flags=FLAGS, shares=SHARES)
    def acknowledge(
        self, pause: int, rate: int, in_flight: int, flags: tuple[bool, bool], shares: list[tuple[int, int]]
    ) -> None:
        self.now += pause
        self.controller.on_ack(
            make_sample(
                now=self.now,
                rate=rate,
                is_app_limited=flags[0],
                round_start=flags[1],
                bytes_in_flight=in_flight,
                outcomes=self.outcomes(shares, is_loss=False),
            )
        )

    @rule(pause=TIMES, shares=SHARES)
    def lose(self, pause: int, shares: list[tuple[int, int]]) -> None:
        self.now += pause
        self.controller.on_lost(self.outcomes(shares, is_loss=True), now=self.now)

    @rule(segment=SEGMENTS)
    def change_segment(self, segment: int) -> None:
        self.segment = segment
        self.controller.on_segment(segment)

    @rule(rounds=st.integers(1, 40), pause=st.integers(1, NS_PER_S), rtt=RTTS)
    def fill_rounds(self, rounds: int, pause: int, rtt: int) -> None:
        """A path that takes whatever is sent, or one that answers slowly: windows become large, or small."""
        for _ in range(rounds):
            self.measure(rtt, 2, 0)
            window = self.controller.cwnd
            self.acknowledge(pause, window * NS_PER_S // rtt, window, (False, True), [(0, window)])

    @invariant()
    def something_may_be_sent(self) -> None:
        assert self.controller.pacing_rate > 0
        assert type(self.controller.pacing_rate) is int
        assert self.controller.cwnd >= (self.segment if self.name in FOLLOW_SEGMENTS else 1)
        assert type(self.controller.cwnd) is int


TestControllerHistory = ControllerHistory.TestCase
TestControllerHistory.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
