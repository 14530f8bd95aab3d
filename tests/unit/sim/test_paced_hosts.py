"""Hosts whose sendto blocks, and applications that act after each round: order, late binding, counters."""

from __future__ import annotations

import random

import pytest

from surewire.core.events import Closed, Event
from surewire.core.trains import Address, Buffer, Train
from surewire.impair import ClassroomConfig, ClassroomLink, Link, LinkConfig
from surewire.sim import Host, Network, OneWayLink

MS = 1_000_000
A, B = ("a", 1), ("b", 2)


class Talker:
    """An endpoint that builds a datagram only when polled: the time, and how many it has received until then."""

    def __init__(self, destination: Address, *, wants: int = 0, datagrams_at_once: int = 1) -> None:
        self.destination = destination
        self.wants = wants
        self.datagrams_at_once = datagrams_at_once
        self.polled: list[int] = []
        self.received: list[tuple[int, bytes]] = []
        self.rang: list[int] = []
        self.deadlines: list[int] = []
        self.events: list[Event] = []
        self.clears_deadlines = True

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        self.received.append((now, bytes(buffer)))

    def handle_timeout(self, *, now: int) -> None:
        self.rang.append(now)
        if self.clears_deadlines:
            self.deadlines = [deadline for deadline in self.deadlines if deadline > now]

    def poll_transmit(self, *, now: int) -> Train | None:
        self.polled.append(now)
        if not self.wants:
            return None
        self.wants -= 1
        self.deadlines = [deadline for deadline in self.deadlines if deadline > now]
        data = b"%03d:%03d" % (now // MS, len(self.received))
        count = self.datagrams_at_once
        return Train((data * count,), len(data), len(data) * count, self.destination)

    def poll_timeout(self) -> int | None:
        return min(self.deadlines, default=None)

    def poll_event(self) -> Event | None:
        return self.events.pop(0) if self.events else None


def ignore(event: Event, now: int) -> None:
    pass


class Pair:
    """A talker that sends, at A, and one that listens, at B."""

    def __init__(self, a: Talker, *, send_time: int = 10 * MS, link: OneWayLink | None = None) -> None:
        self.network = Network(traced=True)
        self.a, self.b = a, Talker(A)
        self.host_a = Host(A, a, ignore, send_time=send_time)
        self.host_b = Host(B, self.b, ignore, send_time=send_time)
        link = link or Link(LinkConfig(delay=5 * MS), random.Random(1))
        self.network.connect(self.host_a, self.host_b, link)
        self.network.connect(self.host_b, self.host_a, link)
        self.network.add(self.host_a)
        self.network.add(self.host_b)

    def run(self, until: int = 1_000 * MS) -> Pair:
        self.network.run(until=until)
        return self


def test_a_datagram_is_built_when_the_send_begins_and_leaves_when_it_ends() -> None:
    pair = Pair(Talker(B, wants=3)).run()
    assert pair.b.received == [(15 * MS, b"000:000"), (25 * MS, b"010:000"), (35 * MS, b"020:000")]


def test_without_a_send_time_all_leaves_at_once() -> None:
    pair = Pair(Talker(B, wants=3), send_time=0).run()
    assert pair.b.received == [(5 * MS, b"000:000")] * 3


def test_nothing_is_polled_while_a_send_is_in_progress() -> None:
    pair = Pair(Talker(B, wants=2))
    for time in (3, 7, 13):
        pair.network.at(time * MS, lambda: pair.network.inject(b"x", source=B, destination=pair.host_a))
    pair.run()
    # at 20 the last send ends, and the endpoint has nothing more
    assert pair.a.polled == [0, 10 * MS, 20 * MS]
    # what arrived meanwhile is in the datagram that was built after it
    assert [data for _, data in pair.b.received] == [b"000:000", b"010:002"]


def test_arrivals_and_timeouts_go_on_during_a_send() -> None:
    talker = Talker(B, wants=1)
    talker.deadlines = [4 * MS, 8 * MS, 12 * MS]
    pair = Pair(talker)
    pair.network.at(6 * MS, lambda: pair.network.inject(b"x", source=B, destination=pair.host_a))
    pair.run()
    assert talker.received == [(6 * MS, b"x")]
    assert talker.rang == [4 * MS, 8 * MS, 12 * MS]


def test_a_deadline_that_only_sending_can_clear_waits_for_the_end_of_the_send() -> None:
    talker = Talker(B, wants=2)
    talker.clears_deadlines = False
    pair = Pair(talker)
    pair.network.at(1 * MS, lambda: talker.deadlines.append(4 * MS))
    pair.network.at(1 * MS, lambda: pair.network.service(pair.host_a))
    pair.run()
    assert talker.rang == [4 * MS]
    assert talker.polled == [0, 10 * MS, 20 * MS]


def test_the_datagrams_of_a_train_leave_one_after_the_other() -> None:
    pair = Pair(Talker(B, wants=2, datagrams_at_once=3)).run()
    assert [time // MS for time, _ in pair.b.received] == [15, 25, 35, 45, 55, 65]
    assert pair.a.polled == [0, 30 * MS, 60 * MS]


def test_each_host_counts_what_it_gave_to_its_socket() -> None:
    pair = Pair(Talker(B, wants=2, datagrams_at_once=3)).run(until=35 * MS)
    # the second train was given to the socket at 30, only the first has left
    assert (pair.host_a.datagrams, pair.host_a.sent_bytes, pair.host_a.max_datagram) == (6, 42, 7)
    assert pair.host_a.first_sent_at == 0
    assert pair.network.datagrams == 3
    assert (pair.host_b.datagrams, pair.host_b.sent_bytes, pair.host_b.first_sent_at) == (0, 0, None)


def test_the_time_of_the_first_send_stays() -> None:
    pair = Pair(Talker(B))
    for time in (30, 60):

        def speak() -> None:
            pair.a.wants = 1
            pair.network.service(pair.host_a)

        pair.network.at(time * MS, speak)
    pair.run()
    assert pair.host_a.first_sent_at == 30 * MS
    assert pair.host_a.datagrams == 2


def test_a_class_room_link_serves_as_any_other() -> None:
    config = ClassroomConfig(loss=0.2, corruption=0.2, max_delay=100 * MS)
    link = ClassroomLink(config, random.Random(1))
    pair = Pair(Talker(B, wants=200), link=link).run(until=5_000 * MS)
    assert link.stats.offered == 200 and link.stats.lost > 0 and link.stats.corrupted > 0
    assert len(pair.b.received) == link.stats.delivered
    data = [datagram for _, datagram in pair.b.received]
    assert data != sorted(data)
    assert [time for time, _ in pair.b.received] == sorted(time for time, _ in pair.b.received)


def test_the_trace_has_the_time_a_datagram_left() -> None:
    traces = {Pair(Talker(B, wants=2), send_time=time * MS).run().network.trace_hash for time in (10, 10, 11)}
    assert len(traces) == 2


# Applications


def test_an_application_acts_after_the_events_and_what_it_does_is_sent() -> None:
    talker = Talker(B)
    order: list[str] = []
    talker.events.append(Closed(None))

    def on_turn(now: int) -> bool:
        order.append(f"turn {now // MS}")
        if order.count("turn 0") > 1:
            return False
        talker.wants += 1
        return True

    pair = Pair(talker)
    pair.host_a.on_event = lambda event, now: order.append("event")
    pair.host_a.on_turn = on_turn
    pair.run()
    # a second turn since the first one did something, a third when the send had ended
    assert order == ["event", "turn 0", "turn 0", "turn 10"]
    assert [data for _, data in pair.b.received] == [b"000:000"]


@pytest.mark.parametrize("send_time", [0, 10 * MS])
def test_an_application_has_a_turn_after_each_arrival_and_timeout(send_time: int) -> None:
    talker = Talker(B)
    talker.deadlines = [50 * MS]
    turns: list[int] = []
    pair = Pair(talker, send_time=send_time)

    def on_turn(now: int) -> bool:
        turns.append(now // MS)
        return False

    pair.host_a.on_turn = on_turn
    pair.network.at(20 * MS, lambda: pair.network.inject(b"x", source=B, destination=pair.host_a))
    pair.run()
    assert turns == [0, 20, 50]
