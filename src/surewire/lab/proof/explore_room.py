"""The small world that the explorer explores: two sides, the datagrams between them, and a clock.

Nothing here is random. What becomes of each datagram, and when, is decided by whoever calls `deliver`, `duplicate`,
`drop` and `wait`. A datagram arrives `HOP` after it was sent at the earliest; timers due by then ring before it
arrives. Whoever always takes the first datagram, or waits when there is none, is a good network: no loss, order kept.

Invariants: the clock never goes back; a side that has closed has left, and what is on its way to it is gone;
datagrams are in the order in which a good network delivers them.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from surewire.core.events import Closed, Event
from surewire.core.trains import Address
from surewire.core.units import NS_PER_MS
from surewire.errors import SurewireError
from surewire.sim import Endpoint

HOP = 20 * NS_PER_MS
"""Time a datagram takes at least, ns: longer than RDP holds acknowledgments back, shorter than a probe timeout."""

ORIGIN = 3 * 10**17
"""The time at which a room opens, ns: so large that a number near it is a time."""

ADDRESSES: tuple[Address, Address] = (("192.0.2.1", 8000), ("192.0.2.2", 8000))
"""Where the two sides are."""

_MAX_ROUNDS = 200  # of a side that is served: more is a loop without end
_MAX_DATAGRAMS = 1000  # in one round


class Misbehaved(SurewireError):
    """A side did what no side may do, whatever the network does."""


class Actor(Protocol):
    """A session and its application."""

    @property
    def endpoint(self) -> Endpoint:
        """The session."""

    @property
    def max_datagram(self) -> int:
        """Bytes: the most that its format allows."""

    def on_event(self, event: Event, now: int) -> None:
        """Take an event of the session; may call the session's verbs."""

    def on_turn(self, now: int) -> bool:
        """Read and write; True if a verb of the session was called."""


class Datagram(NamedTuple):
    """One that is on its way. `arrives`: when it does at the earliest, ns."""

    arrives: int
    destination: int  # index of the side
    content: bytes


class Seat:
    """A side's place in the room. It is empty until `starts_at`; what comes before is lost."""

    def __init__(self, actor: Actor, *, starts_at: int = ORIGIN) -> None:
        self.actor = actor
        self.starts_at: int | None = starts_at  # None once it has started
        self.closed: Closed | None = None

    @property
    def is_open(self) -> bool:
        """True while datagrams find somebody here."""
        return self.starts_at is None and self.closed is None

    def next_deadline(self) -> int | None:
        """When it wants to be woken."""
        if self.closed is not None:
            return None
        return self.actor.endpoint.poll_timeout() if self.starts_at is None else self.starts_at


class Room:
    """Two seats and what is between them."""

    def __init__(self, first: Seat, second: Seat) -> None:
        self.seats = (first, second)
        self.on_way: list[Datagram] = []
        self.now = ORIGIN
        self._ring_until(ORIGIN)

    @property
    def is_over(self) -> bool:
        """True when both sides have closed."""
        return all(seat.closed is not None for seat in self.seats)

    def next_timer(self) -> int | None:
        """When a side wants to be woken next; None when neither does."""
        return min((at for seat in self.seats if (at := seat.next_deadline()) is not None), default=None)

    # What the network can do.

    def deliver(self, index: int) -> None:
        """Let a datagram arrive.

        Raises:
            Misbehaved: a side did what it may not; so with the other verbs.
        """
        self._arrive(self.on_way.pop(index))

    def duplicate(self, index: int) -> None:
        """Let a copy of a datagram arrive; the datagram itself stays on its way."""
        self._arrive(self.on_way[index])

    def drop(self, index: int) -> None:
        """Lose a datagram."""
        del self.on_way[index]

    def wait(self) -> None:
        """Let time go to the next timer, though datagrams may be late then."""
        at = self.next_timer()
        if at is None:
            raise Misbehaved(f"it hangs: no timer is set, and {self._who_is_open()} has not closed")
        self._ring_until(at)

    def step(self) -> None:
        """Do what a good network does next."""
        if self.on_way:
            self.deliver(0)
        else:
            self.wait()

    # How.

    def _arrive(self, datagram: Datagram) -> None:
        self._ring_until(max(self.now, datagram.arrives))
        seat = self.seats[datagram.destination]
        if seat.is_open:
            source, content = ADDRESSES[1 - datagram.destination], datagram.content
            seat.actor.endpoint.handle_datagrams(content, max(len(content), 1), source, now=self.now)
            self._serve(datagram.destination)

    def _ring_until(self, until: int) -> None:
        """Ring every timer due by `until`, earliest first, and let it be that late."""
        for _ in range(_MAX_ROUNDS):
            due = [(at, index) for index, seat in enumerate(self.seats) if (at := seat.next_deadline()) is not None]
            if not due or min(due)[0] > until:
                self.now = max(self.now, until)
                return
            at, index = min(due)
            self.now = max(self.now, at)
            seat = self.seats[index]
            if seat.starts_at is not None:
                seat.starts_at = None
            else:
                seat.actor.endpoint.handle_timeout(now=self.now)
            self._serve(index)
        raise Misbehaved("its timers never rest")

    def _serve(self, index: int) -> None:
        """Poll a session, and let its application act, until both have nothing to do."""
        seat = self.seats[index]
        actor = seat.actor
        for _ in range(_MAX_ROUNDS):
            self._collect(index)
            is_busy = False
            while (event := actor.endpoint.poll_event()) is not None:
                if seat.closed is not None:
                    raise Misbehaved(f"side {index} goes on after its end: {event}")
                if isinstance(event, Closed):
                    seat.closed = event
                actor.on_event(event, self.now)
                is_busy = True
            if not actor.on_turn(self.now) and not is_busy:
                break
        else:
            raise Misbehaved(f"side {index} is never done with one turn")
        if seat.closed is not None:
            if (at := actor.endpoint.poll_timeout()) is not None:
                raise Misbehaved(f"side {index} has closed and wants to be woken at {at}")
            self.on_way = [datagram for datagram in self.on_way if datagram.destination != index]

    def _collect(self, index: int) -> None:
        """Put what a session sends on its way."""
        actor, other = self.seats[index].actor, self.seats[1 - index]
        for _ in range(_MAX_DATAGRAMS):
            train = actor.endpoint.poll_transmit(now=self.now)
            if train is None:
                break
            for content in train.datagrams():
                if len(content) > actor.max_datagram:
                    raise Misbehaved(f"side {index} sent {len(content)} bytes, more than {actor.max_datagram}")
                if other.closed is None and train.destination == ADDRESSES[1 - index]:
                    self.on_way.append(Datagram(self.now + HOP, 1 - index, content))
        else:
            raise Misbehaved(f"side {index} never stops sending")
        self.on_way.sort(key=_by_time)

    def _who_is_open(self) -> str:
        return " and ".join(f"side {index}" for index, seat in enumerate(self.seats) if seat.closed is None)


def _by_time(datagram: Datagram) -> tuple[int, int]:
    """Of those sent at once, the first side's come first: which were put here first is nobody's business."""
    return datagram.arrives, datagram.destination
