"""Flow control: an application that does not read makes the peer stop, and reading lets it go on."""

from __future__ import annotations

import random

import pytest

from surewire.core.config import TransportConfig
from surewire.streamer.config import Pipelining, StreamerConfig
from surewire.streamer.sending import SEGMENT
from surewire.wire.compact import Packet
from tests.unit.streamer.scripted import MS, S, Script, opened

LIMIT = 10 * SEGMENT
SMALL = StreamerConfig(receive_buffer=LIMIT, transport=TransportConfig(receive_window=LIMIT, max_ack_delay=100 * MS))


def fill(script: Script, start: int, stop: int) -> int:
    """Send segments from offset `start` to `stop`; return how many were acknowledged."""
    acked = 0
    for offset in range(start, stop, SEGMENT):
        number = script.next_number
        script.data(offset, bytes(min(SEGMENT, stop - offset)))
        for sent in script.wait(200 * MS):
            assert sent.packet.ack is not None
        last = script.log[-1].packet.ack
        acked += last is not None and any(low <= number < high for low, high in last.ranges())
    return acked


def test_acknowledgments_say_so_when_nothing_is_read() -> None:
    script = opened(SMALL)
    fill(script, 1, 1 + LIMIT - SEGMENT)
    assert not script.log[-1].packet.full
    fill(script, 1 + LIMIT - SEGMENT, 1 + LIMIT)
    assert script.log[-1].packet.full


def test_a_peer_that_does_not_stop_is_not_acknowledged_for_ever() -> None:
    script = opened(SMALL)
    acked = fill(script, 1, 1 + 100 * SEGMENT)
    assert acked == 20  # the limit, and as much again on its way
    assert len(script.session.read()) == 2 * LIMIT
    assert fill(script, 1 + 2 * LIMIT, 1 + 2 * LIMIT + SEGMENT) == 1


def test_reading_tells_the_peer_at_once() -> None:
    script = opened(SMALL)
    fill(script, 1, 1 + LIMIT)
    assert script.wait(10 * S) == []
    script.session.read()
    (packet,) = script.drain()
    assert (packet.number, packet.full) == (None, False)
    assert packet.ack is not None
    script.session.read()
    assert script.drain() == []


def test_data_say_so_too() -> None:
    script = opened(SMALL)
    fill(script, 1, 1 + LIMIT)
    assert script.write(b"x")[0].full
    script.session.read()
    assert not script.write(b"y")[0].full


# The other side of it


def test_a_full_peer_is_sent_nothing_new() -> None:
    script = opened()
    script.write(b"x")
    script.ack(full=True)
    assert script.write(bytes(SEGMENT)) == []
    assert {sent.packet.offset for sent in script.wait(S)} == {None}  # pings


def test_a_full_peer_is_asked_whether_it_still_is() -> None:
    """The packet that says that it is not any more may be lost."""
    script = opened()
    script.write(b"x")
    script.ack(full=True)
    script.write(b"yz")
    asked = script.wait(20 * S)
    assert 5 < len(asked) < 200
    for _ in range(50):
        script.ack(full=True)
        script.wait(S)
    assert script.closed is None  # it answers: however long it is full, that is no silence
    assert [bytes(packet.payload) for packet in script.ack()] == [b"yz"]


def test_what_is_lost_is_sent_again_to_a_full_peer() -> None:
    script = opened()
    script.write(bytes(SEGMENT))
    lost = script.log[-1].packet.number
    (ping,) = script.wait(300 * MS)
    assert ping.packet.number is not None and lost is not None
    again = script.ack(ping.packet.number, full=True)
    assert [packet.offset for packet in again] == [1]


def test_a_silent_peer_that_is_full_is_lost_after_the_limit() -> None:
    script = opened()
    script.write(b"x")
    script.ack(full=True)
    script.write(b"y")
    script.wait(29 * S)
    assert script.closed is None
    script.wait(2 * S)
    error, _ = script.end
    assert error is not None and "1 bytes" in str(error)


def test_a_finish_waits_for_a_full_peer() -> None:
    script = opened()
    script.write(b"x")
    script.ack(full=True)
    script.write(b"yz")
    assert script.finish() == []
    (packet, *_) = script.ack()
    assert (bytes(packet.payload), packet.fin) == (b"yz", True)


def test_memory_is_bounded_whatever_the_peer_sends() -> None:
    script = opened(SMALL)
    rng = random.Random(1)
    for _ in range(2_000):
        offset = 1 + rng.randrange(8 * LIMIT)
        script.feed(script.emit(Packet(script.number(), offset, bytes(rng.randrange(1, SEGMENT)))))
        script.now += MS
    for offset in range(1, 8 * LIMIT, SEGMENT):
        script.feed(script.emit(Packet(script.number(), offset, bytes(SEGMENT))))
    assert 2 * LIMIT - SEGMENT <= len(script.session.read()) <= 2 * LIMIT


@pytest.mark.parametrize("pipelining", list(Pipelining))
def test_the_plainer_ways_ask_a_full_peer_as_well(pipelining: Pipelining) -> None:
    """The packet that says that it is not full any more is lost."""
    script = opened(StreamerConfig(pipelining=pipelining))
    script.write(b"x")
    script.ack(full=True)
    assert script.write(b"yz") == []
    asked = [sent.packet.number for sent in script.wait(5 * S)]
    assert 5 <= len(asked) < 100
    assert None not in asked
    script.ack()
    script.wait(S)
    assert script.position == 4
