"""The default controller where the path, the application or others change what there is: it follows.

20 Mbit/s and 50 ms to begin with. Bounds are generous, as in test_model.py.
"""

from __future__ import annotations

import random

import pytest

from surewire.core.congestion.model import Mode
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from surewire.streamer.window import BoundedWindow
from tests.unit.core.congestion.model_path import BDP, RATE, RTT, Path, is_in, settled

# The path changes.


def test_a_faster_path_is_found() -> None:
    path = settled()
    path.rate = 8 * RATE
    path.run(3 * S)
    assert path.share() >= 0.85


def just_cut(*, rate: int) -> Path:
    """A queue has been answered to a moment ago: what comes of a change goes by what it comes in the middle of."""
    path = settled(rate=rate)
    before = 0
    while path.model.window >= before:
        before = path.model.window
        path.run(10 * MS)
    return path


@pytest.mark.parametrize("after", [1, 2, 4, 6])
def test_a_path_ten_times_as_fast_is_used_after_a_few_round_trips(after: int) -> None:
    """And hardly anything is dropped for it."""
    path = just_cut(rate=RATE // 2)
    path.run(after * RTT)
    path.rate, path.queue = 5 * RATE, 10 * path.queue
    before = path.dropped
    path.run(9 * RTT)
    assert path.share(4 * RTT) >= 0.85
    assert path.dropped - before <= path.rate * RTT // S // 10


def test_a_wider_path_that_the_peer_does_not_let_be_filled_is_not_taken_for_an_endless_one() -> None:
    """The peer's window holds three of the old products; nothing is ever queued or lost."""
    path = settled(queue=2.0)
    path.rate, path.queue = 20 * RATE, 20 * path.queue
    path.controller = BoundedWindow(path.model, limit=3 * BDP)
    path.run(10 * S)
    assert path.model.window <= 2.1 * 3 * BDP
    path.controller = path.model
    path.run(S)
    assert path.dropped == 0


@pytest.mark.parametrize("windows", [2.0, 3.0, 4.0])
def test_a_slower_path_has_a_short_queue_again_where_the_peers_window_was_the_limit(windows: float) -> None:
    """What the window has beyond the peer's is not on its way: to cut that moves no round trip."""
    path = settled(queue=4.0)
    path.peer_window = int(windows * BDP)
    path.rate = 10 * RATE
    path.run(10 * S)
    path.rate = RATE
    path.run(5 * S)
    assert path.longest_wait(3 * S) <= 30 * MS


def test_a_slower_path_is_followed() -> None:
    path = settled()
    path.rate = RATE // 4
    path.run(S)
    assert path.share() >= 0.85


def test_a_slower_path_has_a_short_queue_again() -> None:
    path = settled()
    path.rate = RATE // 4
    path.run(15 * S)
    assert path.longest_wait(3 * S) <= 60 * MS
    assert path.share() >= 0.85


def test_a_longer_path_is_no_queue() -> None:
    path = settled()
    path.rtt = 4 * RTT
    path.run(6 * S)
    assert path.share(4 * S) >= 0.85
    assert path.model.queue.base == pytest.approx(4 * RTT, rel=0.1)


@pytest.mark.parametrize(("times", "steps"), [(2, 10), (2, 50), (4, 200)])
def test_a_path_that_loses_and_becomes_longer_little_by_little_is_no_queue(times: int, steps: int) -> None:
    """When cuts are in vain others may hold the queue, and who loses anyway yields: it has to come out twice."""
    path = settled(loss=0.1)
    for step in range(1, steps + 1):
        path.rtt = RTT + (times - 1) * RTT * step // steps
        path.run(20 * MS)
    path.run(8 * S)
    assert path.share(3 * S) >= 0.85
    assert path.model.queue.base == pytest.approx(times * RTT, rel=0.1)


def test_a_shorter_path_is_used_at_once_and_its_queue_becomes_short() -> None:
    path = settled(rtt=4 * RTT)
    path.rtt = RTT
    path.run(S)
    assert path.share() >= 0.85
    path.run(15 * S)
    assert path.longest_wait(2 * S) <= 30 * MS


def test_a_path_ten_times_as_long_is_used_after_a_few_round_trips() -> None:
    """It falls silent for longer than four of the old round trips in each new one."""
    path = settled(rtt=RTT // 2, queue=2.0)
    path.rtt = 5 * RTT
    path.run(5 * path.rtt)
    assert path.share(2 * path.rtt) >= 0.85
    assert path.model.queue.base == pytest.approx(5 * RTT, rel=0.1)


@pytest.mark.parametrize("loss", [0.0, 0.1])
@pytest.mark.parametrize("pause", [S // 2, 2 * S, 10 * S])
def test_a_pause_after_which_everything_comes_late_is_no_queue(pause: int, loss: float) -> None:
    """As when a host sleeps, or a radio link is gone for a while and keeps what it has."""
    path = settled(loss=loss)
    path.hold(pause)
    assert path.share(S) >= 0.7
    assert path.share(S) >= 0.85


def test_a_burst_of_others_is_no_longer_path() -> None:
    """150 ms of queue within 3 ms, which then drains."""
    path = settled(queue=4.0)
    path.others = 50 * RATE
    path.run(3 * MS)
    path.others = 0
    path.run(S)
    assert path.model.queue.base == pytest.approx(RTT, rel=0.1)
    assert path.share() >= 0.85
    assert path.longest_wait(2 * S) <= 30 * MS


def test_an_uneven_path_that_becomes_slower_still_has_a_short_queue() -> None:
    """Every round trip may be a step there."""
    path, rng = settled(queue=4.0), random.Random(1)
    path.rate = RATE // 4
    for _ in range(2000):
        path.rtt = RTT + rng.randrange(25) * MS
        path.run(5 * MS)
    assert path.longest_wait(2 * S) <= 100 * MS


def test_the_queue_of_a_link_that_fell_to_a_tenth_drains_in_a_few_round_trips() -> None:
    """What was on the way takes ten of them in any case."""
    path = just_cut(rate=5 * RATE)
    path.run(3 * RTT)
    path.rate = RATE // 2
    path.run(35 * RTT)
    assert path.longest_wait(20 * RTT) <= RTT
    assert path.share() >= 0.85


def test_a_path_a_tenth_as_long_is_not_flooded() -> None:
    """Seen: less than half of the window that the long path needed is dropped, once; with that window, for ever."""
    path = settled(rtt=5 * RTT, queue=0.1)
    path.rtt = RTT // 2
    before = path.dropped
    path.run(10 * RTT)
    assert path.dropped - before <= RATE * 5 * RTT // S // 2
    before = path.dropped
    assert path.share(2 * S) >= 0.85
    assert path.dropped - before <= 2 * RATE * 3 // 100


def test_loss_that_ends_leaves_the_rate_as_it_is() -> None:
    path = settled(loss=0.3)
    path.loss = 0.0
    path.run(2 * S)
    assert path.share() >= 0.85
    path.run(10 * S)
    assert path.model.floor.share <= 0.05


@pytest.mark.parametrize("loss", [0.02, 0.1, 0.2])
def test_loss_that_begins_is_found_to_be_the_paths(loss: float) -> None:
    path = settled()
    path.loss = loss
    path.run(12 * S)
    assert path.share(3 * S) >= 0.8


@pytest.mark.parametrize("loss", [0.1, 0.3])
def test_that_does_not_take_luck_either(loss: float) -> None:
    """Rounds that lose much and little by chance must add up to something."""
    shares = []
    for seed in range(6):
        path = Path(seed=seed)
        path.run(3 * S)
        path.loss = loss
        path.run(5 * S)
        shares.append(path.share(3 * S))
    assert min(shares) >= 0.6
    assert sorted(shares)[1] >= 0.85


def test_the_floor_is_bounded_whatever_is_lost() -> None:
    path = Path(loss=0.95)
    path.run(10 * S)
    assert path.model.floor.share <= 0.7


# The application.


def test_an_application_that_sends_little_does_not_lower_the_model() -> None:
    path = settled()
    before = path.model.cwnd, path.model.bandwidth
    path.app_rate = RATE // 50
    path.run(5 * S)
    assert path.model.cwnd >= before[0] // 2
    assert path.model.bandwidth >= before[1] // 2
    path.app_rate = None
    assert path.share(S) >= 0.8


def test_an_application_that_sends_little_does_not_raise_the_window() -> None:
    path = settled()
    before = path.model.cwnd
    path.app_rate = RATE // 2
    path.run(10 * S)
    assert path.model.cwnd <= 2 * before


# Others.


def test_who_fills_the_queue_for_good_is_competed_with() -> None:
    """It does not yield, so little is to be had; but the window is CUBIC's."""
    path = settled(queue=2.0)
    path.others = int(0.96 * RATE)
    path.run(5 * S)
    assert is_in(path.model, Mode.COMPETE)
    path.others = 0
    path.run(8 * S)
    assert not is_in(path.model, Mode.COMPETE)
    assert path.share() >= 0.85


class Holder(Path):
    """Others keep the queue about as long as the path, whatever else is sent: they make room for it."""

    def go_on(self, *, ms: int) -> None:
        """Let so much time pass with them."""
        for _ in range(ms // 10):
            wanted = BDP * (7 if self.now // (300 * MS) % 2 else 9) // 10
            self.others = max(RATE * 9 // 10 + int((wanted - self.waiting) * S / (20 * MS)), 0)
            self.run(10 * MS)


def test_where_others_hold_the_queue_and_make_room_it_sees_at_once_how_much() -> None:
    """CUBIC's curve without a loss before it adds a fiftieth in this time."""
    path = Holder(queue=4.0)
    path.run(3 * S + 180 * MS)  # then it has yielded before it competes; it may also have looked for a longer path
    waited = 0
    while not is_in(path.model, Mode.COMPETE):
        assert waited < 10_000
        path.go_on(ms=10)
        waited += 10
    before = path.model.cwnd
    path.go_on(ms=400)
    assert path.model.cwnd >= 2 * before


def test_beside_someone_who_takes_half_and_fills_no_queue_there_is_no_competition() -> None:
    path = settled()
    path.others = RATE // 2
    path.run(S)
    for _ in range(50):
        path.run(100 * MS)
        assert path.model.mode is not Mode.COMPETE
    assert path.run(2 * S) >= 0.4 * RATE


def test_now_and_then_it_looks_at_the_empty_path() -> None:
    """A path that has become a little longer looks like a short queue that never ends."""
    path = settled()
    path.rtt = RTT + 5 * MS
    modes = set()
    while Mode.LOOK not in modes:
        path.run(10 * MS)
        modes.add(path.model.mode)
        assert path.now < 40 * S
    assert path.model.pacing_rate <= 0.55 * path.model.window * S / path.model.queue.rtt  # no faster than half, too
    path.run(S)
    assert path.model.queue.base == pytest.approx(RTT + 5 * MS, abs=2 * MS)
    assert path.share() >= 0.85


def test_who_sends_little_learns_of_no_longer_path_before_it_sends_more() -> None:
    """The round trips rose at once and stay, but a twentieth of the rate shows nothing of what the path carries."""
    path = settled(queue=2.0)
    path.rtt = 3 * RTT
    path.run(2 * RTT)
    path.app_rate = RATE // 20
    path.run(3 * S)
    assert path.model.queue.base == pytest.approx(RTT, rel=0.1)
    path.app_rate = None
    path.run(2 * S)
    assert path.model.queue.base == pytest.approx(3 * RTT, rel=0.1)
    assert path.share() >= 0.85
