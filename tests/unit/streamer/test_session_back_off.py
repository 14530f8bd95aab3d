"""How often a session asks that gets no answer, or only the answer that the peer is full; the plainer ways too."""

from __future__ import annotations

import pytest

from surewire.streamer.config import Pipelining, StreamerConfig
from surewire.streamer.sending import SEGMENT
from surewire.wire import compact
from surewire.wire.compact import Ack, Packet
from tests.unit.streamer.scripted import MS, S, Script, Sent, opened

HOUR = 3600 * S
PLAINER = [Pipelining.STOP_AND_WAIT, Pipelining.GO_BACK_N]


def waits(sent: list[Sent]) -> list[int]:
    """ns between the times at which anything was sent."""
    times = sorted({one.at for one in sent})
    return [later - at for at, later in zip(times, times[1:], strict=False)]


@pytest.mark.parametrize("pipelining", PLAINER)
def test_nobody_is_sent_the_first_segment_less_and_less_often(pipelining: Pipelining) -> None:
    script = Script(StreamerConfig(pipelining=pipelining))
    script.write(bytes(5 * SEGMENT))
    sent = script.wait(100 * S)
    assert {one.packet.offset for one in sent} == {0}
    assert waits(sent) == sorted(waits(sent))
    assert waits(sent)[-1] == 2 * S
    assert len(sent) < 70  # as many as pings
    assert sum(one.size for one in sent) < 70 * compact.MAX_PACKET


@pytest.mark.parametrize("pipelining", PLAINER)
def test_a_known_peer_that_is_silent_is_sent_everything_twice_a_second_at_most_in_the_end(
    pipelining: Pipelining,
) -> None:
    script = opened(StreamerConfig(pipelining=pipelining))
    window = len(script.write(bytes(3 * SEGMENT)))
    sent = script.wait(29 * S)
    assert waits(sent) == sorted(waits(sent))
    assert waits(sent)[0] < 500 * MS
    assert waits(sent)[-1] == 500 * MS
    assert len(sent) < 68 * window
    assert sum(one.size for one in sent) < 68 * window * compact.MAX_PACKET


def answer_for(script: Script, duration: int) -> list[Sent]:
    """Say to each packet that there is no room, 50 ms after it; return what the session sent."""
    begin, until = len(script.log), script.now + duration
    while script.now < until:
        deadline = script.session.poll_timeout()
        assert deadline is not None, "nobody will ask again"
        if script.wait(max(deadline - script.now, 0)):
            script.wait(50 * MS)
            assert script.feed(script.emit(Packet(ack=Ack(script.largest), full=True))) == []
    return script.log[begin:]


@pytest.mark.parametrize("pipelining", list(Pipelining))
def test_a_full_peer_that_answers_is_asked_twice_a_second_at_most(pipelining: Pipelining) -> None:
    """Its word that it is full is news each time, yet asking sooner would not make room (RFC 9293 §3.8.6.1)."""
    script = opened(StreamerConfig(pipelining=pipelining))
    script.write(b"x")
    script.ack(full=True)
    script.write(bytes(3 * SEGMENT))
    asked = answer_for(script, HOUR)
    assert {one.packet.offset for one in asked} == {None}
    assert max(one.size for one in asked) <= 12
    assert min(waits(asked)[4:]) >= 500 * MS
    assert max(waits(asked)) <= S
    assert HOUR // S <= len(asked) <= HOUR // (500 * MS) + 4
    assert script.closed is None


def test_a_peer_that_was_full_is_asked_as_often_as_any_other_once_it_has_room() -> None:
    script = opened()
    script.write(b"x")
    script.ack(full=True)
    script.write(bytes(SEGMENT))
    answer_for(script, 60 * S)
    (packet,) = script.ack()
    assert len(packet.payload) == SEGMENT
    pings = script.wait(2 * S)
    assert {one.packet.offset for one in pings} == {None}
    assert set(waits(pings)) == {150 * MS}
