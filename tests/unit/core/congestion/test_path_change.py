"""Round trips that change all at once, by hand: what is tried, and what is made of it."""

from __future__ import annotations

import pytest

from surewire.core.congestion.path_change import PathChange
from surewire.core.congestion.path_state import PathState
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from tests.unit.core.congestion.known_path import BDP, NOW, RTT, SEGMENT, make_path, queue
from tests.unit.core.congestion.make_round import make_round

LONG = 4 * RTT


def deliver(path: PathState, rate: int) -> None:
    path.filter.on_sample(rate, is_app_limited=False)
    path.filter.on_round()


def rise(path: PathState, *, over: int) -> None:
    """The round trip rises to the long one between two datagrams sent that far apart, ns; it is known at `NOW`."""
    sent_at = NOW - LONG
    path.queue.step.on_rtt(RTT, sent_at=sent_at - over)
    path.queue.step.on_rtt(LONG, sent_at=sent_at)
    queue(path, LONG - RTT)


def tried(*, rate: int = BDP * S // RTT) -> tuple[PathState, PathChange]:
    """A longer path that is tried, where so much (bytes a second) was delivered."""
    path = make_path()
    deliver(path, rate)
    rise(path, over=MS)
    change = PathChange(path)
    assert change.explains_queue(NOW + LONG)
    assert change.is_tried
    return path, change


def test_a_delay_that_grew_is_a_queue() -> None:
    path = make_path()
    rise(path, over=LONG)
    assert not PathChange(path).explains_queue(NOW + LONG)


def test_a_short_delay_is_a_queue() -> None:
    path = make_path()
    rise(path, over=MS)
    queue(path, 10 * MS)
    assert not PathChange(path).explains_queue(NOW + LONG)


def test_a_new_step_is_waited_for_once() -> None:
    path = make_path()
    rise(path, over=MS)
    change = PathChange(path)
    assert [change.explains_queue(NOW), change.is_tried] == [True, False]
    assert not change.explains_queue(NOW)


def test_a_step_that_did_not_stay_is_a_queue_for_good() -> None:
    path = make_path()
    rise(path, over=MS)
    path.queue.step.on_rtt(LONG // 2, sent_at=NOW)
    change = PathChange(path)
    assert not change.explains_queue(NOW + LONG)
    assert not path.queue.step.explains(LONG - RTT, rtt=LONG, now=NOW + LONG)


def test_the_rate_is_kept_on_a_longer_path() -> None:
    path, _ = tried()
    assert path.window == BDP * LONG // RTT


def test_no_more_is_tried_than_the_path_has_delivered() -> None:
    path, _ = tried(rate=BDP * S // LONG * 2)
    assert path.window == 2 * BDP


def test_a_path_that_carries_it_is_longer() -> None:
    path, change = tried()
    assert change.end_trial(make_round(path.window, rtt=LONG), excess=0.0, now=NOW)
    assert (path.queue.base, change.is_tried) == (LONG, False)
    assert path.window == BDP * LONG // RTT


@pytest.mark.parametrize(("rtt", "excess"), [(LONG * 13 // 10, 0.0), (LONG, 0.2)])
def test_a_path_that_does_not_is_others_doing(rtt: int, excess: float) -> None:
    path, change = tried()
    assert not change.end_trial(make_round(path.window, rtt=rtt), excess=excess, now=NOW)
    assert (path.queue.base, path.window) == (RTT, BDP)


def test_a_delay_that_goes_while_the_application_has_little_to_send_leaves_the_window_of_before() -> None:
    """Else the window of the long path would meet the short one, as soon as there is more to send."""
    path, change = tried()
    before = path.rounds.phase
    assert change.end_trial(make_round(SEGMENT, rtt=LONG, is_app_limited=True), excess=0.0, now=NOW)
    assert change.is_tried
    assert change.end_trial(make_round(SEGMENT, rtt=RTT + MS, is_app_limited=True), excess=0.0, now=NOW)
    assert (path.queue.base, path.window, change.is_tried) == (RTT, BDP, False)
    assert path.rounds.phase > before


def test_only_half_of_the_round_trip_is_a_shorter_path() -> None:
    change = PathChange(make_path())
    assert not change.is_shorter(make_round(BDP, rtt=RTT // 2))
    assert change.is_shorter(make_round(BDP, rtt=RTT // 2 - 1))


@pytest.mark.parametrize(("rtt", "window"), [(RTT // 10, BDP // 10), (RTT // 1000, 4 * SEGMENT)])
def test_the_rate_is_kept_on_a_shorter_path_too(rtt: int, window: int) -> None:
    path, change = tried()
    path.window = BDP
    before = path.rounds.phase
    change.shorten(make_round(BDP, rtt=rtt))
    assert (path.window, path.queue.base, path.queue.rtt) == (window, rtt, rtt)
    assert not change.is_tried
    assert path.rounds.phase > before


@pytest.mark.parametrize(("rtt", "is_same"), [(LONG, True), (LONG * 95 // 100, True), (LONG * 94 // 100, False)])
def test_what_cuts_do_not_move_is_known_again(rtt: int, is_same: bool) -> None:
    change = PathChange(make_path())
    assert not change.suspect(LONG)
    change.begin(is_suspected=True)
    assert change.suspect(rtt) is is_same
    for forget in (change.clear, change.begin):
        forget()
        assert not change.suspect(rtt)
