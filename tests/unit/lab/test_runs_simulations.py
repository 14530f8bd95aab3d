"""The simulations behind runs: the same seed means the same trace for ever; scenarios, taps and wrappers."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import pytest

from surewire.core.events import Event
from surewire.core.trains import Address, Buffer, Train
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import ConfigError
from surewire.impair import ClassroomConfig, GilbertElliott, LinkConfig, Rebinding, Scenario
from surewire.lab.simulated.players import Player
from surewire.lab.simulated.rdp_simulation import RECEIVER, SENDER, RdpSimulation
from surewire.lab.simulated.stream_simulation import CLIENT, SERVER, StreamSimulation
from surewire.lab.simulated.streamer_simulation import ClassroomPair, StreamerSimulation, streamer_session
from surewire.lab.simulated.workloads import bulk, ping_pong
from surewire.sim import Endpoint

MS = NS_PER_MS
CLEAN = LinkConfig(delay=20 * MS, rate=20_000_000)
LINKS = {
    "clean": CLEAN,
    "lossy": replace(CLEAN, loss=0.1, duplicate=0.05, corrupt=0.05, reorder=0.1, jitter=3 * MS),
    "bursty": LinkConfig(delay=5 * MS, rate=5_000_000, bursts=GilbertElliott.from_average(0.05, 5), queue=20_000),
    "blackout": LinkConfig(delay=5 * MS, blackouts=((50 * MS, 1050 * MS),), rate=4_000_000),
}
DATA = random.Random(0).randbytes(200_000)

# A change of these is a change of what happens: to be meant, and to be named in CHANGELOG.md.
TRACES = {
    ("clean", 1): "bc6cbf1f969377a0",
    ("clean", 7): "207eb63446c886e3",
    ("lossy", 1): "0bdada848b86df7c",
    ("lossy", 7): "c31b0cc341b06c1a",
    ("bursty", 1): "e92b2c281f60615e",
    ("bursty", 7): "e27b93c7fe283228",
    ("blackout", 1): "119102436279e096",
    ("blackout", 7): "338d102b65bff1c4",
}


@dataclass
class Watch:
    """A tap that counts."""

    sent: list[tuple[Address, Address]] = field(default_factory=list)
    delivered: int = 0

    def on_sent(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        self.sent.append((source, destination))

    def on_delivered(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        self.delivered += 1


class Counting:
    """Put around an endpoint, it counts what passes and changes nothing."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.datagrams_in = 0

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        self.datagrams_in += 1
        self.endpoint.handle_datagrams(buffer, stride, source, now=now)

    def handle_timeout(self, *, now: int) -> None:
        self.endpoint.handle_timeout(now=now)

    def poll_transmit(self, *, now: int) -> Train | None:
        return self.endpoint.poll_transmit(now=now)

    def poll_timeout(self) -> int | None:
        return self.endpoint.poll_timeout()

    def poll_event(self) -> Event | None:
        return self.endpoint.poll_event()


class Wrapping:
    """Makes a `Counting` of each endpoint and keeps it."""

    def __init__(self) -> None:
        self.made: list[Counting] = []

    def __call__(self, endpoint: Endpoint) -> Endpoint:
        self.made.append(Counting(endpoint))
        return self.made[-1]


def rdp_trace(simulation: RdpSimulation) -> str:
    simulation.run()
    assert simulation.is_success
    return simulation.network.trace_hash[:16]


def players(size: int = 30_000) -> list[Player]:
    return [Player(workload=workload, make_session=streamer_session()) for workload in bulk(DATA[:size], b"")]


# Traces


@pytest.mark.parametrize(("name", "seed"), TRACES)
def test_a_seed_does_what_it_did(name: str, seed: int) -> None:
    assert rdp_trace(RdpSimulation(DATA, LINKS[name], seed=seed, traced=True)) == TRACES[name, seed]


def test_a_seed_does_what_it_did_with_two_links() -> None:
    simulation = RdpSimulation(DATA, LINKS["lossy"], LINKS["clean"], seed=3, traced=True)
    assert rdp_trace(simulation) == "09c8fd5c684139d9"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (ClassroomConfig(), "a591f673ff111af6"),
        (ClassroomConfig(loss=0.1, corruption=0.1, max_delay=100 * MS), "deb57d4f0b9d7646"),
    ],
)
def test_the_tester_does_what_it_did(config: ClassroomConfig, expected: str) -> None:
    simulation = StreamerSimulation(300, config, seed=5, traced=True)
    assert simulation.run(60 * NS_PER_S).is_success
    assert simulation.network.trace_hash[:16] == expected


@pytest.mark.parametrize("name", ["clean", "lossy", "bursty"])
def test_a_scenario_of_two_links_is_these_two_links(name: str) -> None:
    scenario = Scenario(name=name, up=LINKS[name], down=LINKS[name])
    assert rdp_trace(RdpSimulation(DATA, scenario, seed=7, traced=True)) == TRACES[name, 7]


# Scenarios


def test_a_scenario_has_both_directions() -> None:
    with pytest.raises(ConfigError, match="both directions"):
        RdpSimulation(DATA, Scenario(name="x", up=CLEAN, down=CLEAN), CLEAN, seed=1)


def test_the_sender_is_the_client() -> None:
    scenario = Scenario(name="x", up=replace(CLEAN, rate=1_000_000), down=CLEAN, rebinding=Rebinding(first=200 * MS))
    watch = Watch()
    simulation = RdpSimulation(DATA, scenario, seed=1, tap=watch).run()
    assert simulation.is_success
    assert simulation.forward.config is scenario.up and simulation.backward.config is scenario.down
    to_receiver = {source for source, destination in watch.sent if destination == RECEIVER}
    assert SENDER in to_receiver and len(to_receiver) == 2
    assert simulation.sender_outcome.closed_at is not None


def test_streams_cross_any_scenario() -> None:
    scenario = Scenario(name="x", up=LINKS["lossy"], down=LINKS["bursty"])
    watch = Watch()
    simulation = StreamSimulation(scenario, *players(), seed=1, tap=watch, traced=True)
    outcome = simulation.run(60 * NS_PER_S)
    assert outcome.is_success, outcome
    assert {(CLIENT, SERVER), (SERVER, CLIENT)} == set(watch.sent)
    up = simulation.path.up.stats
    assert up.offered == outcome.host1.packets and up.offered_bytes == outcome.host1.udp_bytes


def test_a_seed_of_a_stream_repeats() -> None:
    scenario = Scenario(name="x", up=LINKS["lossy"], down=LINKS["lossy"])
    hashes = []
    for seed in (1, 1, 2):
        simulation = StreamSimulation(scenario, *players(), seed=seed, traced=True)
        assert simulation.run(60 * NS_PER_S).is_success
        hashes.append(simulation.network.trace_hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_stream_waits_for_no_socket() -> None:
    workloads = ping_pong(1, 100)
    pair = [Player(workload=workload, make_session=streamer_session()) for workload in workloads]
    outcome = StreamSimulation(Scenario(name="x", up=LinkConfig(), down=LinkConfig()), *pair, seed=1).run(NS_PER_S * 30)
    assert outcome.is_success and outcome.host1.last_read_at == 0  # the class-room's sendto takes 10 ms


def test_a_client_must_be_up_before_its_nat_forgets_it() -> None:
    scenario = Scenario(name="x", up=CLEAN, down=CLEAN, rebinding=Rebinding(first=10))
    client, server = players()
    with pytest.raises(ConfigError, match="up before"):
        StreamSimulation(scenario, replace(client, start=11), server, seed=1)
    StreamSimulation(scenario, replace(client, start=10), server, seed=1)


# Taps and wrappers


def test_a_tap_and_a_wrapper_change_nothing() -> None:
    watch, wrap = Watch(), Wrapping()
    simulation = RdpSimulation(DATA, LINKS["lossy"], seed=7, traced=True, tap=watch, wrap=wrap)
    assert rdp_trace(simulation) == TRACES["lossy", 7]
    assert [each.endpoint for each in wrap.made] == [simulation.sender, simulation.receiver]
    assert len(watch.sent) == simulation.network.datagrams
    assert watch.delivered == sum(each.datagrams_in for each in wrap.made) > 0


def test_the_class_room_and_streams_have_them_as_well() -> None:
    for simulation_of in (
        lambda tap, wrap: ClassroomPair(ClassroomConfig(), *players(), seed=1, tap=tap, wrap=wrap),
        lambda tap, wrap: StreamSimulation(
            Scenario(name="x", up=CLEAN, down=CLEAN), *players(), seed=1, tap=tap, wrap=wrap
        ),
    ):
        watch, wrap = Watch(), Wrapping()
        simulation = simulation_of(watch, wrap)
        assert simulation.run(60 * NS_PER_S).is_success
        assert [each.endpoint for each in wrap.made] == list(simulation.sessions)
        assert watch.delivered == sum(each.datagrams_in for each in wrap.made) == len(watch.sent)
