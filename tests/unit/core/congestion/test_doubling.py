"""The search for a window, by hand: what ends it, and what it finds. Start-up's judgement is in test_start_up.py."""

from __future__ import annotations

import pytest

from surewire.core.congestion import PhaseOutcome
from surewire.core.congestion.doubling import Doubling, Found
from surewire.core.congestion.path_state import PathState
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from tests.unit.core.congestion.known_path import BDP, NOW, RTT, SEGMENT, make_path, queue
from tests.unit.core.congestion.make_round import make_round
from tests.unit.core.makers import make_sample

RATE = BDP * S // RTT


def acknowledge(
    path: PathState,
    search: Doubling,
    *,
    acked: int = SEGMENT,
    lost: int = 0,
    rtt: int = RTT,
    is_end: bool = False,
    rate: int = RATE,
) -> Found | None:
    """So many bytes arrive after this round trip, at the path's rate; the last ones of a round if `is_end`."""
    path.filter.on_sample(rate, is_app_limited=False)
    for _ in range(8):
        search.start_up.on_rtt(rtt, sent_at=0)
    sample = make_sample(now=NOW, rate=RATE, outcomes=[PhaseOutcome(path.rounds.phase, acked, 0)])
    return search.on_ack(sample, make_round(acked, lost, rtt=rtt) if is_end else None)


def test_the_window_grows_by_what_arrives() -> None:
    path = make_path()
    search = Doubling(path)
    assert acknowledge(path, search, acked=3 * SEGMENT) is None
    assert path.window == BDP + 3 * SEGMENT


def test_longer_round_trips_are_a_queue_and_the_window_is_what_the_path_holds() -> None:
    path = make_path()
    path.window = 2 * BDP
    search = Doubling(path)
    assert acknowledge(path, search, acked=BDP, is_end=True) is None
    assert acknowledge(path, search, rtt=2 * RTT) is Found.QUEUE
    assert path.window == pytest.approx(BDP, rel=0.05)


def test_where_much_is_lost_the_window_has_room_for_what_is_not_known_to_be_lost_yet() -> None:
    """A loss is known an eighth of a round trip later than an arrival, and was in flight up to then."""
    path = make_path()
    path.window = 2 * BDP
    search = Doubling(path)
    assert acknowledge(path, search, acked=BDP * 6 // 10, lost=BDP * 4 // 10, is_end=True) is None
    assert acknowledge(path, search, rtt=2 * RTT) is Found.QUEUE
    share = path.floor.share
    assert share == pytest.approx(0.4, abs=0.05)
    assert path.window == pytest.approx(search.start_up.rate * RTT / S * (1 + share / 8), rel=0.01)


def test_deliveries_that_grow_no_more_are_a_limit() -> None:
    path = make_path()
    search = Doubling(path)
    found = [acknowledge(path, search, acked=BDP, is_end=True) for _ in range(3)]
    assert found == [None, None, Found.LIMIT]
    assert path.window == pytest.approx(BDP, rel=0.05)


def again(*, loss: float = 0.005, is_still: bool = True, is_repeated: bool = False) -> tuple[PathState, Doubling]:
    """A path with a round trip of twice its own, which did not answer to cuts; they have left half of the window."""
    path = make_path(loss=loss)
    queue(path, RTT)
    path.window = BDP // 2
    return path, Doubling(path, again_from=BDP, is_still=is_still, is_repeated=is_repeated)


def grow(path: PathState, search: Doubling, *, by: int) -> Found | None:
    """By so many bytes, and then the round trips become longer."""
    assert acknowledge(path, search, acked=by, rtt=2 * RTT) is None
    return acknowledge(path, search, rtt=3 * RTT)


@pytest.mark.parametrize(("loss", "by"), [(0.005, BDP), (0.1, BDP // 2)])
def test_a_path_whose_window_grows_so_much_before_anything_moves_is_longer(loss: float, by: int) -> None:
    path, search = again(loss=loss)
    assert grow(path, search, by=by) is Found.LONGER_PATH
    assert path.queue.base == 2 * RTT


@pytest.mark.parametrize(("loss", "by", "left"), [(0.005, BDP * 9 // 10, BDP), (0.1, BDP * 2 // 5, BDP * 3 // 4)])
def test_one_whose_round_trips_move_sooner_has_others_on_it(loss: float, by: int, left: int) -> None:
    """Where nobody competes, as the path loses too much, they may be flows like this one, who overload it together."""
    path, search = again(loss=loss)
    assert grow(path, search, by=by) is Found.OTHERS
    assert (path.window, path.queue.base) == (left, RTT)


@pytest.mark.parametrize("loss", [0.005, 0.1])
def test_one_that_cuts_had_moved_is_longer_only_if_it_seems_so_twice(loss: float) -> None:
    """A full queue does not move either: sixteen flows took it for a longer path, one after the other."""
    path, search = again(loss=loss, is_still=False)
    assert grow(path, search, by=BDP) is Found.DOUBT
    assert (path.window, path.queue.base) == (BDP, RTT)
    path, search = again(loss=loss, is_still=False, is_repeated=True)
    assert grow(path, search, by=BDP) is Found.LONGER_PATH


@pytest.mark.parametrize(("loss", "found"), [(0.005, Found.LONGER_PATH), (0.1, Found.DOUBT)])
def test_so_is_one_that_loses_where_losses_ended_the_search(loss: float, found: Found) -> None:
    for is_repeated in (False, True):
        path, search = again(loss=loss, is_repeated=is_repeated)
        ended = acknowledge(path, search, acked=BDP, lost=BDP, rtt=2 * RTT, is_end=True)
        assert ended is (Found.LONGER_PATH if is_repeated else found)


@pytest.mark.parametrize(
    ("rtt", "share", "left"), [(96, 1, 0), (94, 1, BDP), (94, 2, BDP), (94, 0.75, 3 * BDP // 4), (94, 0.1, BDP // 2)]
)
def test_one_whose_round_trips_become_shorter_has_others_on_it_who_yield(rtt: int, share: float, left: int) -> None:
    """A path does not become shorter while it is asked whether it is longer: 5% of 100 ms are 5 ms.

    As much is left as the path delivers, which may have become faster: no less than cuts have left, and no more than
    there was before them.
    """
    path = make_path()
    queue(path, RTT)
    path.window = BDP // 2
    search = Doubling(path, again_from=BDP)
    assert path.window == BDP
    rate = int(share * RATE)
    assert acknowledge(path, search, acked=0, rtt=2 * RTT, rate=rate) is None
    for _ in range(20):
        path.filter.on_round()
    found = acknowledge(path, search, acked=0, rtt=rtt * MS, rate=rate)
    assert found is (Found.SHORTER_QUEUE if left else None)
    if left:
        assert (path.window, path.queue.base) == (left, RTT)


def test_nothing_is_learned_of_losses_beside_others() -> None:
    learned = []
    for path, search in (again(), (first := make_path(), Doubling(first))):
        for rounds in (2, 3):
            acknowledge(path, search, acked=rounds * BDP, lost=2 * SEGMENT, is_end=True)
        assert acknowledge(path, search, rtt=3 * RTT) is not None
        learned.append(path.floor.share)
    assert learned[0] == 0.005
    assert learned[1] > 0
