"""The path model, coarsely: it finds a path's rate, loss alone does not slow it, the loss floor comes and goes."""

from __future__ import annotations

from surewire.core.congestion import PathModel, PhaseOutcome
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S
from tests.unit.core.makers import make_sample

SEGMENT = 1000
RTT = 40 * MS
RATE = 5_000_000  # the path's, bytes a second


def make_model() -> PathModel:
    return PathModel(segment=SEGMENT, max_train=44 * SEGMENT, initial_rtt=150 * MS)


class Path:
    """Feeds a model with a steady path: an acknowledgment a millisecond, `loss_pct` of the bytes lost."""

    def __init__(self, *, loss_pct: int = 0, rate: int = RATE) -> None:
        self.model = make_model()
        self.now = 0
        self.loss_pct = loss_pct
        self.rate = rate

    def run(self, duration: int) -> None:
        per_ms = self.rate // 1000
        for _ in range(duration // MS):
            self.now += MS
            lost = per_ms * self.loss_pct // 100
            phase = self.model.phase
            if lost:
                self.model.on_lost([PhaseOutcome(phase, 0, lost)], now=self.now)
            self.model.on_rtt(RTT, rttvar=MS, phase=phase)
            self.model.on_ack(
                make_sample(
                    now=self.now,
                    rate=self.rate * (100 - self.loss_pct) // 100,
                    advance_rate=self.rate,
                    round_start=self.now % RTT == 0,
                    bytes_in_flight=self.rate * RTT // NS_PER_S,
                    outcomes=[PhaseOutcome(phase, per_ms - lost, 0)],
                )
            )


def test_it_starts_with_some_segments_and_a_rate() -> None:
    model = make_model()
    assert model.pacing_rate > 0
    assert model.cwnd >= 10 * SEGMENT  # RFC 6928


def test_it_settles_around_the_rate_of_the_path() -> None:
    path = Path()
    path.run(3 * NS_PER_S)
    rates = []
    for _ in range(100):
        path.run(10 * MS)
        rates.append(path.model.pacing_rate)
        assert path.model.cwnd >= RATE * RTT // NS_PER_S  # a window below the pipe would throttle it
    assert RATE * 8 // 10 <= sum(rates) // len(rates) <= RATE * 12 // 10


def test_a_stray_fast_round_trip_does_not_shrink_the_window_for_good() -> None:
    path = Path()
    path.run(2 * NS_PER_S)
    before = path.model.cwnd
    path.model.on_rtt(MS // 10, rttvar=MS, phase=0)
    path.model.on_ack(make_sample(now=path.now, rate=RATE, outcomes=[PhaseOutcome(0, SEGMENT, 0)]))
    path.run(NS_PER_S)
    assert path.model.cwnd >= before // 2


def test_loss_alone_does_not_lower_the_rate_or_the_window() -> None:
    path = Path()
    path.run(2 * NS_PER_S)
    before = path.model.pacing_rate, path.model.cwnd
    for phase in range(path.model.phase + 1):
        path.model.on_lost([PhaseOutcome(phase, 0, 10**9)], now=path.now)
    assert path.model.pacing_rate >= before[0]
    assert path.model.cwnd >= before[1]


def test_the_floor_follows_steady_loss_and_is_made_up_for() -> None:
    path = Path(loss_pct=20)
    path.run(10 * NS_PER_S)
    floor = path.model.loss_floor
    assert 0.10 * floor.ONE <= floor.floor <= 0.21 * floor.ONE
    assert 1.1 * RATE <= floor.compensate(RATE) <= 1.27 * RATE


def test_a_clean_path_has_no_floor() -> None:
    path = Path()
    path.run(5 * NS_PER_S)
    assert path.model.loss_floor.floor == 0


def test_the_floor_is_bounded_whatever_is_lost() -> None:
    path = Path(loss_pct=95)
    path.run(10 * NS_PER_S)
    assert path.model.loss_floor.compensate(RATE) <= 4 * RATE


def test_the_floor_fades_when_nothing_confirms_it() -> None:
    path = Path(loss_pct=20)
    path.run(10 * NS_PER_S)
    floor = path.model.loss_floor.floor
    assert floor > 0
    path.model.loss_floor.begin_phase(is_quiet=False, min_rtt=RTT, now=path.now + NS_PER_S)
    assert path.model.loss_floor.floor == floor
    later = path.now
    for _ in range(30):
        later += 10 * NS_PER_S
        path.model.loss_floor.begin_phase(is_quiet=False, min_rtt=RTT, now=later)
    assert path.model.loss_floor.floor < floor // 100


def test_the_floor_falls_when_the_loss_ends() -> None:
    path = Path(loss_pct=20)
    path.run(10 * NS_PER_S)
    floor = path.model.loss_floor.floor
    path.loss_pct = 0
    path.run(10 * NS_PER_S)
    assert path.model.loss_floor.floor < floor // 4


def test_a_faster_path_is_found() -> None:
    path = Path()
    path.run(2 * NS_PER_S)
    path.rate = 2 * RATE
    path.run(2 * NS_PER_S)
    assert path.model.bandwidth == 2 * RATE


def test_a_slower_path_is_followed() -> None:
    path = Path()
    path.run(2 * NS_PER_S)
    path.rate = RATE // 4
    path.run(3 * NS_PER_S)
    assert path.model.bandwidth == RATE // 4


def test_an_application_that_sends_little_does_not_lower_the_model() -> None:
    path = Path()
    path.run(2 * NS_PER_S)
    for _ in range(2000):
        path.now += MS
        path.model.on_rtt(RTT, rttvar=MS, phase=path.model.phase)
        path.model.on_ack(
            make_sample(
                now=path.now,
                rate=RATE // 100,
                is_app_limited=True,
                round_start=path.now % RTT == 0,
                outcomes=[PhaseOutcome(path.model.phase, SEGMENT, 0)],
            )
        )
    assert path.model.bandwidth == RATE
