"""Silence and closed windows: when probes go out, what they carry, and how they back off."""

from __future__ import annotations

import pytest

from surewire.core.config import TransportConfig
from surewire.core.timers import Timer
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S
from tests.unit.core.sender import RTT, SEGMENT, START, Sender, spans

PTO = RTT + 4 * RTT // 2 + 5 * MS  # smoothed, four times the variation, max_ack_delay: RFC 9002 §6.2.1


def test_the_first_probe_goes_out_a_probe_timeout_after_the_last_transmission() -> None:
    sender = Sender(5_000)
    sender.poll()
    assert sender.timers.deadline(Timer.PTO) == START + PTO
    assert spans(sender.expire(Timer.PTO)) == [(0, 1000)]
    assert sender.outbound.stats.probes == 1


def test_a_later_transmission_moves_it() -> None:
    sender = Sender(5_000, window=2_000)
    sender.poll()
    sender.now += 30 * MS
    sender.outbound.rules.max_offset = 5_000
    sender.poll()
    assert sender.timers.deadline(Timer.PTO) == START + 30 * MS + PTO


def test_nothing_unsettled_needs_no_probe() -> None:
    sender = Sender(5_000)
    assert sender.timers.deadline(Timer.PTO) is None
    sender.poll()
    sender.now += RTT
    sender.ack((0, sender.outbound.log.next_number), position=5_001)
    assert sender.timers.next_deadline() is None


def probe_intervals(sender: Sender, count: int) -> list[int]:
    intervals = []
    for _ in range(count):
        before = sender.now
        sender.expire(Timer.PTO)
        intervals.append(sender.now - before)
    return intervals


@pytest.mark.parametrize("has_byte_acks", [False, True])
def test_the_interval_doubles_up_to_its_limit(has_byte_acks: bool) -> None:
    sender = Sender(5_000, has_byte_acks=has_byte_acks, config=TransportConfig(max_pto=3 * NS_PER_S))
    sender.poll()
    assert probe_intervals(sender, 40) == [PTO, 2 * PTO, 4 * PTO, 8 * PTO] + [3 * NS_PER_S] * 36


def test_once_only_the_end_is_missing_the_limit_is_a_closer_one() -> None:
    config = TransportConfig(max_pto=3 * NS_PER_S, max_closing_pto=NS_PER_S)
    sender = Sender(1_000, may_finish_early=False, config=config)
    sender.poll()
    sender.ack((0, 1), position=1_000)
    sender.poll()
    intervals = probe_intervals(sender, 6)
    assert intervals[-4:] == [NS_PER_S] * 4
    assert all(interval <= NS_PER_S for interval in intervals)


def test_an_acknowledgment_ends_the_back_off() -> None:
    sender = Sender(5_000)
    sender.poll()
    probe_intervals(sender, 4)
    sent_at, newest = sender.now, sender.outbound.log.next_number
    sender.now += RTT
    sender.ack((newest - 1, newest))
    assert sender.timers.deadline(Timer.PTO) == sent_at + sender.rtt.pto(5 * MS)


def test_a_probe_ignores_the_congestion_window() -> None:
    sender = Sender(50_000, cwnd=3_000)
    sender.poll()
    assert sender.outbound.log.bytes_in_flight == 3_000
    assert len(sender.expire(Timer.PTO)) == 1  # RFC 9002 §7.5


def test_a_probe_carries_new_data_when_there_are_any() -> None:
    sender = Sender(50_000, cwnd=3_000)
    sender.poll()
    assert spans(sender.expire(Timer.PTO)) == [(3000, 4000)]


def test_a_probe_carries_lost_data_first() -> None:
    sender = Sender(50_000, cwnd=1_000)
    sender.poll()
    sender.outbound.rules.max_offset = 1_000
    sender.expire(Timer.PTO)  # a second copy of [0, 1000)
    sender.now += 2 * RTT
    sender.outbound.scoreboard.on_lost(0, 1000)
    sender.outbound.rules.max_offset = 50_000
    assert spans(sender.expire(Timer.PTO))[0] == (0, 1000)


def test_the_second_of_a_pair_of_probes_carries_other_bytes() -> None:
    sender = Sender(5_000, may_finish_early=False)
    sender.poll()
    sender.expire(Timer.PTO)
    assert spans(sender.expire(Timer.PTO)) == [(0, 1000), (1000, 2000)]


def test_a_probe_repeats_only_what_is_missing() -> None:
    sender = Sender(5_000, may_finish_early=False)
    sender.poll()
    sender.ack((0, 2), (3, 5), position=2_000)
    assert spans(sender.expire(Timer.PTO)) == [(2000, 3000)]


def test_the_end_mark_is_probed_alone_after_missing_data() -> None:
    sender = Sender(1_000)
    sender.poll()
    sender.expire(Timer.PTO)
    assert spans(sender.expire(Timer.PTO)) == [(0, 1000), (1000, 1001)]
    sender.ack((0, 1), position=1_000)
    assert spans(sender.expire(Timer.PTO)) == [(1000, 1001)]


def test_a_lost_original_is_not_sent_again_while_its_copy_is_on_its_way() -> None:
    sender = Sender(2_000, may_finish_early=False)
    sender.poll()
    sender.ack((1, 2))
    sender.timers.cancel(Timer.LOSS)
    assert spans(sender.expire(Timer.PTO)) == [(0, 1000)]  # number 2
    sender.outbound.on_loss_timer(now=sender.now)  # number 0 is lost
    assert sender.outbound.stats.lost_bytes == 1000
    assert sender.poll() == []
    sender.ack((2, 3), position=2_000)
    assert spans(sender.poll()) == [(2000, 2001)]


def test_a_copy_that_is_lost_as_well_is_sent_again() -> None:
    sender = Sender(3_000, window=2_000, may_finish_early=False)
    sender.poll()
    sender.ack((1, 2))
    sender.timers.cancel(Timer.LOSS)
    sender.expire(Timer.PTO)  # number 2 repeats [0, 1000)
    sender.outbound.on_loss_timer(now=sender.now)
    sender.now += MS
    sender.outbound.rules.max_offset = 3_000
    sender.poll()  # number 3: new data
    sender.now += RTT
    sender.ack((3, 4))  # so 2 is overtaken
    assert spans(sender.expire(Timer.LOSS)) == [(0, 1000)]


# The zero window


def closed_window(*, has_byte_acks: bool) -> Sender:
    """All that the window allowed is acknowledged, and it has not been opened again."""
    sender = Sender(10_000, window=2_000, has_byte_acks=has_byte_acks)
    sender.poll()
    sender.now += RTT
    if has_byte_acks:
        sender.ack_bytes(2_000)
    else:
        sender.ack((0, 2), position=2_000)
    assert sender.poll() == []
    return sender


@pytest.mark.parametrize("has_byte_acks", [False, True])
def test_a_closed_window_is_probed_with_one_byte_beyond_it(has_byte_acks: bool) -> None:
    sender = closed_window(has_byte_acks=has_byte_acks)  # RFC 9293 §3.8.6.1
    assert spans(sender.expire(Timer.PTO)) == [(2000, 2001)]
    for _ in range(5):
        assert set(spans(sender.expire(Timer.PTO))) == {(2000, 2001)}  # never a second byte


@pytest.mark.parametrize("has_byte_acks", [False, True])
def test_an_opened_window_ends_the_probing(has_byte_acks: bool) -> None:
    sender = closed_window(has_byte_acks=has_byte_acks)
    sender.expire(Timer.PTO)
    sender.outbound.rules.max_offset = 10_000
    sender.now += RTT
    if has_byte_acks:
        sender.ack_bytes(2_001)
    else:
        sender.ack((2, 3), position=2_001)
    assert spans(sender.drain())[0][0] == 2_001
    assert sender.outbound.scoreboard.next_offset == 10_001


@pytest.mark.parametrize("has_byte_acks", [False, True])
def test_zero_window_probes_back_off_although_the_peer_answers_each(has_byte_acks: bool) -> None:
    """RFC 9293 §3.8.6.1: the interval between probes of a window that stays closed grows."""
    sender = closed_window(has_byte_acks=has_byte_acks)
    times: list[int] = []
    until = sender.now + 20 * NS_PER_S
    answer_at: int | None = None
    while sender.now < until:
        deadlines = {timer: sender.timers.deadline(timer) for timer in (Timer.LOSS, Timer.PTO)}
        due = [(at, timer) for timer, at in deadlines.items() if at is not None]
        assert due, "nobody will ever look at the window again"
        at, timer = min(due)
        if answer_at is not None and answer_at <= at:
            sender.now, answer_at = answer_at, None
            if has_byte_acks:
                sender.ack_bytes(2_000)
            else:
                sender.ack(position=2_000)
            sent = sender.poll()
        else:
            sent = sender.expire(timer)
        if sent:
            times.append(sender.now)
            answer_at = sender.now + RTT
    assert len(times) <= 20  # every 2 s once backed off, and some before


def test_a_window_closed_over_data_in_flight_is_not_overrun() -> None:
    sender = Sender(10_000, window=1_000)
    sender.poll()
    for _ in range(8):
        assert all(stop <= 1_001 for _, stop in spans(sender.expire(Timer.PTO)))


def test_an_unanswered_probe_timer_never_dies() -> None:
    sender = Sender(3 * SEGMENT)
    sender.poll()
    for _ in range(100):
        sender.expire(Timer.PTO)
        assert sender.timers.deadline(Timer.PTO) is not None


# Pings into a silence

SILENCE = 100 * MS  # between two pings, or a probe timeout if that is longer


def quiet_sender(size: int = 50_000) -> Sender:
    sender = Sender(size, rate=10**7, config=TransportConfig(max_pto=3 * NS_PER_S))
    sender.outbound.rules.silence_interval = SILENCE
    sender.drain()
    return sender


def test_after_one_segment_that_is_not_answered_pings_go_out_steadily() -> None:
    sender = quiet_sender()
    times, sizes = [], []
    for _ in range(20):
        before = sender.now
        (run,) = sender.expire(Timer.PTO)
        times.append(sender.now - before)
        sizes.append(run.nbytes)
    assert times == [PTO, 2 * PTO] + [PTO] * 18
    assert sizes == [SEGMENT] + [0] * 19


def test_on_a_path_that_loses_they_come_twice_as_often_and_some_carry_bytes() -> None:
    """Where half of all datagrams are lost each way, one ping in four is answered, and what is missing may be short."""
    sender = quiet_sender()
    sender.outbound.rules.peer_loss = 0.5
    times, sizes = [], []
    for _ in range(20):
        before = sender.now
        (run,) = sender.expire(Timer.PTO)
        times.append(sender.now - before)
        sizes.append(run.nbytes)
    assert times == [PTO, 2 * PTO] + [PTO // 2] * 18
    assert [number for number, nbytes in enumerate(sizes, 1) if nbytes] == [1, 2, 4, 8, 16]


def test_on_a_short_path_they_wait_for_the_interval() -> None:
    sender = quiet_sender()
    sender.rtt.reset(5 * MS)
    assert probe_intervals(sender, 30)[2:] == [SILENCE] * 28


def test_one_answer_shows_all_that_was_lost_and_it_goes_out_again_at_the_pace_of_the_path() -> None:
    """An outage swallowed a window; what comes after it is a first window, and more when bytes arrive."""
    sender = quiet_sender()
    swallowed = sender.outbound.log.bytes_in_flight
    for _ in range(10):
        (ping,) = sender.expire(Timer.PTO)
    sender.now += RTT
    sender.ack((ping.first, ping.first + 1))
    assert sender.outbound.stats.lost_bytes == swallowed + SEGMENT  # the probe, too
    first = sender.drain()
    assert sum(run.nbytes for run in first) == 10 * SEGMENT and first[0].offset == 0
    sender.now += RTT
    sender.ack((first[0].first, first[-1].last + 1), position=10 * SEGMENT)
    assert sum(run.nbytes for run in sender.drain()) > 20 * SEGMENT
    assert sender.outbound.unanswered_probes == 0


def test_where_only_pings_are_answered_ever_fewer_segments_follow_and_ever_more_rarely() -> None:
    """Long datagrams vanish, or what goes out with others at the answer: so at last one goes alone."""
    sender = quiet_sender()
    sender.expire(Timer.PTO)
    segments: list[int] = []
    waits: list[int] = []
    while len(segments) < 10:
        before = sender.now
        (probe,) = sender.expire(Timer.PTO)
        if probe.nbytes:
            continue
        waits.append(sender.now - before)
        sender.now += RTT
        sender.ack((probe.first, probe.first + 1))
        segments.append(sum(run.nbytes for run in sender.drain()) // SEGMENT)
    assert segments == [10, 5, 2, 1, 1, 1, 1, 1, 1, 1]
    assert waits[5:] == sorted(waits[5:]) and waits[2] < 2 * SILENCE and waits[-1] > NS_PER_S


def test_a_segment_that_is_lost_again_after_an_answer_is_not_put_off_for_seconds() -> None:
    """The answer to a ping was followed by the back-off of bytes, up to `max_pto`, without another ping."""
    sender = quiet_sender()
    sender.expire(Timer.PTO)
    (ping,) = sender.expire(Timer.PTO)
    sender.now += RTT
    sender.ack((ping.first, ping.first + 1))
    assert sender.drain()
    assert max(probe_intervals(sender, 12)) <= max(SILENCE, 3 * RTT)


def test_a_closed_window_is_probed_as_ever() -> None:
    sender = Sender(5_000, window=1_000, config=TransportConfig(max_pto=3 * NS_PER_S))
    sender.outbound.rules.silence_interval = SILENCE
    sender.poll()
    sender.now += RTT
    sender.ack((0, 1), position=1_000)
    assert all(run.nbytes for _ in range(8) for run in sender.expire(Timer.PTO))
    assert probe_intervals(sender, 1) == [3 * NS_PER_S]
