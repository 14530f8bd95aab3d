"""A peer with genuine keys that keeps to no rule: its words are dropped or end the connection, and break nothing."""

from __future__ import annotations

import random
import tracemalloc
from dataclasses import replace

import pytest

from fuzz.native_peer import CLIENT, MS, Rogue, S
from surewire.core.events import Closed
from surewire.core.state import State
from surewire.crypto.checked import CheckedClient, CheckedHandshake, CheckedProtection, CheckedServer
from surewire.crypto.directions import Directions
from surewire.errors import RemoteProtocolError, Reset
from surewire.native.config import DEFAULT_TRANSPORT, NativeConfig
from surewire.wire import native_frames as frames
from tests.unit.native.pair import BOTH

PING = frames.emit_ping()
WINDOW = 50_000


def config(**limits: int) -> NativeConfig:
    transport = replace(DEFAULT_TRANSPORT, **{"receive_window": WINDOW, **limits})  # type: ignore[arg-type]
    return NativeConfig(transport=transport)


def opened(*, is_server: bool = False, kind: str = "checked", window: int = 1 << 20, **limits: int) -> Rogue:
    """A rogue whose target is established."""
    peer = Rogue(is_server=is_server, security=BOTH[kind](), config=config(**limits), window=window)
    peer.say(PING)
    assert peer.target.state is State.ESTABLISHED
    return peer


def ack(position: int, *ranges: tuple[int, int], window: int = 1 << 20, latest: int | None = None) -> bytes:
    return frames.emit_ack(position, window, ranges[0][1] - 1 if latest is None else latest, 0, ranges)


def acks(said: list[frames.Frame]) -> list[frames.Ack]:
    return [frame for frame in said if isinstance(frame, frames.Ack)]


def data(said: list[frames.Frame]) -> list[frames.Data]:
    return [frame for frame in said if isinstance(frame, frames.Data)]


# Acknowledgments.


@pytest.mark.parametrize("kind", BOTH)
def test_what_was_never_sent_cannot_be_acknowledged(kind: str) -> None:
    peer = opened(kind=kind)
    peer.target.write(b"x" * 5_000, now=peer.now)
    peer.wait(50 * MS)
    sent = peer.expected
    for lie in (
        ack(5_001, (0, sent)),
        ack(0, (0, sent + 1)),
        ack(0, (sent + 100, sent + 200), (0, 1)),
        ack(0, (2**61, 2**61 + 1)),
        ack(2**62 - 2, (0, 1), window=0),
    ):
        before = peer.target.stats()
        peer.say(lie)
        after = peer.target.stats()
        assert after.malformed == before.malformed + 1
        assert after.acknowledged == 0 and after.bytes_in_flight == before.bytes_in_flight
    peer.say(ack(5_000, (0, sent)))
    assert peer.target.acknowledged == 5_000 and not peer.target.is_closed


def test_a_window_that_shrinks_does_not() -> None:
    peer = opened(window=3_000)
    peer.say(ack(0, (0, 1), window=0))
    peer.target.write(b"x" * 20_000, now=peer.now)
    peer.wait(20 * MS)
    assert max(frame.offset + len(frame.payload) for frame in data(peer.heard)) >= 2_000  # whole segments
    peer.say(ack(1_000, (0, peer.expected), window=0))
    peer.wait(3 * S)
    assert max(frame.offset + len(frame.payload) for frame in data(peer.heard)) <= 3_001  # a probe of it


def test_a_window_as_wide_as_numbers_go() -> None:
    peer = opened(window=2**62 - 1)
    peer.target.write(b"x" * 20_000, now=peer.now)
    peer.say(frames.emit_ack(0, 2**62 - 1, 0, 0, [(0, 1)]))
    peer.wait(3 * S)
    assert not peer.target.is_closed and data(peer.heard)


def test_an_acknowledgment_that_takes_back_what_it_said_changes_nothing() -> None:
    peer = opened()
    peer.target.write(b"x" * 5_000, now=peer.now)
    peer.wait(30 * MS)
    sent = peer.expected
    peer.say(ack(5_000, (0, sent)))
    peer.say(ack(100, (0, 1)))
    assert peer.target.acknowledged == 5_000


def test_position_without_numbers_and_numbers_without_position() -> None:
    for position, numbers in ((5_000, 1), (0, None)):
        peer = opened()
        peer.target.write(b"x" * 5_000, now=peer.now)
        peer.target.finish(now=peer.now)
        peer.wait(30 * MS)
        peer.say(ack(position, (0, numbers or peer.expected)))
        assert peer.target.acknowledged == 5_000
        peer.wait(2 * S)
        assert not peer.target.is_closed


def test_acknowledgments_of_single_numbers_in_any_order() -> None:
    peer, rng = opened(), random.Random(1)
    peer.target.write(bytes(200_000), now=peer.now)
    for _ in range(300):
        peer.wait(5 * MS)
        some = sorted(rng.sample(range(peer.expected), min(20, peer.expected)), reverse=True)
        ranges = [(number, number + 1) for number in some]
        merged = [one for at, one in enumerate(ranges) if at == 0 or ranges[at - 1][0] - one[1] >= 1]
        peer.say(frames.emit_ack(0, 1 << 20, rng.choice(merged)[0], rng.randrange(10 * S), merged))
    assert not peer.target.is_closed and peer.target.stats().malformed == 0


class Small(CheckedProtection):
    """A key that may protect 160 datagrams."""

    packets_limit = 160

    def successor(self) -> CheckedProtection:
        return self


class SmallKeys(CheckedHandshake):
    def keys(self) -> Directions[CheckedProtection]:
        return Directions(Small(), Small())


class SmallServer(CheckedServer):
    def begin(self, suite: int, rng: random.Random) -> CheckedHandshake:
        return SmallKeys()


def test_a_peer_that_lets_no_key_be_changed() -> None:
    """It has everything, as it says by positions, but names no number after the first change."""
    peer = Rogue(security=(CheckedClient(), SmallServer()), config=config())
    peer.say(PING)
    while not peer.target.is_closed and peer.expected < 1_000:
        peer.target.write(b"x", now=peer.now)
        peer.wait(300 * MS)
        peer.say(PING + ack(peer.target.written, (0, 1)))
    assert peer.expected < 400
    assert isinstance(peer.target.error, RemoteProtocolError)
    assert isinstance(peer.heard[-1], frames.Reset)


# Data.


@pytest.mark.parametrize("kind", BOTH)
def test_data_beyond_the_window_are_refused_and_answered_with_the_window(kind: str) -> None:
    peer = opened(kind=kind)
    for start in (WINDOW, WINDOW - 5, 2**40, 2**62 - 12):
        (answer,) = acks(peer.say(frames.emit_data(start, b"0123456789")))
        assert answer.position == 0 and answer.window == WINDOW
        assert peer.number - 1 not in range(*answer.ranges[0])
    far = frames.DATA_HEAD.pack(frames.FrameType.DATA, 2**64 - 5) + b"0123456789"
    peer.say(far)
    assert peer.target.held_bytes == 0 and peer.target.stats().refused == 5


def test_what_lies_within_the_window_is_taken_although_more_came_with_it() -> None:
    peer = opened()
    size = 1_000
    bodies = [frames.emit_data(at, bytes(size)) for at in range(0, WINDOW + 5 * size, size)]
    peer.throw(*map(peer.datagram, bodies))
    assert peer.target.readable == WINDOW and peer.target.stats().refused == 5


def test_two_different_ends() -> None:
    peer = opened()
    peer.say(frames.emit_data(100, b"end", is_last=True))
    peer.say(frames.emit_data(100, b"another", is_last=True), frames.emit_data(50, b"", is_last=True))
    peer.say(frames.emit_data(102, b"beyond"))
    assert peer.target.stats().refused == 3
    peer.say(frames.emit_data(0, bytes(100)))
    assert peer.target.read(1_000, now=peer.now) == bytes(100) + b"end"
    assert peer.target.has_ended and peer.target.state is State.CLOSE_WAIT


def test_data_after_the_end_was_read() -> None:
    peer = opened()
    peer.say(frames.emit_data(0, b"all", is_last=True))
    peer.target.read(10, now=peer.now)
    for body in (frames.emit_data(3, b"more"), frames.emit_data(1, b"ll", is_last=True), frames.emit_data(0, b"all")):
        peer.say(body)
    assert peer.target.stats().refused == 1 and peer.target.readable == 0


@pytest.mark.parametrize("step", [2, 3])
def test_ten_thousand_holes(step: int) -> None:
    peer = opened(max_gaps=100)
    for at in range(1, 20_000, step):
        peer.say(frames.emit_data(at, b"x"))
        assert peer.target.held_bytes <= WINDOW
    assert peer.target.stats().refused > 6_000
    peer.say(frames.emit_data(0, bytes(20_000)))
    assert peer.target.readable == 20_000


def test_two_thousand_holes_between_numbers() -> None:
    peer = opened(max_tracked_ranges=200)
    tracemalloc.start()
    try:
        for number in range(10, 14_000, 2):
            peer.throw(peer.datagram(PING, number=number))
            peer.listen()
            peer.heard.clear()
            if number == 10_000:  # the last 4,096 that arrived are remembered to work out what was lost
                before = tracemalloc.get_traced_memory()[0]
        assert tracemalloc.get_traced_memory()[0] < before + 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", BOTH)
def test_numbers_that_leap(kind: str) -> None:
    """Each within reach of the one before (2**31), across several multiples of 2**32."""
    peer = opened(kind=kind)
    number = 0
    for _ in range(9):
        number += 2**31 - 2
        peer.throw(peer.datagram(PING, number=number))
        (answer,) = acks(peer.listen())
        assert answer.latest == number and answer.ranges[0] == (number, number + 1)
    peer.throw(peer.datagram(PING, number=number - 2**32 + 1))  # too old to be restored
    assert peer.target.stats().damaged == 1


def test_numbers_around_a_wrap_in_any_order() -> None:
    peer = opened()
    for number in (2**31 - 1, 2**32 - 2):
        peer.throw(peer.datagram(PING, number=number))
    for number in (2**32 + 1, 2**32 - 1, 2**32, 2**32 - 1):
        peer.throw(peer.datagram(PING, number=number))
    (*_, last) = acks(peer.listen())
    assert last.ranges[0] == (2**32 - 2, 2**32 + 2)
    assert peer.target.stats().duplicates == 1 and peer.target.stats().damaged == 0


# Floods.


def test_a_flood_of_challenges_is_answered_a_few_at_a_time() -> None:
    peer = opened()
    body = b"".join(frames.emit_path_challenge(number.to_bytes(8, "big")) for number in range(60))
    for _ in range(20):
        answers = peer.say(body)
        assert sum(isinstance(frame, frames.PathResponse) for frame in answers) <= 4


@pytest.mark.parametrize("source", [("198.18.0.1", 9), ("192.0.2.7", 53)])
def test_challenges_from_elsewhere_bring_there_three_times_what_came_at_most(source: tuple[str, int]) -> None:
    peer = opened()
    came = went = 0
    for number in range(200):
        body = frames.emit_path_challenge(number.to_bytes(8, "big")) + PING
        datagram = peer.datagram(body)
        peer.throw(datagram, source=source)
        came += len(datagram)
        while (train := peer.target.poll_transmit(now=peer.now)) is not None:
            went += train.nbytes if train.destination == source else 0
        peer.now += 50 * MS
        assert went <= 3 * came


def test_an_old_datagram_from_elsewhere_means_no_move() -> None:
    peer, elsewhere = opened(), ("192.0.2.99", 7)
    for is_old in (True, False):
        first, second = peer.datagram(PING), peer.datagram(PING)
        peer.throw(second if is_old else first)
        peer.drain()
        peer.throw(first if is_old else second, source=elsewhere)
        trains = iter(lambda: peer.target.poll_transmit(now=peer.now), None)
        assert (elsewhere in {train.destination for train in trains}) is not is_old


def test_a_flood_of_pings_brings_no_flood_of_acknowledgments() -> None:
    peer = opened()
    peer.throw(*[peer.datagram(PING) for _ in range(60)])
    assert len(peer.drain()) == 1
    peer.say(b"\1" * 64)
    assert len(peer.heard) <= 3


def test_acknowledgments_are_not_acknowledged() -> None:
    peer = opened()
    peer.wait(100 * MS)
    assert peer.say(ack(0, (0, peer.expected))) == []
    assert peer.wait(200 * MS) == []


def test_nothing_but_frames_that_make_no_sense() -> None:
    peer, rng = opened(), random.Random(1)
    for _ in range(500):
        kind = rng.choice([3, 7, 14, 0x20, 0xFF, 2, 10, 12])
        peer.say(bytes((kind,)) + rng.randbytes(rng.randrange(6)))
    assert peer.target.state in (State.ESTABLISHED, State.CLOSED)
    assert peer.target.stats().malformed > 400


# Words of the end at the wrong time.

STATES = ["SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "LAST_ACK", "CLOSING", "TIME_WAIT"]


def brought_to(name: str) -> Rogue:
    """A rogue whose target is in this state."""
    peer = Rogue(config=config())
    target = peer.target
    if name == "SYN_RECEIVED":
        return peer
    peer.say(PING)
    end = frames.emit_data(0, b"", is_last=True)
    if name in ("CLOSE_WAIT", "LAST_ACK"):
        peer.say(end)
    if name in ("FIN_WAIT_1", "FIN_WAIT_2", "LAST_ACK", "CLOSING", "TIME_WAIT"):
        target.finish(now=peer.now)
        peer.listen()
    if name in ("FIN_WAIT_2", "TIME_WAIT"):
        peer.say(ack(1, (0, peer.expected)))
    if name in ("CLOSING", "TIME_WAIT"):
        peer.say(end)
    assert target.state.name == name
    return peer


@pytest.mark.parametrize("name", STATES)
def test_a_reset_in_any_state(name: str) -> None:
    peer = brought_to(name)
    was_confirmed = peer.target.is_confirmed
    peer.say(frames.emit_reset(99, "enough") + PING)
    assert peer.target.is_closed and peer.target.poll_timeout() is None
    (closed,) = [event for event in peer.events if isinstance(event, Closed)]
    if was_confirmed:
        assert closed.error is None and peer.target.is_confirmed
    else:
        assert isinstance(closed.error, Reset) and closed.error.code == 99


@pytest.mark.parametrize("name", STATES)
def test_done_in_any_state(name: str) -> None:
    """It confirms an end to a side that has the peer's whole stream, and is nothing to any other."""
    peer = brought_to(name)
    state = peer.target.state
    peer.say(frames.emit_done() * 3)
    if name in ("LAST_ACK", "CLOSING", "TIME_WAIT"):
        assert peer.target.is_closed and peer.target.error is None
    else:
        assert peer.target.state is (State.ESTABLISHED if name == "SYN_RECEIVED" else state)


def test_done_does_not_confirm_what_was_never_sent() -> None:
    peer = opened()
    peer.target.write(bytes(5_000_000), now=peer.now)
    peer.target.finish(now=peer.now)
    peer.say(frames.emit_data(0, b"", is_last=True))
    assert peer.target.state is State.CLOSING
    peer.say(frames.emit_done())
    assert peer.target.state is State.CLOSING and not peer.target.is_confirmed


@pytest.mark.parametrize("name", STATES)
def test_everything_in_any_state(name: str) -> None:
    bodies = [
        PING,
        frames.emit_data(0, b"x" * 100),
        frames.emit_data(0, b"", is_last=True),
        frames.emit_data(500, b"x"),
        frames.emit_path_challenge(b"12345678") + frames.emit_path_response(b"12345678"),
        ack(0, (0, 1)),
        ack(1, (0, 3)),
        bytes(30),
        b"\xff",
    ]
    for body in bodies:
        peer = brought_to(name)
        peer.say(body, body)
        peer.wait(400 * S)
        assert peer.target.is_closed and peer.target.poll_timeout() is None


@pytest.mark.parametrize("is_server", [False, True])
def test_after_the_end_nothing_is_heard_or_said(is_server: bool) -> None:
    peer = opened(is_server=is_server)
    peer.target.abort(5, "over", now=peer.now)
    assert [type(frame) for frame in peer.listen()] == [frames.Reset]
    for body in (PING, frames.emit_data(0, b"x"), frames.emit_reset(1, ""), frames.emit_done()):
        assert peer.say(body) == []
    peer.target.handle_timeout(now=peer.now + S)
    peer.target.handle_refused(now=peer.now)
    peer.target.abort(5, "again", now=peer.now)
    assert peer.target.poll_timeout() is None and peer.listen() == []


# Addresses.


def test_an_address_that_proved_nothing_gets_no_stream() -> None:
    """The HELLO came from one address, the first sealed datagram from another."""
    peer = Rogue(config=config())
    peer.target.write(bytes(1_000_000), now=peer.now)
    peer.throw(peer.datagram(PING), source=("192.0.2.66", 6))
    went: dict[object, int] = {}
    for _ in range(100):
        while (train := peer.target.poll_transmit(now=peer.now)) is not None:
            went[train.destination] = went.get(train.destination, 0) + train.nbytes
        peer.now += 50 * MS
        peer.target.handle_timeout(now=peer.now)
    assert went.get(CLIENT, 0) <= 3_600 and went.get(("192.0.2.66", 6), 0) <= 3 * 30
