"""A late acknowledgment was ignored although it was the only word of its bytes; the sender then failed.

A transmission declared lost was forgotten after some round trips. Where acknowledgments name packet numbers only,
the acknowledgment that it arrived after all then said nothing. If its repetitions were lost and the other side,
which had everything, had closed meanwhile, the sender waited 30 s and reported data as not acknowledged.
"""

from __future__ import annotations

from surewire.core.timers import Timer
from surewire.core.units import NS_PER_S
from tests.unit.core.sender import RTT, SEGMENT, spans
from tests.unit.core.streaming import LATE, StreamSender


def test_it_counts_however_late_it_comes() -> None:
    sender = StreamSender()
    sender.write(SEGMENT)  # number 0
    for number in (1, 3):
        sender.now += LATE
        sender.expire(Timer.PTO)  # pings, each of which shows that the segment is missing
        sender.now += RTT
        sender.ack((number, number + 1))
        assert number == 3 or spans(sender.poll()) == [(0, SEGMENT)]
    sender.now += 10 * NS_PER_S
    sender.ack((3, 4))  # everything in the log is settled, by acknowledgment or loss, and old
    assert [sender.board.is_data_acked] == [False]
    sender.ack((0, 1), (3, 4))
    assert sender.board.is_data_acked
    assert sender.poll() == []
    assert sender.timers.next_deadline() is None


def test_what_is_acknowledged_is_still_forgotten() -> None:
    """Memory: what was lost and brought by another transmission stays no longer than before."""
    sender = StreamSender()
    for _ in range(1_000):
        first = sender.write(SEGMENT)[0].first
        sender.now += LATE
        ping = sender.expire(Timer.PTO)[0].first
        sender.ack((ping, ping + 1))
        again = sender.poll()[0].first
        sender.now += RTT
        sender.ack((again, again + 1))
        assert first < ping < again
    sender.now += 10 * NS_PER_S
    sender.ack((sender.outbound.log.next_number - 1, sender.outbound.log.next_number))
    assert sender.board.is_data_acked
    assert len(sender.outbound.log) < 600
