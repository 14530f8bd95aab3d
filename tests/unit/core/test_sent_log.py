"""The sent log by hand: splitting, loss by time, late acknowledgments, and what it forgets."""

from __future__ import annotations

import pytest

from surewire.core.sent_log import RunState, SentLog
from surewire.errors import RemoteProtocolError
from tests.unit.core.makers import make_run, numbers


def log_of(*counts: int, interval: int = 10) -> SentLog:
    """Runs of so many segments of 100 bytes, sent at 0, `interval`, 2 `interval`, ..."""
    log = SentLog()
    for index, count in enumerate(counts):
        log.append(make_run(log.next_number, count=count, sent_at=index * interval))
    return log


def test_an_acknowledgment_inside_a_run_splits_it_where_the_bytes_are() -> None:
    log = SentLog()
    log.append(make_run(0, count=5, nbytes=430, offset=1000))
    acked, _ = log.acknowledge([(2, 4)])
    assert [(run.first, run.count, run.offset, run.nbytes) for run in acked] == [(2, 2, 1200, 200)]
    assert [(run.first, run.count, run.offset, run.nbytes) for run in log.in_flight()] == [
        (0, 2, 1000, 200),
        (4, 1, 1400, 30),  # the short one stays last
    ]
    assert log.bytes_in_flight == 230


def test_a_split_changes_nothing_of_what_was_sent() -> None:
    log = SentLog()
    log.append(make_run(0, count=5, nbytes=430))
    log.append(make_run(5, count=2))
    log.acknowledge([(2, 4)])
    assert log.sent_total == 630


def test_ranges_may_come_in_any_order_overlap_and_repeat() -> None:
    log = log_of(4, 4)
    acked, spurious = log.acknowledge([(6, 7), (0, 3), (2, 5), (0, 3)])
    assert numbers(acked) == [0, 1, 2, 3, 4, 6]
    assert spurious == []
    assert log.acknowledge([(0, 5), (6, 7)]) == ([], [])
    assert log.largest_acked == 6
    assert log.bytes_in_flight == 200


@pytest.mark.parametrize("bad", [(3, 5), (4, 5), (-1, 2), (2, 2), (3, 2)])
def test_a_number_never_sent_is_refused_and_nothing_changes(bad: tuple[int, int]) -> None:
    log = log_of(4)
    with pytest.raises(RemoteProtocolError):
        log.acknowledge([(0, 2), bad])
    assert log.largest_acked == -1
    assert numbers(log.in_flight()) == [0, 1, 2, 3]
    assert log.bytes_in_flight == 400


def test_what_a_refused_acknowledgment_said_counts_when_it_is_said_again() -> None:
    log = log_of(4)
    with pytest.raises(RemoteProtocolError):
        log.acknowledge([(0, 2), (3, 5)])
    assert numbers(log.acknowledge([(0, 2)]).acked) == [0, 1]


def test_a_range_grows_from_one_acknowledgment_to_the_next() -> None:
    log = log_of(4, 4)
    assert numbers(log.acknowledge([(6, 7), (0, 2)]).acked) == [0, 1, 6]
    assert numbers(log.acknowledge([(6, 8), (0, 2)]).acked) == [7]
    assert log.acknowledge([(6, 7), (0, 2)]) == ([], [])  # an older one, late
    assert numbers(log.acknowledge([(0, 8)]).acked) == [2, 3, 4, 5]


def test_loss_needs_a_later_acknowledgment_and_age() -> None:
    log = log_of(1, 1, 1, 1)  # sent at 0, 10, 20, 30
    assert log.detect_lost(sent_before=1000) == ([], None)  # nothing later has arrived
    log.acknowledge([(2, 3)])
    lost, waiting = log.detect_lost(sent_before=9)
    assert numbers(lost) == [0]
    assert waiting is not None and waiting.first == 1
    lost, waiting = log.detect_lost(sent_before=10)
    assert numbers(lost) == [1]
    assert waiting is None  # 3 was not overtaken
    assert numbers(log.in_flight()) == [3]


def test_a_late_acknowledgment_proves_a_loss_spurious_once() -> None:
    log = log_of(3, 1)
    log.acknowledge([(3, 4)])
    lost, _ = log.detect_lost(sent_before=0)
    assert numbers(lost) == [0, 1, 2]
    assert log.bytes_in_flight == 0
    acked, spurious = log.acknowledge([(1, 2)])
    assert acked == []
    assert numbers(spurious) == [1]
    assert spurious[0].state is RunState.ACKED
    assert log.bytes_in_flight == 0
    assert log.acknowledge([(0, 3)]).spurious[0].first == 0
    assert log.acknowledge([(0, 4)]) == ([], [])


def test_acknowledged_and_spurious_are_told_apart_in_one_acknowledgment() -> None:
    log = log_of(1, 1, 1)
    log.acknowledge([(1, 2)])
    log.detect_lost(sent_before=0)
    acked, spurious = log.acknowledge([(0, 3)])
    assert (numbers(acked), numbers(spurious)) == ([2], [0])


def test_lost_runs_are_remembered_as_long_as_asked() -> None:
    log = log_of(1, 1)  # sent at 0 and 10
    log.acknowledge([(1, 2)])
    log.detect_lost(sent_before=5)
    log.forget(lost_before=-1)
    assert len(log) == 2
    log.forget(lost_before=0)
    assert len(log) == 0
    assert log.acknowledge([(0, 2)]) == ([], [])  # known to have been sent, no longer of interest


def test_the_log_does_not_grow_with_what_was_sent() -> None:
    log = SentLog()
    longest = 0
    for number in range(5_000):
        log.append(make_run(number, sent_at=number))
        if number >= 20:
            log.acknowledge([(number - 20, number - 19)])
            log.forget(lost_before=number)
        longest = max(longest, len(log))
    assert longest < 600
    assert numbers(log.in_flight()) == list(range(4_980, 5_000))
    log.acknowledge([(0, 5_000)])
    log.forget(lost_before=5_000)
    assert len(log) == 0


def test_a_split_moves_a_page_and_never_the_window() -> None:
    log, trains, datagrams = SentLog(), 500, 176
    for train in range(trains):
        log.append(make_run(train * datagrams, count=datagrams, segment=10, nbytes=10 * datagrams))
    log.acknowledge([(number, number + 1) for number in range(1, trains * datagrams, 2)])
    assert len(log) == trains * datagrams  # each number is a run of its own now
    assert max(log.page_sizes) <= 2 * datagrams + 256


def test_numbers_that_carried_nothing_leave_room_between_runs() -> None:
    log = SentLog()
    for first in (0, 3, 5_000, 5_002, 90_000):
        log.append(make_run(first, count=2, segment=10, nbytes=20, offset=first))
    assert log.find(2) is None
    assert log.find(70_000) is None
    acked, _ = log.acknowledge([(80_000, 90_001), (1, 5_003)])
    assert numbers(acked) == [1, 3, 4, 5_000, 5_001, 5_002, 90_000]
    log.forget(lost_before=-1)
    assert numbers(log.in_flight()) == [0, 5_003, 90_001]
    log.acknowledge([(0, 90_002)])
    log.forget(lost_before=-1)
    assert log.oldest_in_flight() is None
    log.append(make_run(90_007, count=1, segment=10, nbytes=10))
    assert numbers(log.acknowledge([(0, 90_008)]).acked) == [90_007]


def test_repr_says_what_a_run_carries() -> None:
    assert repr(make_run(3, count=2)) == "<SentRun #3+2 [300, 500) IN_FLIGHT>"
