"""Loss in excess of a floor, with numbers worked by hand; segments of 1,000 bytes."""

from __future__ import annotations

from surewire.core.congestion import PhaseOutcome
from surewire.core.congestion.background_loss import ExcessLoss


def settle(loss: ExcessLoss, *, acked: int, lost: int) -> None:
    """So many segments, sent in the present phase."""
    loss.count([PhaseOutcome(loss.phase, 1000 * acked, 1000 * lost)])


def learned(*, acked: int, lost: int, is_clear: bool = True) -> ExcessLoss:
    """So many segments were settled in quiet; then the window is large again."""
    loss = ExcessLoss(segment=1000)
    loss.begin(is_quiet=True)
    settle(loss, acked=acked, lost=lost)
    loss.on_round(is_clear=is_clear)
    loss.begin(is_quiet=False)
    loss.on_round(is_clear=True)
    loss.on_round(is_clear=True)
    return loss


def test_a_single_loss_is_no_excess_two_are_where_nothing_is_ever_lost() -> None:
    loss = ExcessLoss(segment=1000)
    settle(loss, acked=99, lost=1)
    assert not loss.is_excess
    settle(loss, acked=0, lost=1)
    assert loss.is_excess


def test_losses_are_forgotten_after_two_rounds() -> None:
    loss = ExcessLoss(segment=1000)
    settle(loss, acked=50, lost=1)
    loss.on_round(is_clear=False)
    loss.on_round(is_clear=False)
    settle(loss, acked=50, lost=1)
    assert not loss.is_excess


def test_the_floor_is_what_is_lost_in_quiet_and_a_deviation() -> None:
    loss = learned(acked=91, lost=9)
    assert loss.floor == 0.12  # (9 + 3) / 100


def test_what_is_lost_beside_a_queue_is_not_the_floor() -> None:
    assert learned(acked=91, lost=9, is_clear=False).floor == 0


def test_what_is_lost_while_the_window_is_large_is_not_the_floor() -> None:
    loss = ExcessLoss(segment=1000)
    settle(loss, acked=91, lost=9)
    loss.on_round(is_clear=True)
    assert loss.floor == 0


def test_the_floor_has_a_ceiling_and_comes_down_again() -> None:
    loss = learned(acked=50, lost=50)
    assert loss.floor == 0.15
    loss.begin(is_quiet=True)
    for _ in range(60):
        settle(loss, acked=100, lost=0)
        loss.on_round(is_clear=True)
    assert loss.floor < 0.01


def test_excess_is_three_deviations_and_three_segments_above_the_floor() -> None:
    """100 segments at 0.12: 12 + 3 + 3 * sqrt(12) = 25.4."""
    loss = learned(acked=91, lost=9)
    settle(loss, acked=75, lost=25)
    assert not loss.is_excess
    loss = learned(acked=91, lost=9)
    settle(loss, acked=74, lost=26)
    assert loss.is_excess


def test_after_a_reaction_what_was_sent_before_it_does_not_count() -> None:
    loss = ExcessLoss(segment=1000)
    settle(loss, acked=50, lost=5)
    before = loss.phase
    loss.begin(is_quiet=False, is_reaction=True)
    loss.count([PhaseOutcome(before, 0, 5000)])
    assert not loss.is_excess
    assert loss.phase % 2 == 0
    settle(loss, acked=0, lost=2)
    assert loss.is_excess


def test_a_reaction_turns_out_to_have_been_for_chance() -> None:
    loss = ExcessLoss(segment=1000)
    settle(loss, acked=45, lost=5)
    loss.begin(is_quiet=True, is_reaction=True)
    assert not loss.was_chance
    settle(loss, acked=91, lost=9)
    loss.on_round(is_clear=True)
    assert loss.was_chance


def test_a_reaction_to_an_overflow_stays_one() -> None:
    loss = ExcessLoss(segment=1000)
    settle(loss, acked=45, lost=5)
    loss.begin(is_quiet=True, is_reaction=True)
    settle(loss, acked=199, lost=1)
    loss.on_round(is_clear=True)
    assert not loss.was_chance


def test_segments_of_another_length() -> None:
    loss = ExcessLoss(segment=1000)
    loss.on_segment(4000)
    settle(loss, acked=50, lost=4)
    assert not loss.is_excess
