"""The sending half: what goes out first, how far the peer's window lets it go, and what acknowledgments do."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from surewire.core.congestion import AckSample, FixedRate, PhaseOutcome
from surewire.core.timers import Timer
from surewire.core.units import NS_PER_MS as MS
from surewire.errors import RemoteProtocolError
from tests.unit.core.sender import RTT, SEGMENT, START, Sender, spans

# The stream and its end mark


@pytest.mark.parametrize("has_byte_acks", [False, True])
@pytest.mark.parametrize("size", [1, 999, 1000, 1001, 123_456])
def test_the_stream_goes_out_in_order_once_and_the_end_mark_alone_and_last(size: int, has_byte_acks: bool) -> None:
    sender = Sender(size, has_byte_acks=has_byte_acks)
    *data, end = spans(sender.drain())
    assert [offset for start, stop in data for offset in range(start, stop)] == list(range(size))
    assert end == (size, size + 1)
    assert sender.outbound.log.bytes_in_flight == size + 1


def test_an_empty_stream_is_its_end_mark() -> None:
    assert spans(Sender(0).drain()) == [(0, 1)]


def test_to_a_plain_peer_the_end_mark_waits_until_all_data_are_acknowledged() -> None:
    sender = Sender(2500, may_finish_early=False)
    assert sender.drain()[-1].stop == 2500
    sender.ack((0, 2), position=2000)
    assert sender.drain() == []
    sender.ack((0, 3), position=2500)
    assert spans(sender.drain()) == [(2500, 2501)]
    sender.ack((3, 4), position=2501)
    assert sender.outbound.scoreboard.is_done
    assert sender.drain() == []
    assert sender.timers.next_deadline() is None


def test_a_train_is_limited_and_a_run_to_a_plain_peer_is_one_segment() -> None:
    sender = Sender(200_000, rate=10**9)
    limit = sender.drain()[0].nbytes // SEGMENT
    assert 10 <= limit <= 64  # what UDP_SEGMENT takes
    assert {run.count for run in Sender(20_000, rate=10**9, has_byte_acks=True).drain()} == {1}


# The peer's window


def test_nothing_goes_beyond_the_window_and_it_goes_on_where_it_stopped() -> None:
    sender = Sender(50_000, window=7_000)
    assert max(stop for _, stop in spans(sender.drain())) == 7_000
    sender.outbound.rules.max_offset = 9_000
    assert spans(sender.drain()) == [(7_000, 9_000)]


@pytest.mark.parametrize("has_byte_acks", [False, True])
def test_a_runt_waits_while_anything_is_in_flight(has_byte_acks: bool) -> None:
    sender = Sender(50_000, window=1_000, has_byte_acks=has_byte_acks)
    assert spans(sender.drain()) == [(0, 1000)]
    sender.outbound.rules.max_offset = 1_999
    assert sender.drain() == []
    sender.outbound.rules.max_offset = 2_000
    assert spans(sender.drain()) == [(1000, 2000)]


def test_a_window_smaller_than_a_segment_is_used_when_nothing_is_in_flight() -> None:
    sender = Sender(50_000, window=700, has_byte_acks=True)
    assert spans(sender.drain()) == [(0, 700)]
    sender.ack_bytes(700)
    sender.outbound.rules.max_offset = 1_400
    assert spans(sender.drain()) == [(700, 1400)]


def test_a_copy_that_never_arrived_does_not_hold_a_small_window_shut() -> None:
    sender = Sender(50_000, window=700)
    sender.poll()
    sender.expire(Timer.PTO)  # number 1 repeats [0, 700) and is lost
    sender.ack((0, 1), position=700)
    sender.outbound.rules.max_offset = 1_400
    assert spans(sender.drain()) == [(700, 1400)]  # all bytes sent are acknowledged: nothing to wait for


def test_the_last_segment_of_the_stream_is_no_runt() -> None:
    sender = Sender(1_500, window=1_000)
    sender.drain()
    sender.outbound.rules.max_offset = 1_500
    assert spans(sender.drain()) == [(1000, 1500), (1500, 1501)]


@pytest.mark.parametrize("has_byte_acks", [False, True])
def test_no_silly_window_at_the_tail_of_a_longer_run(has_byte_acks: bool) -> None:
    sender = Sender(50_000, window=2_500, has_byte_acks=has_byte_acks)
    assert sum(stop - start for start, stop in spans(sender.drain())) == 2_000  # and not a 500-byte segment, RFC 9293


# The congestion window


def test_no_more_is_in_flight_than_the_controller_allows() -> None:
    sender = Sender(100_000, cwnd=5_500)
    assert spans(sender.drain()) == [(0, 5000)]
    sender.ack((0, 2), position=2000)
    assert spans(sender.drain()) == [(5000, 7000)]


def test_the_pacer_says_when_the_next_train_may_go() -> None:
    sender = Sender(100_000)
    sender.poll()
    at = sender.timers.deadline(Timer.PACING)
    assert at is not None
    sender.now = at - 1
    assert sender.poll() == []
    assert sender.timers.deadline(Timer.PACING) == at
    sender.now = at
    assert sender.poll() != []


# Losses


def test_lost_bytes_go_out_again_before_new_ones() -> None:
    sender = Sender(100_000, cwnd=10_000)
    sender.poll()
    sender.now += RTT
    sender.ack((3, 5))  # numbers 0, 1 and 2 were overtaken
    assert not any(run.retransmission for run in sender.poll())
    again, *new = sender.expire(Timer.LOSS)
    assert (again.offset, again.stop, again.retransmission) == (0, 3000, True)
    assert all(run.offset >= 10_000 and not run.retransmission for run in new)
    assert sender.outbound.stats.lost_bytes == 3000


def test_several_holes_make_one_train_lowest_first() -> None:
    sender = Sender(9_000, may_finish_early=False)
    sender.poll()
    sender.now += RTT
    sender.ack((1, 2), (3, 4), (5, 9))
    sender.now += RTT
    sender.outbound.on_loss_timer(now=sender.now)
    assert spans(sender.outbound.poll_runs(now=sender.now)) == [(0, 1000), (2000, 3000), (4000, 5000)]


def test_a_loss_is_declared_at_its_deadline_and_not_before() -> None:
    sender = Sender(2_000)
    sender.poll()
    sender.now += RTT
    sender.ack((1, 2))
    at = sender.timers.deadline(Timer.LOSS)
    assert at == START + RTT * 9 // 8
    sender.outbound.on_loss_timer(now=at - 1)
    assert sender.outbound.stats.lost_bytes == 0
    assert sender.timers.deadline(Timer.LOSS) == at
    sender.outbound.on_loss_timer(now=at)
    assert sender.outbound.stats.lost_bytes == SEGMENT
    assert sender.timers.deadline(Timer.LOSS) is None


def test_a_late_arrival_is_spurious_and_not_sent_again() -> None:
    sender = Sender(2_000, may_finish_early=False)
    sender.poll()
    sender.now += RTT
    sender.ack((1, 2))
    sender.now += RTT
    sender.outbound.on_loss_timer(now=sender.now)
    assert sender.outbound.scoreboard.peek_lost() == (0, 1_000)
    sender.ack((0, 2))
    assert sender.outbound.scoreboard.peek_lost() is None
    assert (sender.outbound.stats.spurious_segments, sender.outbound.stats.spurious_bytes) == (1, 1_000)
    assert sender.outbound.scoreboard.una == 2_000
    assert not any(run.retransmission for run in sender.drain())


def test_a_lost_end_mark_is_sent_again_alone_after_the_lost_data() -> None:
    sender = Sender(2_000)
    sender.poll()  # numbers 0 and 1, and 2 for the end mark
    sender.expire(Timer.PTO)  # 3 repeats the first segment
    sender.now += RTT
    sender.ack((3, 4), position=1_000)
    again = sender.poll()
    assert spans(again) == [(1000, 2000), (2000, 2001)]
    assert all(run.retransmission for run in again)


# Round trips and false acknowledgments


def test_the_echoed_number_gives_the_round_trip() -> None:
    sender = Sender(3_000)
    sender.poll()
    sender.now += 3 * RTT
    sender.ack((0, 1), ack_delay=4 * MS)
    assert sender.rtt.latest_rtt == 3 * RTT
    assert sender.rtt.smoothed_rtt == (7 * RTT + 3 * RTT - 4 * MS) // 8


def test_a_repeated_acknowledgment_gives_none() -> None:
    sender = Sender(3_000)
    sender.poll()
    sender.now += RTT
    sender.ack((0, 1))
    samples = sender.rtt.samples
    sender.now += RTT
    sender.ack((0, 1))
    assert sender.rtt.samples == samples


def test_an_acknowledgment_held_back_for_longer_than_agreed_gives_none() -> None:
    sender = Sender(3_000)
    sender.poll()
    sender.now += 3 * RTT
    sender.ack((0, 1), ack_delay=5 * MS + 1)  # TransportConfig.max_ack_delay
    assert sender.rtt.samples == 1
    sender.ack((0, 2), ack_delay=5 * MS)
    assert sender.rtt.smoothed_rtt == (7 * RTT + 3 * RTT - 5 * MS) // 8


def test_an_acknowledgment_overtaken_by_another_still_gives_its_round_trip() -> None:
    sender = Sender(10_000)
    sender.poll()
    sender.now += RTT // 2
    sender.ack((0, 3))  # it reports number 1 too, but number 2 arrived last
    sender.now += RTT // 2
    sender.outbound.on_ack_numbers([(0, 2)], position=0, echo=1, ack_delay=0, now=sender.now)
    assert sender.rtt.latest_rtt == RTT


def test_to_a_plain_peer_only_bytes_sent_once_give_a_round_trip() -> None:
    sender = Sender(3_000, has_byte_acks=True, may_finish_early=False)
    sender.poll()
    sender.now += RTT
    sender.ack_bytes(1000)
    samples = sender.rtt.samples
    assert samples == 2
    sender.expire(Timer.PTO)  # sends bytes [1000, 2000) again
    sender.now += RTT
    sender.ack_bytes(3000)
    assert sender.rtt.samples == samples  # Karn, RFC 6298 §3


@pytest.mark.parametrize(("ranges", "position"), [([(0, 4)], 0), ([(3, 4)], 0), ([(0, 3)], 2002), ([], 5000)])
def test_an_acknowledgment_of_what_was_never_sent_is_refused_and_changes_nothing(
    ranges: list[tuple[int, int]], position: int
) -> None:
    sender = Sender(2_000)  # two data segments and the end mark: numbers 0, 1, 2
    sender.poll()
    before = sender.timers.deadline(Timer.PTO)
    sender.now += RTT
    with pytest.raises(RemoteProtocolError):
        sender.ack(*ranges, position=position)
    assert (sender.outbound.scoreboard.una, sender.outbound.log.bytes_in_flight) == (0, 2001)
    assert sender.timers.deadline(Timer.PTO) == before


def test_a_position_never_sent_is_refused_from_a_plain_peer_too() -> None:
    sender = Sender(2_000, has_byte_acks=True, may_finish_early=False)
    sender.poll()
    with pytest.raises(RemoteProtocolError):
        sender.ack_bytes(2001)  # the end mark has not been sent
    assert sender.outbound.scoreboard.una == 0


def test_an_old_position_changes_nothing() -> None:
    sender = Sender(3_000, has_byte_acks=True)
    sender.poll()
    sender.ack_bytes(2000)
    sender.ack_bytes(1000)
    assert sender.outbound.scoreboard.una == 2000


# Plain peers


def test_two_holes_at_a_plain_peer_are_not_taken_for_reordering() -> None:
    sender = Sender(9_000, has_byte_acks=True, may_finish_early=False)
    sender.poll()  # segments 0 and 5 are lost
    sender.now += 2 * RTT
    sender.ack_bytes(0)
    assert spans(sender.poll()) == [(0, 1000)]
    sender.now += RTT
    sender.ack_bytes(5000)
    sender.poll()
    sender.now += RTT
    sender.ack_bytes(9000)  # segments 6 to 8 have been there all the time
    assert sender.outbound.scoreboard.is_data_acked
    assert sender.outbound.stats.reordered == 0


def test_a_plain_peer_that_keeps_nothing_is_repaired_without_waiting_for_the_probe_timer() -> None:
    sender = Sender(8_000, has_byte_acks=True, may_finish_early=False)
    sender.poll()
    sender.now += 2 * RTT
    una, round_trips = 0, 0
    while una < 8_000:
        sender.ack_bytes(una)
        again = spans(sender.poll() or sender.expire(Timer.LOSS))  # each repair without a sample waits longer
        assert again[0][0] == una
        una = again[-1][1]
        sender.now += 2 * RTT
        round_trips += 1
    assert round_trips == 4  # 1 + 2 + 4 + 1 segments


def test_a_repair_that_is_lost_again_is_found_a_round_trip_after_it_was_sent() -> None:
    """Later traffic overtakes it, and it has a number of its own: the second loss costs no more than the first."""
    sender = Sender(10**9, rate=10_000_000)
    losing = 5 * SEGMENT
    lost_at: list[int] = []
    gone: set[int] = set()
    while len(lost_at) < 5:
        for run in sender.poll():
            if run.offset <= losing < run.stop:
                gone.add(run.first + (losing - run.offset) // SEGMENT)
                lost_at.append(sender.now)
        sender.now += MS
        arrived = [run for run in sender.outbound.log.in_flight() if run.sent_at + RTT <= sender.now]
        numbers = [n for run in arrived for n in range(run.first, run.last + 1) if n not in gone]
        if numbers:
            sender.ack(*sorted(((n, n + 1) for n in numbers), reverse=True))
        if (sender.timers.deadline(Timer.LOSS) or sender.now + 1) <= sender.now:
            sender.timers.cancel(Timer.LOSS)
            sender.outbound.on_loss_timer(now=sender.now)
    waits = [later - at for at, later in zip(lost_at, lost_at[1:], strict=False)]
    assert all(RTT * 9 // 8 <= wait <= RTT * 9 // 8 + 3 * MS for wait in waits), waits
    assert sender.outbound.stats.probes == 0


class Told(FixedRate):
    """Keeps what it is told of what became of bytes."""

    def __init__(self) -> None:
        super().__init__(rate=1_000_000, cwnd=1 << 30)
        self.acked: list[tuple[int, int]] = []  # bytes acknowledged, and shown to be lost by that
        self.lost: list[int] = []  # bytes that no acknowledgment showed to be lost

    def on_ack(self, sample: AckSample) -> None:
        self.acked.append((sample.acked, sum(outcome.lost for outcome in sample.lost)))

    def on_lost(self, outcomes: Sequence[PhaseOutcome], *, now: int) -> None:
        self.lost.append(sum(outcome.lost for outcome in outcomes))


def test_losses_that_an_acknowledgment_shows_are_told_with_it() -> None:
    """Else a round that ends with it knows of what arrived, and not of what was lost."""
    sender = Sender(2 * SEGMENT, window=SEGMENT)
    sender.outbound.controller = controller = Told()
    sender.poll()
    sender.now += RTT
    sender.outbound.rules.max_offset = 2 * SEGMENT
    sender.poll()
    sender.now += RTT
    sender.ack((1, 2))
    assert (controller.acked, controller.lost) == ([(SEGMENT, SEGMENT)], [])
    assert sender.outbound.scoreboard.has_lost


def test_losses_that_only_time_shows_are_told_alone() -> None:
    sender = Sender(5 * SEGMENT)
    sender.outbound.controller = controller = Told()
    sender.poll()
    sender.now += RTT
    sender.ack((1, 5))
    sender.expire(Timer.LOSS)
    assert (controller.acked, controller.lost) == ([(4 * SEGMENT, 0)], [SEGMENT])
