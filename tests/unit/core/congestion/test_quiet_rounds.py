"""Quiet rounds by hand: when there is one, how deep it is, and what may be learned from it."""

from __future__ import annotations

import pytest

from surewire.core.congestion.quiet_rounds import QuietRounds
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from tests.unit.core.congestion.make_round import make_round

RTT = 50 * MS
WINDOW = 100_000
SEGMENT = 1000
FEW = 30 * SEGMENT


class Flow:
    """Reductions that come every 100 ms, on a path that loses something."""

    def __init__(self) -> None:
        self.quiet = QuietRounds()
        self.now = 100 * S
        self.quiet.on_round(make_round(WINDOW, lost=WINDOW // 10), is_first=True)

    def reduce(self) -> int:
        return self.quiet.window(WINDOW, arriving=WINDOW, segment=SEGMENT, rtt=RTT, now=self.now, is_lossy=True)

    def wait(self) -> int:
        """ns until a reduction is followed by a quiet round."""
        since = self.now
        while self.reduce() == WINDOW:
            assert self.quiet.restored is None
            assert self.now < since + 1000 * S
            self.now += S // 10
        return self.now - since

    def end(self, *, is_less: bool = False, acked: int = WINDOW * 3 // 4) -> bool:
        self.now += RTT
        may_learn = self.quiet.end(make_round(acked), is_less=is_less, now=self.now)
        self.quiet.on_round(make_round(WINDOW), is_first=True)
        return may_learn


def test_without_any_loss_there_is_nothing_to_explain() -> None:
    quiet = QuietRounds()
    quiet.on_round(make_round(WINDOW), is_first=True)
    assert quiet.window(WINDOW, arriving=WINDOW, segment=SEGMENT, rtt=RTT, now=100 * S, is_lossy=False) == WINDOW
    assert quiet.restored is None


@pytest.mark.parametrize(("lost", "is_lossy"), [(WINDOW // 10, False), (0, True)])
def test_a_loss_or_a_floor_is_to_be_explained(lost: int, is_lossy: bool) -> None:
    quiet = QuietRounds()
    quiet.on_round(make_round(WINDOW, lost=lost), is_first=True)
    assert quiet.window(WINDOW, arriving=WINDOW, segment=SEGMENT, rtt=RTT, now=100 * S, is_lossy=is_lossy) < WINDOW
    assert quiet.restored == WINDOW


def test_what_is_lost_after_growing_is_explained_by_that() -> None:
    quiet = QuietRounds()
    quiet.on_round(make_round(WINDOW, lost=WINDOW // 10), is_first=False)
    assert quiet.window(WINDOW, arriving=WINDOW, segment=SEGMENT, rtt=RTT, now=100 * S, is_lossy=False) == WINDOW


def test_a_loss_is_explained_once() -> None:
    quiet = QuietRounds()
    quiet.on_round(make_round(WINDOW, lost=WINDOW // 10), is_first=True)
    quiet.window(WINDOW, arriving=WINDOW, segment=SEGMENT, rtt=RTT, now=100 * S, is_lossy=False)
    quiet.end(make_round(WINDOW // 2), is_less=False, now=101 * S)
    assert quiet.window(WINDOW, arriving=WINDOW, segment=SEGMENT, rtt=RTT, now=200 * S, is_lossy=False) == WINDOW


def test_a_quiet_round_is_smaller_but_not_by_much() -> None:
    flow = Flow()
    assert WINDOW // 2 < flow.reduce() < WINDOW * 9 // 10


def test_it_ends_with_its_round() -> None:
    flow = Flow()
    flow.reduce()
    flow.end()
    assert flow.quiet.restored is None


def test_the_next_one_is_some_time_away() -> None:
    flow = Flow()
    flow.reduce()
    flow.end()
    assert flow.wait() >= S // 2


def test_on_a_long_path_it_is_further_away() -> None:
    quiet = QuietRounds()
    quiet.end(make_round(1), is_less=False, now=100 * S)
    assert quiet.window(WINDOW, arriving=WINDOW, segment=SEGMENT, rtt=5 * S, now=110 * S, is_lossy=True) == WINDOW
    assert quiet.window(WINDOW, arriving=WINDOW, segment=SEGMENT, rtt=RTT, now=110 * S, is_lossy=True) < WINDOW


def test_the_first_one_has_time_after_start_up_and_the_second_start_up_changes_nothing() -> None:
    quiet = QuietRounds()
    quiet.begin(100 * S)
    assert quiet.window(WINDOW, arriving=WINDOW, segment=SEGMENT, rtt=RTT, now=102 * S, is_lossy=True) == WINDOW
    quiet.begin(102 * S)
    assert quiet.window(WINDOW, arriving=WINDOW, segment=SEGMENT, rtt=RTT, now=102 * S + 1, is_lossy=True) < WINDOW


def test_while_they_agree_they_become_rare_but_not_for_ever() -> None:
    flow = Flow()
    waits = []
    for _ in range(6):
        flow.reduce()
        flow.end()
        waits.append(flow.wait())
    assert waits == sorted(waits)
    assert waits[-1] >= 1.5 * waits[0]
    assert waits[-1] <= 20 * S


@pytest.mark.parametrize(("is_less", "acked"), [(True, WINDOW // 2), (False, WINDOW)])
def test_after_less_loss_or_as_much_delivered_the_next_one_comes_sooner_and_is_deeper(
    is_less: bool, acked: int
) -> None:
    flow = Flow()
    for _ in range(4):
        flow.wait()
        flow.end()
    shallow, rare = flow.reduce(), flow.wait()
    flow.end(is_less=is_less, acked=acked)
    assert flow.wait() < rare
    assert flow.reduce() < shallow


def test_one_that_agrees_makes_them_shallow_again() -> None:
    flow = Flow()
    shallow = flow.reduce()
    flow.end(is_less=True)
    flow.wait()
    flow.end()
    flow.wait()
    assert flow.reduce() == shallow


def test_where_as_much_arrives_as_before_the_loss_may_still_be_ours() -> None:
    """Even the smaller window is more than the path takes: nothing is learned, but from a deep one, or less loss."""
    flow = Flow()
    flow.reduce()
    assert not flow.end(acked=WINDOW)
    flow.wait()
    assert flow.end(acked=WINDOW)


@pytest.mark.parametrize("is_less", [True, False])
def test_where_less_arrives_the_loss_is_the_paths(is_less: bool) -> None:
    flow = Flow()
    flow.reduce()
    assert flow.end(is_less=is_less)


def test_less_loss_is_always_learned_from() -> None:
    flow = Flow()
    flow.reduce()
    assert flow.end(is_less=True, acked=WINDOW)


# Of few segments.


def few(*, arriving: int, window: int = FEW) -> tuple[QuietRounds, int]:
    """A quiet window of who has few segments on the way."""
    quiet = QuietRounds()
    return quiet, quiet.window(window, arriving=arriving, segment=SEGMENT, rtt=RTT, now=100 * S, is_lossy=True)


def test_where_the_window_holds_few_it_is_a_part_of_what_arrives() -> None:
    """Half of 30 may still be all that the path takes."""
    quiet, window = few(arriving=16 * SEGMENT)
    assert window == 12 * SEGMENT
    assert quiet.restored == FEW


@pytest.mark.parametrize(
    ("arriving", "window", "smaller"),
    [(0, FEW, 4), (1 << 40, FEW, 22.5), (0, 2 * SEGMENT, 2), (0, 4 * SEGMENT, 3)],
)
def test_it_is_smaller_in_any_case_but_not_tiny(arriving: int, window: int, smaller: float) -> None:
    assert few(arriving=arriving, window=window)[1] == smaller * SEGMENT


def test_it_lasts_until_enough_are_settled() -> None:
    quiet, window = few(arriving=16 * SEGMENT)
    ends = [quiet.take(make_round(window - SEGMENT, SEGMENT), segments=12.0, floor=0.3) for _ in range(4)]
    assert ends == [False, False, False, True]
    assert quiet.segments == 48
    assert quiet.loss == pytest.approx(1 / 12)


def test_or_for_six_rounds() -> None:
    quiet, _ = few(arriving=0)
    assert [quiet.take(make_round(SEGMENT), segments=4.0, floor=0.3) for _ in range(6)] == [False] * 5 + [True]


def test_as_much_loss_as_expected_says_so_at_once() -> None:
    quiet, window = few(arriving=16 * SEGMENT)
    assert not quiet.take(make_round(window), segments=12.0, floor=0.3)
    assert quiet.take(make_round(window // 3, window - window // 3), segments=12.0, floor=0.3)


def test_of_many_segments_one_round_is_enough() -> None:
    quiet = QuietRounds()
    window = quiet.window(WINDOW, arriving=SEGMENT, segment=SEGMENT, rtt=RTT, now=100 * S, is_lossy=True)
    assert window == WINDOW * 3 // 4
    assert quiet.take(make_round(window), segments=75.0, floor=0.3)


def test_the_next_one_counts_anew() -> None:
    quiet, window = few(arriving=16 * SEGMENT)
    quiet.take(make_round(window), segments=40.0, floor=0.3)
    quiet.end(make_round(window), is_less=True, now=100 * S)
    quiet.window(FEW, arriving=FEW, segment=SEGMENT, rtt=RTT, now=200 * S, is_lossy=True)
    assert not quiet.take(make_round(window), segments=12.0, floor=0.3)
