"""The work for one acknowledgment does not grow with the window: lines of Python executed, not time."""

from __future__ import annotations

from surewire.core.units import NS_PER_MS as MS
from tests.unit.core.sender import RTT, SEGMENT, Sender
from tests.unit.core.work import lines_executed

SMALL = 500  # segments in flight
LARGE = 16_000


def full_pipe(segments: int) -> Sender:
    """A sender with that many segments in flight, the last ones a round trip old."""
    sender = Sender(2 * segments * SEGMENT, rate=10**9, cwnd=segments * SEGMENT)
    sender.drain()
    assert sender.outbound.log.bytes_in_flight == segments * SEGMENT
    sender.now += RTT
    return sender


def work_for(sender: Sender, numbers: range) -> float:
    """Mean over acknowledgments of one number after another, without what is sent afterwards."""

    def acknowledge() -> None:
        for number in numbers:
            sender.ack((number, number + 1))

    return lines_executed(acknowledge) / len(numbers)


def worst(sender: Sender, numbers: range) -> int:
    return max(lines_executed(lambda number=number: sender.ack((number, number + 1))) for number in numbers)  # type: ignore[misc]


def test_acknowledgments_in_order() -> None:
    small, large = (work_for(full_pipe(segments), range(300)) for segments in (SMALL, LARGE))
    assert large <= 1.1 * small


def test_acknowledgments_behind_a_hole() -> None:
    """The oldest transmission stays open: nothing can be forgotten, no cursor can move."""
    small, large = (work_for(full_pipe(segments), range(1, 301)) for segments in (SMALL, LARGE))
    assert large <= 1.1 * small


def test_acknowledgments_of_every_other_datagram_in_the_middle_of_the_window() -> None:
    results = []
    for segments in (SMALL, LARGE):
        sender = full_pipe(segments)
        middle = segments // 2
        results.append(work_for(sender, range(middle, middle + 200, 2)))
    assert results[1] <= 1.1 * results[0]


def test_no_single_acknowledgment_pays_for_the_window_either() -> None:
    results = []
    for segments in (SMALL, LARGE):
        sender = full_pipe(segments)
        sender.ack((segments - 100, segments))  # all below is overtaken now
        sender.now += MS
        results.append(worst(sender, range(1, 200)))
    assert results[1] <= 1.2 * results[0]


def test_polling_with_a_full_window_costs_the_same_for_any() -> None:
    small, large = (full_pipe(segments) for segments in (SMALL, LARGE))
    assert lines_executed(large.poll) <= lines_executed(small.poll) + 2


def test_the_log_of_a_long_transfer_stays_as_short_as_what_is_in_flight() -> None:
    sender = Sender(5_000 * SEGMENT, cwnd=20 * SEGMENT)
    sender.drain()
    longest = acked = 0
    while not sender.outbound.scoreboard.is_done:
        sender.now += MS
        acked += 1
        sender.ack((acked - 1, acked))
        sender.drain()
        longest = max(longest, len(sender.outbound.log))
    assert longest < 600
