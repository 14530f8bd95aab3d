"""The blocking driver: it sends all, hands out events in order, keeps deadlines, and its last word gets out."""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections import deque
from collections.abc import Iterator

import pytest

from surewire.core.events import Closed, Established, Event
from surewire.core.trains import Address, Buffer, Train
from surewire.core.units import NS_PER_MS
from surewire.drivers.blocking import BlockingDriver
from surewire.drivers.udp import UdpSocket
from surewire.errors import IdleTimeout
from tests.drivers.fake_udp import LOCALHOST, PEER, FakeRaw, UnixRaw


class FakeSession:
    """Sends what is in `trains`, keeps what it is given, and closes when told or at its deadline."""

    def __init__(self) -> None:
        self.trains: deque[Train] = deque()
        self.events: deque[Event] = deque()
        self.heard: list[tuple[bytes, Address]] = []
        self.times: list[int] = []
        self.deadline: int | None = None
        self.refusals = 0
        self.closes_after = 0  # datagrams

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        data = bytes(buffer)
        self.times.append(now)
        self.heard += [(data[i : i + stride], source) for i in range(0, len(data), stride)]
        if len(self.heard) == self.closes_after:
            self.close()

    def handle_timeout(self, *, now: int) -> None:
        assert self.deadline is not None
        assert now >= self.deadline
        self.deadline = None
        self.events.append(Closed(IdleTimeout("nobody came")))

    def handle_refused(self, *, now: int) -> None:
        self.refusals += 1
        self.close()

    def poll_transmit(self, *, now: int) -> Train | None:
        self.times.append(now)
        return self.trains.popleft() if self.trains else None

    def poll_timeout(self) -> int | None:
        return self.deadline

    def poll_event(self) -> Event | None:
        return self.events.popleft() if self.events else None

    def close(self) -> None:
        self.events.append(Closed(None))


def one(data: bytes, destination: Address) -> Train:
    return Train([data], len(data), len(data), destination)


def drive(session: FakeSession, udp: UdpSocket) -> tuple[Closed, list[Event]]:
    """Run it; the result and all events handed out."""
    events: list[Event] = []
    return BlockingDriver(session, udp, on_event=events.append, on_turn=lambda: None).run(), events


@contextlib.contextmanager
def other_side() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(LOCALHOST)
        sock.settimeout(20)
        yield sock


def test_sends_receives_and_ends() -> None:
    session = FakeSession()
    session.closes_after = 3
    with other_side() as other, UdpSocket(LOCALHOST) as udp:
        session.trains += [one(b"a", other.getsockname()), one(b"bc", other.getsockname())]
        session.events.append(Established(other.getsockname(), False))
        for text in (b"1", b"2", b"3"):
            other.sendto(text, udp.address)
        closed, events = drive(session, udp)
        assert [other.recv(10), other.recv(10)] == [b"a", b"bc"]
    assert [text for text, _ in session.heard] == [b"1", b"2", b"3"]
    assert closed.error is None
    assert [type(event) for event in events] == [Established, Closed]
    assert session.times == sorted(session.times)


def test_a_deadline_wakes_it() -> None:
    session = FakeSession()
    with UdpSocket(LOCALHOST) as udp:
        session.deadline = time.monotonic_ns() + 20 * NS_PER_MS
        closed, _ = drive(session, udp)
    assert isinstance(closed.error, IdleTimeout)


def test_a_deadline_is_kept_under_a_flood() -> None:
    session = FakeSession()
    with other_side() as other, UdpSocket(LOCALHOST) as udp:
        session.deadline = time.monotonic_ns()

        def flood() -> int | None:
            for size in range(1, 51):  # each is longer than the one before, so none joins another
                other.sendto(b"x" * size, udp.address)
            return None

        closed = BlockingDriver(session, udp, on_event=lambda event: None, on_turn=flood).run()
    assert isinstance(closed.error, IdleTimeout)
    assert len(session.heard) < 50  # it did not empty the socket first


def test_a_refusal_is_handed_on() -> None:
    session = FakeSession()
    with other_side() as other:
        closed_port = other.getsockname()
    with UdpSocket(LOCALHOST, remote=closed_port) as udp:
        session.trains.append(one(b"anybody?", closed_port))
        drive(session, udp)
    assert session.refusals == 1


def test_a_turn_may_act_and_is_repeated_as_soon_as_it_wishes() -> None:
    session = FakeSession()
    turns = 0

    def on_turn() -> int | None:
        nonlocal turns
        turns += 1
        if turns == 5:
            session.close()
        return 0

    with UdpSocket(LOCALHOST) as udp:
        BlockingDriver(session, udp, on_event=lambda event: None, on_turn=on_turn).run()
    assert turns == 7  # one more to hand out the event, the last after the last sending


def test_what_an_event_makes_the_session_send_still_leaves() -> None:
    session = FakeSession()
    with other_side() as other, UdpSocket(LOCALHOST) as udp:
        session.close()

        def on_event(event: Event) -> None:
            session.trains.append(one(b"farewell", other.getsockname()))

        BlockingDriver(session, udp, on_event=on_event, on_turn=lambda: None).run()
        assert other.recv(20) == b"farewell"


def test_the_last_word_waits_for_a_full_socket() -> None:
    """The room comes only after the session has closed."""
    session = FakeSession()
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    far.settimeout(20)
    with near, far, UdpSocket(LOCALHOST, remote=PEER, raw=UnixRaw(near)) as udp:
        near.setblocking(False)
        filling = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                near.send(b"filling")
                filling += 1
        session.trains += [one(b"last data", PEER), one(b"reset", PEER)]
        far.send(b"unread")  # must not keep it from sleeping, nor be taken for an event
        session.close()
        turns: list[bool] = []

        def on_turn() -> int | None:
            turns.append(udp.pending)
            for _ in range(filling if len(turns) == 1 else 0):
                far.recv(20)
            return None

        BlockingDriver(session, udp, on_event=lambda event: None, on_turn=on_turn).run()
        assert turns == [True, False]
        assert [far.recv(20), far.recv(20)] == [b"last data", b"reset"]


def test_a_socket_that_stays_full_does_not_keep_it() -> None:
    session = FakeSession()
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with near, far, UdpSocket(LOCALHOST, remote=PEER, raw=UnixRaw(near)) as udp:
        near.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                near.send(b"filling")
        session.trains.append(one(b"last data", PEER))
        session.close()
        closed, _ = drive(session, udp)
        assert closed.error is None
        assert udp.pending


def test_an_unusable_socket_is_an_error() -> None:
    raw = FakeRaw()
    raw.script.append(errno.EACCES)
    session = FakeSession()
    session.trains.append(one(b"x", PEER))
    with UdpSocket(LOCALHOST, raw=raw) as udp, pytest.raises(PermissionError):
        drive(session, udp)
