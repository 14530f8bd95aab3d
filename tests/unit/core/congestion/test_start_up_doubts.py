"""Start-up where much is lost: what is learned, what is asked about, and when it ends by that."""

from __future__ import annotations

import pytest

from surewire.core.congestion.start_up import StartUp
from tests.unit.core.congestion.starting import doubling, end_round, grow, tried_after


def ask(start: StartUp, sent: int, lost: int) -> str:
    """A round of so many segments that loses far more than before; half of the window is to be tried then."""
    assert tried_after(start, sent - lost, lost) == sent // 2
    return start.is_over_by


@pytest.mark.parametrize("loss", [0.01, 0.1, 0.3, 0.5])
def test_a_steady_loss_does_not_end_it(loss: float) -> None:
    assert doubling(loss).is_over_by == ""


@pytest.mark.parametrize("loss", [0.1, 0.3, 0.5])
def test_a_steady_loss_is_learned(loss: float) -> None:
    start = doubling(loss)
    assert loss - 0.05 <= start.loss <= loss + 0.01
    assert start.losses.share == pytest.approx(loss, abs=0.01)
    assert start.losses.evidence > 1000


def test_what_growth_makes_up_for_leans_to_less() -> None:
    """A floor that is too low is found out; one that is too high hides what we cause."""
    assert doubling(0.2, rounds=3).loss < 0.2


def test_the_losses_of_a_round_are_made_up_for_after_the_next() -> None:
    """They may be the queue's."""
    start = doubling(0)
    end_round(start, 4500, 500)
    assert (start.loss, start.losses.share > 0) == (0.0, True)
    end_round(start, 9000, 1000)
    assert start.loss > 0


def test_a_few_segments_teach_nothing() -> None:
    start = StartUp()
    end_round(start, 3, 3)
    end_round(start, 6, 6)
    assert start.loss == 0.0


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.3])
def test_far_more_loss_than_before_is_asked_about(loss: float) -> None:
    start = doubling(loss)
    known = start.loss, start.losses.share
    assert ask(start, 3000, 1500) == ""
    assert start.losses.is_in_doubt
    assert (start.loss, start.losses.share) == known, "what a policer drops is not the path's"


def test_the_window_does_not_grow_meanwhile() -> None:
    start = doubling(0)
    ask(start, 3000, 1500)
    assert grow(start) == 0
    tried_after(start, 750, 750)
    assert grow(start) > 0


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.3])
def test_it_ends_if_half_of_the_window_loses_no_more_than_before(loss: float) -> None:
    start = doubling(loss)
    ask(start, 3000, 1800)
    assert tried_after(start, 1500 - int(1500 * loss), int(1500 * loss)) == 3000
    assert start.is_over_by == "loss"
    assert start.losses.share == pytest.approx(loss, abs=0.01)


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.3])
def test_it_goes_on_with_the_whole_window_if_half_of_it_loses_as_much(loss: float) -> None:
    start = doubling(loss)
    ask(start, 3000, 1500)
    assert tried_after(start, 750, 750) == 3000
    assert (start.is_over_by, start.losses.is_in_doubt) == ("", False)
    assert start.losses.share > loss + 0.1


def test_where_it_may_have_been_a_burst_the_whole_window_is_tried_once_more() -> None:
    outcomes = []
    for lost in (0, 12):
        start = doubling(0, rounds=5)
        ask(start, 80, 12 + 10)
        assert tried_after(start, 40) == 80
        assert (start.is_over_by, start.losses.is_in_doubt) == ("", True)
        assert grow(start) == 0
        tried_after(start, 80 - lost - lost // 2, lost + lost // 2)
        outcomes.append((start.is_over_by, start.losses.is_in_doubt))
    assert outcomes == [("", False), ("loss", True)]


def test_what_the_tried_windows_deliver_is_no_standstill() -> None:
    start = doubling(0)
    ask(start, 3000, 600)
    tried_after(start, 1200, 300)
    assert end_round(start, 2400, 600) == ""
    assert end_round(start, 2400, 600) == ""


def test_a_standstill_before_is_forgotten() -> None:
    start = doubling(0, rounds=9)
    assert end_round(start, 2560) == ""  # half of what ends it
    ask(start, 3000, 600)
    tried_after(start, 1200, 300)
    end_round(start, 2400, 600)
    assert end_round(start, 2400, 600) == ""
    assert end_round(start, 2400, 600) == "plateau"


def test_while_it_is_in_doubt_the_application_and_silence_say_nothing() -> None:
    start = doubling(0)
    ask(start, 3000, 1500)
    assert tried_after(start, 1500, used=0.4) == 0
    assert tried_after(start, 0) == 0
    assert (start.is_over_by, start.losses.is_in_doubt) == ("", True)


def test_a_round_that_the_application_limits_is_not_asked_about() -> None:
    start = doubling(0)
    assert tried_after(start, 1500, 1500, used=0.4) == 0
    assert not start.losses.is_in_doubt


def test_a_round_that_used_the_window_is_although_there_was_no_more() -> None:
    """The first flight of every connection is one: it has only begun to speak."""
    start = doubling(0)
    assert tried_after(start, 1500, 1500, used=0.6) == 1500


def test_a_little_more_loss_than_before_is_not_asked_about() -> None:
    assert end_round(doubling(0.1, rounds=5), 280, 40) == ""


def test_more_than_any_path_is_taken_to_lose_is_asked_about() -> None:
    assert ask(doubling(0.55), 4000, 3000) == ""


def test_a_round_of_few_segments_is_no_jump() -> None:
    assert end_round(doubling(0), 4, 4) == ""


def test_what_was_known_before_is_gone_by() -> None:
    """Where the path was known to lose a third, a third is no news."""
    fresh = StartUp()
    end_round(fresh, 100)
    ask(fresh, 200, 60)
    told = StartUp(loss=0.3, segments=100)
    end_round(told, 70, 30)
    assert end_round(told, 140, 60) == ""
