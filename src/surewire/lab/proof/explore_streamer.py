"""Streamer to explore: short streams one way and both ways, from the opening or at the end, a late peer, an abort."""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import Enum, auto

from surewire.core.events import Closed, Event
from surewire.core.state import State
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.lab.proof.explore_room import ADDRESSES, ORIGIN, Room, Seat
from surewire.lab.proof.explorer import World
from surewire.streamer.config import Pipelining, StreamerConfig
from surewire.streamer.session import StreamerSession
from surewire.wire import compact

_LATE = 700 * NS_PER_MS  # after which the late peer comes up: several openings have met nobody
_LONELY_DEADLINE_S = 155  # of a side that never met the peer, which has gone: 120 s, and a silence of 30 s
LARGE = bytes(range(256)) * 7  # two segments


class Finishes(Enum):
    """When an application closes its side."""

    AT_ONCE = auto()  # when it has written all
    ACKNOWLEDGED = auto()  # when all is acknowledged and it has read something: the FIN goes alone
    BEHIND = auto()  # when it has read everything up to the peer's FIN


class StreamingActor:
    """A session whose application writes, reads everything, and closes.

    Args (of the constructor):
        index: the seat.
        data: written at the start.
        finishes: when it closes its side, see `Finishes`.
        aborts: gives up as soon as it has read something.
        config: of the session; the default one when None.
        starts_at: when it is constructed, ns.
    """

    max_datagram = compact.MAX_PACKET

    def __init__(
        self,
        index: int,
        data: bytes,
        *,
        finishes: Finishes = Finishes.AT_ONCE,
        aborts: bool = False,
        config: StreamerConfig | None = None,
        starts_at: int = ORIGIN,
    ) -> None:
        self.endpoint = StreamerSession(
            ADDRESSES[1 - index], rng=random.Random(index), now=starts_at, config=config or StreamerConfig()
        )
        self.got = b""
        self.written = b""
        self.has_finished = False
        self._to_write = data
        self._finishes = finishes
        self._aborts = aborts

    def on_event(self, event: Event, now: int) -> None:
        """Nothing to do."""

    def on_turn(self, now: int) -> bool:
        """Write, read, and close when it is time."""
        session, was = self.endpoint, (self.got, self.written, self.has_finished)
        self.got += session.read()
        if session.state in (State.ESTABLISHED, State.CLOSE_WAIT) and not self.has_finished:
            if self._to_write:
                taken = session.write(self._to_write, now=now)
                self.written += self._to_write[:taken]
                self._to_write = self._to_write[taken:]
            session.flush(now=now)
            if not self._to_write and self._may_finish():
                session.finish(now=now)
                self.has_finished = True
        if self._aborts and self.got and session.state is not State.CLOSED:
            session.abort("enough", now=now)
        return was != (self.got, self.written, self.has_finished)

    def _may_finish(self) -> bool:
        session = self.endpoint
        if self._finishes is Finishes.BEHIND:
            return session.has_ended
        return self._finishes is Finishes.AT_ONCE or (session.unacknowledged == 0 and self.got != b"")


def sides(room: Room) -> tuple[StreamingActor, StreamingActor]:
    """The actors in their seats."""
    first, second = (seat.actor for seat in room.seats)
    assert isinstance(first, StreamingActor) and isinstance(second, StreamingActor)
    return first, second


def false_claim(room: Room) -> str | None:
    """Says when something was read that was not written, or a side claims what is not so."""
    both = sides(room)
    for index in (0, 1):
        side, other, closed = both[index], both[1 - index], room.seats[index].closed
        if not other.written.startswith(side.got):
            return f"side {index} read {side.got[:40]!r}..., which is not how what was written begins"
        if side.endpoint.has_ended and not (other.has_finished and side.got == other.written):
            return (
                f"side {index} was told that the stream has ended after {len(side.got)} of {len(other.written)} bytes"
            )
        if side.endpoint.unacknowledged < len(side.written) - len(other.got):
            return f"side {index} was told that bytes have arrived which the other has not"
        if closed is not None and closed.error is None and other.got != side.written:
            return f"side {index} ended well, and the other has {len(other.got)} of {len(side.written)} bytes"
    return None


def is_delivered(room: Room) -> str | None:
    """Says when it did not end as it should on a path that recovers: both sides well, and everything was read."""
    both = sides(room)
    for index, seat in enumerate(room.seats):
        assert seat.closed is not None
        if seat.closed != Closed(None):
            return f"side {index} ended with {seat.closed.error!r}, note {seat.closed.note!r}"
        if not both[index].endpoint.has_ended:
            return f"side {index} closed before it knew that it had everything"
    return None


def has_closed(room: Room) -> str | None:
    """Asks nothing more than that both sides have closed."""
    return None


def outcome(room: Room) -> str:
    """Both ends in a few words."""
    words = []
    for index, seat in enumerate(room.seats):
        assert seat.closed is not None
        how = "well" if seat.closed.error is None else type(seat.closed.error).__name__
        words.append(f"side {index} {how}{', with a note' if seat.closed.note else ''}")
    return "; ".join(words)


def describe(datagram: bytes) -> str:
    """What a packet consists of."""
    flags = datagram[4]
    names = ("SYN", "number", "data", "FIN", "ACK", "holes", "wide", "FULL")
    return f"{'+'.join(name for bit, name in enumerate(names) if flags & 0x80 >> bit)} ({len(datagram)} bytes)"


def streams(
    name: str,
    description: str,
    make: Callable[[], tuple[StreamingActor, StreamingActor]],
    *,
    judge: Callable[[Room], str | None] = is_delivered,
    deadline_s: int = 40,
    second_starts_at: int = ORIGIN,
    begins: Callable[[Room], bool] = lambda room: True,
) -> World:
    """Two actors, the second perhaps later."""

    def open_room() -> Room:
        first, second = make()
        return Room(Seat(first), Seat(second, starts_at=second_starts_at))

    return World(
        name=name,
        description=description,
        open=open_room,
        check=false_claim,
        judge=judge,
        outcome=outcome,
        deadline=deadline_s * NS_PER_S,
        begins=begins,
        describe=describe,
    )


def is_closing(room: Room) -> bool:
    """True once a side has closed its direction."""
    return any(side.has_finished for side in sides(room))


def pair(
    first: bytes,
    second: bytes,
    *,
    finishes: tuple[Finishes, Finishes] = (Finishes.AT_ONCE, Finishes.AT_ONCE),
    config: StreamerConfig | None = None,
) -> Callable[[], tuple[StreamingActor, StreamingActor]]:
    """Makes two actors that write these bytes."""
    return lambda: (
        StreamingActor(0, first, finishes=finishes[0], config=config),
        StreamingActor(1, second, finishes=finishes[1], config=config),
    )


_GO_BACK_N = StreamerConfig(pipelining=Pipelining.GO_BACK_N)
_STOP_AND_WAIT = StreamerConfig(pipelining=Pipelining.STOP_AND_WAIT)

WORLDS: tuple[World, ...] = (
    streams("nothing", "both open, write nothing and close", pair(b"", b"")),
    streams("both", "both open at once, write a few bytes and close", pair(b"ping", b"pong")),
    streams("one-way", "one writes two segments and closes, the other closes behind it",
           pair(LARGE, b"", finishes=(Finishes.AT_ONCE, Finishes.BEHIND))),
    streams("answer", "both write; one closes at once, the other behind it",
           pair(b"ping", b"pong", finishes=(Finishes.AT_ONCE, Finishes.BEHIND))),
    streams("both-large", "both write two segments and close", pair(LARGE, LARGE)),
    streams("late", "one writes and closes before the other is there",
           lambda: (StreamingActor(0, b"ping"), StreamingActor(1, b"pong", starts_at=ORIGIN + _LATE)),
           second_starts_at=ORIGIN + _LATE),
    streams("abort", "both write; the second gives up when it has read something",
           lambda: (StreamingActor(0, LARGE, finishes=Finishes.BEHIND), StreamingActor(1, b"pong", aborts=True)),
           judge=has_closed, deadline_s=_LONELY_DEADLINE_S),
    streams("closing", "from the first FIN on, both have exchanged a few bytes and close",
            pair(b"ping", b"pong", finishes=(Finishes.ACKNOWLEDGED, Finishes.ACKNOWLEDGED)), begins=is_closing),
    streams("closing-behind", "from the first FIN on; the second side closes behind the first",
            pair(b"ping", b"pong", finishes=(Finishes.ACKNOWLEDGED, Finishes.BEHIND)), begins=is_closing),
    streams("go-back-n", "both write two segments and close, go-back-N", pair(LARGE, LARGE, config=_GO_BACK_N)),
    streams("stop-and-wait", "both write two segments and close, stop-and-wait",
           pair(LARGE, LARGE, config=_STOP_AND_WAIT)),
)  # fmt: skip
