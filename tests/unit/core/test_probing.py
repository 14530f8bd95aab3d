"""The back-off of probes, and the budget of what is sent only to be done sooner."""

from __future__ import annotations

import random

from surewire.core.probing import Probing, TailEffort
from surewire.core.scoreboard import Scoreboard
from tests.unit.core.makers import make_run


def all_sent(size: int = 1_000) -> Scoreboard:
    board = Scoreboard(size)
    board.on_sent(0, size)
    return board


def no_effort() -> TailEffort:
    return TailEffort(share=0.0, spared=0)


def test_no_share_means_no_effort() -> None:
    effort = no_effort()
    effort.on_repaired(0, 100)
    assert effort.next_copy(all_sent()) is None
    assert not effort.may_spend(1, sent_total=10**9)


def test_the_budget_is_a_share_of_what_was_sent_beyond_the_spared() -> None:
    effort = TailEffort(share=0.1, spared=1_000)
    assert not effort.may_spend(1, sent_total=0)
    assert not effort.may_spend(1, sent_total=1_000)
    assert effort.may_spend(10, sent_total=1_100)
    assert not effort.may_spend(11, sent_total=1_100)
    effort.spend(10)
    assert not effort.may_spend(1, sent_total=1_100)
    assert effort.may_spend(10, sent_total=1_200)


def test_what_is_spent_never_exceeds_the_share() -> None:
    rng = random.Random(1)
    effort = TailEffort(share=0.02, spared=32_000)
    sent = spent = 0
    for _ in range(5_000):
        sent += rng.randrange(1_500)
        cost = rng.randrange(1, 1_500)
        if effort.may_spend(cost, sent_total=sent):
            effort.spend(cost)
            spent += cost
        assert spent <= max(0.02 * (sent - 32_000), 0)
    assert spent > 0.018 * sent  # and it is used


def test_copies_are_named_in_the_order_of_the_repairs_unless_they_are_acknowledged() -> None:
    effort, board = TailEffort(share=0.1, spared=0), all_sent()
    for start in (300, 100, 500):
        effort.on_repaired(start, start + 100)
    assert effort.next_copy(board) == (300, 400)
    assert effort.next_copy(board) == (300, 400)  # naming is not sending
    effort.drop_copy(400)
    board.on_acked(100, 200)
    assert effort.next_copy(board) == (500, 600)
    board.on_acked(500, 550)
    assert effort.next_copy(board) == (550, 600)  # what has arrived is not sent again, nor held any more
    board.on_acked(0, 1_000)
    assert effort.next_copy(board) is None


def test_of_a_long_repair_every_part_gets_a_copy() -> None:
    """A burst is repaired in one run: only its first segment was sent twice."""
    effort, board = TailEffort(share=0.1, spared=0), all_sent()
    effort.on_repaired(300, 600)
    copies = []
    while (copy := effort.next_copy(board)) is not None:
        copies.append(copy[0])
        effort.drop_copy(copy[0] + 100)
        if len(copies) == 2:
            board.on_acked(500, 520)
    assert copies == [300, 400, 520]


def test_only_the_latest_repairs_are_remembered() -> None:
    effort, board = TailEffort(share=0.1, spared=0), all_sent(100_000)
    for start in range(0, 100_000, 100):
        effort.on_repaired(start, start + 100)
    copies = []
    while (copy := effort.next_copy(board)) is not None:
        copies.append(copy)
        effort.drop_copy(copy[1])
    assert copies == [(start, start + 100) for start in range(100_000 - 64 * 100, 100_000, 100)]


def test_one_probe_at_first_then_two_until_there_is_progress() -> None:
    probing = Probing(no_effort())
    probing.on_expired()
    assert (probing.count, probing.due) == (1, 1)
    probing.on_expired()
    assert (probing.count, probing.due) == (2, 2)
    for _ in range(100):
        probing.on_expired()
    assert (probing.count, probing.due) == (64, 2)  # a bound for shifts
    probing.reset()
    assert (probing.count, probing.due) == (0, 0)
    probing.on_expired()
    assert probing.due == 1


def test_the_wait_runs_from_now_on_while_a_probe_is_due() -> None:
    probing = Probing(no_effort())
    assert probing.last_expiry(77) == 0
    probing.on_expired()
    assert probing.last_expiry(77) == 77


def test_bytes_with_a_copy_on_its_way_are_not_lost() -> None:
    probing = Probing(no_effort())
    run = make_run(0, count=3)
    assert probing.without_copies(run) == [(0, 300)]
    probing.copies.add(100, 200)
    assert probing.without_copies(run) == [(0, 100), (200, 300)]
    probing.on_settled(make_run(1))
    assert probing.without_copies(run) == [(0, 300)]


def test_a_lost_copy_protects_nothing() -> None:
    probing = Probing(no_effort())
    probing.copies.add(0, 100)
    assert probing.without_copies(make_run(5, offset=0, retransmission=True)) == [(0, 100)]
    assert probing.without_copies(make_run(0)) == [(0, 100)]
