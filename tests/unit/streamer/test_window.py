"""The window that Streamer puts around a controller: never wider than its limit, and nothing else is changed."""

from __future__ import annotations

import pytest

from surewire.core.congestion import Congestion, NewReno, PhaseOutcome
from surewire.core.timers import TimerTable
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.streamer.config import Pipelining, StreamerConfig
from surewire.streamer.sending import SEGMENT, Sending
from surewire.streamer.window import BoundedWindow
from tests.unit.core.makers import make_sample


def test_the_limit_bounds_the_window_and_hides_nothing_from_the_controller() -> None:
    bounded = BoundedWindow(NewReno(segment=1_000, initial_rtt=100 * NS_PER_MS), limit=1)
    alone = NewReno(segment=1_000, initial_rtt=100 * NS_PER_MS)
    for each in (bounded, alone):
        each.on_rtt(50 * NS_PER_MS, rttvar=0, sent_at=0)
        acked = [PhaseOutcome(0, 10_000, 0)]
        each.on_ack(make_sample(now=NS_PER_S, rate=200_000, round_start=True, outcomes=acked))
        each.on_lost([PhaseOutcome(0, 0, 1_000)], now=NS_PER_S)
        each.on_segment(2_000)
    assert bounded.cwnd == 1
    bounded.limit = 1 << 20
    assert (bounded.cwnd, bounded.pacing_rate) == (alone.cwnd, alone.pacing_rate)
    assert (bounded.phase, bounded.bandwidth) == (alone.phase, alone.bandwidth) == (1, 0)


def window_of(config: StreamerConfig, *, is_known: bool = True) -> int:
    sending = Sending(config, TimerTable(), now=NS_PER_S)
    sending.set_window(is_known=is_known)
    return sending.outbound.controller.cwnd


@pytest.mark.parametrize("congestion", [None, Congestion(), Congestion("cubic"), Congestion("newreno")])
def test_one_segment_is_sent_to_a_peer_that_has_not_answered_and_by_stop_and_wait(
    congestion: Congestion | None,
) -> None:
    assert window_of(StreamerConfig(congestion=congestion), is_known=False) == 1
    assert window_of(StreamerConfig(congestion=congestion, pipelining=Pipelining.STOP_AND_WAIT)) == 1


def test_without_a_controller_the_window_is_the_send_buffer() -> None:
    assert window_of(StreamerConfig(send_buffer=123_456)) == 123_456


def test_with_one_it_is_the_controllers_up_to_the_send_buffer() -> None:
    assert window_of(StreamerConfig(congestion=Congestion("newreno"))) == 10 * SEGMENT
    assert window_of(StreamerConfig(congestion=Congestion("newreno"), send_buffer=2_000)) == 2_000
    assert window_of(StreamerConfig(congestion=Congestion("fixed", window=5_000))) == 5_000
