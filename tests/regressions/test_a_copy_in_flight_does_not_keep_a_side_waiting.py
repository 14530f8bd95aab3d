"""A side in TIME_WAIT pinged for ever: its last data were acknowledged, but a needless copy of them was in flight.

The probe timer looked at what was in flight, not at what was unacknowledged. Each ping carried an acknowledgment,
each acknowledgment began TIME_WAIT anew, and the peer, which had closed, answered none.
"""

from __future__ import annotations

import pytest

from surewire.core.state import State
from surewire.core.timers import Timer
from surewire.core.units import NS_PER_MS, NS_PER_S
from tests.unit.core.sender import RTT, SEGMENT
from tests.unit.core.streaming import LATE, StreamSender
from tests.unit.streamer.scripted import opened


@pytest.mark.parametrize("is_small", [True, False])
def test_no_probe_when_only_a_needless_copy_is_in_flight(is_small: bool) -> None:
    sender = StreamSender()
    sender.board.finish()
    sender.write(5 if is_small else SEGMENT)
    sender.now += LATE
    sender.expire(Timer.PTO)
    if not is_small:
        sender.ack((1, 2))  # of a ping: the segment seems lost
        sender.poll()
    sender.now += RTT
    sender.ack((0, 1))
    assert sender.board.is_done
    assert sender.outbound.log.bytes_in_flight > 0
    assert sender.timers.next_deadline() is None


@pytest.mark.parametrize("size", [5, SEGMENT])
def test_a_session_with_such_a_copy_closes_and_says_nothing_more(size: int) -> None:
    script = opened()
    script.session.write(bytes(size), now=script.now)
    (packet,) = script.finish()
    (probe, *_) = script.wait(400 * NS_PER_MS)
    assert packet.number is not None and probe.packet.number is not None
    script.ack(probe.packet.number)  # repeats the segment, or was the copy itself
    script.ack(packet.number)
    script.data(1, b"", fin=True)
    assert script.session.state is State.TIME_WAIT
    assert script.wait(3 * NS_PER_S) == []
    assert script.end == (None, None)
