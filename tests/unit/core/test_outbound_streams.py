"""The sending half of a stream that grows: its end mark, its pings, and its efforts at the end."""

from __future__ import annotations

import random

import pytest

from surewire.core.congestion import FixedRate
from surewire.core.send_rules import Probe
from surewire.core.sent_log import SentRun
from surewire.core.timers import Timer
from surewire.core.units import NS_PER_MS as MS
from tests.unit.core.sender import RTT, SEGMENT, spans
from tests.unit.core.streaming import LATE, RATE, StreamSender


def pings(runs: list[SentRun]) -> int:
    return sum(run.nbytes == 0 for run in runs)


# The end


def test_nothing_is_sent_before_there_is_something() -> None:
    sender = StreamSender()
    assert sender.poll() == []
    assert sender.timers.next_deadline() is None
    assert spans(sender.write(10)) == [(0, 10)]
    assert spans(sender.write(5)) == [(10, 15)]


@pytest.mark.parametrize("size", [1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT, 3 * SEGMENT + 1])
def test_the_end_rides_on_the_last_segment_even_when_that_is_full(size: int) -> None:
    sender = StreamSender()
    sender.board.finish()
    runs = sender.write(size)
    starts = list(range(0, size, SEGMENT))
    assert spans(runs) == list(zip(starts, [*starts[1:], size + 1], strict=True))
    assert all(run.count == 1 for run in runs)
    sender.now += RTT
    sender.ack((0, len(runs)))
    assert sender.board.is_done and sender.poll() == []
    assert sender.timers.next_deadline() is None


def test_a_lost_end_goes_again_with_its_segment_and_only_then() -> None:
    sender = StreamSender()
    sender.board.finish()
    sender.write(2 * SEGMENT)
    sender.now += LATE
    sender.expire(Timer.PTO)  # a ping, number 2
    sender.ack((0, 1), (2, 3))
    again = sender.poll()
    assert spans(again) == [(SEGMENT, 2 * SEGMENT + 1)]
    assert [run.retransmission for run in again] == [True]
    sender.now += RTT
    sender.ack((3, 4))
    assert sender.board.is_done and sender.poll() == []


def test_an_end_that_comes_late_waits_for_the_acknowledgment_of_all_data() -> None:
    sender = StreamSender()
    sender.write(SEGMENT + 5)
    assert sender.finish() == []
    sender.ack((0, 1))
    assert sender.poll() == []
    sender.ack((1, 2))
    assert spans(sender.poll()) == [(SEGMENT + 5, SEGMENT + 6)]


def test_an_end_that_does_not_ride_is_a_packet_of_its_own() -> None:
    sender = StreamSender(rides=False)
    sender.outbound.rules.may_finish_early = True
    sender.board.finish()
    assert spans(sender.write(SEGMENT + 5)) == [(0, SEGMENT), (SEGMENT, SEGMENT + 5), (SEGMENT + 5, SEGMENT + 6)]


def test_a_stream_of_nothing_is_its_end() -> None:
    sender = StreamSender()
    assert spans(sender.finish()) == [(0, 1)]
    assert spans(sender.expire(Timer.PTO)) == [(0, 1)]  # it costs hardly more than a ping
    sender.ack((1, 2))
    assert sender.board.is_done
    assert sender.timers.next_deadline() is None


# Silence


def test_silence_is_answered_by_pings_that_do_not_wait_for_each_other() -> None:
    sender = StreamSender()
    sender.write(SEGMENT)
    began, times = sender.now, []
    for _ in range(4):
        assert [(run.offset, run.nbytes, run.retransmission) for run in sender.expire(Timer.PTO)] == [
            (SEGMENT, 0, False)
        ]
        times.append(sender.now - began)
    assert times == [250 * MS, 290 * MS, 330 * MS, 370 * MS]
    assert sender.outbound.unanswered_probes == 4
    assert sender.outbound.log.bytes_in_flight == SEGMENT  # pings are no bytes


def test_the_acknowledgment_of_a_ping_shows_what_is_lost() -> None:
    sender = StreamSender()
    sender.write(3 * SEGMENT)
    sender.expire(Timer.PTO)
    sender.now += RTT
    sender.ack((1, 2), (3, 4))
    assert sender.outbound.unanswered_probes == 0
    assert spans(sender.poll()) == [(0, SEGMENT), (2 * SEGMENT, 3 * SEGMENT)]


@pytest.mark.parametrize(("size", "is_repeated"), [(32, True), (33, False)])
def test_a_small_piece_is_rather_sent_again_than_asked_for(size: int, is_repeated: bool) -> None:
    sender = StreamSender()
    sender.write(size)
    assert spans(sender.expire(Timer.PTO)) == [(0, size) if is_repeated else (size, size)]


def test_what_is_repeated_is_the_lowest_unacknowledged_not_new_bytes() -> None:
    """New bytes go with no SYN; and the first missing ones are what the peer waits for."""
    sender = StreamSender()
    sender.write(2)
    sender.outbound.controller = FixedRate(rate=RATE, cwnd=1)  # one packet until the peer is known
    assert sender.write(500) == []
    assert spans(sender.expire(Timer.PTO)) == [(0, 2)]


def test_a_copy_in_flight_of_what_is_acknowledged_needs_no_probe() -> None:
    sender = StreamSender()
    sender.board.finish()
    sender.write(5)
    sender.expire(Timer.PTO)  # a copy of the whole
    sender.ack((0, 1))
    assert sender.board.is_done
    assert sender.outbound.log.bytes_in_flight == 6
    assert sender.timers.next_deadline() is None


def test_everything_in_flight_is_sent_again_where_that_is_the_rule() -> None:
    sender = StreamSender(probe=Probe.EVERYTHING)
    sender.write(3 * SEGMENT)
    sender.ack((1, 2))
    sender.now += RTT
    assert spans(sender.expire(Timer.PTO)) == [(0, SEGMENT), (2 * SEGMENT, 3 * SEGMENT)]
    assert sender.outbound.stats.probes == 1
    sender.ack((3, 5))
    assert sender.board.is_data_acked
    assert sender.timers.deadline(Timer.PTO) is None


def test_a_late_acknowledgment_stops_a_repeat_of_everything() -> None:
    sender = StreamSender(probe=Probe.EVERYTHING)
    sender.write(2 * SEGMENT)
    sender.now += 10 * RTT
    sender.timers.cancel(Timer.PTO)
    sender.outbound.on_pto(now=sender.now)
    sender.ack((0, 2))  # before anything could leave
    assert sender.poll() == []
    assert sender.outbound.stats.spurious_segments == 2


# Efforts at the end


def losing_tail(tail_effort: float) -> tuple[StreamSender, list[SentRun]]:
    """Fifty segments, of which the last but one needs a repair when there is nothing else to send."""
    sender = StreamSender(tail_effort=tail_effort)
    sender.write(49 * SEGMENT)
    sender.now += LATE
    sender.write(SEGMENT)
    sender.now += RTT
    sender.ack((0, 48), (49, 50))
    return sender, sender.poll()


def test_a_repair_at_the_end_goes_twice_when_it_may() -> None:
    sender, sent = losing_tail(0.05)  # 2,550 bytes: one copy, and pings
    assert spans(sent) == [(48 * SEGMENT, 49 * SEGMENT)] * 2
    assert sender.timers.deadline(Timer.PACING) == sender.now + 25 * MS
    sender.now += 25 * MS
    assert pings(sender.poll()) == 1


def test_a_copy_is_one_packet_even_if_segments_have_become_shorter() -> None:
    """Else it takes two numbers, of which one never leaves: its bytes would count as lost."""
    sender = StreamSender(tail_effort=0.05)
    sender.write(49 * SEGMENT)
    sender.now += LATE
    sender.write(SEGMENT)
    sender.now += RTT
    sender.ack((0, 48), (49, 50))
    (repair,) = sender.outbound.poll_runs(now=sender.now)
    sender.outbound.rules.segment = SEGMENT - 5  # an acknowledgment with holes rides on what comes next
    (copy,) = sender.outbound.poll_runs(now=sender.now)
    assert (copy.offset, copy.stop) == (repair.offset, repair.stop)
    assert (copy.first, copy.count) == (repair.first + 1, 1)
    assert sender.outbound.log.next_number == copy.first + 1


def test_without_effort_a_repair_goes_once() -> None:
    sender, sent = losing_tail(0.0)
    assert spans(sent) == [(48 * SEGMENT, 49 * SEGMENT)]
    assert sender.timers.deadline(Timer.PACING) is None


def test_the_effort_ends_with_the_budget() -> None:
    sender, sent = losing_tail(0.03)
    budget = 0.03 * sender.outbound.log.sent_total - SEGMENT  # the copy
    while (at := sender.timers.deadline(Timer.PACING)) is not None:
        sender.now = max(at, sender.now)
        sent += sender.poll()
    assert pings(sent) == budget // 110 > 2  # 110 bytes each, with the answer
    assert sender.timers.deadline(Timer.PTO) is not None  # then only silence is answered


def test_no_effort_is_spent_while_lost_bytes_wait() -> None:
    """What the window holds back goes first: a second copy or a ping would only take its place."""
    sender = StreamSender(tail_effort=0.1)
    sender.write(49 * SEGMENT)
    sender.now += LATE
    sender.write(SEGMENT)
    sender.outbound.controller = FixedRate(rate=RATE, cwnd=SEGMENT)
    sender.now += RTT
    sender.ack((0, 46), (49, 50))
    assert spans(sender.poll()) == [(46 * SEGMENT, 47 * SEGMENT)]
    assert sender.board.has_lost and not sender.board.has_unsent
    assert sender.timers.deadline(Timer.PACING) is None
    sender.now += 100 * MS
    assert sender.poll() == []
    sender.ack((50, 51))
    assert spans(sender.poll()) == [(47 * SEGMENT, 48 * SEGMENT)]
    sender.outbound.controller = FixedRate(rate=RATE, cwnd=1 << 30)
    assert spans(sender.poll())[:2] == [(48 * SEGMENT, 49 * SEGMENT), (47 * SEGMENT, 48 * SEGMENT)]  # now a copy


# Any history


def deliver(sender: StreamSender, rng: random.Random, on_way: list[SentRun], arrived: set[int], depth: int) -> None:
    """One of the oldest `depth` transmissions arrives, and perhaps an acknowledgment of all that have."""
    arrived.add(on_way.pop(rng.randrange(min(len(on_way), depth))).first)
    if rng.random() < 0.7:
        sender.ack(*[(number, number + 1) for number in sorted(arrived, reverse=True)])


@pytest.mark.parametrize("probe", [Probe.PING, Probe.EVERYTHING])
@pytest.mark.parametrize("rides", [True, False])
@pytest.mark.parametrize("loss", [0.0, 0.2, 0.5])
def test_every_byte_and_the_end_arrive_whatever_is_lost(probe: Probe, rides: bool, loss: float) -> None:
    for seed in range(8):
        rng = random.Random(f"{seed} {loss}")
        sender = StreamSender(probe=probe, rides=rides, tail_effort=0.02)
        size = rng.randrange(20 * SEGMENT)
        sent: list[SentRun] = []
        on_way: list[SentRun] = []
        arrived: set[int] = set()
        for _ in range(20_000):
            sender.now += rng.randrange(10 * MS)
            if sender.board.size < size:
                sender.board.extend(min(sender.board.size + rng.randrange(2 * SEGMENT), size))
            elif not sender.board.is_finished:
                sender.board.finish()
            due = sender.timers.deadline(Timer.PTO)
            new = sender.expire(Timer.PTO) if due is not None and due <= sender.now else sender.poll()
            sent += new
            on_way += [run for run in new if rng.random() >= loss]
            if on_way:
                deliver(sender, rng, on_way, arrived, 4 if loss else 1)
            if sender.board.is_done:
                break
        assert sender.board.is_done, (seed, loss)
        covered = {byte for run in sent if run.first in arrived for byte in range(run.offset, run.stop)}
        assert covered == set(range(size + 1)), (seed, loss)
        assert all(min(run.stop, size) - run.offset <= SEGMENT for run in sent)
        if not loss and probe is Probe.PING:
            again = sum(min(run.stop, size) - run.offset for run in sent if run.retransmission and run.nbytes > 33)
            assert again == 0, (seed, spans([run for run in sent if run.retransmission]))
