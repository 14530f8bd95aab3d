"""The explorer against protocols whose faults are known, and the room it explores."""

from __future__ import annotations

import pytest

from surewire.core.units import NS_PER_MS
from surewire.errors import ConfigError
from surewire.lab.proof.explore_room import HOP, ORIGIN, Datagram, Misbehaved, Room, Seat
from surewire.lab.proof.explore_snapshots import Snapshots
from surewire.lab.proof.explorer import Budget, Violation, explore, replay
from tests.unit.lab.explorer_toys import (
    Actor,
    Hasty,
    Receiver,
    Sender,
    Spinner,
    Toy,
    Waiter,
    pair_world,
    toys,
    word_world,
)

IN_ORDER = Budget(packets=7, faults=1, waits=2, swaps=0)


def problem(violation: Violation | None) -> str:
    assert violation is not None
    return violation.problem


# Protocols.


def test_stop_and_wait_without_a_bit_delivers_twice() -> None:
    world = word_world(bits=False)
    report = explore(world, IN_ORDER)
    assert problem(report.violation) == "received [b'one', b'two', b'two']"
    assert not report.is_complete
    assert report.violation == replay(world, report.violation.choices if report.violation else (), lambda line: None)


def test_one_fault_or_one_late_packet_is_what_that_takes() -> None:
    world = word_world(bits=False)
    assert explore(world, Budget(8, 0, 0, 0)).violation is None
    assert explore(world, Budget(8, 1, 0, 0)).violation is not None
    assert explore(world, Budget(8, 0, 1, 0)).violation is not None
    assert explore(world, Budget(0, 1, 1, 0)).violation is None


def test_the_alternating_bit_is_enough_where_the_order_is_kept() -> None:
    report = explore(word_world(bits=True), IN_ORDER)
    assert report.violation is None
    assert report.is_complete
    assert report.states > 200
    assert set(report.outcomes) == {"ended"}


def test_the_alternating_bit_is_not_enough_where_packets_overtake() -> None:
    report = explore(word_world(bits=True), Budget(8, 1, 1, 1))
    assert problem(report.violation) == "received [b'one', b'two', b'one']"


def test_a_sender_that_never_repeats_hangs() -> None:
    world = word_world(bits=True, repeats=False)
    assert explore(world, Budget(8, 0, 0, 0)).is_complete
    report = explore(world, IN_ORDER)
    assert problem(report.violation) == "it hangs: no timer is set, and side 0 has not closed"


def test_a_hasty_claim_of_success_is_found() -> None:
    report = explore(word_world(Hasty, bits=True), IN_ORDER)
    assert problem(report.violation) == "the sender claims success, received is [b'one']"


def test_a_handshake_that_loses_its_last_word_hangs() -> None:
    world = pair_world(Waiter)
    assert explore(world, Budget(8, 0, 2, 8)).is_complete
    report = explore(world, Budget(8, 1, 0, 0))
    assert problem(report.violation) == "it hangs: no timer is set, and side 1 has not closed"
    assert report.violation is not None and "x0" in report.violation.choices


def test_timers_that_ring_for_ever_are_found() -> None:
    assert "for ever" in problem(explore(pair_world(Spinner), IN_ORDER).violation)


def test_a_world_that_takes_too_long_is_found() -> None:
    world = word_world(bits=True)
    longest = explore(world, IN_ORDER).longest
    at_limit = explore(type(world)(**{**vars(world), "deadline": longest}), IN_ORDER)
    assert at_limit.is_complete
    beyond = explore(type(world)(**{**vars(world), "deadline": longest - 1}), IN_ORDER)
    assert "it is not over" in problem(beyond.violation)


def test_what_is_judged_at_the_end_counts() -> None:
    world = word_world(bits=True)
    judged = type(world)(**{**vars(world), "judge": lambda room: "never good enough"})
    assert problem(explore(judged, Budget(2, 0, 0, 0)).violation) == "never good enough"
    assert problem(replay(judged, [], lambda line: None)) == "never good enough"


def test_no_budget_leaves_the_good_network() -> None:
    report = explore(word_world(bits=True), Budget(0, 0, 0, 0))
    assert (report.states, report.transitions, report.leaves, report.depth) == (1, 0, 1, 0)


def test_a_larger_budget_sees_more_and_time_limits_it() -> None:
    world = word_world(bits=True)
    small, large = (explore(world, Budget(6, faults, 1, 0)) for faults in (0, 2))
    assert small.states < large.states
    assert not explore(world, Budget(30, 10, 10, 0), max_cpu_s=0.05).is_complete


def test_the_network_is_good_until_it_begins_to_be_bad() -> None:
    world = word_world(bits=False)
    second = type(world)(**{**vars(world), "begins": lambda room: len(toys(room)[0].outbox) == 0 and has_one(room)})
    report = explore(second, Budget(2, 1, 0, 0))
    assert problem(report.violation) == "received [b'one', b'two', b'two']"
    assert report.violation is not None and len(report.violation.choices) < 6
    never = type(world)(**{**vars(world), "begins": lambda room: False})
    assert explore(never, IN_ORDER).violation is not None


def has_one(room: Room) -> bool:
    receiver = toys(room)[1]
    assert isinstance(receiver, Receiver)
    return len(receiver.got) == 1


# Replays.


def test_a_replay_tells_each_step() -> None:
    lines: list[str] = []
    assert replay(word_world(bits=True), ["d0", "c0", "t", "x0"], lines.append) is None
    assert [line.split(" s ")[1].split()[0] for line in lines[:4]] == ["d0", "c0", "t", "x0"]
    assert "0 -> 1 4 bytes arrives" in lines[0]
    assert "1 -> 0 4 bytes arrives, and a copy is still on its way" in lines[1]
    assert lines[4].endswith("from here on the network is good")
    assert lines[-1].endswith("both sides have closed: ended")


@pytest.mark.parametrize("choice", ["", "d", "q0", "d7", "t1", "d-1", "x²"])
def test_choices_that_are_not_possible_are_refused(choice: str) -> None:
    with pytest.raises(ConfigError):
        replay(word_world(bits=True), [choice], lambda line: None)


# The room.


def make_room() -> Room:
    return Room(Seat(Actor(Sender([b"one", b"two"], bits=True))), Seat(Actor(Receiver(bits=True))))


def test_a_datagram_takes_its_time_and_a_late_one_comes_at_once() -> None:
    room = make_room()
    assert room.on_way == [Datagram(ORIGIN + HOP, 1, b"0one")]
    room.wait()
    assert room.now == ORIGIN + 100 * NS_PER_MS
    assert len(room.on_way) == 2
    room.deliver(0)
    assert room.now == ORIGIN + 100 * NS_PER_MS
    room.drop(0)
    room.deliver(0)
    assert room.now == ORIGIN + 120 * NS_PER_MS


def test_an_empty_seat_takes_nothing() -> None:
    late = Seat(Actor(Receiver(bits=True)), starts_at=ORIGIN + 50 * NS_PER_MS)
    room = Room(Seat(Actor(Sender([b"one"], bits=True))), late)
    room.deliver(0)
    assert room.on_way == []
    room.wait()
    assert late.is_open and room.now == ORIGIN + 50 * NS_PER_MS


class Chatter(Toy):
    """Sends without end."""

    def poll_transmit(self, *, now: int):  # type: ignore[no-untyped-def]
        self.outbox = [b"and another thing"]
        return super().poll_transmit(now=now)


class Undead(Receiver):
    """Keeps a timer after its end."""

    def on_timer(self, now: int) -> None:
        self.close()
        self.deadline = now


def test_a_side_that_never_stops_sending_or_sends_too_much_is_found() -> None:
    with pytest.raises(Misbehaved, match="never stops sending"):
        Room(Seat(Actor(Chatter(0))), Seat(Actor(Receiver(bits=True))))
    with pytest.raises(Misbehaved, match="101 bytes, more than 100"):
        Room(Seat(Actor(Sender([bytes(100)], bits=True))), Seat(Actor(Receiver(bits=True))))


def test_a_timer_after_the_end_is_found() -> None:
    room = Room(Seat(Actor(Sender([], bits=True))), Seat(Actor(Undead(bits=True))))
    with pytest.raises(Misbehaved, match="wants to be woken"):
        room.wait()


# Snapshots.


def test_a_room_comes_back_and_the_time_makes_no_difference() -> None:
    snapshots, room = Snapshots(), make_room()
    snapshot = snapshots.take(room)
    later = snapshots.restore(snapshot, now=ORIGIN + 7)
    assert later.now == ORIGIN + 7
    assert later.on_way == [Datagram(ORIGIN + 7 + HOP, 1, b"0one")]
    assert snapshots.take(later) == snapshot
    later.deliver(0)
    assert snapshots.take(later) != snapshot
    assert room.on_way == [Datagram(ORIGIN + HOP, 1, b"0one")]
