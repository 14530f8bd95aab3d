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
LIKE = tuple(value + 4 * ((7 * number + number // 8) % 5 == 0) for number, value in enumerate(CYCLE * 5))  # half of it


class Beside:
    """The rate beside others whose queue goes up and down like this, with what arrives of ours."""

    def __init__(self, *, shape: tuple[int, ...] = CYCLE, known: int = CARRIED, times: int = 1) -> None:
        self.path = make_path()
        self.path.window = BDP // 10  # that is the rate below, when the queue is full
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
        self.come([SEGMENT * S // rate] * 40)

    def come(self, gaps: list[int]) -> None:
        """The queue has gone, and acknowledgments of a segment each come so many ns apart."""
        self.even.on_rtt(RTT, sent_at=self.now)
        now = self.now
        for gap in gaps:
            now += gap
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


def test_a_look_of_the_other_one_lets_it_last() -> None:
    """The other one is known by it as well, and the cycle is not to be seen for a while."""
    beside = Beside()
    beside.lose()
    beside.go_on(60)
    beside.shape = SAW
    assert beside.go_on(90)
    beside.look(CARRIED)
    assert beside.go_on(150)
    assert not beside.go_on(50)


def test_a_queue_that_is_gone_again_and_again_does_not() -> None:
    beside = Beside()
    beside.lose()
    beside.go_on(60)
    beside.shape = SAW
    was_on = []
    for _ in range(7):
        beside.look(CARRIED)
        was_on.append(beside.go_on(40))
    assert was_on[0]
    assert not was_on[-1]


def test_it_does_not_try_again_what_has_lost_too_much() -> None:
    beside = Beside()
    beside.lose()
    beside.go_on(60)
    beside.go_on(20, loss=0.2)
    assert beside.even.rate < CARRIED * 40 // 100
    beside.go_on(250)
    assert CARRIED * 35 // 100 < beside.even.rate <= CARRIED * 41 // 100


def test_what_has_lost_too_much_is_none_where_the_path_carries_more_than_was_known() -> None:
    beside = Beside(known=CARRIED // 8)
    beside.lose()
    beside.go_on(60)
    beside.go_on(20, loss=0.2)
    gap = SEGMENT * S // CARRIED
    beside.come([gap, gap, 2 * gap, 2 * gap, 20 * gap])
    for _ in range(150):
        beside.go_on(1)
        assert beside.even.rate >= CARRIED * 3 // 5 * 41 // 100


def test_what_was_yielded_to_who_does_not_yield_is_taken_back() -> None:
    """All but the answer to the first loss: that is what was had before nobody else answered."""
    beside = Beside(known=CARRIED // 10)
    beside.path.window = BDP // 2
    beside.lose(times=1)
    beside.path.window = BDP // 10
    beside.lose(times=2)
    assert beside.go_on(60)
    assert beside.even.rate == pytest.approx(0.7 * CARRIED / 4, rel=0.01)


def test_a_trial_does_not_end_while_half_a_cycle_is_seen() -> None:
    beside = Beside(shape=LIKE)
    beside.lose()
    assert beside.even.is_tried(now=beside.now, has_tested=True)
    assert beside.go_on(90)


def test_of_a_low_rate_a_few_acknowledgments_tell_what_the_path_carries() -> None:
    """The queue has little of ours at its end: before, others come between, and afterwards nothing waits."""
    beside = Beside(known=CARRIED // 8)
    beside.lose()
    beside.go_on(60)
    gap = SEGMENT * S // CARRIED
    beside.come([4 * gap] * 3 + [gap] * 9 + [16 * gap] * 9)
    beside.go_on(1)
    assert beside.even.rate == pytest.approx(CARRIED * 41 // 100, rel=0.03)


def test_what_came_once_is_no_measure_of_the_path() -> None:
    """So there may be room for more."""
    beside = Beside(known=CARRIED // 16)
    beside.rate = CARRIED // 40
    beside.path.window = BDP // 40
    beside.lose()
    beside.go_on(45)
    gap = SEGMENT * S // CARRIED
    beside.come([gap, 5 * gap, 16 * gap, 20 * gap])
    beside.go_on(1)
    found = beside.even.rate
    assert found == pytest.approx(CARRIED // 5 * 41 // 100, rel=0.01)
    beside.go_on(100)
    assert beside.even.rate > 1.4 * found


def test_what_comes_as_it_was_sent_is_no_measure_of_the_path() -> None:
    beside = Beside(known=CARRIED // 16)
    beside.lose()
    beside.go_on(60)
    beside.even.rate = CARRIED // 16
    beside.come([16 * SEGMENT * S // CARRIED] * 9)
    beside.go_on(150)
    assert beside.even.rate > 1.4 * CARRIED / 16
