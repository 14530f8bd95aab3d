"""The virtual network: order of events, links, new addresses, injected datagrams, the trace."""

from __future__ import annotations

import random

import pytest

from surewire.core.events import Closed, Event
from surewire.core.trains import Address, Buffer, Train
from surewire.impair import Link, LinkConfig
from surewire.sim import Host, Network

MS = 1_000_000
A, B, C = ("a", 1), ("b", 2), ("c", 3)


class Station:
    """An endpoint that sends what it is told, notes what it gets, and rings at its deadlines."""

    def __init__(self) -> None:
        self.to_send: list[Train] = []
        self.received: list[tuple[int, bytes, Address]] = []
        self.rang: list[int] = []
        self.deadlines: list[int] = []
        self.events: list[Event] = []
        self.echoes = False

    def send(self, data: bytes, destination: Address, stride: int | None = None) -> None:
        self.to_send.append(Train((data,), stride or len(data), len(data), destination))

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        assert stride >= 1
        self.received.append((now, bytes(buffer), source))
        if self.echoes:
            self.send(b"echo " + bytes(buffer), source)

    def handle_timeout(self, *, now: int) -> None:
        self.rang.append(now)
        self.deadlines = [deadline for deadline in self.deadlines if deadline > now]

    def poll_transmit(self, *, now: int) -> Train | None:
        return self.to_send.pop(0) if self.to_send else None

    def poll_timeout(self) -> int | None:
        return min(self.deadlines, default=None)

    def poll_event(self) -> Event | None:
        return self.events.pop(0) if self.events else None


class Pair:
    """Stations at A and B with a link each way."""

    def __init__(self, config: LinkConfig | None = None, *, traced: bool = False, seed: int = 1) -> None:
        self.network = Network(traced=traced)
        self.events: list[tuple[int, Event]] = []
        self.a, self.b = Station(), Station()
        self.host_a = Host(A, self.a, lambda event, now: self.events.append((now, event)))
        self.host_b = Host(B, self.b, lambda event, now: None)
        link = config or LinkConfig(delay=10 * MS)
        self.network.connect(self.host_a, self.host_b, Link(link, random.Random(seed)))
        self.network.connect(self.host_b, self.host_a, Link(link, random.Random(seed + 1)))
        self.network.add(self.host_a)
        self.network.add(self.host_b)

    def send_at(self, time: int, data: bytes) -> None:
        """Let A send a datagram to B at `time`."""

        def send() -> None:
            self.a.send(data, B)
            self.network.service(self.host_a)

        self.network.at(time, send)

    def run(self, until: int = 1_000 * MS) -> Pair:
        self.network.run(until=until)
        return self


def test_a_datagram_takes_the_links_delay_and_carries_its_source() -> None:
    pair = Pair()
    pair.a.send(b"hello", B)
    pair.run()
    assert pair.b.received == [(10 * MS, b"hello", A)]
    assert pair.network.datagrams == 1


def test_a_train_arrives_as_its_datagrams() -> None:
    pair = Pair()
    pair.a.send(b"aaaabbbbcc", B, stride=4)
    pair.run()
    assert [data for _, data, _ in pair.b.received] == [b"aaaa", b"bbbb", b"cc"]
    assert pair.host_a.max_datagram == 4
    assert pair.network.datagrams == 3


def test_an_answer_is_sent_in_the_same_moment() -> None:
    pair = Pair()
    pair.b.echoes = True
    pair.a.send(b"hello", B)
    pair.run()
    assert pair.a.received == [(20 * MS, b"echo hello", B)]


def test_events_at_one_time_happen_in_the_order_in_which_they_were_scheduled() -> None:
    network = Network()
    order: list[int] = []
    for turn in range(100):
        network.at(5, lambda turn=turn: order.append(turn))  # type: ignore[misc]
    network.at(4, lambda: order.append(-1))
    assert network.run(until=5)
    assert order == [-1, *range(100)]
    assert network.now == 5


def test_what_lies_behind_the_limit_waits() -> None:
    network = Network(start=100)
    seen: list[int] = []
    network.at(200, lambda: seen.append(network.now))
    network.at(50, lambda: seen.append(network.now))  # before now: happens now
    assert not network.run(until=199)
    assert seen == [100]
    assert network.run(until=200)
    assert seen == [100, 200]


def test_a_run_stops_when_asked() -> None:
    network = Network()
    seen: list[int] = []
    for time in (1, 2, 3):
        network.at(time, lambda: seen.append(network.now))
    assert network.run(until=10, stop=lambda: len(seen) == 2)
    assert seen == [1, 2]
    assert not network.run(until=2, stop=lambda: False)


def test_deadlines_ring_on_time_and_early_wakeups_ring_nothing() -> None:
    pair = Pair()
    pair.a.deadlines = [7 * MS, 30 * MS]
    pair.b.send(b"x", A)
    pair.run()
    assert pair.a.rang == [7 * MS, 30 * MS]


def test_a_deadline_that_was_put_off_does_not_ring_at_the_old_time() -> None:
    pair = Pair()
    pair.a.deadlines = [20 * MS]
    pair.network.at(5 * MS, lambda: pair.a.deadlines.__setitem__(0, 40 * MS))
    pair.run()
    assert pair.a.rang == [40 * MS]


def test_a_deadline_that_moved_nearer_rings_then() -> None:
    pair = Pair()
    pair.a.deadlines = [20 * MS]

    def nearer() -> None:
        pair.a.deadlines[0] = 8 * MS
        pair.network.service(pair.host_a)

    pair.network.at(5 * MS, nearer)
    pair.run()
    assert pair.a.rang == [8 * MS]


def test_events_go_to_the_application_and_what_it_does_is_sent() -> None:
    pair = Pair()
    pair.host_a.on_event = lambda event, now: pair.a.send(b"bye", B)
    pair.a.events.append(Closed(None))
    pair.run()
    assert pair.b.received == [(10 * MS, b"bye", A)]


def test_a_new_address_holds_for_what_is_sent_from_then_on() -> None:
    pair = Pair()
    pair.b.echoes = True
    pair.a.send(b"one", B)

    def move() -> None:
        pair.network.rebind(pair.host_a, C)
        pair.a.send(b"two", B)
        pair.network.service(pair.host_a)

    pair.network.at(5 * MS, move)
    pair.run()
    assert pair.b.received == [(10 * MS, b"one", A), (15 * MS, b"two", C)]
    assert pair.a.received == [(25 * MS, b"echo two", B)]  # the answer to the old address is lost


def test_what_was_on_its_way_to_the_old_address_still_arrives() -> None:
    pair = Pair()
    pair.b.send(b"late", A)
    pair.network.at(5 * MS, lambda: pair.network.rebind(pair.host_a, C))
    pair.run()
    assert pair.a.received == [(10 * MS, b"late", B)]


def test_a_datagram_to_nobody_or_without_a_link_is_lost() -> None:
    pair = Pair()
    third = Station()
    pair.network.add(Host(C, third, lambda event, now: None))
    pair.a.send(b"nobody", ("nowhere", 0))
    pair.a.send(b"no link", C)
    pair.a.send(b"there", B)
    pair.run()
    assert third.received == []
    assert [data for _, data, _ in pair.b.received] == [b"there"]
    assert pair.network.datagrams == 3


def test_an_injected_datagram_passes_no_link_and_is_answered() -> None:
    pair = Pair()
    pair.b.echoes = True
    pair.network.at(3 * MS, lambda: pair.network.inject(b"forged", source=("stranger", 9), destination=pair.host_b))
    pair.network.at(4 * MS, lambda: pair.network.inject(b"", source=A, destination=pair.host_b))
    pair.run()
    assert pair.b.received == [(3 * MS, b"forged", ("stranger", 9)), (4 * MS, b"", A)]
    assert pair.a.received == [(14 * MS, b"echo ", B)]


def test_a_link_may_reorder_lose_and_duplicate() -> None:
    pair = Pair(LinkConfig(delay=10 * MS, jitter=9 * MS, loss=0.2, duplicate=0.2))
    for turn in range(200):
        pair.send_at(turn * MS, b"%d" % turn)
    pair.run()
    numbers = [int(data) for _, data, _ in pair.b.received]
    assert numbers != sorted(numbers)
    assert len(numbers) > len(set(numbers)) and len(set(numbers)) < 200
    times = [time for time, _, _ in pair.b.received]
    assert times == sorted(times)


def traced(seed: int, data: bytes = b"hello", at: int = 0) -> str:
    pair = Pair(LinkConfig(delay=10 * MS, jitter=5 * MS, loss=0.1), traced=True, seed=seed)
    pair.b.echoes = True
    for turn in range(20):
        pair.send_at(at + turn * MS, data)
    pair.run()
    return pair.network.trace_hash


def test_the_trace_tells_seeds_bytes_and_times_apart_and_nothing_else() -> None:
    assert traced(1) == traced(1)
    assert len({traced(1), traced(2), traced(1, b"hellp"), traced(1, at=1)}) == 4


def test_a_network_that_keeps_no_trace_says_so() -> None:
    with pytest.raises(ValueError, match="no trace"):
        Network().trace_hash  # noqa: B018
