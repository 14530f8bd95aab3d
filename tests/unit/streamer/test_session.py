"""A session step by step: opening, who acknowledges when, and what rides on what."""

from __future__ import annotations

import pytest

from surewire.core.events import Established
from surewire.core.state import State
from surewire.errors import LocalProtocolError
from surewire.streamer.config import AckPolicy, StreamerConfig
from surewire.streamer.sending import SEGMENT
from surewire.wire import compact
from surewire.wire.compact import Packet
from tests.unit.streamer.scripted import MS, NONCE, PEER, S, Script, opened

ALL_BYTES = bytes(range(256))


# Opening


def test_the_first_data_ride_on_the_opening_packet() -> None:
    script = Script()
    (packet,) = script.write(b"hello")
    assert packet == Packet(0, 0, b"hello", nonce=script.session_nonce)
    assert script.session.state is State.ESTABLISHED
    assert script.log[0].size == 8 + 5  # hash, flags, nonce, number


def test_only_one_segment_leaves_before_the_peer_has_answered() -> None:
    script = Script()
    first = script.write(bytes(4 * SEGMENT))
    assert [(packet.offset, len(packet.payload)) for packet in first] == [(0, SEGMENT)]
    rest = script.open()
    assert [(packet.offset, packet.nonce) for packet in rest] == [(SEGMENT * i, None) for i in range(1, 4)]


def test_a_session_without_data_says_nothing() -> None:
    script = Script()
    assert script.wait(1_000 * S) == []
    assert script.session.poll_timeout() is None


def test_the_peer_may_speak_first() -> None:
    script = Script()
    (packet,) = script.feed(script.emit(Packet(script.number(), 0, b"hi", nonce=NONCE)))
    assert packet.nonce is not None and packet.ack == compact.Ack(0)
    assert packet.number is None  # nothing to say but that
    assert script.session.read() == b"hi"
    assert script.events == [Established(PEER, True)]


def test_the_nonce_is_sent_until_the_peer_shows_that_it_has_it() -> None:
    script = Script()
    script.feed(script.emit(Packet(script.number(), 0, b"hi", nonce=NONCE)))  # says nothing of us
    (packet,) = script.write(b"x")
    assert packet.nonce is not None
    assert packet.ack is not None  # it shows the peer that it is known
    script.ack()
    (packet,) = script.write(b"y")
    assert (packet.nonce, packet.offset) == (None, 1)


def test_a_packet_without_nonce_shows_it_too() -> None:
    script = Script()
    script.write(b"x")
    script.feed(script.emit(Packet(script.number(), 0, b"hi", nonce=NONCE)))
    script.data(2, b"there")
    assert script.write(b"y")[0].nonce is None


def test_nothing_but_the_beginning_goes_with_a_nonce() -> None:
    """The format has no offset in such a packet: later bytes would have to wait, however small the first are."""
    script = Script()
    script.write(b"0 ")
    script.session.write(b"1 ", now=script.now)
    for _, packet, _ in script.wait(3 * S):
        assert packet.nonce is not None
        assert packet.offset in (None, 0)


# Acknowledgments


def test_a_first_packet_is_acknowledged_at_once() -> None:
    script = Script()
    script.write(b"x")
    assert [packet.ack for packet in script.open(b"hi")] == [compact.Ack(0)]


def test_data_are_acknowledged_after_a_while_or_four_packets() -> None:
    script = opened()
    assert script.data(1, b"1") == []
    (late,) = script.wait(100 * MS)
    assert (late.packet.number, late.packet.ack) == (None, compact.Ack(1))
    assert [len(script.data(2 + i, b"x")) for i in range(4)] == [0, 0, 0, 1]
    assert script.log[-1].packet.ack == compact.Ack(5)


def test_each_packet_is_acknowledged_when_that_is_the_policy() -> None:
    script = opened(StreamerConfig(acks=AckPolicy.EACH))
    assert [len(script.data(1 + i, b"x")) for i in range(4)] == [1, 1, 1, 1]


def test_a_ping_is_answered_at_once() -> None:
    script = opened()
    assert [packet.ack for packet in script.ping()] == [compact.Ack(1)]


def test_an_acknowledgment_rides_on_data() -> None:
    script = opened()
    script.data(1, b"question")
    (packet,) = script.write(b"answer")
    assert packet.ack == compact.Ack(1)
    assert script.wait(200 * MS) == []  # no other is needed, and the data are waited for


def test_data_carry_no_acknowledgment_when_nothing_has_arrived_since() -> None:
    script = opened()
    assert script.write(b"more")[0].ack is None


def test_what_is_missing_is_said() -> None:
    script = opened()
    script.number()
    script.data(2, b"x")
    script.number()
    ack = script.ping()[0].ack
    assert ack is not None and ack.ranges() == [(4, 5), (2, 3), (0, 1)]


def test_pure_acknowledgments_are_not_acknowledged() -> None:
    script = opened()
    for _ in range(10):
        assert script.ack() == []
    assert script.wait(10 * S) == []


def test_acknowledgments_that_go_alone_go_twice_on_a_bad_path() -> None:
    script = opened()
    for _ in range(4):
        script.number()
    assert [packet.ack for packet in script.ping()] == [script.log[-1].packet.ack] * 2
    assert script.wait(10 * S) == []
    for _ in range(30):
        script.ping()
    assert len(script.ping()) == 1  # four of 35 missing


# Full segments


def test_full_segments_leave_at_once_and_fill_their_packets() -> None:
    script = opened()
    script.data(1, b"x")  # room for an acknowledgment is left in each
    packets = script.write(bytes(3 * SEGMENT))
    assert [len(packet.payload) for packet in packets] == [SEGMENT] * 3
    assert all(sent.size <= compact.MAX_PACKET for sent in script.log)
    assert max(sent.size for sent in script.log) > compact.MAX_PACKET - 12


def test_a_full_segment_leaves_room_to_say_all_that_is_missing() -> None:
    script = opened()
    for i in range(61):
        script.number()
        script.data(1 + i, b"x")
    packet, *rest = script.write(bytes(2 * SEGMENT))
    assert SEGMENT - compact.MAX_HOLES < len(packet.payload) < SEGMENT
    assert rest and max(sent.size for sent in script.log) <= compact.MAX_PACKET
    assert packet.ack is not None and packet.ack.largest == script.next_number - 1
    claimed = {number for start, stop in packet.ack.ranges() for number in range(start, stop)}
    received = {0, *range(2, script.next_number, 2)}
    assert claimed == {number for number in received if number >= packet.ack.largest - 8 * (compact.MAX_HOLES - 1)}


def test_no_more_numbers_are_on_their_way_than_one_byte_names() -> None:
    script = opened()
    (acked,) = script.received  # 0
    script.write(bytes(400 * SEGMENT))
    script.wait(150 * MS)
    numbers = [sent.packet.number for sent in script.log if sent.packet.number is not None]
    assert 150 < max(numbers) - acked <= 192
    script.ack()
    script.wait(150 * MS)
    assert script.largest > max(numbers) + 100


def test_a_number_that_others_may_overtake_is_sent_in_full() -> None:
    script = opened()
    script.write(bytes(150 * SEGMENT))
    script.wait(100 * MS)
    full_segments = [sent for sent in script.log if len(sent.packet.payload) == SEGMENT]
    assert len(full_segments) == 150
    for sent in full_segments:
        assert sent.packet.number is not None
        is_full = sent.packet.number > 32  # above number 0, the largest acknowledged
        assert sent.size - len(sent.packet.payload) == (12 if is_full else 9)


def test_all_bytes_of_all_values_arrive() -> None:
    script = opened()
    sent = script.write(ALL_BYTES)
    assert b"".join(bytes(packet.payload) for packet in sent) == ALL_BYTES
    script.data(1, ALL_BYTES)
    assert script.session.read() == ALL_BYTES


# The application's verbs


def test_a_write_beyond_the_buffer_is_taken_in_part() -> None:
    script = Script(StreamerConfig(send_buffer=1_000))
    assert script.session.write(bytes(1_500), now=script.now) == 1_000
    assert (script.session.room, script.session.unacknowledged) == (0, 1_000)
    assert script.session.write(b"x", now=script.now) == 0
    script.session.flush(now=script.now)
    script.drain()
    script.open()
    assert (script.session.room, script.session.unacknowledged) == (1_000, 0)


def test_writing_nothing_sends_nothing() -> None:
    script = Script()
    assert script.write(b"") == []
    assert script.session.poll_timeout() is None


@pytest.mark.parametrize("ending", ["finish", "abort"])
def test_nothing_can_be_written_after_the_end(ending: str) -> None:
    script = opened()
    if ending == "finish":
        script.finish()
    else:
        script.session.abort("enough", now=script.now)
    assert script.session.room == 0
    with pytest.raises(LocalProtocolError):
        script.session.write(b"x", now=script.now)


def test_reading_takes_everything_in_order_once() -> None:
    script = opened()
    script.data(4, b"def")
    assert (script.session.is_readable, script.session.read()) == (False, b"")
    script.data(1, b"abc")
    assert (script.session.is_readable, script.session.read(), script.session.read()) == (True, b"abcdef", b"")


def test_a_refused_datagram_changes_nothing() -> None:
    script = Script()
    script.write(b"x")
    deadline = script.session.poll_timeout()
    script.session.handle_refused(now=script.now)
    assert (script.drain(), script.session.poll_timeout(), script.session.state) == ([], deadline, State.ESTABLISHED)
