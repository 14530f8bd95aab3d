"""The default controller under any sequence of calls: it always leaves something to send, and a rate, and no flood."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from surewire.core.congestion import PathModel, PhaseOutcome
from surewire.core.congestion.loss_floor import MOST
from surewire.core.units import NS_PER_MS, NS_PER_S
from tests.unit.core.makers import make_sample

FIRST_SEGMENT = 959
TIMES = st.one_of(st.just(0), st.integers(0, 50 * NS_PER_MS), st.integers(0, 20 * NS_PER_S))
SHARES = st.lists(st.tuples(st.integers(-6, 2), st.integers(0, 1 << 24)), min_size=1, max_size=3)
RTTS = st.one_of(st.integers(1, 100), st.integers(NS_PER_MS, 3 * NS_PER_S))
RATES = st.one_of(st.just(0), st.integers(1, 1 << 34))
FLAGS = st.tuples(st.booleans(), st.booleans())


class PathModelHistory(RuleBasedStateMachine):
    """Neither a stall nor a standstill, whatever a path or a lying peer makes of the samples."""

    def __init__(self) -> None:
        super().__init__()
        self.segment = FIRST_SEGMENT
        self.model = PathModel(segment=FIRST_SEGMENT, initial_rtt=150 * NS_PER_MS)
        self.now = NS_PER_S
        self.fastest = 0  # rate, bytes a second, that a sample has shown
        self.longest = 0  # round trip

    def outcomes(self, shares: list[tuple[int, int]], *, is_loss: bool) -> list[PhaseOutcome]:
        phase = self.model.phase
        return [
            PhaseOutcome(phase + later, 0 if is_loss else nbytes, nbytes if is_loss else 0) for later, nbytes in shares
        ]

    @rule(pause=TIMES, rtt=RTTS, rate=RATES, flags=FLAGS, shares=SHARES, in_flight=st.integers(0, 100))
    def acknowledge(
        self, pause: int, rtt: int, rate: int, flags: tuple[bool, bool], shares: list[tuple[int, int]], in_flight: int
    ) -> None:
        """`in_flight` is in per cent of the window."""
        self.now += pause
        model, before = self.model, self.model.cwnd
        phase_before = model.phase
        self.fastest, self.longest = max(self.fastest, rate), max(self.longest, rtt)
        outcomes = self.outcomes(shares, is_loss=False)
        model.on_rtt(rtt, rttvar=rtt // 3, sent_at=0)
        model.on_ack(
            make_sample(
                now=self.now,
                rate=rate,
                is_app_limited=flags[0],
                round_start=flags[1],
                bytes_in_flight=before * in_flight // 100,
                outcomes=outcomes,
            )
        )
        assert model.phase >= phase_before

    @rule(count=st.integers(1, 40), pause=TIMES, rtt=RTTS, share=st.integers(1, 100))
    def acknowledge_many(self, count: int, pause: int, rtt: int, share: int) -> None:
        """Acknowledgments that are read at one time, of some part of the window."""
        for number in range(count):
            window = self.model.cwnd
            nbytes = max(window * share // 100, 1)
            self.acknowledge(
                0 if number else pause, rtt, window * NS_PER_S // rtt, (False, number == 0), [(0, nbytes)], 100 - share
            )

    @rule(count=st.integers(1, 40), rtt=RTTS, lost=st.integers(0, 99))
    def go_round(self, count: int, rtt: int, lost: int) -> None:
        """So many round trips with a full window, a share of which (per cent) is lost."""
        for _ in range(count):
            window = self.model.cwnd
            gone = window * lost // 100
            if gone:
                self.lose([(0, gone)])
            self.acknowledge(rtt, rtt, window * NS_PER_S // rtt, (False, True), [(0, window - gone)], 0)

    @rule(shares=SHARES)
    def lose(self, shares: list[tuple[int, int]]) -> None:
        before = self.model.pacing_rate, self.model.cwnd, self.model.phase
        self.model.on_lost(self.outcomes(shares, is_loss=True), now=self.now)
        # What follows from a loss follows when its round has ended.
        assert (self.model.pacing_rate, self.model.cwnd, self.model.phase) == before

    @rule(segment=st.integers(1, 65_507))
    def change_segment(self, segment: int) -> None:
        self.segment = segment
        self.model.on_segment(segment)

    @invariant()
    def something_may_be_sent(self) -> None:
        model = self.model
        assert model.pacing_rate >= self.segment  # a segment a second
        assert model.cwnd >= 2 * self.segment  # RFC 9002 §7.2
        assert model.queue_allowed > 0

    @invariant()
    def what_is_believed_was_seen(self) -> None:
        model = self.model
        assert model.bandwidth <= self.fastest
        assert 0 <= model.queue.base <= max(self.longest * 3, 1)  # with what noise is allowed for
        assert 0 <= model.floor.share <= MOST
        assert model.queue.delay >= 0


TestPathModelHistory = PathModelHistory.TestCase
TestPathModelHistory.settings = settings(max_examples=60, stateful_step_count=30)
