"""Sums of what is in flight, at the end of a stream whose peer can work out what was lost."""

from __future__ import annotations

import pytest

from surewire.core.config import TransportConfig
from surewire.core.congestion import FixedRate
from surewire.core.repair_block import RepairBlock, RepairRun
from surewire.core.sent_log import SentRun
from surewire.core.timers import Timer
from tests.unit.core.sender import RTT, SEGMENT, Sender, spans

FLIGHT = 60  # segments of the last flight
SIZE = (FLIGHT + 1) * SEGMENT


def ended(
    *, loss: float = 0.2, share: float = 1.0, window: int = 1 << 20, finished: bool = True, flight: int = FLIGHT
) -> Sender:
    """A sender that has just sent its last segments, after one that arrived; of what it sent this share was lost."""
    size = (flight + 1) * SEGMENT
    sender = Sender(None, window=1 << 30, rate=10_000_000, config=TransportConfig(tail_effort=share))
    rules, board = sender.outbound.rules, sender.outbound.scoreboard
    rules.repair_window = window
    board.end_rides = True
    board.extend(SEGMENT)
    sender.drain()
    sender.now += RTT
    sender.ack((0, 1), position=SEGMENT)
    sender.outbound._flight.loss_share.take(acked=int(200_000 * (1 - loss)) - SEGMENT, lost=int(200_000 * loss))
    board.extend(size)
    if finished:
        board.finish()
    while board.next_offset < size + finished:
        if not sender.outbound.poll_runs(now=sender.now):
            sender.now = sender.timers.deadline(Timer.PACING) or sender.now
    return sender


def sums(runs: list[SentRun]) -> list[RepairRun]:
    return [run for run in runs if isinstance(run, RepairRun)]


def arrive(sender: Sender, *lost: int, upto: int | None = None) -> None:
    """A round trip later all numbers below `upto` have arrived, but for these."""
    upto = sender.outbound.log.next_number if upto is None else upto
    sender.now = max(sender.now, sender.outbound.log.newest_sent_at + RTT)
    edges = [-1, *sorted(lost), upto]
    ranges = [(low + 1, high) for low, high in zip(edges, edges[1:], strict=False) if high > low + 1]
    sender.ack(*ranges[::-1], position=SEGMENT)


def retransmitted(runs: list[SentRun]) -> list[tuple[int, int]]:
    return spans([run for run in runs if not isinstance(run, RepairRun) and run.nbytes])


def test_as_many_sums_leave_as_it_takes_if_as_much_is_lost_as_usual() -> None:
    """Without a budget no more: a fifth of 60, and a fifth of the sums."""
    runs = ended(share=0.0).pass_time(RTT // 2)
    assert len(sums(runs)) == 15 and retransmitted(runs) == []
    (block,) = {run.block for run in sums(runs)}
    assert (block.first, block.count, block.newest) == (1, FLIGHT, FLIGHT)
    assert [(source.offset, source.stop) for source in block.sources][0][0] == SEGMENT
    assert block.sources[-1].stop == SIZE + 1  # the end mark is part of it


def test_out_of_the_budget_as_many_more_as_chance_may_ask_for() -> None:
    plain, generous, bursts = ended(share=0.0), ended(), ended()
    for number in range(2, 50, 12):
        bursts.outbound._flight.loss_share.on_lost(number, 6)
    counts = [len(sums(sender.pass_time(RTT // 2))) for sender in (plain, generous, bursts)]
    assert counts[0] == 15 and 25 <= counts[1] <= 40 and counts[2] > counts[1] + 15


def test_sums_are_in_flight_and_leave_at_the_pace_of_everything_else() -> None:
    sender = ended()
    began, in_flight = sender.now, sender.outbound.log.bytes_in_flight
    runs = sums(sender.pass_time(RTT // 2))
    assert all(run.nbytes == run.segment == SEGMENT and run.retransmission for run in runs)
    assert sender.outbound.log.bytes_in_flight == in_flight + len(runs) * SEGMENT
    assert (len(runs) - 1) * SEGMENT <= 100 * SEGMENT + (runs[-1].sent_at - began) // 100
    assert sender.outbound.stats.sums == len(runs)


def test_sums_heed_the_window() -> None:
    sender = ended()
    sender.outbound.controller = FixedRate(rate=10_000_000, cwnd=sender.outbound.log.bytes_in_flight + 2_500)
    assert len(sums(sender.pass_time(RTT // 2))) == 2


def test_what_was_lost_is_left_to_them_and_what_is_short_follows() -> None:
    sender = ended(share=0.0)
    first = len(sums(sender.pass_time(RTT // 2)))
    lost = list(range(3, 33))  # half of the block, where a fifth was expected
    arrive(sender, *lost)
    runs = sender.pass_time(RTT // 2)
    assert retransmitted(runs) == [] and not sender.outbound.scoreboard.has_lost
    loss = sender.outbound._flight.path_loss
    assert len(sums(runs)) == pytest.approx((len(lost) - first) / (1 - loss), abs=2)


def test_the_peer_s_position_ends_it() -> None:
    sender = ended()
    sender.pass_time(RTT // 2)
    arrive(sender, 5, 6, 7)
    sender.ack((60, 61), position=SIZE + 1)
    assert sender.outbound.scoreboard.is_done
    assert sender.poll() == [] and sender.timers.next_deadline() is None


def test_a_peer_that_does_not_work_it_out_gets_the_bytes() -> None:
    """Enough sums have arrived, and its position does not move: a few more, as its word may be lost."""
    sender = ended(share=0.0)
    sender.pass_time(RTT // 2)
    arrive(sender, 5, 6, 7)
    seen: list[int] = []
    for _ in range(12):
        runs = sender.pass_time(RTT // 2)
        if retransmitted(runs):
            break
        seen.append(len(sums(runs)))
        arrive(sender, 5, 6, 7)
    assert len(seen) == 1 and 4 <= seen[0] <= 6
    assert retransmitted(runs)[:1] == [(5 * SEGMENT, 8 * SEGMENT)] and not sums(runs)
    arrive(sender)
    sender.ack((60, 61), position=SIZE + 1)
    assert sender.outbound.scoreboard.is_done


def test_sums_that_never_arrive_end_in_the_bytes_themselves() -> None:
    """The path carries everything but sums."""
    sender = ended(share=0.0)
    lost = [5]
    for _ in range(200):
        runs = sender.pass_time(RTT // 2) or sender.expire(Timer.PTO)
        lost += [run.first for run in sums(runs)]
        if retransmitted(runs):
            break
        arrive(sender, *lost)
    assert retransmitted(runs)[0] == (5 * SEGMENT, 6 * SEGMENT)
    assert len(lost) <= 2 * FLIGHT + 10


def test_after_an_outage_everything_is_sent_again() -> None:
    """Sums are for some of a block, and bring nothing at all until they bring everything."""
    sender = ended(share=0.0)
    sent = len(sums(sender.pass_time(RTT // 2)))
    arrive(sender, *range(2, 45), *range(61, 61 + sent))
    runs = sender.pass_time(RTT // 2)
    assert retransmitted(runs)[0][0] == 2 * SEGMENT
    assert sum(stop - start for start, stop in retransmitted(runs)[:43]) >= 43 * SEGMENT


def test_bytes_that_follow_come_before_the_sums_and_what_was_lost_before_them() -> None:
    sender = ended(finished=False)
    board = sender.outbound.scoreboard
    board.push()
    first = len(sums(sender.pass_time(RTT // 4)))
    arrive(sender, 5, 6, *range(61, 61 + first))
    assert first and not board.has_lost
    board.extend(SIZE + 20 * SEGMENT)
    runs = sender.poll()
    assert spans(runs)[:2] == [(5 * SEGMENT, 7 * SEGMENT), (SIZE, SIZE + 20 * SEGMENT)] and not sums(runs)


def test_the_next_end_has_a_block_of_its_own_behind_the_one_before() -> None:
    sender = ended(finished=False)
    board = sender.outbound.scoreboard
    board.push()
    (before,) = {run.block for run in sums(sender.pass_time(RTT // 8))}
    board.extend(SIZE + 20 * SEGMENT)
    sender.poll()
    board.push()
    blocks = {run.block for run in sums(sender.pass_time(RTT // 8))}
    assert before not in blocks and len(blocks) == 1
    assert blocks.pop().first > before.newest


def test_sums_that_are_under_way_are_nothing_to_be_summed() -> None:
    """The end mark comes alone, behind a block whose sums have not been answered yet."""
    sender = ended(finished=False)
    board = sender.outbound.scoreboard
    board.push()
    assert len(sums(sender.pass_time(RTT // 8))) > 8
    arrive(sender, upto=FLIGHT + 1)
    sender.ack((0, FLIGHT + 1), position=SIZE)
    board.finish()
    runs = sender.pass_time(RTT // 2)
    assert spans(runs)[0] == (SIZE, SIZE + 1) and not sums(runs)


def test_without_an_end_or_a_window_or_a_loss_there_are_none() -> None:
    for sender in (ended(finished=False), ended(window=0), ended(loss=0.0)):
        assert not sums(sender.pass_time(RTT // 2))


def test_a_few_datagrams_get_copies_as_ever() -> None:
    assert [bool(sums(ended(flight=flight).pass_time(RTT // 2))) for flight in (7, 8)] == [False, True]


def test_where_nothing_seems_to_be_lost_any_more_nothing_waits_for_sums() -> None:
    sender = ended(share=0.0)
    sender.pass_time(RTT // 2)
    arrive(sender, 5)
    sender.outbound._flight.loss_share.take(lost=-1 << 20)
    assert retransmitted(sender.poll())[0] == (5 * SEGMENT, 6 * SEGMENT)


def test_another_path_has_no_use_for_them() -> None:
    sender = ended(share=0.0)
    sender.pass_time(RTT // 2)
    arrive(sender, 5, 9)
    sender.outbound.change_path(FixedRate(rate=10_000_000, cwnd=1 << 30))
    assert retransmitted(sender.poll()) == [(5 * SEGMENT, 6 * SEGMENT), (9 * SEGMENT, 10 * SEGMENT)]


@pytest.mark.parametrize(("window", "count"), [(20_999, 20), (19_999, 10), (9_000, 0)])
def test_a_block_fits_what_the_peer_keeps(window: int, count: int) -> None:
    """Whole trains, of ten here."""
    sender = ended(window=window)
    runs = sums(sender.pass_time(RTT // 2))
    assert {run.block.count for run in runs} == ({count} if count else set())
    assert all(run.block.newest == FLIGHT for run in runs)


def test_a_block_is_no_longer_than_a_sum_can_name_and_than_can_be_worked_out() -> None:
    long = ended(loss=0.05, flight=5_000, window=1 << 24)
    (block,) = {run.block for run in sums(long.pass_time(RTT // 8))}
    assert (block.count, block.newest) == (4_090, 5_000)
    lossy = ended(loss=0.3, flight=5_000, window=1 << 24)
    (block,) = {run.block for run in sums(lossy.pass_time(RTT // 8))}
    assert block.count == 2_560


def test_bytes_that_nobody_has_any_more_are_no_part_of_it() -> None:
    """What was acknowledged may be gone; and lie between what was not, sent again."""
    sender = ended(share=0.0)
    for number in range(1, 21):
        sender.outbound.scoreboard.on_acked(number * SEGMENT, (number + 1) * SEGMENT)
    sender.outbound.scoreboard.kept_from = 21 * SEGMENT
    (block,) = {run.block for run in sums(sender.pass_time(RTT // 2))}
    assert block.first > 1 and block.sources[0].offset >= 21 * SEGMENT


def test_a_datagram_that_no_sum_has_room_for_is_sent_again() -> None:
    """It is longer than datagrams are now, or a byte shorter."""
    for segment in (SEGMENT - 100, SEGMENT + 1):
        sender = ended(share=0.0)
        sender.outbound.set_segment(segment)
        assert sums(sender.pass_time(RTT // 2))
        arrive(sender, 5)
        assert retransmitted(sender.poll())[0][0] == 5 * SEGMENT
    last = ended(share=0.0)
    board = last.outbound.scoreboard
    short = RepairBlock([last.outbound.log.in_flight()[-1]], end=board.next_offset, size=SIZE - 1, segment=SEGMENT)
    assert not short.on_lost(last.outbound.log.in_flight()[-1])  # with the end mark it has as many as others
    shorter = ended(share=0.0)
    shorter.outbound.set_segment(SEGMENT + 2)
    assert sums(shorter.pass_time(RTT // 2))
    arrive(shorter, 5)
    assert not retransmitted(shorter.poll())


def test_a_block_begins_when_a_sum_can_leave() -> None:
    """Before that acknowledgments may come for some of it, and whoever has the bytes lets them go."""
    sender = ended(share=0.0)
    controller = sender.outbound.controller
    sender.outbound.controller = FixedRate(rate=10_000_000, cwnd=sender.outbound.log.bytes_in_flight + SEGMENT - 1)
    assert sender.pass_time(RTT // 4) == []
    sender.now += RTT
    sender.ack((1, 11), position=11 * SEGMENT)
    sender.outbound.controller = controller
    (block,) = {run.block for run in sums(sender.pass_time(RTT // 4))}
    assert block.first == 11 and block.sources[0].offset == 11 * SEGMENT


def test_where_datagrams_have_to_be_shorter_now_the_bytes_are_sent_again() -> None:
    """A sum is as long as they were."""
    sender = ended(share=0.0)
    assert sums(sender.pass_time(RTT // 2))
    arrive(sender, 5)
    sender.outbound.set_segment(SEGMENT - 100)
    runs = sender.pass_time(RTT // 2)
    assert retransmitted(runs)[:1] == [(5 * SEGMENT, 6 * SEGMENT)] and not sums(runs)


def test_pings_and_sums_of_the_end_before_that_are_lost_keep_nothing_waiting() -> None:
    """They lie between the datagrams of a block, and nobody finds them lost where nothing else is in flight."""
    sender = ended(share=0.0, finished=False)
    board = sender.outbound.scoreboard
    board.push()
    before = sums(sender.pass_time(RTT // 8))
    sender.outbound.ask()
    ping = sender.outbound.skip_number()
    board.extend(SIZE + 20 * SEGMENT)
    first = sender.outbound.log.next_number
    sender.poll()
    board.push()
    assert {run.block.first for run in sums(sender.pass_time(RTT // 8))} == {61}
    arrive(sender, *(run.first for run in before), ping, first)
    for _ in range(20):
        if retransmitted(sender.pass_time(RTT // 2) or sender.expire(Timer.PTO)):
            break
        arrive(sender, *(run.first for run in before), ping, first)
    else:
        pytest.fail("it waits for ever")


def test_rare_losses_need_many_datagrams_in_a_sum_and_many_losses_few() -> None:
    rare = sums(ended(loss=0.02, flight=200).pass_time(RTT // 8))
    many = sums(ended(loss=0.3, flight=200).pass_time(RTT // 8))
    assert {run.halvings for run in rare} == {1}
    assert many[0].halvings == 2
    assert all(1 <= run.halvings <= 4 for run in many)


def test_a_late_arrival_is_one_less_to_make_up_for() -> None:
    sender = ended(share=0.0)
    block = sums(sender.pass_time(RTT // 2))[0].block
    arrive(sender, 5, 6)
    lost = block.tally.lost
    sender.ack((5, 6), position=SEGMENT)
    assert (lost, block.tally.lost) == (2, 1) and sender.outbound.stats.spurious_segments == 1


def test_probe_timeouts_come_before_sums() -> None:
    sender = ended(share=0.0)
    sender.outbound.controller = FixedRate(rate=10_000_000, cwnd=sender.outbound.log.bytes_in_flight)
    sender.poll()
    runs = sender.expire(Timer.PTO)
    assert runs and not sums(runs)
