"""Other programs than the tester on the class-room network: late hosts, all modes, slow readers, one who leaves."""

from __future__ import annotations

import itertools

import pytest

from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from surewire.errors import ConnectionLost, HandshakeTimeout, IdleTimeout
from surewire.impair import ClassroomConfig
from surewire.lab.simulated.streamer_simulation import (
    ADDRESS_1,
    ClassroomPair,
    Player,
    StreamerOutcome,
    StreamerSimulation,
    streamer_session,
)
from surewire.lab.simulated.workloads import (
    Finish,
    Read,
    Script,
    StreamSession,
    Together,
    Workload,
    bulk,
    ping_pong,
)
from surewire.streamer.config import AckPolicy, Pipelining, StreamerConfig
from surewire.streamer.session import StreamerSession

GOOD = ClassroomConfig(max_delay=100 * MS)
BAD = ClassroomConfig(loss=0.1, corruption=0.1, max_delay=100 * MS)
WORST = ClassroomConfig(loss=0.3, corruption=0.3, max_delay=300 * MS)
ALL_BYTES = bytes(range(256)) * 150


def run(
    workloads: tuple[Workload, Workload],
    path: ClassroomConfig,
    *configs: StreamerConfig | None,
    seed: int = 1,
    limit: int = 400 * S,
) -> StreamerOutcome:
    """Run a pair with one configuration, or one for each side."""
    both = configs if len(configs) == 2 else (configs or (None,)) * 2
    players = [
        Player(workload=workload, make_session=streamer_session(config))
        for workload, config in zip(workloads, both, strict=True)
    ]
    return ClassroomPair(path, players[0], players[1], seed=seed).run(limit)


# Late hosts


def test_who_waits_for_the_other_host_sends_little() -> None:
    """One packet with data, then pings, fewer and fewer."""
    simulation = StreamerSimulation(1_000, ClassroomConfig(), seed=1, start1_after=60 * S)
    simulation.run(60 * S)
    host2 = simulation.hosts[1]
    assert 10 < host2.datagrams < 60
    assert host2.sent_bytes < 1_472 + 60 * 8
    begun = host2.datagrams
    outcome = simulation.run(120 * S)
    assert outcome.is_success, outcome
    assert outcome.host2.packets - begun < 15
    assert outcome.host1.last_read_at is not None and outcome.host1.last_read_at < 63 * S


@pytest.mark.parametrize("path", [BAD, WORST])
@pytest.mark.parametrize("late", [1, 2])
def test_a_host_may_come_long_after_the_other(path: ClassroomConfig, late: int) -> None:
    for seed in range(3):
        starts = {f"start{late}_after": 45 * S}
        outcome = StreamerSimulation(300, path, seed=seed, **starts).run(300 * S)  # type: ignore[arg-type]
        assert outcome.is_success, (seed, outcome)


def test_a_host_that_never_comes_is_given_up() -> None:
    simulation = StreamerSimulation(1_000, ClassroomConfig(), seed=1, start1_after=1_000 * S)
    outcome = simulation.run(300 * S)
    assert isinstance(outcome.host2.error, HandshakeTimeout)
    assert outcome.host2.closed_at is not None and 120 * S <= outcome.host2.closed_at < 121 * S
    assert outcome.host2.eth_bytes < 10_000


# Every mode with every other


MODES = [StreamerConfig(pipelining=pipelining) for pipelining in Pipelining]


@pytest.mark.parametrize(
    ("first", "second"), list(itertools.product(MODES, MODES)), ids=lambda mode: mode.pipelining.value
)
def test_modes_may_be_mixed(first: StreamerConfig, second: StreamerConfig) -> None:
    outcome = run(bulk(ALL_BYTES[:9_000], ALL_BYTES[:12_000], piece=700), BAD, first, second)
    assert outcome.is_success, outcome


@pytest.mark.parametrize("pipelining", list(Pipelining))
@pytest.mark.parametrize("acks", list(AckPolicy))
@pytest.mark.parametrize("nagle", [True, False])
@pytest.mark.parametrize("fin_rides", [True, False])
def test_every_setting_carries_the_tester(
    pipelining: Pipelining, acks: AckPolicy, nagle: bool, fin_rides: bool
) -> None:
    config = StreamerConfig(pipelining=pipelining, acks=acks, nagle=nagle, fin_rides=fin_rides)
    outcome = StreamerSimulation(60, BAD, seed=2, host1=config, host2=config).run(300 * S)
    assert outcome.is_success, outcome


def test_what_each_part_is_good_for() -> None:
    """The parts of the assignment, each of which must pay."""
    ours = StreamerSimulation(300, GOOD, seed=1).run(300 * S)
    without_nagle = StreamerConfig(nagle=False)
    chatty = StreamerSimulation(300, GOOD, seed=1, host1=without_nagle, host2=without_nagle).run(300 * S)
    assert chatty.host2.packets >= 300 > 10 * ours.host2.packets
    seconds = {}
    for pipelining in Pipelining:
        outcome = run(bulk(ALL_BYTES, b""), GOOD, StreamerConfig(pipelining=pipelining))
        assert outcome.is_success, outcome
        seconds[pipelining] = outcome.both_closed_at or 0
    assert seconds[Pipelining.SELECTIVE_REPEAT] < seconds[Pipelining.GO_BACK_N]
    assert seconds[Pipelining.SELECTIVE_REPEAT] < seconds[Pipelining.STOP_AND_WAIT] / 2
    each, delayed = (run(bulk(ALL_BYTES, b""), GOOD, StreamerConfig(acks=acks)).host2.packets for acks in AckPolicy)
    assert each > 2 * delayed


# Shapes of traffic


@pytest.mark.parametrize("path", [GOOD, BAD, WORST])
@pytest.mark.parametrize(
    "shape",
    [
        lambda: bulk(ALL_BYTES, ALL_BYTES[::-1]),
        lambda: bulk(ALL_BYTES, b"", piece=256),
        lambda: bulk(b"", b""),
        lambda: bulk(b"\0", b"", piece=1),
        lambda: ping_pong(10, 1),
        lambda: ping_pong(5, 3_000),
    ],
    ids=["both ways", "one way", "nothing", "a NUL", "ping-pong", "large ping-pong"],
)
def test_all_bytes_arrive_on_any_path(shape: object, path: ClassroomConfig) -> None:
    for seed in range(2):
        assert callable(shape)
        outcome = run(shape(), path, seed=seed)
        assert outcome.is_success, (seed, outcome)
        assert (outcome.host1.note, outcome.host2.note) == (None, None)


def test_a_question_and_its_answer_take_two_packets() -> None:
    """Each carries the acknowledgment of the one before."""
    outcome = run(ping_pong(50, 1), ClassroomConfig())
    assert outcome.is_success
    assert outcome.host1.packets + outcome.host2.packets <= 2 * 50 + 6


class Pause:
    """Does nothing until a time (ns after its first turn)."""

    def __init__(self, duration: int) -> None:
        self.done_at: int | None = None
        self._duration = duration
        self._until: int | None = None

    def on_turn(self, session: StreamSession, now: int) -> bool:
        self._until = now + self._duration if self._until is None else self._until
        if now >= self._until:
            self.done_at = now
        return False


def test_a_reader_that_sleeps_stops_the_writer_and_neither_fails() -> None:
    data = ALL_BYTES * 8  # 307,200 bytes
    config = StreamerConfig(send_buffer=50_000, receive_buffer=30_000)
    read = Read()
    slow = Workload(application=Together(Finish(), Script(Pause(25 * S), read)), reads=[read], expected=data)
    fast, _ = bulk(data, b"")
    players = [Player(workload=workload, make_session=streamer_session(config)) for workload in (fast, slow)]
    pair = ClassroomPair(BAD, players[0], players[1], seed=1)
    pair.run(15 * S)
    sleeper = pair.sessions[1]
    assert isinstance(sleeper, StreamerSession)
    at_15 = pair.hosts[0].sent_bytes
    pair.run(20 * S)
    assert pair.hosts[0].sent_bytes - at_15 < 5 * 10 * 8  # pings, fewer than ten a second
    outcome = pair.run(300 * S)
    assert outcome.is_success, outcome


def test_a_reader_that_never_reads_holds_little_memory_and_the_writer_waits() -> None:
    data = ALL_BYTES * 8
    config = StreamerConfig(send_buffer=50_000, receive_buffer=30_000)
    read = Read()
    never = Workload(application=Script(Pause(10_000 * S), read), reads=[read], expected=data)
    fast, _ = bulk(data, b"")
    players = [Player(workload=workload, make_session=streamer_session(config)) for workload in (fast, never)]
    pair = ClassroomPair(GOOD, players[0], players[1], seed=1)
    outcome = pair.run(200 * S)
    reader = pair.sessions[1]
    assert reader.is_readable
    assert len(reader.read()) < 30_000 + 50_000
    assert outcome.host1.closed_at is None  # it is answered all the time
    assert outcome.host1.packets < 60 + 200 * 7


# One who leaves


@pytest.mark.parametrize("path", [GOOD, BAD])
@pytest.mark.parametrize("leaver", [0, 1])
@pytest.mark.parametrize("after", [50 * MS, 300 * MS, 900 * MS, 2_000 * MS])
def test_who_is_left_alone_ends_within_the_limits(path: ClassroomConfig, leaver: int, after: int) -> None:
    """Whatever was going on: an error if anything was missing, at the latest when all limits have passed."""
    workloads = bulk(ALL_BYTES * 2, ALL_BYTES * 2)
    players = [Player(workload=workload, make_session=streamer_session()) for workload in workloads]
    pair = ClassroomPair(path, players[0], players[1], seed=1)
    dead = pair.hosts[leaver]
    pair.network.at(pair.network.now + after, lambda: pair.network.rebind(dead, "nowhere"))
    dead_session = pair.sessions[leaver]
    assert isinstance(dead_session, StreamerSession)
    pair.network.at(pair.network.now + after, lambda: dead_session.abort("killed", now=pair.network.now))
    outcome = pair.run(200 * S)
    alive = (outcome.host1, outcome.host2)[1 - leaver]
    session = pair.sessions[1 - leaver]
    assert isinstance(session, StreamerSession)
    assert alive.closed_at is not None and alive.closed_at < after + 46 * S, outcome
    assert after > 300 * MS or isinstance(alive.error, IdleTimeout)
    assert isinstance(alive.error, IdleTimeout) or alive.is_right or isinstance(session.reading_error, ConnectionLost)
    assert session.poll_timeout() is None


def test_addresses_are_not_looked_at() -> None:
    """A NAT or another name of the host stands between: the hash tells whose packets they are."""
    workloads = bulk(ALL_BYTES, ALL_BYTES)
    players = [Player(workload=workload, make_session=streamer_session()) for workload in workloads]
    pair = ClassroomPair(GOOD, players[0], players[1], seed=1)
    session = pair.sessions[1]
    assert isinstance(session, StreamerSession)
    original = session.handle_datagrams
    sources = []

    class Renamed:
        def __getattr__(self, name: str) -> object:
            return getattr(session, name)

        def handle_datagrams(self, buffer: bytes, stride: int, source: object, *, now: int) -> None:
            sources.append(source)
            original(buffer, stride, ("localhost", 1), now=now)

    pair.hosts[1].endpoint = Renamed()  # type: ignore[assignment]
    outcome = pair.run(60 * S)
    assert outcome.is_success, outcome
    assert set(sources) == {ADDRESS_1}
