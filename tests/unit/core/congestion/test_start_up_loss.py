"""What is lost while a flow starts up, by hand: what raises a doubt, what is tried then, and what is left of it.

Segments of 1,000 bytes.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from surewire.core.congestion.round_trips import Round
from surewire.core.congestion.start_up_loss import StartUpLoss
from tests.unit.core.congestion.make_round import make_round

SEGMENT = 1000


class Losses:
    """Rounds told of in segments and shares."""

    def __init__(self, share: float = 0.0, segments: float = 1000) -> None:
        self.losses = StartUpLoss(share=share, segments=segments)

    def take(self, loss: float, segments: int) -> None:
        self.losses.take(_round(loss, segments), segments)

    def doubt(self, loss: float, segments: int) -> int:
        """The window to be tried, in segments; 0 if there is no doubt."""
        return self.losses.doubt(_round(loss, segments), segments) // SEGMENT

    def judge(self, loss: float, segments: int) -> int:
        return self.losses.judge(_round(loss, segments), segments) // SEGMENT

    @property
    def outcome(self) -> str:
        losses = self.losses
        if losses.is_congestion:
            return "congestion"
        return "doubt" if losses.is_in_doubt else "path"


def _round(loss: float, segments: int) -> Round:
    lost = round(loss * segments * SEGMENT)
    return make_round(segments * SEGMENT - lost, lost)


# What is known.


def test_at_first_nothing_is_known() -> None:
    losses = StartUpLoss(share=0.0, segments=0.0)
    assert (losses.share, losses.evidence, losses.least_share) == (0.0, 0.0, 0.0)
    assert not losses.is_in_doubt
    assert not losses.is_congestion


def test_what_was_known_before_is_begun_with() -> None:
    losses = StartUpLoss(share=0.25, segments=400)
    assert (losses.share, losses.evidence) == (0.25, 400)


def test_rounds_count_by_their_length() -> None:
    known = Losses(0.1, 100)
    known.take(0.4, 200)
    assert known.losses.share == pytest.approx(0.3)
    assert known.losses.evidence == 300


def test_the_least_share_is_a_standard_deviation_lower() -> None:
    assert StartUpLoss(share=0.2, segments=400).least_share == pytest.approx(0.18)
    assert StartUpLoss(share=0.2, segments=40_000).least_share == pytest.approx(0.198)


def test_of_a_few_segments_it_is_nothing() -> None:
    assert StartUpLoss(share=0.8, segments=15).least_share == 0.0
    assert StartUpLoss(share=0.8, segments=16).least_share == pytest.approx(0.7)


@given(share=st.floats(0, 1), segments=st.floats(0, 1e9))
def test_it_is_a_share_and_no_more_than_is_known(share: float, segments: float) -> None:
    losses = StartUpLoss(share=share, segments=segments)
    assert 0.0 <= losses.least_share <= max(losses.share, 0.0)


# What raises a doubt.


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("more", [0.0, 0.05, 0.1])
def test_a_tenth_more_is_none(share: float, more: float) -> None:
    known = Losses(share)
    assert known.doubt(share + more, 1000) == 0
    assert known.outcome == "path"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5])
def test_a_fifth_more_is_one_and_half_of_the_window_is_tried(share: float) -> None:
    known = Losses(share)
    assert known.doubt(share + 0.2, 1000) == 500
    assert known.outcome == "doubt"


def test_of_few_segments_more_may_be_lost_by_chance() -> None:
    assert Losses(0.3).doubt(0.5, 20) == 0
    assert Losses(0.3).doubt(0.5, 200) == 100


def test_of_little_evidence_too() -> None:
    assert Losses(0.3, 20).doubt(0.5, 1000) == 0
    assert Losses(0.3, 200).doubt(0.5, 1000) == 500


@pytest.mark.parametrize(("known", "segments"), [(1000, 15), (15, 1000), (0, 1000)])
def test_a_handful_says_nothing_of_a_share(known: int, segments: int) -> None:
    assert Losses(0.0, known).doubt(1.0, segments) == 0


def test_more_than_any_path_is_taken_to_lose_is_one_whatever_was_known() -> None:
    assert Losses(0.6, 10_000).doubt(0.65, 10_000) == 0
    assert Losses(0.6, 10_000).doubt(0.66, 10_000) == 5000


def test_a_doubt_teaches_nothing() -> None:
    known = Losses(0.1)
    assert known.doubt(0.6, 1000)
    assert (known.losses.share, known.losses.evidence) == (0.1, 1000)


def test_of_rounds_taken_together_it_is_half_of_what_was_in_flight_at_once() -> None:
    losses = StartUpLoss(share=0.0, segments=1000)
    together = make_round(600 * SEGMENT, 400 * SEGMENT)._replace(used=300 * SEGMENT)
    assert losses.doubt(together, 1000) == 150 * SEGMENT
    assert losses.judge(_round(0.4, 600)._replace(used=150 * SEGMENT), 600) == 300 * SEGMENT


def test_who_has_no_doubt_goes_back_to_no_more_than_that() -> None:
    losses = StartUpLoss(share=0.0, segments=1000, is_sure=True)
    assert losses.doubt(_round(0.4, 1000)._replace(used=300 * SEGMENT), 1000) == 300 * SEGMENT
    assert losses.is_congestion


# What the smaller window says.


@pytest.mark.parametrize("loss", [0.2, 0.4, 0.6])
def test_if_half_of_it_loses_as_much_the_path_does(loss: float) -> None:
    known = Losses()
    assert known.doubt(loss, 1000)
    assert known.judge(loss, 500) == 1000, "and the window goes on from where it was"
    assert known.outcome == "path"


def test_what_the_path_lost_is_learned_then() -> None:
    known = Losses(0.1, 500)
    assert known.doubt(0.4, 1000)
    known.judge(0.4, 500)
    assert known.losses.evidence == 2000
    assert known.losses.share == pytest.approx((50 + 400 + 200) / 2000)


def test_if_half_of_it_loses_no_more_than_before_the_window_was_too_large() -> None:
    known = Losses(0.1)
    assert known.doubt(0.4, 1000)
    known.judge(0.1, 500)
    assert known.outcome == "congestion"


def test_the_share_is_then_what_the_smaller_window_lost() -> None:
    """What was lost before may have been the window's doing, little by little."""
    known = Losses(0.1)
    assert known.doubt(0.4, 1000)
    known.judge(0.04, 500)
    assert known.losses.share == pytest.approx(0.04)
    assert known.losses.evidence == 500


def test_if_half_of_it_loses_half_of_the_excess_it_is_no_path() -> None:
    """Ten times what passes: half of it is five times as much, and loses four fifths."""
    known = Losses()
    assert known.doubt(0.9, 1000)
    known.judge(0.8, 500)
    assert known.outcome == "congestion"


# What may have been a burst.


def in_doubt_of_a_burst() -> Losses:
    """Fifteen of a hundred: on a path that loses five datagrams at a time there are such rounds."""
    known = Losses(0.0, 400)
    assert known.doubt(0.15, 120) == 60
    assert known.judge(0.0, 60) == 120, "the whole window is sent once more"
    return known


def test_one_burst_is_not_believed() -> None:
    known = in_doubt_of_a_burst()
    assert known.outcome == "doubt"
    known.judge(0.0, 120)
    assert known.outcome == "path"


def test_all_that_was_tried_counts_when_it_was_a_burst() -> None:
    known = in_doubt_of_a_burst()
    assert known.judge(0.0, 120) == 120
    assert known.losses.evidence == 400 + 120 + 60 + 120
    assert known.losses.share == pytest.approx(18 / 700)


def test_what_comes_again_with_the_whole_window_is_the_windows_doing() -> None:
    known = in_doubt_of_a_burst()
    known.judge(0.15, 120)
    assert known.outcome == "congestion"
    assert (known.losses.share, known.losses.evidence) == (0.0, 60)


@pytest.mark.parametrize(
    ("loss", "segments", "outcome"),
    [
        (0.9, 255, "doubt"),  # a burst of two hundred
        (0.9, 256, "congestion"),
        (0.12, 256, "doubt"),
        (0.3, 256, "congestion"),
        (0.15, 2000, "congestion"),
    ],
)
def test_a_burst_is_the_likelier_the_less_was_sent_and_lost(loss: float, segments: int, outcome: str) -> None:
    known = Losses(0.0, 10_000)
    assert known.doubt(loss, segments)
    known.judge(0.0, segments // 2)
    assert known.outcome == outcome


def test_where_much_is_lost_bursts_are_larger() -> None:
    outcomes = []
    for share in (0.0, 0.4):
        known = Losses(share, 10_000)
        assert known.doubt(share + 0.2, 300)
        known.judge(share, 150)
        outcomes.append(known.outcome)
    assert outcomes == ["congestion", "doubt"]


# Whatever else.


def test_nothing_is_judged_without_a_doubt() -> None:
    known = Losses(0.1)
    assert known.judge(0.9, 1000) == 0
    assert known.outcome == "path"
    assert (known.losses.share, known.losses.evidence) == (0.1, 1000)


def test_there_may_be_another_doubt() -> None:
    known = Losses()
    assert known.doubt(0.3, 1000)
    known.judge(0.3, 500)
    assert known.doubt(0.6, 4000) == 2000
    known.judge(0.1, 2000)
    assert known.outcome == "congestion"


SHARES = st.floats(0, 0.55)


@given(share=SHARES, times=st.floats(1.05, 20), segments=st.integers(100, 100_000))
def test_a_window_that_is_too_large_is_found_so(share: float, times: float, segments: int) -> None:
    """What passes at a time is a part of it, however small."""
    passes = segments / times
    known = Losses(share, 10_000)
    losses = [1 - (1 - share) * min(passes / sent, 1) for sent in (segments, segments / 2)]
    assume(known.doubt(losses[0], segments))
    known.judge(losses[1], segments // 2)
    if known.outcome == "doubt":
        known.judge(losses[0], segments)
    assert known.outcome == "congestion"


@given(known=SHARES, share=SHARES, segments=st.integers(100, 100_000))
def test_a_path_that_loses_more_than_was_known_is_found_so(known: float, share: float, segments: int) -> None:
    losses = Losses(known, 1000)
    assume(losses.doubt(share, segments))
    losses.judge(share, segments // 2)
    assert losses.outcome == "path"
    assert min(known, share) - 0.01 <= losses.losses.share <= max(known, share) + 0.01


def start(rng: random.Random, lost: float, burst: int) -> str:
    """Rounds that double on a path that loses this share, so many datagrams at a time."""
    losses, window = Losses(0.0, 0), 32
    known = losses.losses
    is_first = True
    while window <= 4096 and not known.is_congestion:
        share = _lost(rng, window, lost, burst)
        if known.is_in_doubt:
            window = losses.judge(share, window)
        elif tried := losses.doubt(share, window):
            window = tried
        else:
            losses.take(share, window)
            window = window if is_first else 2 * window
            is_first = False
    return losses.outcome


def _lost(rng: random.Random, segments: int, share: float, burst: int) -> float:
    """What is lost of a round: bursts begin by chance, and have that length on the average."""
    lost, is_losing = 0, False
    for _ in range(segments):
        is_losing = rng.random() >= 1 / burst if is_losing else rng.random() < share / burst / (1 - share)
        lost += is_losing
    return lost / segments


@pytest.mark.parametrize(("share", "burst"), [(0.05, 1), (0.3, 1), (0.5, 1), (0.02, 5), (0.05, 5)])
def test_chance_is_seldom_taken_for_congestion(share: float, burst: int) -> None:
    rng = random.Random(1)
    assert sum(start(rng, share, burst) == "congestion" for _ in range(60)) <= 3


def test_where_all_was_lost_so_far_more_of_it_is_no_error() -> None:
    """A peer may acknowledge a ping, and nothing else of a round."""
    losses = StartUpLoss(share=1.0, segments=32)
    losses.take(make_round(0, 32 * SEGMENT), 32)
    assert losses.share == 1.0
    losses.doubt(make_round(SEGMENT, 31 * SEGMENT), 32)
    losses.judge(make_round(SEGMENT, 31 * SEGMENT), 32)
    assert 0 <= losses.share <= 1
    small = StartUpLoss(share=1.0, segments=1e6)
    assert small.doubt(make_round(0, 200 * SEGMENT), 200) >= 0
