"""The reordering window: where it starts, how far it widens, when it forgets; and loss on both sides of it."""

from __future__ import annotations

import pytest

from surewire.core.loss import LossShare, ReorderingWindow
from surewire.core.rtt import GRANULARITY, RttEstimator
from surewire.core.sent_log import SentLog
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_US as US
from tests.unit.core.makers import make_run, numbers

RTT = 80 * MS
EPOCH = 16 * RTT
START = 1_000 * MS


def make_window(*samples: int) -> ReorderingWindow:
    rtt = RttEstimator(150 * MS)
    for sample in samples or (RTT,):
        rtt.on_sample(sample, ack_delay=0)
    return ReorderingWindow(rtt)


def test_it_starts_at_an_eighth_of_the_round_trip() -> None:
    window = make_window()
    assert window.window(START) == 10 * MS
    assert window.loss_delay(START) == 90 * MS  # RFC 9002 §6.1.2: 9/8


def test_at_an_end_it_starts_at_a_quarter_of_that() -> None:
    window = make_window()
    assert window.loss_delay(START, is_at_end=True) == RTT + RTT // 32
    window.on_overtaken(sent_at=START - RTT - MS, now=START)  # things are overtaken there
    assert window.loss_delay(START, is_at_end=True) == 90 * MS
    assert make_window(400 * US).loss_delay(START, is_at_end=True) == 400 * US + GRANULARITY


def test_it_is_never_below_the_timer_granularity() -> None:
    window = make_window(400 * US)
    assert window.window(START) == GRANULARITY
    assert window.loss_delay(START) == 400 * US + GRANULARITY


def test_the_latest_round_trip_counts_where_it_is_longer() -> None:
    window = make_window(RTT, 160 * MS)  # smoothed 90 ms
    assert window.loss_delay(START) == 180 * MS


def test_it_widens_to_nine_eighths_of_the_wait_that_was_needed() -> None:
    window = make_window()
    window.on_overtaken(sent_at=START - 120 * MS, now=START)  # 40 ms longer than a round trip
    assert window.window(START) == 45 * MS
    window.on_overtaken(sent_at=START - 100 * MS, now=START)  # needed less: nothing changes
    assert window.window(START) == 45 * MS
    window.on_overtaken(sent_at=START - 128 * MS, now=START)
    assert window.window(START) == 54 * MS


def test_a_wait_within_the_round_trip_teaches_nothing() -> None:
    window = make_window()
    window.on_overtaken(sent_at=START - RTT, now=START)
    window.on_overtaken(sent_at=START, now=START)
    assert window.window(START) == 10 * MS


def test_it_is_capped_at_two_smoothed_round_trips() -> None:
    window = make_window()
    window.on_overtaken(sent_at=START - 900 * MS, now=START)
    assert window.window(START) == 2 * RTT
    assert window.loss_delay(START) == 3 * RTT


def test_it_forgets_after_two_epochs_and_not_after_one() -> None:
    window = make_window()
    window.on_overtaken(sent_at=START - 120 * MS, now=START)
    assert window.window(START + EPOCH - 1) == 45 * MS
    assert window.window(START + EPOCH) == 45 * MS
    assert window.window(START + 2 * EPOCH - 1) == 45 * MS
    assert window.window(START + 2 * EPOCH) == 10 * MS


def test_new_evidence_keeps_it_open() -> None:
    window = make_window()
    for epoch in range(5):
        now = START + epoch * EPOCH
        window.on_overtaken(sent_at=now - 120 * MS, now=now)
        assert window.window(now) == 45 * MS


def test_the_reordering_window_forgets_also_when_nobody_asked_for_a_while() -> None:
    window = make_window()
    window.on_overtaken(sent_at=START - 120 * MS, now=START)
    assert window.window(START + 10 * EPOCH) == 10 * MS  # the evidence is 160 round trips old


@pytest.mark.parametrize("needed", [0, 40 * MS])
def test_a_transmission_is_lost_when_the_delay_has_passed_and_not_one_ns_before(needed: int) -> None:
    window = make_window()
    window.on_overtaken(sent_at=START - RTT - needed, now=START)
    log = SentLog()
    log.append(make_run(0, sent_at=START))
    log.append(make_run(1, sent_at=START + 1))
    log.acknowledge([(1, 2)])
    due = START + window.loss_delay(START + RTT)
    lost, waiting = log.detect_lost(sent_before=due - 1 - window.loss_delay(due - 1))
    assert lost == []
    assert waiting is not None and waiting.first == 0
    lost, waiting = log.detect_lost(sent_before=due - window.loss_delay(due))
    assert numbers(lost) == [0]
    assert waiting is None


# How much is lost


def test_the_share_is_of_what_was_settled() -> None:
    share = LossShare()
    assert share.share == 0.0
    share.take(acked=90_000)
    share.take(lost=10_000)
    assert share.share == 0.1


def test_what_arrived_after_all_was_not_lost() -> None:
    share = LossShare()
    share.take(acked=90_000)
    share.take(lost=10_000)
    share.take(lost=-10_000)
    share.take(acked=10_000)
    assert share.share == 0.0


def test_it_follows_a_path_that_changes() -> None:
    share = LossShare()
    for _ in range(200):
        share.take(acked=5_000)
        share.take(lost=5_000)
    assert share.share == pytest.approx(0.5, abs=0.02)
    for _ in range(110):
        share.take(acked=5_000)
    assert share.share == 0.0
