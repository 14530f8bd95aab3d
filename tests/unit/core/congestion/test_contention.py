"""When others are competed with, and when that is over, by hand."""

from __future__ import annotations

import pytest

from surewire.core.congestion.contention import Contention, is_contended
from surewire.core.congestion.cuts import Cuts
from surewire.core.congestion.path_state import PathState
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from tests.unit.core.congestion.known_path import BDP, NOW, RTT, make_path, queue
from tests.unit.core.congestion.make_round import make_round

DELAY = 40 * MS


def contended(path: PathState, *, cuts: int, excess: float = 0.0, delay: int = DELAY) -> bool:
    """After so many cuts for the queue, and a round that shows the delay."""
    counted, known = Cuts(), make_path()
    queue(known, DELAY)
    for _ in range(cuts):
        counted.take(known.queue, BDP, latest_rtt=RTT + DELAY, noise=0)
    queue(path, delay)
    return is_contended(path, counted, excess=excess, now=NOW)


@pytest.mark.parametrize(("cuts", "excess", "is_it"), [(1, 0.1, False), (2, 0.1, True), (2, 0.0, False)])
def test_a_queue_that_overflows_though_it_was_cut_twice(cuts: int, excess: float, is_it: bool) -> None:
    """Once may have been for a newcomer, of whom more come."""
    assert contended(make_path(), cuts=cuts, excess=excess) is is_it


def test_a_queue_that_was_long_a_round_ago_may_have_overflowed() -> None:
    path = make_path()
    queue(path, DELAY)
    assert contended(path, cuts=2, excess=0.1, delay=0)
    assert not contended(path, cuts=2, excess=0.1, delay=0)


@pytest.mark.parametrize(("cuts", "delay", "is_it"), [(5, DELAY, False), (6, DELAY, True), (6, 2 * MS, False)])
def test_a_queue_that_stands(cuts: int, delay: int, is_it: bool) -> None:
    assert contended(make_path(), cuts=cuts, delay=delay) is is_it


@pytest.mark.parametrize(("loss", "evidence"), [(0.01, 1000.0), (0.0, 100.0)])
def test_nobody_is_where_much_is_lost_or_who_knows(loss: float, evidence: float) -> None:
    assert not contended(make_path(loss=loss, evidence=evidence), cuts=6, excess=0.1)


def go_on(
    path: PathState, contention: Contention, *, delay: int = DELAY, excess: float = 0.0, now: int = NOW + RTT
) -> None:
    queue(path, delay, now=now)
    contention.on_round(make_round(path.window, rtt=RTT + delay), excess=excess, now=now)


def test_loss_of_a_full_queue_is_answered_as_cubic_does() -> None:
    path = make_path()
    contention = Contention(path, now=NOW)
    go_on(path, contention, excess=0.1)
    assert (path.window, contention.is_over) == (BDP * 7 // 10, False)


def test_without_loss_the_window_grows() -> None:
    path = make_path()
    contention = Contention(path, now=NOW)
    for rounds in range(1, 10):
        go_on(path, contention, now=NOW + rounds * (RTT + DELAY))
    assert path.window > BDP
    assert contention.competition.window == path.window


@pytest.mark.parametrize(("is_untried", "times"), [(True, 1.5), (False, 1.0)])
def test_it_begins_with_slow_start_where_yielding_has_left_little(is_untried: bool, times: float) -> None:
    path = make_path()
    go_on(path, Contention(path, now=NOW, is_untried=is_untried))
    assert path.window == pytest.approx(times * BDP, rel=0.02)


def test_a_test_that_finds_an_empty_queue_ends_it() -> None:
    path = make_path()
    contention = Contention(path, now=NOW)
    now = NOW + 2 * S
    go_on(path, contention, now=now)
    assert contention.competition.is_testing
    assert path.window < BDP
    go_on(path, contention, delay=0, now=now + RTT)
    assert contention.is_over
    assert contention.competition.is_doubtful(now + S)


def test_loss_of_an_empty_queue_ends_it() -> None:
    path = make_path()
    contention = Contention(path, now=NOW)
    go_on(path, contention, delay=0, excess=0.1)
    assert contention.is_over


def test_a_path_that_turns_out_to_lose_much_ends_it() -> None:
    path = make_path()
    contention = Contention(path, now=NOW)
    path.floor.begin(0.02, 1000.0)
    go_on(path, contention)
    assert contention.is_over


def test_the_window_never_falls_below_two_segments() -> None:
    path = make_path()
    path.window = path.least
    contention = Contention(path, now=NOW)
    go_on(path, contention, excess=0.1)
    assert path.window == contention.competition.window == path.least


def lose_again_and_again(path: PathState, contention: Contention) -> int:
    """Three losses, the last of which is used for a test, and the round after the test; when that was."""
    now = NOW + S // 5
    for _ in range(3):
        go_on(path, contention, excess=0.1, now=now)
        now += S // 2
    assert contention.competition.is_testing
    go_on(path, contention, now=now)
    return now


def test_where_losses_come_soon_the_rate_is_held_and_no_loss_answered_for_a_while() -> None:
    path = make_path()
    contention = Contention(path, now=NOW)
    now = lose_again_and_again(path, contention)
    held = contention.pacing_rate
    assert held > 0
    go_on(path, contention, excess=0.1, now=now + S)
    assert (contention.pacing_rate, path.window) == (held, contention.even.window)
    go_on(path, contention, excess=0.1, now=now + 4 * S)
    assert contention.pacing_rate == 0
    assert path.window < contention.even.window


def test_a_queue_that_stays_away_ends_a_held_rate() -> None:
    path = make_path()
    contention = Contention(path, now=NOW)
    now = lose_again_and_again(path, contention)
    for rounds in range(1, 13):
        assert not contention.is_over
        go_on(path, contention, delay=0, now=now + rounds * RTT)
    assert contention.is_over


def test_a_path_that_turns_out_to_lose_much_ends_a_held_rate() -> None:
    path = make_path()
    contention = Contention(path, now=NOW)
    now = lose_again_and_again(path, contention)
    path.floor.begin(0.02, 1000.0)
    go_on(path, contention, now=now + RTT)
    assert contention.is_over
