"""The loss floor by hand: what is more than the path loses, how that is learned, and what cannot be taken for it."""

from __future__ import annotations

import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from surewire.core.congestion.loss_floor import MOST, LossFloor

WINDOW = 1_000_000
SEGMENTS = 500


def known(share: float, segments: float = 1000) -> LossFloor:
    """The path is known to lose this much, as so many segments have shown."""
    floor = LossFloor()
    floor.begin(share, segments)
    return floor


def excess(
    floor: LossFloor,
    loss: float,
    *,
    segments: float = SEGMENTS,
    window: int = WINDOW,
    least: int = 1,
    may_be_path: bool = True,
    is_strict: bool = False,
) -> float:
    return floor.excess(loss, segments, window=window, least=least, may_be_path=may_be_path, is_strict=is_strict)


def shrink(floor: LossFloor, loss: float, *, rounds: int = 40, may_be_path: bool = True) -> int:
    """Lose this share of every round while the window goes down by the excess; the window that is left."""
    window = WINDOW
    for _ in range(rounds):
        found = excess(floor, loss, window=window, may_be_path=may_be_path)
        window = max(int(window * max(1 - found, 0.7)), WINDOW // 100)
    return window


# What is more than the path loses.


def test_nothing_lost_is_no_excess() -> None:
    assert excess(known(0.0), 0.0) == 0


def test_a_path_that_loses_nothing_is_judged_by_what_is_lost() -> None:
    assert excess(known(0.0), 0.2) == pytest.approx(0.2)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.5])
def test_what_the_path_loses_is_no_excess(share: float) -> None:
    assert excess(known(share), share) == 0


def test_the_excess_is_the_share_of_what_would_have_arrived() -> None:
    """Of 1000 segments 800 pass the queue, and the path loses a fifth of them: 640 arrive."""
    assert excess(known(0.2), 0.36, segments=1000) == pytest.approx(0.2)


def test_a_percent_is_left_unanswered() -> None:
    assert excess(known(0.0), 0.01, segments=10_000) == 0


def test_where_others_answer_every_loss_it_is_not() -> None:
    assert excess(known(0.0), 0.01, segments=10_000, is_strict=True) > 0


def test_of_few_segments_much_may_be_lost_by_chance() -> None:
    assert excess(known(0.3), 0.45, segments=20) == 0
    assert excess(known(0.3), 0.45, segments=2000) > 0


def test_a_handful_of_segments_is_not_judged() -> None:
    assert excess(known(0.0), 1.0, segments=3) == 0


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("segments", [50, 500])
def test_chance_is_seldom_taken_for_congestion(share: float, segments: int) -> None:
    rng = random.Random(1)
    floor = known(share)
    found = 0
    for _ in range(400):
        lost = sum(rng.random() < share for _ in range(segments))
        found += excess(floor, lost / segments, segments=segments, may_be_path=False) > 0
    assert found <= 400 * 0.05


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("evidence", [20, 60])
def test_chance_is_seldom_taken_for_congestion_where_little_is_known(share: float, evidence: int) -> None:
    """What is known may be as wrong as the round."""
    rng = random.Random(1)
    found = 0
    for _ in range(200):
        known_loss, loss = (sum(rng.random() < share for _ in range(count)) / count for count in (evidence, 300))
        found += excess(known(known_loss, evidence), loss, segments=300, may_be_path=False) > 0
    assert found <= 200 * 0.05


def test_the_less_is_known_the_more_chance_explains() -> None:
    """Three of twenty in the one, one of twenty in the other: the same path may do both."""
    assert excess(known(0.05, 20), 0.15, may_be_path=False) == 0
    assert excess(known(0.05, 1000), 0.15, may_be_path=False) > 0


def test_where_nothing_is_known_hardly_anything_is_an_excess() -> None:
    assert excess(LossFloor(), 0.4, may_be_path=False) == 0
    assert excess(LossFloor(), 1.0, may_be_path=False) > 0


@given(share=st.floats(0, 0.5), loss=st.floats(0, 0.5), less=st.integers(4, 10_000), more=st.integers(4, 10_000))
def test_what_is_an_excess_by_little_evidence_is_one_by_much(share: float, loss: float, less: int, more: int) -> None:
    assume(less < more)
    if excess(known(share, less), loss, may_be_path=False):
        assert excess(known(share, more), loss, may_be_path=False)


@given(share=st.floats(0, 1), evidence=st.floats(0, 1e6), loss=st.floats(0, 1), segments=st.floats(0, 1e6))
def test_an_excess_is_a_share_of_what_was_sent(share: float, evidence: float, loss: float, segments: float) -> None:
    floor = known(share, evidence)
    found = excess(floor, loss, segments=segments)
    assert found == 0 or 0 < found <= loss
    assert 0 <= floor.share <= MOST


def test_bursts_widen_what_chance_explains() -> None:
    """Rounds that lose nothing beside others that lose much: of even losses there would be no such rounds."""
    floor, even = known(0.1), known(0.1)
    for number in range(120):
        excess(floor, (0.0, 0.2)[number % 2], segments=200)
        floor.learn(0.1, 1000)  # the share itself stays
        excess(even, 0.1, segments=200)
    assert excess(even, 0.2, segments=200) > 0
    assert excess(floor, 0.2, segments=200) == 0


# What is learned.


def test_start_up_says_what_to_begin_with() -> None:
    assert known(0.25).share == 0.25


def test_a_quiet_round_is_learned_from_by_its_weight() -> None:
    floor = LossFloor()
    floor.begin(0.2, 100)
    floor.learn(0.4, 100)
    assert floor.share == pytest.approx(0.3)
    floor.learn(0.0, 200)
    assert floor.share == pytest.approx(0.15)


def test_the_first_thing_learned_is_believed() -> None:
    floor = LossFloor()
    floor.learn(0.2, 100)
    assert floor.share == pytest.approx(0.2)


def test_while_little_is_known_rounds_that_agree_with_it_are_added() -> None:
    floor = known(0.1, 100)
    assert excess(floor, 0.16, segments=49) == 0
    assert floor.share == pytest.approx((10 + 0.16 * 49) / 149)
    assert excess(floor, 0.16, segments=50) == 0
    assert floor.share == pytest.approx((10 + 0.16 * 99) / 199)


def test_once_enough_is_known_they_are_not() -> None:
    """Else a queue that overflows a little would be learned little by little."""
    floor = known(0.1, 150)
    for _ in range(20):
        assert excess(floor, 0.12, segments=50) == 0
    assert floor.share == 0.1


@pytest.mark.parametrize("seed", range(1, 9))
def test_rounds_of_few_segments_teach_what_start_up_could_not(seed: int) -> None:
    """A tenth is lost of eight segments a round: what nothing was known of is no reason to take all of it for less."""
    rng, floor = random.Random(seed), known(0.0, 0.0)
    lost = 0
    for _ in range(40):
        count = sum(rng.random() < 0.1 for _ in range(8))
        lost += count
        excess(floor, count / 8, segments=8)
    assert floor.share >= 0.6 * lost / 320


def corrected() -> LossFloor:
    """A smaller window has lost nothing: what was lost before was the window's doing."""
    floor = known(0.4, 200)
    floor.correct(0.0, 48)
    return floor


def test_after_a_correction_they_are_not_added() -> None:
    """With so little evidence as much of it would agree again."""
    floor = corrected()
    for _ in range(10):
        excess(floor, 0.15, segments=20)
    assert floor.share == 0


def test_until_more_is_known() -> None:
    floor = corrected()
    floor.learn(0.01, 48)
    assert excess(floor, 0.05, segments=20) == 0
    assert floor.share > 0.01


def test_or_for_some_time() -> None:
    """A correction may have been chance."""
    floor = corrected()
    for _ in range(60):
        excess(floor, 0.12, segments=16)
    assert floor.share > 0.05


def test_beside_a_queue_they_are_not_added() -> None:
    floor = known(0.1, 100)
    assert excess(floor, 0.16, segments=49, may_be_path=False) == 0
    assert floor.share == 0.1


def test_what_is_an_excess_is_not_added_either() -> None:
    floor = known(0.0, 100)
    assert excess(floor, 0.4) > 0
    assert floor.share == 0.0


def test_what_was_learned_long_ago_fades() -> None:
    floor = LossFloor()
    floor.begin(0.1, 1_000_000)
    for _ in range(10):
        floor.learn(0.3, 1000)
    assert floor.share > 0.28


def test_on_a_path_that_has_become_another_one_old_evidence_counts_little() -> None:
    slow, fast = known(0.02), known(0.02)
    for _ in range(5):
        slow.learn(0.4, 30)
        fast.learn_anew(0.4, 30)
    assert slow.share < 0.1
    assert fast.share > 0.2


def test_less_loss_is_followed_within_some_rounds() -> None:
    floor = known(0.3)
    for _ in range(10):
        assert excess(floor, 0.1) == 0
    assert 0.09 < floor.share < 0.15


def test_a_path_that_stops_losing_has_no_floor() -> None:
    floor = known(0.3)
    for _ in range(30):
        excess(floor, 0.0)
    assert floor.share < 0.02


def test_more_loss_is_not_believed_as_long_as_cutting_helps() -> None:
    """A queue overflows: half the window, half of the excess."""
    floor = known(0.1)
    window = WINDOW
    for _ in range(20):
        loss = 1 - 0.9 * min(1.0, 0.5 * WINDOW / window)
        window = max(int(window * (1 - excess(floor, loss, window=window))), 1)
    assert floor.share == pytest.approx(0.1, abs=0.02)
    assert 0.4 * WINDOW < window < 0.6 * WINDOW


@pytest.mark.parametrize("loss", [0.2, 0.4])
def test_loss_that_stays_whatever_the_window_is_the_paths(loss: float) -> None:
    floor = known(0.0)
    window = shrink(floor, loss, rounds=200)
    assert loss / 2 < floor.share <= loss
    assert window > WINDOW // 20


def test_it_is_believed_step_by_step() -> None:
    floor = known(0.0)
    shares = []
    window = WINDOW
    for _ in range(40):
        window = int(window * max(1 - excess(floor, 0.5, window=window), 0.7)) + 1
        shares.append(floor.share)
    steps = [after - before for before, after in zip(shares, shares[1:], strict=False)]
    assert max(steps) <= 0.15
    assert min(steps) >= 0


def test_beside_a_queue_it_is_not_believed() -> None:
    floor = known(0.0)
    shrink(floor, 0.4, may_be_path=False)
    assert floor.share == 0.0


def test_where_no_smaller_window_is_of_use_it_is_believed_without_one() -> None:
    floor = known(0.0)
    for _ in range(40):
        excess(floor, 0.4, segments=100, least=WINDOW)
    assert floor.share > 0.15


def test_rounds_that_are_forgiven_do_not_add_up() -> None:
    floor = known(0.0)
    window = WINDOW
    for _ in range(20):
        excess(floor, 0.4, window=window)
        window = int(window * 0.7)
        floor.forgive()
    assert floor.share == 0.0


def test_the_floor_is_bounded_whatever_is_lost() -> None:
    assert known(0.95).share == MOST
    floor = known(0.0)
    shrink(floor, 0.95, rounds=200)
    floor.learn(1.0, 1_000_000)
    assert floor.share <= MOST
    assert excess(floor, 0.95) > 0


def test_less_than_chance_lets_expect() -> None:
    floor = known(0.3)
    assert floor.is_below(0.1, SEGMENTS)
    assert not floor.is_below(0.29, SEGMENTS)
    assert not floor.is_below(0.1, 10)
    assert not floor.is_below(0.0, 0)


def test_a_path_that_loses_nothing_cannot_lose_less() -> None:
    assert not LossFloor().is_below(0.0, 10_000)


@pytest.mark.parametrize(
    ("share", "segments", "is_sure"), [(0.0, 1000, True), (0.0, 30, False), (0.02, 1000, False), (0.005, 200, True)]
)
def test_a_floor_is_surely_low_only_with_enough_to_tell(share: float, segments: float, is_sure: bool) -> None:
    """One of sixteen flows on a path that loses a tenth saw no loss of its first few, and took others for CUBIC."""
    assert known(share, segments).is_surely_below(0.01) is is_sure


# What start-up has shown, and the rounds after it show.


def go_on(floor: LossFloor, segments: int, *, loss: float = 0.0, each: int = 40) -> LossFloor:
    """Rounds with a queue that others hold, in each of which so much is lost."""
    for _ in range(segments // each):
        excess(floor, loss, segments=each, may_be_path=False)
    return floor


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3, 0.6])
@pytest.mark.parametrize("segments", [40, 200, 5000])
def test_losses_of_others_in_start_up_are_soon_known_to_be_none_of_the_paths(share: float, segments: int) -> None:
    assert go_on(known(share, segments), 480).is_surely_below(0.01)


def test_that_is_no_matter_of_one_round() -> None:
    """A dozen segments without a loss are nothing special at 10%."""
    floor = go_on(known(0.1, 200), 12, each=12)
    assert floor.share == 0.1


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
def test_a_path_that_does_lose_keeps_its_floor(share: float) -> None:
    rng = random.Random(1)
    shares = []
    for _ in range(50):
        floor = known(share, 200)
        for _ in range(30):
            lost = sum(rng.random() < share for _ in range(40))
            excess(floor, lost / 40, segments=40, may_be_path=False)
        shares.append(floor.share)
    assert sorted(shares)[2] >= 0.5 * share


def test_where_start_up_has_shown_nothing_others_queue_does_not_hide_what_is_lost_in_competition() -> None:
    """No round was without a queue, so that nothing was learned; half of everything was lost, and not in excess."""
    floor = go_on(LossFloor(), 160)
    assert floor.is_surely_below(0.01)
    assert excess(floor, 0.1, segments=80, may_be_path=False, is_strict=True) > 0


def test_who_has_seen_losses_is_not_sure_of_none() -> None:
    assert not go_on(LossFloor(), 480, loss=0.025).is_surely_below(0.01)


def test_a_path_that_has_changed_is_not_held_to_its_first_rounds() -> None:
    floor = go_on(known(0.0), 40)
    floor.learn_anew(0.3, 400)
    share = floor.share
    excess(floor, 0.3, segments=40, may_be_path=False)
    assert floor.share == share > 0.2
