"""Strangers, forgers, and leftovers: ten thousand of each change nothing, raise nothing, and use no memory."""

from __future__ import annotations

import itertools
import random
import tracemalloc
from collections.abc import Callable

import pytest

from surewire.core.config import TransportConfig
from surewire.core.events import Established
from surewire.core.state import State
from surewire.streamer.config import StreamerConfig
from surewire.streamer.sending import SEGMENT
from surewire.wire import compact
from surewire.wire.compact import Ack, Packet
from tests.unit.streamer.scripted import MS, NONCE, PEER, S, Script, acknowledging, opened

MANY = 10_000
Forge = Callable[[Script, random.Random], bytes]


def growth(step: Callable[[], object]) -> int:
    """Call `step` many times; bytes of memory that the last tenth of the calls left allocated."""
    for _ in range(MANY - MANY // 10):
        step()
    tracemalloc.start()
    for _ in range(MANY // 10):
        step()
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return grown


def noise(script: Script, rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((0, 1, 5, 6, 7, 9, 20, 100, 1472, 1473, 2000)))


def shortened(script: Script, rng: random.Random) -> bytes:
    datagram = script.emit(Packet(script.next_number, 1, b"twelve bytes", ack=script.all()))
    return datagram[: rng.randrange(len(datagram))]


def flipped(script: Script, rng: random.Random) -> bytes:
    datagram = bytearray(script.emit(Packet(script.next_number, 1, b"twelve bytes", ack=script.all())))
    for _ in range(rng.randrange(1, 9)):
        place = rng.randrange(8 * len(datagram))
        datagram[place >> 3] ^= 1 << (place & 7)
    if bytes(datagram) == script.emit(Packet(script.next_number, 1, b"twelve bytes", ack=script.all())):
        return b""  # two flips of one bit
    return bytes(datagram)


def of_an_earlier_run(script: Script, rng: random.Random) -> bytes:
    packet = Packet(rng.randrange(300), rng.randrange(10_000), b"old", rng.random() < 0.5, ack=Ack(rng.randrange(2)))
    other = rng.choice([nonce for nonce in (1, 77, 0xFFFF, NONCE ^ 1) if nonce != script.session_nonce])
    return compact.emit(packet, sender_nonce=NONCE, receiver_nonce=other, wide=rng.random() < 0.5)


def of_a_restarted_peer(script: Script, rng: random.Random) -> bytes:
    nonce = rng.choice([nonce for nonce in (1, 77, 0xFFFF) if nonce != NONCE])
    packet = Packet(rng.randrange(5), 0, b"new", rng.random() < 0.5, nonce)
    return compact.emit(packet, sender_nonce=nonce, receiver_nonce=script.session_nonce, wide=False)


def our_own(script: Script, rng: random.Random) -> bytes:
    packet = Packet(rng.randrange(300), rng.randrange(10_000), b"reflected", ack=Ack(0))
    return compact.emit(packet, sender_nonce=script.session_nonce, receiver_nonce=NONCE, wide=True)


def beyond_the_window(script: Script, rng: random.Random) -> bytes:
    return script.emit(Packet(script.number(), (1 << 20) + 2 + rng.randrange(1 << 23), b"far", rng.random() < 0.5))


def of_what_was_never_sent(script: Script, rng: random.Random) -> bytes:
    return script.emit(Packet(ack=Ack(script.largest + 1 + rng.randrange(2**40))))


FORGERIES: list[Forge] = [
    noise,
    shortened,
    flipped,
    of_an_earlier_run,
    of_a_restarted_peer,
    our_own,
    beyond_the_window,
    of_what_was_never_sent,
]


@pytest.mark.parametrize("forge", FORGERIES)
def test_many_of_a_kind_change_nothing(forge: Forge) -> None:
    script, rng = opened(), random.Random(1)
    script.write(b"unacknowledged")
    deadline, events = script.session.poll_timeout(), list(script.events)
    sent = len(script.log)
    assert growth(lambda: script.feed(forge(script, rng))) < 20_000
    assert len(script.log) == sent
    assert (script.session.poll_timeout(), script.events) == (deadline, events)
    assert (script.session.read(), script.session.unacknowledged) == (b"", len(b"unacknowledged"))
    assert script.session.state is State.ESTABLISHED
    script.data(1, b"right", ack=script.all())
    assert (script.session.read(), script.session.unacknowledged) == (b"right", 0)


@pytest.mark.parametrize("forge", [noise, shortened, flipped, of_an_earlier_run, our_own])
def test_none_of_them_opens_a_connection(forge: Forge) -> None:
    script, rng = Script(), random.Random(2)
    script.write(b"x")
    for _ in range(1_000):
        assert script.feed(forge(script, rng)) == []
    assert script.events == []
    assert script.open(b"hello")
    assert script.session.read() == b"hello"


def test_replays_are_taken_for_the_network_repeating_itself() -> None:
    script = opened()
    script.number()
    packets = [script.emit(Packet(script.number(), 1 + 3 * i, b"abc", ack=script.all())) for i in range(20)]
    for packet in packets:
        script.feed(packet)
    assert script.session.read() == b"abc" * 20
    turns = itertools.cycle(packets)

    def replay() -> None:
        script.feed(next(turns))
        script.log.clear()

    assert growth(replay) < 20_000
    assert script.session.read() == b""
    assert script.session.write(b"alive", now=script.now) == 5


def test_replays_get_no_more_answers_than_packets() -> None:
    script = opened()
    packet = script.emit(Packet(script.number(), 1, b"abc"))
    answers = sum(len(script.feed(packet)) for _ in range(400))
    assert answers == 100  # one for four


def test_a_flood_of_holes_is_bounded() -> None:
    script = opened()
    offsets = itertools.count(2, 2)

    def send() -> None:
        script.feed(script.emit(Packet(script.number(), next(offsets), b"x")))
        script.log.clear()

    assert growth(send) < 20_000
    assert script.session.read() == b""
    for i in range(MANY + 10):  # those that were refused come again, as the peer's rules say
        script.feed(script.emit(Packet(script.number(), 1 + 2 * i, b"xx")))
        script.log.clear()
    assert script.session.read() == b"x" * (2 * MANY + 20)


def test_a_flood_of_numbers_with_holes_is_bounded() -> None:
    script = opened(StreamerConfig(transport=TransportConfig(max_tracked_ranges=100, receive_window=1 << 20)))

    def ping() -> None:
        script.number()
        script.ping()
        script.log.clear()

    assert growth(ping) < 20_000
    script.data(1, b"still here")
    assert script.session.read() == b"still here"


def test_a_write_that_nobody_takes_is_bounded() -> None:
    script = opened()
    limit = script.session.config.send_buffer
    taken = sum(script.session.write(bytes(100_000), now=script.now) for _ in range(100))
    assert taken == limit


def test_a_number_far_ahead_is_harmless() -> None:
    script = opened()
    script.next_number = 2**31 - 10
    script.data(1, b"far ahead")
    assert script.session.read() == b"far ahead"


# Runs before and after


def test_the_first_packet_of_a_peer_decides_and_a_restarted_one_is_not_mixed_in() -> None:
    script = opened()
    script.write(bytes(10))
    for i in range(1, 20):
        packet = Packet(0, 0, b"I am new", True, 0x1000 + i, Ack(0))
        script.feed(compact.emit(packet, sender_nonce=0x1000 + i, receiver_nonce=script.session_nonce, wide=False))
    assert script.session.read() == b""
    assert script.session.unacknowledged == 10
    assert script.events == [Established(PEER, True)]


def test_leftovers_of_an_earlier_run_without_a_nonce_are_ignored_before_the_peer_is_known() -> None:
    script = Script()
    script.write(b"x")
    leftover = compact.emit(Packet(3, 100, b"old", ack=Ack(0)), sender_nonce=5, receiver_nonce=6, wide=False)
    assert script.feed(leftover) == []
    assert script.events == []


def test_a_leftover_of_our_own_side_of_an_earlier_run_does_no_harm_to_a_new_peer() -> None:
    """It opens with a nonce; only what it acknowledges could show that it is old."""
    script = Script()
    script.write(b"x")
    old = compact.emit(
        Packet(0, 0, b"old", nonce=5, ack=Ack(0)), sender_nonce=5, receiver_nonce=script.session_nonce ^ 1, wide=False
    )
    assert script.feed(old) == []
    script.open(b"new")
    assert script.session.read() == b"new"


def test_both_sides_may_draw_the_same_nonce() -> None:
    probe = Script()
    probe.write(b"x")
    script = Script(nonce=probe.session_nonce)
    script.write(b"x")
    script.open(b"y")
    assert script.session.read() == b"y"
    assert script.session.unacknowledged == 0


def test_anything_may_come_at_any_time_of_a_close() -> None:
    rng = random.Random(3)
    script = opened()
    script.session.write(bytes(3 * SEGMENT), now=script.now)
    script.finish()
    for step in range(4):
        for _ in range(500):
            script.feed(rng.choice(FORGERIES[:6])(script, rng))
            script.now += MS
        if step == 0:
            script.ack()
        elif step == 1:
            script.data(1, b"", fin=True, ack=acknowledging(*script.received))
    script.wait(3 * S)
    assert script.end == (None, None)
