"""When an acknowledgment goes twice, and what it says."""

from __future__ import annotations

from surewire.core.timers import TimerTable
from surewire.streamer.acknowledging import Acknowledging
from surewire.streamer.config import StreamerConfig
from surewire.wire import compact


def lossy() -> Acknowledging:
    """Half of the peer's packets are missing."""
    acking = Acknowledging(StreamerConfig(), TimerTable())
    for number in (1, 3, 5, 7):
        acking.tracker.on_received(number, number + 1, now=0)
    acking.tracker.make_due()
    return acking


def is_due(acking: Acknowledging) -> bool:
    return acking.tracker.is_due


def test_on_a_lossy_path_one_that_goes_alone_goes_twice_and_no_more() -> None:
    acking = lossy()
    acking.on_sent_alone()
    assert is_due(acking)
    acking.on_sent_alone()
    assert not is_due(acking)


def test_one_that_rides_is_the_second_copy_so_the_next_one_alone_is_a_first() -> None:
    acking = lossy()
    acking.on_sent_alone()
    acking.on_ridden()
    assert not is_due(acking)
    acking.tracker.make_due()
    acking.on_sent_alone()
    assert is_due(acking)  # it has a second copy of its own
    acking.on_sent_alone()
    assert not is_due(acking)


def test_nothing_is_repeated_while_little_is_lost() -> None:
    acking = Acknowledging(StreamerConfig(), TimerTable())
    for number in (0, 1, 2, 4, 5):
        acking.tracker.on_received(number, number + 1, now=0)
    acking.on_sent_alone()
    assert not is_due(acking)


def test_each_arrival_changes_what_is_said_however_often_that_was_asked() -> None:
    acking = Acknowledging(StreamerConfig(), TimerTable())
    assert acking.block(room=compact.MAX_HOLES) is None
    for number, expected in ((0, [(0, 1)]), (2, [(2, 3), (0, 1)]), (1, [(0, 3)])):
        acking.tracker.on_received(number, number + 1, now=0)
        for _ in range(2):
            said = acking.block(room=compact.MAX_PACKET)
            assert said is not None
            assert said.ranges() == expected


def test_what_is_said_in_little_room_is_not_remembered() -> None:
    acking = lossy()
    assert acking.block(room=0) is None
    assert acking.block(room=-1) is None
    said = acking.block(room=compact.MAX_HOLES)
    assert said is not None
    assert said.ranges() == [(7, 8), (5, 6), (3, 4), (1, 2)]
    assert acking.block(room=0) is None
