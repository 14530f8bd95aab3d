"""Leaps by hand: when the window grows by four instead of two, and to what. Segments of 1,000 bytes."""

from __future__ import annotations

import pytest

from surewire.core.congestion.leap import Leap
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from tests.unit.core.congestion.model_path import RATE, Path

SEGMENT = 1000
RTT = 40 * MS
BUNCH = 5 * MS


class Train:
    """Segments that leave every so often, and are acknowledged a round trip later, two by two."""

    def __init__(self, leap: Leap, *, every: int, window: int = 32, at: int = S, before: int = 0) -> None:
        self.leap, self.every, self.window, self.at, self.before = leap, every, window, at, before
        self.queue = 0  # ns, beside what the first train met
        self.bunch = 1  # answers come at multiples of so many ns, as from who hands over what has gathered
        self._next = 0

    def pass_on(self, segments: int, *, slower: int = 0, jitter: int = 0) -> int:
        """So many segments more are acknowledged, each `slower` (ns) than the one before, but for `jitter` (ns).

        The window that is shown by that in segments, 0 if there is none yet.
        """
        shown = 0
        for _ in range(segments // 2):
            self._next += 2
            sent_at = self.at + (self._next - 1) * self.every
            rtt = RTT + self.queue + self._next * slower + (jitter if self._next % 4 else 0)
            rtt += -(sent_at + rtt) % self.bunch
            self.leap.on_rtt(rtt, sent_at=sent_at)
            sent = (self.before + self._next) * SEGMENT
            shown = self.leap.take(
                sent=sent, now=sent_at + rtt, window=self.window * SEGMENT, segment=SEGMENT, jitter=jitter
            )
            if shown:
                break
        return shown // SEGMENT


def test_a_train_four_times_as_fast_as_its_window_shows_four_windows() -> None:
    assert Train(Leap(), every=RTT // 128).pass_on(32) == 4 * 32


def test_a_train_that_left_slowly_shows_no_more_than_that() -> None:
    """The pace was for a round trip that was only guessed."""
    assert Train(Leap(), every=RTT // 64).pass_on(32) == 64


def test_of_the_first_window_ten_segments_have_to_pass() -> None:
    train = Train(Leap(), every=RTT // 128)
    assert train.pass_on(10) == 0
    assert train.pass_on(2) > 0


def after_the_first(leap: Leap) -> Train:
    """The first train has passed, a second of 32 segments out of 128 is on its way."""
    first = Train(leap, every=RTT // 128)
    assert first.pass_on(26) == 128
    return Train(leap, every=RTT // 512, window=128, at=S + RTT + 26 * RTT // 128, before=26)


def test_the_next_train_is_a_quarter_of_the_new_window() -> None:
    leap = Leap()
    second = after_the_first(leap)
    assert leap.gain == 4
    assert second.pass_on(24) == 0
    assert second.pass_on(4) == 4 * 128
    assert leap.shown == 4 * 128 * SEGMENT


def test_when_a_train_has_left_the_rest_leaves_as_in_doubling() -> None:
    leap = Leap()
    after_the_first(leap)
    Train(leap, every=RTT // 128, at=S + 28 * RTT // 128).pass_on(10)
    assert leap.gain == 2
    assert not leap.is_over


def test_a_train_of_which_too_little_came_back_is_followed_by_another_one() -> None:
    leap = Leap()
    second = after_the_first(leap)
    Train(leap, every=RTT // 128, at=S + 28 * RTT // 128).pass_on(10)
    second.pass_on(10)
    assert leap.gain == 2
    rest = Train(leap, every=RTT // 64, window=128, at=S + 3 * RTT // 2, before=80)
    assert rest.pass_on(2) == 0
    assert leap.gain == 4


def test_one_that_came_back_slower_shows_what_came_back_and_no_more_is_added_for_now() -> None:
    leap = Leap()
    second = after_the_first(leap)
    assert second.pass_on(32, slower=RTT // 512) == pytest.approx(256, abs=2)  # at half of its pace
    assert leap.is_near
    assert not leap.is_over
    assert leap.gain == 4  # as the next one is due


def test_one_of_many_segments_that_did_so_is_the_end() -> None:
    leap = Leap()
    second = after_the_first(leap)
    assert second.pass_on(32) == 512
    third = Train(leap, every=RTT // 2048, window=512, at=second.at + RTT + 32 * RTT // 512, before=58)
    assert third.pass_on(128, slower=RTT // 2048) == pytest.approx(1024, rel=0.02)
    assert leap.is_full and leap.is_measured
    assert leap.is_over


@pytest.mark.parametrize(("share", "is_it"), [(20, False), (30, True)])
def test_a_second_one_that_passed_faster_than_the_first_has_others_beside_it(share: int, is_it: bool) -> None:
    """Both came back slower than they left; so much (per cent) faster than the first one came the second."""
    leap = Leap()
    first = Train(leap, every=RTT // 128)
    came = RTT // 96  # a segment's time at the end of the way
    shown = first.pass_on(26, slower=came - first.every)
    assert leap.is_near
    every = RTT // (4 * shown)
    second = Train(leap, every=every, window=shown, at=S + RTT + 26 * RTT // 96, before=26)
    more = second.pass_on(4 * shown, slower=100 * came // (100 + share) - every)
    assert (leap.is_shared, leap.is_full, leap.is_over) == (is_it, is_it, is_it)
    assert (more == 0) is is_it
    if is_it:
        assert leap.rate == pytest.approx(SEGMENT * S // came, rel=0.02)
        assert leap.shown == shown * SEGMENT


@pytest.mark.parametrize(("drained", "is_it"), [(2 * MS - 1, False), (2 * MS, True)])
def test_one_that_passes_while_somebody_elses_queue_drains_takes_what_was_left_for_a_moment(
    drained: int, is_it: bool
) -> None:
    """Nobody's own queue is there before he begins: who sees one has others beside him."""
    leap = Leap()
    second = after_the_first(leap)
    second.queue = -drained
    assert (second.pass_on(32) == 0) is is_it
    assert leap.is_shared is is_it
    assert (leap.shown == 128 * SEGMENT) is is_it


def test_the_pause_between_two_bunches_of_answers_is_not_what_a_train_took() -> None:
    """It lies across such a pause, and so seems to take as long as that: what it shows is not the path's limit."""
    leap = Leap()
    train = Train(leap, every=RTT // 128, at=S + 4 * MS)
    train.bunch = BUNCH
    assert train.pass_on(32) > 32
    assert not leap.is_near
    assert (leap.is_over, leap.is_full, leap.gain) == (True, False, 2), "doubling goes on"


def test_round_trips_that_fell_as_a_train_came_back_at_once_were_no_queue() -> None:
    """A bunch makes a round trip longer, by the less the later its datagram left: what falls is the wait for it."""
    leap = Leap()
    first = Train(leap, every=RTT // 128)
    first.bunch = BUNCH
    shown = first.pass_on(32)
    assert shown == 4 * 32
    second = Train(leap, every=RTT // (4 * shown), window=shown, at=S + 2 * RTT + 3 * MS, before=26)
    second.bunch = BUNCH
    assert second.pass_on(shown) > shown
    assert not leap.is_shared


def test_where_round_trips_vary_shorter_ones_are_no_queues() -> None:
    leap = Leap()
    second = after_the_first(leap)
    second.queue = -2 * MS
    assert second.pass_on(32, jitter=MS) > 0


def test_jitter_that_explains_it_makes_it_doubling_instead() -> None:
    leap = Leap()
    second = after_the_first(leap)
    second.pass_on(32, slower=RTT // 512, jitter=RTT // 8)
    assert leap.is_over
    assert not leap.is_full
    assert (leap.gain, second.pass_on(32)) == (2, 0)


def test_one_round_trip_that_grew_by_chance_says_nothing() -> None:
    leap = Leap()
    train = Train(leap, every=RTT // 128)
    train.pass_on(8)
    leap.on_rtt(2 * RTT, sent_at=S)
    assert train.pass_on(8) > 0
    assert not leap.is_over


def test_who_has_others_beside_him_does_not_leap() -> None:
    assert Leap(is_over=True).gain == 2
    assert Train(Leap(is_over=True), every=RTT // 128).pass_on(32) == 0


@pytest.mark.parametrize("eighth", range(8))
def test_no_leap_floods_a_path(eighth: int) -> None:
    path = Path(rate=int(RATE * 2 ** (eighth / 4 - 1)), queue=2.0)
    assert path.longest_wait(S) <= 50 * MS
    assert path.dropped == 0
