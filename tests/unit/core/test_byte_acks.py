"""Acknowledgments of a byte position only: what they settle, and which segments at the hole are lost."""

from __future__ import annotations

from surewire.core.byte_acks import ByteAcks
from surewire.core.sent_log import SentLog
from tests.unit.core.makers import make_run, numbers

SEGMENT = 100


def log_of(count: int) -> SentLog:
    """Single segments, number n carrying segment n and sent at time n."""
    log = SentLog()
    for number in range(count):
        log.append(make_run(number, segment=SEGMENT, sent_at=number))
    return log


def resend(log: SentLog, segment: int, *, sent_at: int) -> int:
    """Send `segment` once more; its new number."""
    number = log.next_number
    log.append(make_run(number, segment=SEGMENT, offset=segment * SEGMENT, sent_at=sent_at, retransmission=True))
    return number


def declare_lost(log: SentLog, number: int) -> None:
    run = next(run for run in log.in_flight() if run.first == number)
    log.declare_lost(run)


def named(ranges: list[tuple[int, int]]) -> list[int]:
    return [number for start, stop in ranges for number in range(start, stop)]


def test_a_position_settles_whole_segments_below_it() -> None:
    log = log_of(5)
    for position, expected in ((0, []), (99, []), (100, [0]), (399, [0, 1, 2]), (500, [0, 1, 2, 3, 4])):
        assert named(ByteAcks().numbers(log, position)[0]) == expected


def test_bytes_sent_once_give_a_round_trip_of_the_newest() -> None:
    assert ByteAcks().numbers(log_of(5), 300)[1] == 2


def test_bytes_sent_twice_give_no_round_trip() -> None:  # Karn, RFC 6298 §3
    log = log_of(5)
    declare_lost(log, 0)
    copy = resend(log, 0, sent_at=10)
    ranges, newest = ByteAcks().numbers(log, 300)
    assert sorted(named(ranges)) == [1, 2, copy]
    assert newest is None


def test_original_and_copy_in_flight_are_settled_together_and_give_no_round_trip() -> None:
    log = log_of(2)
    copy = resend(log, 0, sent_at=10)
    ranges, newest = ByteAcks().numbers(log, 100)
    assert sorted(named(ranges)) == [0, copy]
    assert newest is None


def test_a_position_that_settles_nothing_gives_no_round_trip() -> None:
    assert ByteAcks().numbers(log_of(2), 50) == ([], None)
    assert ByteAcks().numbers(SentLog(), 500) == ([], None)


def test_the_segment_at_the_hole_is_lost_once_it_is_old_enough() -> None:
    acks, log = ByteAcks(), log_of(5)
    assert acks.lost_at_hole(log, una=0, sent_before=-1)[0] == []
    assert numbers(acks.lost_at_hole(log, una=0, sent_before=0)[0]) == [0]


def test_the_hole_is_where_the_acknowledged_prefix_ends() -> None:
    acks, log = ByteAcks(), log_of(5)
    log.acknowledge([(0, 2)])
    assert numbers(acks.lost_at_hole(log, una=200, sent_before=10)[0]) == [2]
    assert numbers(acks.lost_at_hole(log, una=250, sent_before=10)[0]) == [2]  # inside a segment


def test_a_hole_that_is_not_in_flight_is_waiting_to_be_sent_already() -> None:
    acks, log = ByteAcks(), log_of(5)
    declare_lost(log, 0)
    assert acks.lost_at_hole(log, una=0, sent_before=10)[0] == []
    assert acks.lost_at_hole(SentLog(), una=0, sent_before=10)[0] == []


def test_a_fresh_copy_of_the_hole_keeps_it_from_being_lost_again() -> None:
    acks, log = ByteAcks(), log_of(5)
    resend(log, 0, sent_at=50)
    assert acks.lost_at_hole(log, una=0, sent_before=40)[0] == []


def test_a_hole_whose_copies_all_waited_out_the_loss_delay_is_lost() -> None:
    acks, log = ByteAcks(), log_of(5)
    resend(log, 0, sent_at=50)
    assert 0 in numbers(acks.lost_at_hole(log, una=0, sent_before=50)[0])


def repair(acks: ByteAcks, log: SentLog, una: int) -> list[int]:
    """Declare lost what is at the hole and send it again; the segments repaired."""
    now = 1000 + log.next_number
    lost = acks.lost_at_hole(log, una=una, sent_before=now)[0]
    for run in lost:
        log.declare_lost(run)
    for run in lost:
        resend(log, run.offset // SEGMENT, sent_at=now)
    return [run.offset // SEGMENT for run in lost]


def advance(acks: ByteAcks, log: SentLog, position: int) -> None:
    log.acknowledge(acks.numbers(log, position)[0])
    acks.on_advance(position)


def test_a_peer_that_keeps_nothing_behind_a_hole_is_repaired_in_doubling_bursts() -> None:
    acks, log = ByteAcks(), log_of(15)
    una, bursts = 0, []
    while una < 15 * SEGMENT:
        repaired = repair(acks, log, una)
        bursts.append(len(repaired))
        una = (repaired[-1] + 1) * SEGMENT  # it takes what was repaired and no more
        advance(acks, log, una)
    assert bursts == [1, 2, 4, 8]


def test_a_peer_that_keeps_what_arrives_gets_one_segment_a_hole() -> None:
    acks, log = ByteAcks(), log_of(12)
    bursts = []
    for hole, next_hole in ((0, 3), (3, 7), (7, 12)):
        bursts.append(len(repair(acks, log, hole * SEGMENT)))
        advance(acks, log, next_hole * SEGMENT)
    assert bursts == [1, 1, 1]


def test_the_burst_begins_again_when_the_peer_shows_that_it_keeps() -> None:
    acks, log = ByteAcks(), log_of(20)
    repair(acks, log, 0)
    advance(acks, log, 100)
    assert len(repair(acks, log, 100)) == 2
    advance(acks, log, 600)  # beyond the repair: segments 3, 4 and 5 had been kept
    assert len(repair(acks, log, 600)) == 1


def test_a_burst_takes_only_what_is_old_enough() -> None:
    acks, log = ByteAcks(), log_of(5)
    repair(acks, log, 0)
    advance(acks, log, 100)  # the next burst is two segments: 1, sent at 1, and 2, sent at 2
    assert numbers(acks.lost_at_hole(log, una=100, sent_before=1)[0]) == [1]
