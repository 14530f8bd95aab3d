"""What a session does when nothing comes back, and for how long."""

from __future__ import annotations

from surewire.errors import HandshakeTimeout, IdleTimeout
from surewire.streamer.config import Pipelining, StreamerConfig
from surewire.streamer.sending import SEGMENT
from tests.unit.streamer.scripted import MS, PEER, S, Script, Sent, opened


def gaps(sent: list[Sent]) -> list[int]:
    """ms between packets."""
    return [(later.at - one.at) // MS for one, later in zip(sent, sent[1:], strict=False)]


def numbers(sent: list[Sent]) -> list[int]:
    return [one.packet.number for one in sent if one.packet.number is not None]


# Asking


def test_a_segment_without_answer_is_asked_for_by_pings() -> None:
    script = opened()
    script.write(bytes(SEGMENT))
    began = script.now
    sent = script.wait(1800 * MS)
    assert {one.packet.offset for one in sent} == {None}
    assert len(numbers(sent)) == len(sent)
    assert max(one.size for one in sent) <= 8
    assert sent[0].at - began == 250 * MS
    assert set(gaps(sent)) == {150}


def test_pings_carry_an_acknowledgment_that_may_have_been_lost() -> None:
    script = opened()
    script.write(bytes(SEGMENT))
    assert all(one.packet.ack is not None for one in script.wait(S))


def test_the_first_segment_is_asked_for_as_well() -> None:
    script = Script()
    script.write(bytes(SEGMENT))
    sent = script.wait(5 * S)
    assert {one.packet.offset for one in sent} == {None}
    assert {one.packet.nonce for one in sent} == {script.session_nonce}
    script.received = {numbers(sent)[-1]}  # the only one that arrived
    again = script.open()
    assert [(packet.offset, len(packet.payload), packet.nonce) for packet in again] == [(0, SEGMENT, None)]


def test_a_few_bytes_are_sent_again_instead() -> None:
    script = opened()
    script.write(b"x" * 32)
    assert {one.packet.offset for one in script.wait(S)} == {1}
    script = opened()
    script.write(b"x" * 33)
    assert {one.packet.offset for one in script.wait(S)} == {None}


def test_an_answer_that_came_ends_the_asking() -> None:
    script = opened()
    script.write(bytes(SEGMENT))
    sent = script.wait(400 * MS)
    script.ack()
    assert sent and script.wait(29 * S) == []


def test_only_what_is_missing_is_sent_again() -> None:
    script = opened()
    packets = script.write(bytes(4 * SEGMENT))
    pings = numbers(script.wait(400 * MS))
    arrived = [packet.number for packet in packets if packet.number is not None]
    again = script.ack(arrived[0], arrived[2], arrived[3], pings[0])
    assert [packet.offset for packet in again] == [1 + SEGMENT]


# Backing off


def test_a_peer_that_was_heard_is_asked_at_least_twice_a_second() -> None:
    script = opened()
    script.write(bytes(SEGMENT))
    intervals = gaps(script.wait(25 * S))
    assert intervals[:10] == [150] * 10
    assert intervals == sorted(intervals)
    assert intervals[-1] == 500


def test_a_peer_that_was_never_heard_is_asked_every_two_seconds_at_last() -> None:
    script = Script()
    script.write(bytes(5 * SEGMENT))
    sent = script.wait(100 * S)
    intervals = gaps(sent)
    assert intervals[:10] == [150] * 10
    assert intervals == sorted(intervals)
    assert intervals[-1] == 2_000
    assert len(sent) < 70
    assert sum(one.size for one in sent) < 70 * 15


def test_an_answer_begins_the_back_off_anew() -> None:
    script = opened()
    script.write(bytes(SEGMENT))
    sent = script.wait(10 * S)
    script.ack(numbers(sent)[-1])  # the segment is lost, and sent again
    assert gaps(script.wait(2 * S)[1:4]) == [150, 150]


def test_old_acknowledgments_do_not() -> None:
    script = opened()
    script.write(bytes(SEGMENT))
    script.wait(10 * S)
    for _ in range(10):
        script.ack(0)
    assert min(gaps(script.wait(3 * S))) >= 400


# Giving up


def test_nobody_there() -> None:
    script = Script()
    script.write(b"x")
    script.wait(119 * S)
    assert script.closed is None
    script.wait(2 * S)
    error, note = script.end
    assert isinstance(error, HandshakeTimeout) and "120 s" in str(error) and PEER[0] in str(error)  # type: ignore[index]
    assert note is None
    assert script.session.reading_error is error


def test_the_peer_is_gone() -> None:
    script = opened()
    script.write(bytes(100))
    script.wait(29 * S)
    assert script.closed is None
    script.wait(2 * S)
    error, _ = script.end
    assert isinstance(error, IdleTimeout) and "30 s" in str(error) and "100 bytes" in str(error)
    assert script.session.reading_error is error


def test_a_sign_of_life_is_enough() -> None:
    script = opened()
    script.write(bytes(100))
    for _ in range(4):
        script.wait(25 * S)
        script.ping()
    assert script.closed is None


def test_a_peer_that_answers_but_takes_nothing_is_given_up() -> None:
    """As behind a path MTU that is wrong: pings and acknowledgments pass, full segments never do."""
    script = opened()
    script.write(bytes(5 * SEGMENT))
    for _ in range(12):
        script.wait(10 * S - MS)
        assert script.closed is None
        script.ping()
    script.wait(S)
    assert isinstance(script.end[0], IdleTimeout) and "answers" in str(script.end[0]) and "120 s" in str(script.end[0])


def test_a_full_peer_may_take_nothing_for_ever() -> None:
    script = opened()
    script.write(bytes(5 * SEGMENT))
    for _ in range(100):
        script.wait(10 * S)
        script.ack(script.largest, full=True)  # a ping
    assert script.closed is None


def test_each_byte_taken_gives_the_peer_time_again() -> None:
    script = opened(StreamerConfig(ping_interval=20 * S, max_ping_interval=20 * S))  # few enough numbers to be named
    numbers = [packet.number for packet in script.write(bytes(5 * SEGMENT))]
    for number in numbers:
        assert number is not None
        for _ in range(11):
            script.wait(10 * S)
            script.ping()
        script.ack(number)
    assert script.closed is None


def test_an_idle_peer_is_asked_every_half_minute_and_may_be_idle_for_ever() -> None:
    script = opened()
    for _ in range(100):
        assert script.wait(29 * S) == []
        (ping,) = script.wait(2 * S)
        assert ping.packet.offset is None and ping.size <= 8
        script.ack()
    assert script.closed is None
    assert script.write(b"still there?")


def test_an_idle_peer_that_is_gone_is_noticed() -> None:
    """Else a reader waits for ever for a peer that has crashed."""
    script = opened()
    sent = script.wait(61 * S)
    assert 9 <= len(sent) <= 11 and {one.packet.offset for one in sent} == {None}
    assert isinstance(script.end[0], IdleTimeout) and "60 s" in str(script.end[0])
    assert script.session.reading_error is script.end[0]


def test_a_peer_that_was_never_met_is_not_asked() -> None:
    script = Script()
    assert script.wait(10_000 * S) == []
    assert script.closed is None


def test_the_limit_counts_from_the_first_unacknowledged_byte() -> None:
    script = opened()
    script.wait(25 * S)
    script.write(b"x")
    script.wait(29 * S)
    assert script.closed is None


def test_what_is_held_back_is_waited_for_as_well() -> None:
    """Nothing may hang: bytes that a full peer never lets go are limited, too."""
    script = opened()
    script.write(b"x")
    script.ack(full=True)
    script.session.write(b"y", now=script.now)
    script.wait(31 * S)
    assert isinstance(script.end[0], IdleTimeout)


def test_an_abort_says_why_and_sends_nothing() -> None:
    script = opened()
    script.write(b"x")
    script.session.abort("the user does not want to", now=script.now)
    assert script.drain() == []
    assert "the user does not want to" in str(script.end[0])
    script.session.abort("twice", now=script.now)
    assert script.wait(10 * S) == []
    assert len([event for event in script.events if event is script.closed]) == 1


# The plainer ways


def test_stop_and_wait_repeats_its_segment_later_and_later() -> None:
    script = opened(StreamerConfig(pipelining=Pipelining.STOP_AND_WAIT))
    assert [packet.offset for packet in script.write(bytes(3 * SEGMENT))] == [1]
    sent = script.wait(2 * S)
    assert {(one.packet.offset, len(one.packet.payload)) for one in sent} == {(1, SEGMENT)}
    assert len(sent) >= 2
    assert [packet.offset for packet in script.ack()] == [1 + SEGMENT]


def test_go_back_n_repeats_everything() -> None:
    script = opened(StreamerConfig(pipelining=Pipelining.GO_BACK_N))
    packets = script.write(bytes(3 * SEGMENT))
    again = script.wait(400 * MS)
    assert (
        [one.packet.offset for one in again[:3]]
        == [packet.offset for packet in packets]
        == [1 + i * SEGMENT for i in range(3)]
    )


def test_a_go_back_n_receiver_says_again_what_is_in_order() -> None:
    script = opened(StreamerConfig(pipelining=Pipelining.GO_BACK_N))
    script.number()
    (packet,) = script.data(3, b"later")
    assert packet.ack is not None and packet.ack.largest == 0
    assert script.session.read() == b""


def test_pings_stop_short_of_numbers_that_no_acknowledgment_can_name() -> None:
    """One byte names the number acknowledged: with more than 256 on their way neither side could read the other."""
    script = opened(StreamerConfig(ping_interval=10 * MS, patient_pings=10_000))
    script.write(bytes(SEGMENT))
    assert len(script.wait(6 * S)) < 220
