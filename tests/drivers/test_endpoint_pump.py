"""One turn of an endpoint: bounded, in order, and no peer can stop it."""

from __future__ import annotations

import errno
from collections import deque
from typing import Any

import pytest

from surewire.core.trains import Address, Buffer, Train
from surewire.core.units import NS_PER_S, NS_PER_US
from surewire.drivers.endpoint_pump import READS_PER_TURN, TRAINS_PER_TURN, EndpointPump
from surewire.drivers.udp import UdpSocket
from tests.drivers.fake_udp import LOCALHOST, PEER, FakeRaw


class FakeEndpoint:
    """Notes what it is told, and has the trains and the deadline that it is given."""

    asked_at = 0

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.trains: deque[Train] = deque()
        self.due: int | None = None
        self.memory: memoryview | None = None

    def lend(self, memory: memoryview) -> None:
        self.memory = memory

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        assert self.memory is not None and self.memory[: len(buffer)] == buffer
        self.told.append(("datagrams", bytes(buffer), stride, source))

    def handle_timeout(self, *, now: int) -> None:
        self.told.append(("timeout", now))
        self.due = None

    def handle_refused(self, *, now: int) -> None:
        self.told.append(("refused",))

    def handle_too_long(self, size: int, *, destination: Address, now: int) -> None:
        self.told.append(("too long", size, destination))

    def poll_transmit(self, *, now: int) -> Train | None:
        return self.trains.popleft() if self.trains else None

    def poll_timeout(self) -> int | None:
        return self.due


class Room:
    def __init__(
        self, *, remote: tuple[str, int] | None = PEER, dont_fragment: bool = False, has_segment: bool = True
    ) -> None:
        self.raw = FakeRaw(has_segment=has_segment)
        self.endpoint = FakeEndpoint()
        self.now = 1000
        udp = UdpSocket(LOCALHOST, remote=remote, raw=self.raw, dont_fragment=dont_fragment)
        self.pump = EndpointPump(self.endpoint, udp, clock=lambda: self.now)

    def queue(self, *datagrams: bytes) -> None:
        self.endpoint.trains.extend(Train([each], len(each), len(each), PEER) for each in datagrams)


@pytest.fixture
def room() -> Room:
    return Room()


def test_what_came_is_handed_in_and_deadlines_pass_afterwards(room: Room) -> None:
    room.raw.reads.extend([(b"one", [], PEER), (b"three", [], PEER)])
    room.endpoint.due = 1000
    assert room.pump.receive()
    assert room.endpoint.told == [
        ("datagrams", b"one", 3, PEER),
        ("datagrams", b"three", 5, PEER),
        ("timeout", 1000),
    ]
    assert not room.pump.receive()


def test_a_deadline_that_has_not_come_is_no_timeout(room: Room) -> None:
    room.endpoint.due = 1001
    assert not room.pump.receive()
    assert room.endpoint.told == []
    assert room.pump.deadline() == 1001


def test_what_comes_after_a_turn_that_ended_at_its_bound_is_read_before_a_deadline_passes(room: Room) -> None:
    room.raw.reads.extend((b"x" * size, [], PEER) for size in range(1, READS_PER_TURN + 1))
    room.pump.receive()  # its last read has also seen that nothing is left
    room.raw.reads.append((b"late", [], PEER))
    room.endpoint.due = room.now
    room.pump.receive()
    assert room.endpoint.told[READS_PER_TURN:] == [("datagrams", b"late", 4, PEER), ("timeout", room.now)]


def test_nothing_gathers_while_more_waits_than_a_turn_reads(room: Room) -> None:
    for size in range(1, 65):
        room.now += 120 * NS_PER_US
        room.raw.reads.append((b"x" * (1000 + size), [], PEER))
        room.pump.receive()
    room.now += NS_PER_S
    assert room.pump.patience() > 0
    room.raw.reads.extend((b"x" * size, [], PEER) for size in range(1, READS_PER_TURN + 2))
    room.pump.receive()
    assert room.pump.patience() == 0
    room.pump.receive()
    assert room.pump.patience() > 0


def test_a_refusal_is_told(room: Room) -> None:
    room.raw.reads.append(errno.ECONNREFUSED)
    assert room.pump.receive()
    assert room.endpoint.told == [("refused",)]


def test_a_turn_reads_no_more_than_its_bound(room: Room) -> None:
    # Each is longer than the one before, so none joins another.
    room.raw.reads.extend((b"x" * size, [], PEER) for size in range(1, READS_PER_TURN + 2))
    room.pump.receive()
    assert len(room.endpoint.told) == READS_PER_TURN
    room.pump.receive()
    assert len(room.endpoint.told) == READS_PER_TURN + 1


def test_a_datagram_that_the_socket_holds_makes_the_next_turn_due_at_once() -> None:
    """Where the kernel joins nothing, the socket reads one datagram too many; nothing else would tell of it."""
    room = Room(has_segment=False)
    sizes = range(1, READS_PER_TURN + 2)  # each is longer than the one before, so none joins another
    room.raw.reads.extend((b"x" * size, [], PEER) for size in sizes)
    room.pump.receive()
    assert [told[2] for told in room.endpoint.told] == list(sizes)[:READS_PER_TURN] and not room.raw.reads
    assert room.pump.deadline() == 0
    room.pump.receive()
    assert [told[2] for told in room.endpoint.told] == list(sizes)
    assert room.pump.deadline() is None


def test_a_turn_sends_no_more_than_its_bound_and_the_next_is_due_at_once(room: Room) -> None:
    room.queue(*[b"%d" % number for number in range(TRAINS_PER_TURN + 1)])
    room.endpoint.due = 5000
    room.pump.send()
    assert len(room.raw.datagrams) == TRAINS_PER_TURN
    assert room.pump.deadline() == 0
    room.pump.send()
    assert len(room.raw.datagrams) == TRAINS_PER_TURN + 1
    assert room.pump.deadline() == 5000


def test_a_full_socket_blocks_until_it_has_taken_what_waits(room: Room) -> None:
    room.raw.room = 1
    room.queue(b"one", b"two", b"three")
    room.pump.send()
    assert room.pump.is_blocked
    room.pump.send()
    assert (room.raw.datagrams, len(room.endpoint.trains)) == ([b"one"], 1)
    room.raw.room = None
    room.pump.send()
    assert room.raw.datagrams == [b"one", b"two", b"three"]
    assert not room.pump.is_blocked


def test_a_peer_that_cannot_be_sent_to_stops_nobody_else() -> None:
    room = Room(remote=None)
    room.raw.script.append(errno.EACCES)
    room.queue(b"to a forged address", b"to somebody else")
    room.pump.send()
    assert room.pump.unsendable == 1
    assert room.pump.deadline() == 0
    room.pump.send()
    assert room.raw.datagrams == [b"to somebody else"]


@pytest.mark.parametrize(("remote", "code"), [(PEER, errno.EACCES), (None, errno.EBADF)])
def test_a_socket_that_is_of_no_use_is_an_error(remote: tuple[str, int] | None, code: int) -> None:
    room = Room(remote=remote)
    room.raw.script.append(code)
    room.queue(b"x")
    with pytest.raises(OSError):
        room.pump.send()


def test_a_datagram_that_is_too_long_for_the_interface_is_told() -> None:
    room = Room(dont_fragment=True)
    room.raw.script.append(errno.EMSGSIZE)
    room.queue(b"x" * 2000)
    room.pump.send()
    assert room.endpoint.told == [("too long", 2000, PEER)]


def test_a_steady_bulk_may_gather_until_something_is_asked(room: Room) -> None:
    assert room.pump.patience() == 0
    for size in range(1, 65):
        room.now += 120 * NS_PER_US
        room.raw.reads.append((b"x" * (1000 + size), [], PEER))
        room.pump.receive()
    room.endpoint.asked_at = room.now - NS_PER_S
    assert room.pump.patience() == 7 * 120 * NS_PER_US
    room.endpoint.asked_at = room.now
    assert room.pump.patience() == 0
