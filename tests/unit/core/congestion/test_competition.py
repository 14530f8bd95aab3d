"""Beside others who keep the queue full, by hand. Segments of 1,000 bytes, a path of 50 ms."""

from __future__ import annotations

import pytest

from surewire.core.congestion.competition import Competition
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S

SEGMENT = 1000
WINDOW = 100 * SEGMENT
BASE = 50 * MS
QUEUE = 30 * MS


class Contest:
    """Rounds of 80 ms with a full queue, unless said otherwise."""

    def __init__(self, window: int = WINDOW, *, is_untried: bool = False) -> None:
        self.competition = Competition(window, segment=SEGMENT, now=0, is_untried=is_untried)
        self.now = 0

    @property
    def window(self) -> int:
        return self.competition.window

    def round(self, *, delay: int = QUEUE, is_low: bool = False, is_used: bool = True) -> bool:
        self.now += BASE + delay
        return self.competition.on_round(now=self.now, base=BASE, delay=delay, is_low=is_low, is_used=is_used)

    def lose(self, *, delay: int = QUEUE) -> None:
        self.competition.on_loss(now=self.now, base=BASE, delay=delay)

    def rounds_until(self, at: int) -> None:
        while self.now < at:
            self.round()

    def until_a_test(self) -> None:
        """Lose something every second until the competition is put to a test."""
        while not self.competition.is_testing:
            assert self.now < 60 * S
            self.rounds_until(self.now + S)
            self.lose()


def test_the_window_begins_as_it_was_and_grows() -> None:
    contest = Contest()
    assert contest.window == WINDOW
    for _ in range(10):
        before = contest.window
        contest.round()
        assert contest.window >= before
    assert contest.window > WINDOW


def test_a_window_that_is_not_used_does_not_grow() -> None:
    contest = Contest()
    for _ in range(10):
        contest.round(is_used=False)
    assert contest.window == WINDOW


def test_a_loss_takes_what_it_takes_from_cubic() -> None:
    contest = Contest()
    contest.lose()
    assert contest.window == WINDOW * 7 // 10  # RFC 9438 §4.6


def test_after_a_loss_it_comes_back_to_the_window_of_the_loss_and_stays_there_for_a_while() -> None:
    contest = Contest(1000 * SEGMENT)
    contest.lose()
    windows = {}
    while contest.now < 11 * S:
        contest.round()
        windows[contest.now // S] = contest.window
    assert windows[2] < 950 * SEGMENT
    assert 980 * SEGMENT < windows[8] < 1020 * SEGMENT
    growth = [windows[second] - windows[second - 1] for second in (2, 8)]
    assert growth[1] < growth[0] / 5


def test_a_small_window_grows_at_least_as_reno() -> None:
    contest = Contest(20 * SEGMENT)
    for _ in range(20):
        contest.round()
    assert contest.window >= 30 * SEGMENT


def test_no_round_adds_more_than_half() -> None:
    contest = Contest()
    contest.round()
    contest.now += 3600 * S
    before = contest.window
    contest.competition.on_round(now=contest.now, base=BASE, delay=0, is_low=False, is_used=True)
    assert contest.window <= 1.5 * before + SEGMENT * 2


def test_segments_of_another_length_are_reckoned_with() -> None:
    short, long = Contest(20 * SEGMENT), Contest(20 * SEGMENT)
    long.competition.on_segment(4 * SEGMENT)
    for _ in range(10):
        short.round()
        long.round()
    assert long.window - 20 * SEGMENT > 2 * (short.window - 20 * SEGMENT)


def test_it_is_over_when_no_queue_was_seen_for_long() -> None:
    contest = Contest()
    rounds = 0
    while not contest.competition.is_over:
        rounds += 1
        assert rounds < 100
        contest.round(delay=0, is_low=True)
    assert rounds >= 5


def test_a_queue_now_and_then_goes_on_with_it() -> None:
    contest = Contest()
    for number in range(60):
        contest.round(is_low=number % 5 > 0)
    assert not contest.competition.is_over


def test_now_and_then_a_loss_is_followed_by_a_test_that_would_empty_the_queue() -> None:
    contest = Contest()
    contest.rounds_until(S // 2)
    contest.lose()
    assert not contest.competition.is_testing, "it has only just begun"
    contest.until_a_test()
    assert contest.now < 20 * S


@pytest.mark.parametrize("delay", [QUEUE, 200 * MS])
def test_the_test_leaves_no_more_than_the_path_alone_holds(delay: int) -> None:
    contest = Contest()
    contest.rounds_until(10 * S - 200 * MS)
    before = contest.window
    contest.lose(delay=delay)
    assert contest.competition.is_testing
    assert contest.window <= before * BASE // (BASE + delay)
    assert contest.window <= before * 7 // 10


def test_if_the_queue_is_gone_then_it_is_over() -> None:
    contest = Contest()
    contest.until_a_test()
    assert contest.round(delay=0, is_low=True)
    assert contest.competition.is_over


def test_if_the_queue_stays_the_window_is_as_it_was() -> None:
    contest = Contest()
    contest.rounds_until(9 * S)
    before = contest.window
    contest.lose()
    assert contest.competition.is_testing
    assert contest.round()
    assert contest.window == before * 7 // 10
    assert (contest.competition.is_testing, contest.competition.is_over) == (False, False)


def test_after_a_test_the_next_one_is_some_time_away() -> None:
    contest = Contest()
    contest.until_a_test()
    contest.round()
    first = contest.now
    contest.until_a_test()
    assert 2 * S <= contest.now - first <= 20 * S


def test_without_a_loss_there_is_a_test_all_the_same() -> None:
    contest = Contest()
    while not contest.competition.is_testing:
        assert contest.now < 60 * S
        before = contest.window
        changed = contest.round()
    assert changed
    assert contest.window <= before * BASE // (BASE + QUEUE)


def test_for_a_while_an_end_is_in_doubt_and_the_window_is_known_that_the_test_was_made_from() -> None:
    contest = Contest()
    contest.rounds_until(9 * S)
    before = contest.window
    contest.lose()
    contest.round(delay=0, is_low=True)
    competition = contest.competition
    assert competition.is_over
    assert contest.window < competition.before_test == before * 7 // 10
    assert not competition.is_doubtful(contest.now), "it has not been ended yet"
    competition.end(now=contest.now)
    assert competition.is_doubtful(contest.now + S)
    assert not competition.is_doubtful(contest.now + 60 * S)


# Slow start, where what yielding has left is all there is.


def test_who_has_yielded_begins_with_slow_start() -> None:
    contest = Contest(is_untried=True)
    for _ in range(5):
        before = contest.window
        contest.round()
        assert contest.window == before * 3 // 2


def test_a_loss_ends_slow_start_for_good() -> None:
    contest = Contest(is_untried=True)
    contest.round()
    contest.lose()
    for _ in range(10):
        contest.round()
    assert contest.window <= WINDOW * 3 // 2


@pytest.mark.parametrize(("rise", "is_end"), [(9 * MS, False), (10 * MS, True)])
def test_it_ends_where_the_round_trips_grow_by_an_eighth(rise: int, is_end: bool) -> None:
    contest = Contest(is_untried=True)
    contest.round()
    contest.round(delay=QUEUE + rise)
    assert (contest.window < WINDOW * 7 // 4) is is_end


def test_a_window_that_is_not_used_does_not_grow_in_slow_start_either() -> None:
    contest = Contest(is_untried=True)
    contest.round(is_used=False)
    assert contest.window == WINDOW
