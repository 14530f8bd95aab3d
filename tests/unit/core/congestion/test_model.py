"""The default controller on a path of its own (`FluidPath`, no packets): it fills it, and keeps the queue short.

20 Mbit/s and 50 ms unless said otherwise. Bounds are generous: they say what it is for, not how it is tuned.
"""

from __future__ import annotations

import pytest

from surewire.core.congestion import PathModel, PhaseOutcome
from surewire.core.congestion.model import Mode
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from tests.unit.core.congestion.fluid_path import SEGMENT, FluidPath
from tests.unit.core.congestion.model_path import BDP, RATE, RTT, Path, is_in, make_model, settled
from tests.unit.core.makers import make_sample

# Before anything is known.


def test_it_starts_with_a_paced_window_and_a_rate() -> None:
    model = make_model()
    assert model.mode is Mode.STARTUP
    assert (model.cwnd, model.bandwidth) == (32 * SEGMENT, 0)
    assert 32 * SEGMENT * S // (150 * MS) <= model.pacing_rate <= 128 * SEGMENT * S // (150 * MS)


def test_segments_found_to_be_longer_before_the_start_are_started_with() -> None:
    model = make_model()
    model.on_segment(1400)
    assert model.cwnd == 32 * 1400


def test_segments_of_another_length_leave_the_window_as_it_is() -> None:
    path = settled()
    before = path.model.cwnd
    path.model.on_segment(1400)
    assert path.model.cwnd == before


def test_a_segment_as_long_as_the_window_still_leaves() -> None:
    path = settled()
    path.model.on_segment(65_000)
    assert path.model.cwnd >= 65_000


# Start-up.


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.3, 0.5])
def test_start_up_comes_near_the_rate_within_a_second(loss: float) -> None:
    path = Path(loss=loss)
    path.run(S)
    assert path.share(S) >= 0.85


def test_start_up_stops_before_it_fills_a_queue() -> None:
    path = Path()
    assert path.longest_wait(S) <= 40 * MS
    assert path.dropped == 0


@pytest.mark.parametrize("eighth", range(8))
def test_start_up_overshoots_by_less_than_the_product(eighth: int) -> None:
    """Where the last doubling ends depends on the rate. Seen: at most 22 segments lost, of 88, by a queue of one;
    a queue of two becomes 1.24 long."""
    rate = int(RATE * 2 ** (eighth / 4 - 1))
    path = Path(rate=rate)
    path.run(S)
    assert path.dropped <= rate * RTT // S * 3 // 10
    assert Path(rate=rate, queue=2.0).longest_wait(S) <= RTT * 13 // 10


@pytest.mark.parametrize("loss", [0.1, 0.3, 0.5])
def test_start_up_finds_what_the_path_loses(loss: float) -> None:
    assert loss - 0.08 <= settled(loss=loss).model.floor.share <= loss + 0.01


def acknowledge(model: PathModel, phase: int, *, rtt: int, rttvar: int, now: int) -> None:
    model.on_rtt(rtt, rttvar=rttvar, sent_at=0)
    outcomes = [PhaseOutcome(phase, SEGMENT, 0)]
    model.on_ack(make_sample(now=now, rate=RATE, bytes_in_flight=model.cwnd - SEGMENT, outcomes=outcomes))


@pytest.mark.parametrize("gap", [0, 1, MS // 10])
def test_acknowledgments_that_come_together_end_start_up_with_a_window_that_was_seen(gap: int) -> None:
    """The rate between those that a driver reads at one time is none, or any."""
    model = make_model()
    acknowledge(model, model.phase, rtt=RTT, rttvar=RTT // 4, now=S)
    now, phase = S + 2 * RTT, model.phase
    for _ in range(12):  # a queue? Nobody knows yet by how much round trips vary
        now += gap
        acknowledge(model, phase - 1, rtt=2 * RTT, rttvar=RTT // 4, now=now)
    assert is_in(model, Mode.STARTUP)
    reached = model.cwnd
    for _ in range(9):  # a round has ended, and it is known
        now += gap
        acknowledge(model, phase, rtt=6 * RTT, rttvar=MS // 10, now=now)
    assert not is_in(model, Mode.STARTUP)
    assert 2 * SEGMENT <= model.window <= 3 * reached
    for _ in range(10):
        now += RTT
        acknowledge(model, model.phase, rtt=RTT, rttvar=MS // 10, now=now)


class _Unmeasured(PathModel):
    """Its peer echoes nothing of which a round trip could be taken, but for the first few."""

    measured = 0

    def on_rtt(self, rtt: int, *, rttvar: int, sent_at: int) -> None:
        """Take it while there are any."""
        if self.measured > 0:
            self.measured -= 1
            super().on_rtt(rtt, rttvar=rttvar, sent_at=sent_at)


@pytest.mark.parametrize("measured", [0, 1, 40])
@pytest.mark.parametrize(("queue", "loss"), [(0.5, 0.0), (1.0, 0.1), (4.0, 0.0)])
def test_where_no_round_trips_are_known_the_window_ends_all_the_same(queue: float, loss: float, measured: int) -> None:
    """It doubles four times before it is judged, so that is what it may be too large by."""
    model = _Unmeasured(segment=SEGMENT, initial_rtt=150 * MS)
    model.measured = measured
    path = FluidPath(model, rate=RATE, rtt=RTT, queue=int(queue * BDP), loss=loss)
    arrived = []
    for _ in range(10):
        arrived.append(path.run(S))
        assert model.cwnd <= 16 * (1 + queue) * BDP
    assert sum(arrived[2:]) >= 0.7 * 8 * (1 - loss) * RATE


# In the steady state.


@pytest.mark.parametrize("queue", [0.2, 1.0, 4.0, 16.0])
def test_it_fills_the_path_whatever_the_queue(queue: float) -> None:
    assert settled(queue=queue).share(5 * S) >= 0.9


@pytest.mark.parametrize("queue", [1.0, 4.0, 16.0])
def test_a_long_queue_stays_short(queue: float) -> None:
    path = settled(queue=queue)
    assert path.longest_wait(5 * S) <= 30 * MS
    assert path.dropped == 0


def test_after_start_up_a_queue_of_one_product_stays_short() -> None:
    path = settled()
    before = path.dropped
    assert path.longest_wait(5 * S) <= 30 * MS
    assert path.dropped == before


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.1, 0.2, 0.3, 0.5])
def test_random_loss_costs_nothing_but_itself(loss: float) -> None:
    assert settled(loss=loss).share(5 * S) >= 0.9


@pytest.mark.parametrize("loss", [0.02, 0.1, 0.2, 0.3])
def test_that_does_not_take_luck(loss: float) -> None:
    """By chance start-up may see no loss at all, or much more than there is."""
    shares = []
    for seed in range(8):
        path = Path(loss=loss, seed=seed)
        path.run(4 * S)
        shares.append(path.share(3 * S))
    assert min(shares) >= 0.7
    assert sorted(shares)[2] >= 0.85


def test_loss_and_a_long_queue() -> None:
    path = settled(queue=4.0, loss=0.2)
    assert path.longest_wait(3 * S) <= 30 * MS
    assert path.share(3 * S) >= 0.9


@pytest.mark.parametrize(("rate", "rtt"), [(125_000, 200 * MS), (12_500_000, 5 * MS), (12_500_000, 50 * MS)])
def test_other_paths(rate: int, rtt: int) -> None:
    path = settled(rate=rate, rtt=rtt)
    path.run(3 * S)
    assert path.share(5 * S) >= 0.85


@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_a_policer_is_obeyed(loss: float) -> None:
    """No queue shows it, only that what is added does not arrive."""
    path = Path(rate=5 * RATE, loss=loss)
    path.policed = RATE
    path.run(4 * S)
    path.dropped = 0
    arrived = path.run(6 * S) / (1 - loss)
    assert arrived >= 0.8 * RATE
    assert path.dropped <= 0.2 * 6 * arrived


def test_a_policer_is_not_taken_for_a_path_that_loses_much() -> None:
    path = Path(rate=5 * RATE)
    path.policed = RATE
    path.run(10 * S)
    assert path.model.floor.share <= 0.1


def test_a_clean_path_has_no_floor() -> None:
    path = settled()
    path.run(10 * S)
    assert path.model.floor.share == 0


# What one call may do.


def test_a_loss_report_changes_nothing_before_its_round_has_ended() -> None:
    path = settled()
    before = path.model.pacing_rate, path.model.cwnd
    for phase in range(path.model.phase + 1):
        path.model.on_lost([PhaseOutcome(phase, 0, 10**9)], now=path.now)
    assert (path.model.pacing_rate, path.model.cwnd) == before


def test_a_stray_fast_round_trip_does_not_shrink_the_window() -> None:
    path = settled()
    before = path.model.cwnd
    path.model.on_rtt(MS // 10, rttvar=MS, sent_at=0)
    path.model.on_ack(make_sample(now=path.now, rate=RATE, outcomes=[PhaseOutcome(path.model.phase, SEGMENT, 0)]))
    path.run(S)
    assert path.model.cwnd >= before // 2
    assert path.share() >= 0.9


def test_what_is_paced_is_the_window_over_the_round_trip_and_a_little_more() -> None:
    path = settled()
    for _ in range(50):
        path.run(20 * MS)
        model = path.model
        if model.mode is Mode.AVOID:
            assert 1.0 <= model.pacing_rate * model.queue.rtt / (S * model.cwnd) <= 1.3
