"""When the rate is held beside a sender that answers to no loss, and at what, by hand: 20 Mbit/s and 50 ms."""

from __future__ import annotations

import pytest

from surewire.core.congestion.base import AckSample
from surewire.core.congestion.even_rate import EvenRate
from surewire.core.delivery import RateSample
from surewire.core.units import NS_PER_S as S
from tests.unit.core.congestion.known_path import BDP, NOW, RTT, SEGMENT, make_path, queue
from tests.unit.core.congestion.make_round import make_round

CARRIED = BDP * S // RTT
CYCLE = (50, 42, 43, 44, 45, 46, 47, 48)  # fiftieths of a round trip that the queue has beside BBR
SAW = tuple(range(10, 50))  # and beside CUBIC


class Beside:
    """The rate beside others whose queue goes up and down like this, with what arrives of ours."""

    def __init__(self, *, shape: tuple[int, ...] = CYCLE, known: int = CARRIED, times: int = 1) -> None:
        self.path = make_path()
        self.path.filter.on_sample(known, is_app_limited=False)
        self.path.filter.on_round()
        self.even = EvenRate(self.path)
        self.now = NOW
        self.shape, self.times = shape, times
        self.rate = CARRIED // 20

    def lose(self, *, after: int = 10, times: int = 3) -> None:
        """So many losses, each so many round trips after the one before."""
        for _ in range(times):
            self.now += after * RTT
            queue(self.path, self.times * RTT)
            self.even.on_loss(now=self.now)

    def go_on(self, round_trips: int, *, loss: float = 0.0) -> bool:
        """So many of the path's; True if the rate is in force afterwards."""
        is_on = False
        for _ in range(round_trips):
            delay = self.times * RTT * self.shape[self.now // RTT % len(self.shape)] // 50
            for part in range(4):
                self.even.on_rtt(RTT + delay, sent_at=self.now + part * RTT // 4)
            self.now += RTT
            queue(self.path, delay)
            acked = (self.even.rate or self.rate) * RTT // S
            ended = make_round(acked, int(acked * loss / (1 - loss)), rtt=RTT + delay)._replace(took=RTT)
            is_on = self.even.is_on(ended, now=self.now)
        return is_on

    def look(self, rate: int) -> None:
        """The queue goes, and of ours so much a second comes back."""
        self.even.on_rtt(RTT, sent_at=self.now)
        for number in range(40):
            now = self.now + number * SEGMENT * S // rate
            self.even.on_ack(AckSample(now, RateSample(0, False, False), SEGMENT, 0, 0, []))


def test_a_cycle_beside_losses_is_seen_and_the_part_of_what_the_path_carries_taken() -> None:
    beside = Beside()
    beside.lose()
    assert beside.go_on(60)
    assert beside.even.rate == CARRIED * 41 // 100
    assert beside.even.window == 2 * BDP * 41 // 100 * 115 // 100


@pytest.mark.parametrize(("shape", "losses", "times"), [(SAW, 3, 1), (CYCLE, 0, 1), (CYCLE, 3, 2)])
def test_no_cycle_or_no_loss_or_a_queue_longer_than_the_path(shape: tuple[int, ...], losses: int, times: int) -> None:
    beside = Beside(shape=shape, times=times)
    beside.lose(times=losses)
    assert not beside.go_on(60)


@pytest.mark.parametrize(("after", "times", "is_it"), [(10, 3, True), (10, 2, False), (30, 3, False)])
def test_the_rate_is_held_to_see_where_losses_come_soon(after: int, times: int, is_it: bool) -> None:
    beside = Beside(shape=SAW)
    beside.lose(after=after, times=times)
    assert beside.even.is_tried(now=beside.now, has_tested=True) is is_it
    assert beside.go_on(50) is is_it
    assert not beside.go_on(12)
    assert not beside.even.is_tried(now=beside.now, has_tested=True)


def test_it_lasts_for_a_while_without_a_sight() -> None:
    beside = Beside()
    beside.lose()
    beside.go_on(60)
    beside.shape = SAW
    assert beside.go_on(100)
    assert not beside.go_on(50)


def test_what_comes_back_from_an_empty_queue_is_what_the_path_carries() -> None:
    beside = Beside(known=CARRIED // 4)
    beside.lose()
    beside.go_on(60)
    assert beside.even.rate < CARRIED * 35 // 100
    beside.look(CARRIED)
    beside.go_on(1)
    assert beside.even.rate == pytest.approx(CARRIED * 41 // 100, rel=0.03)


def test_it_tries_more_while_little_is_lost_and_nothing_is_known() -> None:
    beside = Beside(known=CARRIED // 4)
    beside.lose()
    beside.go_on(200)
    assert beside.even.rate > 1.4 * (CARRIED // 4) * 41 // 100
    lossy = Beside(known=CARRIED // 4)
    lossy.lose()
    lossy.go_on(200, loss=0.03)
    assert lossy.even.rate == CARRIED // 4 * 41 // 100


def test_it_yields_to_much_loss() -> None:
    beside = Beside()
    beside.lose()
    beside.go_on(200, loss=0.1)
    assert CARRIED // 20 < beside.even.rate < CARRIED * 35 // 100


@pytest.mark.parametrize(("times", "is_it"), [(3, False), (4, True)])
def test_without_a_test_it_takes_one_loss_more(times: int, is_it: bool) -> None:
    """Tests are seconds apart, and may all come when the other one has just made room."""
    beside = Beside()
    beside.lose(times=times)
    assert beside.even.is_tried(now=beside.now, has_tested=False) is is_it


@pytest.mark.parametrize(("loss", "lasts"), [(0.2, True), (0.4, False)])
def test_much_more_loss_than_that_ends_it(loss: float, lasts: bool) -> None:
    """The path carries less than it did: a sixteenth at a time would drop for seconds."""
    beside = Beside()
    beside.lose()
    assert beside.go_on(60)
    assert any(not beside.go_on(1, loss=loss) for _ in range(60)) is not lasts


def test_acknowledgments_in_a_clump_show_no_rate() -> None:
    beside = Beside(known=CARRIED // 2)
    beside.lose()
    assert beside.go_on(60)
    beside.look(100 * CARRIED)
    beside.go_on(1)
    assert beside.even.rate <= CARRIED
