"""The ends of a connection, in every order, with every packet lost once, and with a peer that stops at every step."""

from __future__ import annotations

import pytest

from surewire.core.state import State
from surewire.errors import ConnectionLost, IdleTimeout
from surewire.streamer.config import Pipelining, StreamerConfig
from surewire.streamer.sending import SEGMENT
from surewire.wire.compact import Packet
from tests.unit.streamer.scripted import MS, NONCE, S, Script, opened

GRACE = 2 * S


def state(script: Script) -> State:
    return script.session.state


def finished(config: StreamerConfig | None = None) -> Script:
    """A side that has finished and knows that the peer has its FIN: FIN_WAIT_2."""
    script = opened(config)
    script.finish()
    script.ack()
    assert state(script) is State.FIN_WAIT_2
    return script


def ended(script: Script) -> None:
    """It ended well, and says nothing more."""
    assert script.end == (None, None)
    assert script.session.reading_error is None
    assert script.wait(100 * S) == []


# The FIN


def test_the_fin_rides_on_the_last_data() -> None:
    script = opened()
    script.session.write(b"last", now=script.now)
    (packet,) = script.finish()
    assert (bytes(packet.payload), packet.fin) == (b"last", True)
    assert state(script) is State.FIN_WAIT_1


def test_it_rides_on_a_last_segment_that_is_full() -> None:
    script = opened()
    script.session.write(bytes(2 * SEGMENT), now=script.now)
    packets = script.finish()
    assert [(len(packet.payload), packet.fin) for packet in packets] == [(SEGMENT, False), (SEGMENT, True)]


def test_a_fin_after_the_last_data_waits_until_they_are_acknowledged() -> None:
    script = opened()
    script.write(b"last")
    assert script.finish() == []
    (packet,) = script.ack()
    assert (packet.offset, bytes(packet.payload), packet.fin) == (5, b"", True)


def test_a_fin_goes_apart_when_it_must_not_ride() -> None:
    script = opened(StreamerConfig(fin_rides=False))
    script.session.write(b"last", now=script.now)
    (packet,) = script.finish()
    assert (bytes(packet.payload), packet.fin) == (b"last", False)
    (packet,) = script.ack()
    assert (bytes(packet.payload), packet.fin) == (b"", True)


def test_a_side_that_never_wrote_finishes_with_an_empty_packet() -> None:
    script = Script()
    (packet,) = script.finish()
    assert (packet.offset, bytes(packet.payload), packet.fin) == (0, b"", True)
    assert packet.nonce is not None
    script.open()
    assert state(script) is State.FIN_WAIT_2


def test_finishing_twice_is_once() -> None:
    script = opened()
    assert len(script.finish()) == 1
    assert script.finish() == []
    script.ack()
    assert script.finish() == []


# Every order


def test_we_finish_first() -> None:
    script = finished()
    (packet,) = script.data(1, b"", fin=True)
    assert packet.number is None and packet.ack is not None and packet.ack.largest == script.next_number - 1
    assert state(script) is State.TIME_WAIT
    assert script.wait(GRACE - MS) == []
    assert script.closed is None
    script.wait(2 * MS)
    ended(script)
    assert script.session.has_ended


def test_the_peer_finishes_first() -> None:
    script = opened()
    script.data(1, b"bye", fin=True)
    assert state(script) is State.CLOSE_WAIT
    assert script.session.read() == b"bye" and script.session.has_ended
    script.wait(100 * S)
    assert script.closed is None  # we may still write, for as long as we like
    assert len(script.write(b"more")) == 1
    script.ack()
    (packet,) = script.finish()
    assert packet.ack is not None  # the peer learns again that its FIN arrived
    assert state(script) is State.LAST_ACK
    script.ack()
    ended(script)


def test_both_finish_at_once() -> None:
    script = opened()
    script.finish()
    script.data(1, b"", fin=True)  # sent before ours arrived
    assert state(script) is State.CLOSING
    script.ack()
    assert state(script) is State.TIME_WAIT
    script.wait(GRACE + MS)
    ended(script)


def test_a_fin_and_the_acknowledgment_of_ours_in_one_packet() -> None:
    script = opened()
    script.finish()
    script.data(1, b"", fin=True, ack=script.all())
    assert state(script) is State.TIME_WAIT
    script.wait(GRACE + MS)
    ended(script)


def test_nothing_was_ever_said_but_the_end() -> None:
    script = Script()
    script.finish()
    script.feed(script.emit(Packet(script.number(), 0, b"", True, NONCE, script.all())))
    assert state(script) is State.TIME_WAIT
    script.wait(GRACE + MS)
    ended(script)


def test_a_peer_that_says_everything_in_its_first_packet() -> None:
    script = Script()
    script.feed(script.emit(Packet(script.number(), 0, b"all of it", True, NONCE)))
    assert state(script) is State.CLOSE_WAIT
    assert script.session.read() == b"all of it" and script.session.has_ended
    script.finish()
    script.ack()
    ended(script)


def test_the_stream_goes_on_after_our_fin() -> None:
    script = finished()
    for i in range(20):
        script.wait(9 * S)
        script.data(1 + i, b"x")
    assert script.session.read() == b"x" * 20
    assert script.closed is None
    script.data(21, b"", fin=True)
    script.wait(GRACE + MS)
    ended(script)


def test_a_fin_counts_when_all_before_it_has_arrived() -> None:
    script = opened()
    script.data(4, b"def", fin=True)
    assert state(script) is State.ESTABLISHED and not script.session.has_ended
    script.data(1, b"abc")
    assert state(script) is State.CLOSE_WAIT
    assert not script.session.has_ended
    assert script.session.read() == b"abcdef"
    assert script.session.has_ended


# One packet lost


def test_our_fin_is_repeated() -> None:
    script = opened()
    script.finish()
    (again, *_) = script.wait(400 * MS)
    assert again.packet.fin and again.packet.ack is not None
    script.ack()
    assert state(script) is State.FIN_WAIT_2


def test_a_fin_on_a_segment_is_asked_for_by_a_ping() -> None:
    script = opened()
    script.session.write(bytes(SEGMENT), now=script.now)
    script.finish()
    (ping, *_) = script.wait(400 * MS)
    assert ping.packet.offset is None and ping.packet.number is not None
    (again,) = script.ack(ping.packet.number)
    assert again.fin and len(again.payload) == SEGMENT


def test_the_peers_repeated_fin_is_acknowledged_again_and_the_grace_begins_anew() -> None:
    script = finished()
    script.data(1, b"", fin=True)
    for _ in range(5):
        script.wait(GRACE - MS)
        (packet,) = script.data(1, b"", fin=True)
        assert packet.ack is not None and packet.ack.largest == script.next_number - 1
    script.wait(GRACE + MS)
    ended(script)


def test_acknowledgments_do_not_keep_a_side_in_its_grace() -> None:
    script = finished()
    script.data(1, b"", fin=True)
    for _ in range(5):
        script.wait(500 * MS)
        script.ack()
    ended(script)


def test_a_ping_of_the_peer_is_answered_in_the_grace() -> None:
    script = finished()
    script.data(1, b"", fin=True)
    script.wait(S)
    assert len(script.ping()) == 1


def test_the_lost_acknowledgment_of_our_last_fin_is_no_failure() -> None:
    """The peer had sent its FIN and has closed: it went away knowing everything."""
    script = opened()
    script.data(1, b"", fin=True, ack=script.all())
    script.finish()
    assert state(script) is State.LAST_ACK
    sent = script.wait(4900 * MS)
    assert script.closed is None
    assert all(one.packet.fin for one in sent) and len(sent) > 10
    script.wait(200 * MS)
    ended(script)


# The peer stops


def test_gone_with_data_unacknowledged() -> None:
    script = opened()
    script.session.write(b"important", now=script.now)
    script.finish()
    script.wait(31 * S)
    error, _ = script.end
    assert isinstance(error, IdleTimeout) and "9 bytes" in str(error)


def test_gone_when_only_the_fin_is_open() -> None:
    script = opened()
    script.finish()
    script.wait(29 * S)
    assert script.closed is None
    script.wait(2 * S)
    error, note = script.end
    assert error is None
    assert note is not None and "30 s" in note and "end" in note
    assert isinstance(script.session.reading_error, ConnectionLost)  # for one who still waits for data


def test_it_never_closes_its_side() -> None:
    script = finished()
    script.wait(10 * S - MS)
    assert script.closed is None
    script.wait(2 * MS)
    error, note = script.end
    assert error is None
    assert note is not None and "the peer has not closed its side" in note
    assert isinstance(script.session.reading_error, ConnectionLost)
    assert not script.session.has_ended


@pytest.mark.parametrize("pipelining", [Pipelining.STOP_AND_WAIT, Pipelining.GO_BACK_N])
def test_a_mode_whose_tries_are_far_apart_is_waited_for_longer(pipelining: Pipelining) -> None:
    script = finished(StreamerConfig(pipelining=pipelining))
    script.wait(30 * S - MS)
    assert script.closed is None
    script.wait(2 * MS)
    assert script.closed is not None


def test_a_peer_that_nobody_reads_gets_longer_once() -> None:
    script = finished(StreamerConfig(receive_buffer=1_000))
    script.data(1, bytes(1_000))
    for _ in range(29):
        script.wait(S)
        script.ping()
    assert script.closed is None
    script.wait(2 * S)
    error, note = script.end
    assert error is None
    assert note is not None and "nobody has read" in note


@pytest.mark.parametrize("sign", ["ping", "data"])
def test_a_peer_that_wants_to_be_acknowledged_is_waited_for(sign: str) -> None:
    script = finished()
    for i in range(10):
        script.wait(9 * S)
        assert len(script.ping() if sign == "ping" else script.data(1 + i, b"x") + script.ping()) >= 1
    assert script.closed is None


def test_gone_in_the_middle_of_closing_with_data_open() -> None:
    script = opened()
    script.session.write(b"important", now=script.now)
    script.finish()
    script.data(1, b"", fin=True)
    assert state(script) is State.CLOSING
    script.wait(29 * S)
    assert script.closed is None
    script.wait(2 * S)
    assert isinstance(script.end[0], IdleTimeout)


def test_gone_in_closing_with_only_the_fin_open() -> None:
    script = opened()
    script.finish()
    script.data(1, b"", fin=True)
    assert state(script) is State.CLOSING
    script.wait(31 * S)
    ended(script)


def test_gone_after_its_fin_with_data_of_ours_open() -> None:
    script = opened()
    script.data(1, b"", fin=True)
    script.write(b"important")
    script.wait(31 * S)
    assert isinstance(script.end[0], IdleTimeout)
    assert script.session.reading_error is None and script.session.has_ended  # what it said is complete


def test_the_limit_of_the_last_acknowledgment_counts_from_the_last_sign() -> None:
    script = opened()
    script.data(1, b"", fin=True, ack=script.all())
    script.finish()
    for _ in range(5):
        script.wait(4 * S)
        script.ping()
    assert script.closed is None
    script.wait(5 * S + MS)
    ended(script)


# After the end


def test_data_behind_the_peers_end_are_refused() -> None:
    script = finished()
    script.data(1, b"end", fin=True)
    script.data(4, b"more")
    script.data(4, b"other end", fin=True)
    assert script.session.read() == b"end"
    assert script.session.has_ended


def test_a_closed_session_is_deaf_and_keeps_what_was_not_read() -> None:
    script = finished()
    script.data(1, b"unread", fin=True)
    script.wait(GRACE + MS)
    assert script.closed is not None
    assert script.data(7, b"x") == script.ping() == script.ack() == []
    script.session.handle_timeout(now=script.now)
    script.session.flush(now=script.now)
    assert script.finish() == []
    assert (script.session.is_readable, script.session.has_ended) == (True, False)
    assert script.session.read() == b"unread"
    assert script.session.has_ended
    ended(script)


# The last acknowledgment


def last_to_finish(*, pings: int) -> Script:
    """The peer finished; one number of its was lost after that, and `pings` came; then this side finished."""
    script = opened()
    script.data(1, b"its last", fin=True)
    script.number()
    for _ in range(pings):
        script.ping()
    script.finish()
    script.ack()
    return script


def test_a_fin_that_told_of_the_peers_ends_it_when_it_is_acknowledged() -> None:
    ended(last_to_finish(pings=100))


def test_a_fin_that_could_not_tell_of_the_peers_leaves_time_to_do_so() -> None:
    """An acknowledgment names 128 numbers. What it cannot name any more the peer sends again, under a new number."""
    script = last_to_finish(pings=150)
    assert state(script) is State.LAST_ACK
    script.wait(GRACE - S)
    (answer,) = script.data(1, b"its last", fin=True)
    assert answer.ack is not None and answer.ack.largest == script.next_number - 1
    script.wait(GRACE - MS)
    assert state(script) is State.LAST_ACK
    script.wait(MS)
    ended(script)
