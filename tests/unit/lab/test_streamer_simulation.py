"""Pairs on the class-room network: the outcome's figures, late hosts, and the tester with two Streamer sessions."""

from __future__ import annotations

import random

import pytest

from surewire.core.events import Closed, Event
from surewire.core.trains import Address, Buffer, Train
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import Aborted, SurewireError
from surewire.impair import ClassroomConfig
from surewire.lab.simulated.streamer_simulation import (
    ADDRESS_1,
    ADDRESS_2,
    ClassroomPair,
    Player,
    StreamerSimulation,
    streamer_session,
)
from surewire.lab.simulated.workloads import Finish, Read, Script, Workload, Write, bulk, ping_pong

IMPAIRED = ClassroomConfig(loss=0.1, corruption=0.1, max_delay=100 * NS_PER_MS)


class Postman:
    """A session that sends each write as one datagram, hopes for the best, and closes when both sides finished."""

    def __init__(self, peer: Address, rng: random.Random, now: int) -> None:
        self.peer = peer
        self.made_at = now
        self.error: SurewireError | None = None
        self.to_send: list[bytes] = []
        self.unread = b""
        self.has_peer_finished = False
        self.has_finished = False
        self.is_closed = False
        self.first_call: int | None = None

    @property
    def room(self) -> int:
        return 0 if self.is_closed else 1 << 20

    @property
    def is_readable(self) -> bool:
        return bool(self.unread)

    @property
    def has_ended(self) -> bool:
        return self.has_peer_finished and not self.unread

    @property
    def unacknowledged(self) -> int:
        return sum(map(len, self.to_send))

    def write(self, data: Buffer, *, now: int) -> int:
        self.to_send.append(b"D" + bytes(data))
        return len(data)

    def read(self) -> bytes:
        data, self.unread = self.unread, b""
        return data

    def flush(self, *, now: int) -> None: ...

    def finish(self, *, now: int) -> None:
        self.has_finished = True
        self.to_send.append(b"F")

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        assert source == self.peer
        if bytes(buffer[:1]) == b"F":
            self.has_peer_finished = True
        else:
            self.unread += bytes(buffer[1:])

    def handle_timeout(self, *, now: int) -> None: ...

    def poll_transmit(self, *, now: int) -> Train | None:
        self.first_call = now if self.first_call is None else self.first_call
        if not self.to_send:
            return None
        data = self.to_send.pop(0)
        return Train((data,), len(data), len(data), self.peer)

    def poll_timeout(self) -> int | None:
        return None

    def poll_event(self) -> Event | None:
        if self.is_closed or not (self.has_finished and self.has_peer_finished):
            return None
        self.is_closed = True
        return Closed(self.error, "went well")


class Quitter(Postman):
    """Closes with an error."""

    def __init__(self, peer: Address, rng: random.Random, now: int) -> None:
        super().__init__(peer, rng, now)
        self.error = Aborted("no more")


def postmen(workloads: tuple[Workload, Workload], *, start1: int = 0, start2: int = 0) -> tuple[Player, Player]:
    return (
        Player(workload=workloads[0], make_session=Postman, start=start1),
        Player(workload=workloads[1], make_session=Postman, start=start2),
    )


def one_way() -> tuple[Workload, Workload]:
    """Host 1 sends three bytes and one more, host 2 reads them."""
    reads = [Read(), Read()]
    return (
        Workload(application=Script(Write([b"abc", b"d"]), reads[0], Finish()), reads=[reads[0]], expected=b""),
        Workload(application=Script(Finish(), reads[1]), reads=[reads[1]], expected=b"abcd"),
    )


def test_the_outcome_has_the_figures_of_both_sides() -> None:
    config = ClassroomConfig()
    outcome = ClassroomPair(config, *postmen(one_way()), seed=1).run(NS_PER_S)
    # host 1 sends abc at 0, d at 10 ms; host 2's end, sent at 0, comes at 10 ms, and host 1's is sent at 20 ms
    assert outcome.is_success
    assert (outcome.host1.packets, outcome.host1.udp_bytes, outcome.host1.eth_bytes) == (3, 7, 145)
    assert (outcome.host2.packets, outcome.host2.udp_bytes, outcome.host2.eth_bytes) == (1, 1, 47)
    assert outcome.eth_bytes == 192
    assert outcome.host1.note == "went well"
    assert (outcome.host1.first_sent_at, outcome.host2.first_sent_at, outcome.first_sent_at) == (0, 0, 0)
    assert outcome.host1.closed_at == 10 * NS_PER_MS
    assert outcome.host2.closed_at == outcome.both_closed_at == outcome.host2.last_read_at == 30 * NS_PER_MS


def test_a_run_that_does_not_end_says_so() -> None:
    outcome = ClassroomPair(ClassroomConfig(loss=1.0), *postmen(one_way()), seed=1).run(NS_PER_S)
    assert not outcome.is_success
    assert (outcome.both_closed_at, outcome.host2.closed_at, outcome.host2.last_read_at) == (None, None, None)
    assert outcome.host1.error is None
    assert not outcome.host2.is_right


def test_wrong_bytes_are_no_success() -> None:
    workload1, workload2 = one_way()
    wrong = Workload(application=workload2.application, reads=workload2.reads, expected=b"abcx")
    outcome = ClassroomPair(ClassroomConfig(), *postmen((workload1, wrong)), seed=1).run(NS_PER_S)
    assert outcome.both_closed_at is not None and outcome.host1.is_success
    assert not outcome.host2.is_right and not outcome.is_success


def test_an_error_is_no_success() -> None:
    player1, player2 = postmen(one_way())
    player1 = Player(workload=player1.workload, make_session=Quitter)
    outcome = ClassroomPair(ClassroomConfig(), player1, player2, seed=1).run(NS_PER_S)
    assert isinstance(outcome.host1.error, Aborted)
    assert outcome.host2.is_success and not outcome.is_success


def test_a_late_host_hears_nothing_of_before() -> None:
    workloads = one_way()
    pair = ClassroomPair(ClassroomConfig(), *postmen(workloads, start2=15 * NS_PER_MS), seed=1)
    outcome = pair.run(NS_PER_S)
    session = pair.sessions[1]
    assert isinstance(session, Postman)
    assert session.first_call == session.made_at == NS_PER_S + 15 * NS_PER_MS
    assert outcome.host2.first_sent_at == 15 * NS_PER_MS
    assert bytes(workloads[1].reads[0].data) == b"d"  # abc left at 10 ms for nobody
    assert not outcome.host2.is_right


def test_the_two_addresses_differ() -> None:
    pair = ClassroomPair(ClassroomConfig(), *postmen(one_way()), seed=1)
    assert [host.address for host in pair.hosts] == [ADDRESS_1, ADDRESS_2]


# With Streamer sessions


@pytest.mark.parametrize("numbers", [0, 1, 3, 1_000, 3_000])
def test_the_tester_succeeds_on_a_perfect_network(numbers: int) -> None:
    outcome = StreamerSimulation(numbers, ClassroomConfig(), seed=1).run(20 * NS_PER_S)
    assert outcome.is_success, outcome
    data_bytes = 2 * sum(len(b"%d " % i) for i in range(numbers))
    assert outcome.eth_bytes >= data_bytes + 46 * -(-data_bytes // 1472)


@pytest.mark.parametrize("seed", range(3))
def test_the_tester_succeeds_on_a_bad_network(seed: int) -> None:
    outcome = StreamerSimulation(1_000, IMPAIRED, seed=seed).run(60 * NS_PER_S)
    assert outcome.is_success, outcome


def test_the_same_seed_gives_the_same_trace() -> None:
    hashes = []
    for seed in (1, 1, 2):
        simulation = StreamerSimulation(1_000, IMPAIRED, seed=seed, traced=True)
        simulation.run(60 * NS_PER_S)
        hashes.append(simulation.network.trace_hash)
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize(("start1", "start2"), [(3 * NS_PER_S, 0), (0, 3 * NS_PER_S)])
def test_a_host_may_be_started_seconds_after_the_other(start1: int, start2: int) -> None:
    simulation = StreamerSimulation(1_000, IMPAIRED, seed=1, start1_after=start1, start2_after=start2)
    outcome = simulation.run(60 * NS_PER_S)
    assert outcome.is_success, outcome
    late = outcome.host1 if start1 else outcome.host2
    assert late.first_sent_at is not None and late.first_sent_at >= 3 * NS_PER_S


@pytest.mark.parametrize(
    "workloads",
    [ping_pong(20, 100), bulk(bytes(range(256)) * 200, b""), bulk(bytes(30_000), bytes(range(256)) * 100, piece=999)],
    ids=["ping-pong", "one way", "both ways"],
)
def test_other_workloads_run_as_well(workloads: tuple[Workload, Workload]) -> None:
    players = [Player(workload=workload, make_session=streamer_session()) for workload in workloads]
    outcome = ClassroomPair(IMPAIRED, players[0], players[1], seed=1).run(120 * NS_PER_S)
    assert outcome.is_success, outcome
