"""Cuts for a queue, by hand: how deep they are, and when they are seen to be in vain."""

from __future__ import annotations

import pytest

from surewire.core.congestion.competition import Competition
from surewire.core.congestion.cuts import Cuts
from surewire.core.congestion.path_state import PathState
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from tests.unit.core.congestion.known_path import BDP, NOW, RTT, SEGMENT, make_path, queue


def queued(delay: int) -> PathState:
    path = make_path()
    queue(path, delay)
    return path


def take(cuts: Cuts, path: PathState, window: int = BDP) -> int:
    return cuts.take(path.queue, window, latest_rtt=path.queue.rtt, noise=0)


def in_vain(cuts: Cuts, path: PathState, window: int, *, is_least: bool = False, is_lossy: bool = False) -> bool:
    return cuts.are_in_vain(path.queue, window, allowed=10 * MS, is_least=is_least, is_lossy=is_lossy)


def test_a_cut_takes_the_queues_share_and_leaves_a_little_of_it() -> None:
    assert take(Cuts(), queued(10 * MS)) == 100 * (RTT + RTT // 64) // (RTT + 10 * MS)


@pytest.mark.parametrize(("delay", "first", "second"), [(RTT, 70, 50), (2 * RTT, 66, 40), (9 * RTT, 20, 20)])
def test_the_first_look_may_be_wrong_by_more_than_the_second(delay: int, first: int, second: int) -> None:
    cuts, path = Cuts(), queued(delay)
    assert (take(cuts, path), take(cuts, path), cuts.count) == (first, second, 2)


def test_the_window_before_the_first_cut_is_kept() -> None:
    cuts, path = Cuts(), queued(RTT)
    take(cuts, path)
    take(cuts, path, BDP // 2)
    assert cuts.window == BDP


@pytest.mark.parametrize(
    ("window", "moved", "is_it", "is_it_lossy"),
    [(90, 0, False, False), (75, 0, True, False), (75, 5 * MS, False, False), (55, 0, True, True)],
)
def test_a_round_trip_that_does_not_answer_to_a_part_of_the_window(
    window: int, moved: int, is_it: bool, is_it_lossy: bool
) -> None:
    """On a path that loses to half of it: to what one cut takes it may not because somebody starts up just then."""
    cuts = Cuts()
    take(cuts, queued(RTT))
    for delay in (RTT + moved + MS, RTT - moved - MS):
        path, left = queued(delay), BDP * window // 100
        for is_lossy, expected in ((False, is_it), (True, is_it_lossy)):
            assert in_vain(cuts, path, left, is_lossy=is_lossy) is expected
            assert cuts.is_still(left, path.queue.rtt, is_lossy=is_lossy) is expected


def test_one_that_did_answer_and_is_as_long_again_was_not_in_vain() -> None:
    """As a newcomer makes it: then it goes by what is cut from then on."""
    cuts = Cuts()
    take(cuts, queued(RTT))
    cuts.on_round(queued(RTT // 2).queue)
    assert not in_vain(cuts, queued(RTT), BDP // 2)
    take(cuts, queued(RTT), BDP // 2)
    cuts.on_round(queued(RTT).queue)
    assert not in_vain(cuts, queued(RTT), BDP * 2 // 5)
    assert in_vain(cuts, queued(RTT), BDP * 3 // 8)


def test_a_short_queue_may_stay_as_it_is() -> None:
    cuts, path = Cuts(), queued(20 * MS)
    take(cuts, path)
    assert not in_vain(cuts, path, BDP // 2)


def test_before_any_cut_none_was_in_vain() -> None:
    assert not in_vain(Cuts(), queued(RTT), 0, is_least=True)


def test_three_cuts_down_to_the_least_window_are_in_vain_whatever_moved() -> None:
    cuts, path = Cuts(), queued(5 * RTT)
    for _ in range(3):
        assert not in_vain(cuts, queued(RTT), 4 * SEGMENT, is_least=True)
        take(cuts, path)
    assert not in_vain(cuts, queued(RTT), 5 * SEGMENT)
    assert in_vain(cuts, queued(RTT), 4 * SEGMENT, is_least=True)


def test_six_say_that_others_hold_the_queue() -> None:
    cuts, path = Cuts(), queued(RTT)
    for count in range(7):
        assert cuts.is_standing(NOW) is (count >= 6)
        take(cuts, path)


@pytest.mark.parametrize(("delay", "is_it"), [(RTT * 3 // 5, False), (RTT * 61 // 100, True), (2 * RTT, True)])
def test_a_queue_that_became_clearly_shorter_meanwhile_does_not_stand(delay: int, is_it: bool) -> None:
    """As that of one newcomer after the other does, each time before the next one comes."""
    cuts, path = Cuts(), queued(RTT)
    for _ in range(5):
        take(cuts, path)
    cuts.on_round(queued(delay).queue)
    take(cuts, path)
    assert cuts.is_standing(NOW) is is_it


def test_one_that_stands_from_then_on_does() -> None:
    cuts, path = Cuts(), queued(RTT)
    take(cuts, path)
    cuts.on_round(queued(RTT // 2).queue)
    for count in range(7):
        assert cuts.is_standing(NOW) is (count >= 6)
        take(cuts, queued(RTT // 2))


def test_the_longest_of_all_rounds_since_is_what_it_has_become_shorter_than() -> None:
    cuts, path = Cuts(), queued(RTT)
    for _ in range(6):
        take(cuts, path)
    cuts.on_round(queued(2 * RTT).queue)
    cuts.on_round(queued(RTT).queue)
    assert not cuts.is_standing(NOW)


@pytest.mark.parametrize(("longer", "is_it"), [(RTT * 149 // 100, True), (RTT * 3 // 2, False)])
def test_one_that_is_suddenly_much_longer_is_a_newcomers(longer: int, is_it: bool) -> None:
    """Whether he yields will be seen in the next six."""
    cuts = Cuts()
    for count in range(6):
        take(cuts, queued(RTT if count < 3 else longer))
    assert cuts.is_standing(NOW) is is_it
    for _ in range(3):
        take(cuts, queued(longer))
    assert cuts.is_standing(NOW)


def test_three_do_where_a_competition_has_just_ended() -> None:
    competition = Competition(BDP, segment=SEGMENT, now=NOW)
    competition.end(now=NOW)
    cuts, path = Cuts(after=competition), queued(RTT)
    for count in range(4):
        held = BDP if count >= 3 else 0
        assert (cuts.held_before(NOW), cuts.is_standing(NOW)) == (held, held > 0)
        take(cuts, path)
    assert cuts.held_before(NOW + 60 * S) == 0
