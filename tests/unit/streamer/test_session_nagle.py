"""What a session holds back, for how long, and what ends the wait."""

from __future__ import annotations

from surewire.streamer.config import StreamerConfig
from surewire.streamer.sending import SEGMENT
from surewire.wire.compact import Packet
from tests.unit.streamer.scripted import MS, Script, opened

PLAIN = StreamerConfig(nagle=False)


def put(script: Script, data: bytes) -> list[Packet]:
    """Write without a flush."""
    script.session.write(data, now=script.now)
    return script.drain()


def test_a_first_small_write_waits_a_moment_for_the_next() -> None:
    script = opened()
    assert put(script, b"0 ") == []
    assert put(script, b"1 ") == []
    (sent,) = script.wait(20 * MS)
    assert (bytes(sent.packet.payload), sent.at) == (b"0 1 ", script.now)


def test_small_writes_wait_while_something_is_on_its_way() -> None:
    script = opened()
    script.write(b"a")
    number = script.log[-1].packet.number
    assert number is not None
    put(script, b"0 ")
    put(script, b"1 ")
    assert script.wait(100 * MS) == []
    (packet,) = script.ack(number)
    assert bytes(packet.payload) == b"0 1 "


def test_what_fills_a_segment_does_not_wait() -> None:
    script = opened()
    script.write(b"a")
    (packet,) = put(script, bytes(SEGMENT + 100))
    assert len(packet.payload) == SEGMENT
    (packet,) = put(script, bytes(SEGMENT - 100))
    assert len(packet.payload) == SEGMENT


def test_a_flush_lets_go_of_what_was_written_before_it_only() -> None:
    script = opened()
    script.write(b"a")
    put(script, b"0 ")
    script.session.flush(now=script.now)
    assert [bytes(packet.payload) for packet in put(script, b"1 ")] == [b"0 "]
    assert script.wait(100 * MS) == []


def test_an_end_lets_go_of_everything_and_rides_on_it() -> None:
    script = opened()
    script.write(b"a")
    put(script, b"0 ")
    put(script, b"1 ")
    (packet,) = script.finish()
    assert (bytes(packet.payload), packet.fin) == (b"0 1 ", True)


def test_a_write_after_a_flush_waits_again() -> None:
    script = opened()
    script.write(b"a")
    script.ack()
    assert put(script, b"b") == []
    assert len(script.wait(20 * MS)) == 1


def test_without_delay_an_idle_connection_sends_at_once() -> None:
    script = opened(StreamerConfig(coalesce_delay=0))
    put(script, b"0 ")
    (sent,) = script.wait(0)
    assert bytes(sent.packet.payload) == b"0 "


def test_without_nagle_each_write_is_a_packet_at_once() -> None:
    script = opened(PLAIN)
    for i in range(5):
        (packet,) = put(script, b"%d " % i)
        assert bytes(packet.payload) == b"%d " % i


def test_without_nagle_no_packet_spans_two_writes() -> None:
    script = opened(PLAIN)
    sizes = (1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 7)
    for size in sizes:
        script.session.write(bytes(size), now=script.now)
    assert [len(sent.packet.payload) for sent in script.wait(20 * MS)[:8]] == [
        1,
        SEGMENT,
        SEGMENT,
        1,
        SEGMENT,
        SEGMENT,
        7,
    ]


def test_without_nagle_writes_before_the_peer_is_known_go_when_it_is() -> None:
    script = Script(PLAIN)
    for i in range(3):
        put(script, b"%d " % i)
    assert [bytes(sent.packet.payload) for sent in script.log] == [b"0 "]
    assert [bytes(packet.payload) for packet in script.open()] == [b"1 ", b"2 "]


def test_without_nagle_the_end_rides_on_the_last_write() -> None:
    script = opened(PLAIN)
    script.session.write(b"0 ", now=script.now)
    script.session.write(b"1 ", now=script.now)
    assert [(bytes(packet.payload), packet.fin) for packet in script.finish()] == [(b"0 ", False), (b"1 ", True)]


def test_only_what_waited_for_an_acknowledgment_leaves_with_it() -> None:
    """Held for a round trip it has gathered enough; what comes to an idle connection has not waited yet."""
    script = opened()
    script.write(b"a")
    put(script, b"held")
    script.now += 40 * MS
    (packet,) = script.ack()
    assert (bytes(packet.payload), script.log[-1].at) == (b"held", script.now)
    script.ack()
    assert put(script, b"first") == []
    script.now += 10 * MS
    assert put(script, b" and second") == []
    (sent,) = script.wait(20 * MS)
    assert (bytes(sent.packet.payload), sent.at) == (b"first and second", script.now - 10 * MS)
