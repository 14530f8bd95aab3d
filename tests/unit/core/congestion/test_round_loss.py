"""What the loss of single rounds is taken for, by hand."""

from __future__ import annotations

import pytest

from surewire.core.congestion.path_state import PathState
from surewire.core.congestion.round_loss import RoundLoss
from surewire.core.congestion.round_trips import Round
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from tests.unit.core.congestion.known_path import BDP, NOW, RTT, make_path, queue
from tests.unit.core.congestion.make_round import make_round


def lossy(share: float, nbytes: int = BDP) -> Round:
    lost = int(nbytes * share)
    return make_round(nbytes - lost, lost)


def seen(path: PathState, *, delay: int = 10 * MS) -> RoundLoss:
    """A full round was delivered, with so long a queue, which is empty again."""
    losses = RoundLoss(path)
    queue(path, delay)
    losses.on_round(make_round(BDP), now=NOW)
    queue(path, 0)
    return losses


def test_much_loss_of_a_full_window_is_answered() -> None:
    path = make_path()
    assert seen(path).to_answer(lossy(0.3), may_be_path=True) == pytest.approx(0.3, abs=0.01)
    assert path.floor.share == 0


def test_the_same_of_half_a_window_is_the_paths() -> None:
    path = make_path()
    losses = seen(path)
    path.window = BDP // 2
    assert losses.to_answer(lossy(0.3, BDP // 2), may_be_path=True) == 0
    assert path.floor.share > 0.1


@pytest.mark.parametrize("now", ["queued", "never long"])
def test_unless_there_is_a_queue_or_none_was_ever_seen(now: str) -> None:
    path = make_path()
    losses = seen(path, delay=10 * MS if now == "queued" else 0)
    path.window = BDP // 2
    if now == "queued":
        queue(path, 10 * MS)
    assert losses.to_answer(lossy(0.3, BDP // 2), may_be_path=True) > 0.2
    assert path.floor.share == 0


@pytest.mark.parametrize(("delay", "excess", "may_be"), [(0, 0.1, True), (0, 0.2, False), (10 * MS, 0.1, False)])
def test_some_loss_without_a_queue_may_be_chance(delay: int, excess: float, may_be: bool) -> None:
    path = make_path()
    losses = seen(path)
    queue(path, delay)
    assert losses.may_be_chance(excess) is may_be


def test_where_much_is_lost_anyway_the_queue_is_no_matter() -> None:
    path = make_path(loss=0.1)
    losses = seen(path)
    queue(path, 10 * MS)
    assert losses.may_be_chance(0.1)


def test_two_rounds_running_are_no_chance() -> None:
    losses = seen(make_path())
    for may_be in (True, False):
        assert losses.excess(lossy(0.12)) > 0
        assert losses.may_be_chance(0.1) is may_be


def end_quiet(path: PathState, losses: RoundLoss, share: float) -> None:
    """Be quiet for a round that loses so much."""
    losses.quiet.on_round(lossy(0.1), is_first=True)
    path.window = losses.quiet_window(BDP, now=NOW)
    assert path.window < BDP
    assert losses.end_quiet(lossy(share, path.window), now=NOW)
    assert path.window == BDP


def test_a_quiet_round_teaches_a_little_at_a_time() -> None:
    path = make_path(evidence=10.0)
    end_quiet(path, seen(path), 0.3)
    assert 0.03 <= path.floor.share <= 0.05


@pytest.mark.parametrize("share", [0.04, 0.3])
def test_with_a_queue_it_teaches_nothing(share: float) -> None:
    path = make_path(evidence=10.0)
    losses = seen(path)
    queue(path, 10 * MS)
    end_quiet(path, losses, share)
    assert path.floor.share == 0


def test_where_no_queue_was_ever_seen_only_what_is_believable() -> None:
    path = make_path(evidence=10.0)
    losses = seen(path, delay=0)
    end_quiet(path, losses, 0.3)
    assert path.floor.share == 0


@pytest.mark.parametrize(("share", "is_learned"), [(0.05, True), (0.2, False)])
def test_a_look_only_ever_lowers_the_floor(share: float, is_learned: bool) -> None:
    path = make_path(loss=0.1)
    seen(path).end_look(lossy(share))
    assert (path.floor.share < 0.1) is is_learned
    assert path.floor.share <= 0.1


def test_a_look_that_loses_far_less_shows_that_the_losses_were_the_windows() -> None:
    """Half of what a policer drops of is all that it lets pass: a floor of such losses would never be answered."""
    path = make_path(loss=0.4)
    seen(path).end_look(lossy(0.05, 40 * path.segment))
    assert path.floor.share == pytest.approx(0.05)


def overloaded() -> tuple[PathState, RoundLoss]:
    """Thirty segments are on the way where the path takes sixteen, and the rest is taken for its loss."""
    path = make_path(loss=0.4, evidence=200.0)
    path.queue.begin(RTT, now=NOW)
    path.window = 30 * path.segment
    losses = RoundLoss(path)
    losses.on_round(make_round(16 * path.segment, 14 * path.segment), now=NOW)
    return path, losses


@pytest.mark.parametrize("delay", [0, 20 * MS])
def test_of_few_segments_a_quiet_time_shows_that_the_losses_were_the_windows(delay: int) -> None:
    """Whoever holds the queue: it only adds losses."""
    path, losses = overloaded()
    restored = path.window
    path.window = losses.quiet_window(restored, now=NOW)
    assert path.window == 12 * path.segment
    queue(path, delay)
    ends = [losses.end_quiet(make_round(12 * path.segment), now=NOW) for _ in range(4)]
    assert ends == [False, False, False, True]
    assert path.floor.share == 0
    assert path.window == 16 * path.segment  # and no more than has arrived


def test_where_they_were_the_paths_the_window_is_restored() -> None:
    path, losses = overloaded()
    restored = path.window
    path.window = losses.quiet_window(restored, now=NOW)
    assert losses.end_quiet(make_round(7 * path.segment, 5 * path.segment), now=NOW)
    assert path.floor.share == pytest.approx(0.4, abs=0.01)
    assert path.window == restored


def test_a_floor_that_so_few_cannot_contradict_is_not_waited_for() -> None:
    path, losses = overloaded()
    path.floor.begin(0.03, 200)
    path.window = losses.quiet_window(path.window, now=NOW)
    assert losses.end_quiet(make_round(12 * path.segment), now=NOW)


def test_where_a_quiet_round_was_too_large_the_next_one_is_what_the_path_takes() -> None:
    """A hundred segments are on the way where the path takes forty: three quarters of them lose nearly as much."""
    path = make_path(loss=0.6, evidence=500.0)
    path.queue.begin(RTT, now=NOW)
    path.window = 100 * path.segment
    losses, forty = RoundLoss(path), make_round(40 * path.segment, 60 * path.segment)
    losses.on_round(forty, now=NOW)
    losses.quiet.on_round(forty, is_first=True)
    path.window = losses.quiet_window(path.window, now=NOW)
    assert path.window == 75 * path.segment
    assert losses.end_quiet(make_round(40 * path.segment, 35 * path.segment), now=NOW)
    assert path.floor.share > 0.5
    path.window = losses.quiet_window(path.window, now=NOW + 9 * S)
    assert path.window == 20 * path.segment
    ends = [losses.end_quiet(make_round(20 * path.segment), now=NOW + 9 * S) for _ in range(3)]
    assert ends == [False, False, True]
    assert path.floor.share == 0
    assert path.window == 40 * path.segment


@pytest.mark.parametrize(("share", "corrected"), [(0.35, 0.35), (0.53, 0.6)])
def test_a_second_large_quiet_round_that_loses_far_less_corrects_the_floor(share: float, corrected: float) -> None:
    """The first one may be chance, where losses come in bursts; and a little less always may be."""
    path = make_path(loss=0.6, evidence=500.0)
    losses = seen(path)
    few = 125  # bytes in a segment: then half of the window is no small one
    path.segment = few
    for at, floor in ((NOW, 0.6), (NOW + 9 * S, corrected)):
        path.window = losses.quiet_window(BDP, now=at)
        queue(path, 10 * MS)  # from which nothing is learned
        assert losses.end_quiet(lossy(share, path.window), now=at)
        assert path.floor.share == pytest.approx(floor, abs=0.01)
