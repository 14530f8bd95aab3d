"""A scenario's path: one bottleneck for all pairs, a NAT that forgets, cross traffic, and draws that do not move."""

from __future__ import annotations

import random

import pytest

from surewire.core.events import Event
from surewire.core.trains import Address, Buffer, Train
from surewire.errors import ConfigError
from surewire.impair import LinkConfig
from surewire.impair.scenario import CrossTraffic, Rebinding, Scenario
from surewire.sim import Flow, Host, Network, SimulatedPath

MS = 1_000_000
S = 1000 * MS
SERVER = ("10.0.0.1", 80)


class Station:
    """An endpoint that sends what it is told, and notes what it gets."""

    def __init__(self) -> None:
        self.to_send: list[Train] = []
        self.received: list[tuple[int, bytes, Address]] = []

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        self.received.append((now, bytes(buffer), source))

    def handle_timeout(self, *, now: int) -> None:
        """Never asked for."""

    def poll_transmit(self, *, now: int) -> Train | None:
        return self.to_send.pop(0) if self.to_send else None

    def poll_timeout(self) -> int | None:
        return None

    def poll_event(self) -> Event | None:
        return None


class World:
    """Clients and a server each, on one path from second 1 on."""

    def __init__(self, scenario: Scenario, *, clients: int = 1, seed: int = 1, traced: bool = False) -> None:
        self.network = Network(start=S, traced=traced)
        self.path = SimulatedPath(self.network, scenario, rng=random.Random(seed))
        self.clients = [Host(("192.168.0.2", 1000 + k), Station(), self._on_event) for k in range(clients)]
        self.servers = [Host((SERVER[0], SERVER[1] + k), Station(), self._on_event) for k in range(clients)]
        for client, server in zip(self.clients, self.servers, strict=True):
            self.path.connect(client, server)
            self.network.add(client)
            self.network.add(server)

    def _on_event(self, event: Event, now: int) -> None:
        raise AssertionError("stations have no events")

    def send_at(self, time: int, source: Host, data: bytes, destination: Address) -> None:
        def send() -> None:
            assert isinstance(source.endpoint, Station)
            source.endpoint.to_send.append(Train((data,), len(data), len(data), destination))
            self.network.service(source)

        self.network.at(S + time, send)

    def received(self, host: Host) -> list[tuple[int, bytes, Address]]:
        """Time since the beginning, bytes, source."""
        assert isinstance(host.endpoint, Station)
        return [(at - S, data, source) for at, data, source in host.endpoint.received]

    def run(self, until: int = 100 * S) -> World:
        self.network.run(until=S + until)
        return self


def scenario(
    *,
    up: LinkConfig | None = None,
    down: LinkConfig | None = None,
    rebinding: Rebinding | None = None,
    cross_traffic: tuple[CrossTraffic, ...] = (),
) -> Scenario:
    plain = LinkConfig(delay=10 * MS)
    return Scenario(name="test", up=up or plain, down=down or plain, rebinding=rebinding, cross_traffic=cross_traffic)


def test_up_is_from_client_to_server() -> None:
    world = World(scenario(up=LinkConfig(delay=30 * MS), down=LinkConfig(delay=70 * MS)))
    client, server = world.clients[0], world.servers[0]
    world.send_at(0, client, b"there", server.address)
    world.send_at(0, server, b"back", client.address)
    world.run()
    assert world.received(server) == [(30 * MS, b"there", client.address)]
    assert world.received(client) == [(70 * MS, b"back", server.address)]
    assert (world.path.up.stats.offered, world.path.down.stats.offered) == (1, 1)


def test_all_pairs_share_one_bottleneck() -> None:
    world = World(scenario(up=LinkConfig(rate=8000, overhead=0)), clients=2)  # a byte is a millisecond
    for client, server in zip(world.clients, world.servers, strict=True):
        world.send_at(0, client, bytes(100), server.address)
    world.run()
    assert [world.received(server)[0][0] for server in world.servers] == [100 * MS, 200 * MS]


def test_times_count_from_the_making_of_the_path() -> None:
    link = LinkConfig(blackouts=((2 * S, 3 * S),))
    world = World(scenario(up=link, down=link))
    client, server = world.clients[0], world.servers[0]
    for at in (2 * S - 1, 2 * S, 3 * S - 1, 3 * S):
        world.send_at(at, client, b"x", server.address)
        world.send_at(at, server, b"x", client.address)
    world.run()
    for host in (client, server):
        assert [at for at, _, _ in world.received(host)] == [2 * S - 1, 3 * S]


@pytest.mark.parametrize("address", [False, True])
def test_rebinding_gives_every_client_fresh_addresses_at_the_stated_times(address: bool) -> None:
    world = World(scenario(rebinding=Rebinding(first=2 * S, every=3 * S, address=address)), clients=3)
    before = [client.address for client in world.clients]
    seen = []
    for until in (2 * S - 1, 2 * S, 5 * S - 1, 5 * S, 11 * S):
        world.run(until)
        seen.append([client.address for client in world.clients])
    assert seen[0] == before and seen[1] == seen[2]
    steps = [seen[0], seen[1], seen[3], seen[4]]
    assert len({one for step in steps for one in step}) == 12  # none comes back, none is given twice
    assert world.path.rebindings == 4
    fresh = [one for step in steps[1:] for one in step if isinstance(one, tuple)]
    assert ({host for host, _ in fresh} == {"192.168.0.2"}) is not address
    assert len(fresh) == 9 and all(49_152 <= port < 65_536 for _, port in fresh)


def test_a_fresh_address_is_nobody_elses() -> None:
    def rebound(other: Address) -> Address:
        network = Network()
        path = SimulatedPath(network, scenario(rebinding=Rebinding(first=S)), rng=random.Random(1))
        client = Host(("192.168.0.2", 1), Station(), lambda event, now: None)
        server = Host(other, Station(), lambda event, now: None)
        path.connect(client, server)
        network.add(client)
        network.add(server)
        network.run(until=S)
        return client.address

    fresh = rebound(SERVER)
    assert rebound(fresh) != fresh


def test_one_rebinding_is_one() -> None:
    world = World(scenario(rebinding=Rebinding(first=2 * S)))
    world.run(50 * S)
    assert world.path.rebindings == 1


def test_without_rebinding_no_address_changes() -> None:
    world = World(scenario())
    before = world.clients[0].address
    world.run()
    assert (world.clients[0].address, world.path.rebindings) == (before, 0)


def test_the_old_address_is_dead_and_so_is_what_was_on_its_way_to_it() -> None:
    world = World(scenario(rebinding=Rebinding(first=2 * S, every=S)))
    client, server = world.clients[0], world.servers[0]
    old = client.address
    for at in (2 * S - 10 * MS - 1, 2 * S - 10 * MS, 2 * S - 1, 2 * S + 1):
        world.send_at(at, server, b"%d" % at, old)
    world.run(2 * S)
    fresh = client.address
    for at in (2 * S + 1, 3 * S - 10 * MS - 1, 3 * S - 10 * MS):
        world.send_at(at, server, b"%d" % at, fresh)
    world.run()
    assert [data for _, data, _ in world.received(client)] == [
        b"%d" % at for at in (2 * S - 10 * MS - 1, 2 * S + 1, 3 * S - 10 * MS - 1)
    ]
    assert world.path.nat_dropped == 3


def test_what_a_client_sent_before_still_arrives_from_the_old_address() -> None:
    world = World(scenario(rebinding=Rebinding(first=2 * S)))
    client, server = world.clients[0], world.servers[0]
    old = client.address
    world.send_at(2 * S - 1, client, b"before", server.address)
    world.send_at(2 * S + 1, client, b"after", server.address)
    world.run()
    assert [(data, source) for _, data, source in world.received(server)] == [
        (b"before", old),
        (b"after", client.address),
    ]


def test_fresh_addresses_depend_on_the_seed_alone() -> None:
    def addresses(seed: int) -> list[Address]:
        world = World(scenario(rebinding=Rebinding(first=S, every=S, address=True)), seed=seed)
        return [world.run(until * S).clients[0].address for until in range(1, 6)]

    assert addresses(1) == addresses(1) != addresses(2)


def test_only_pairs_of_host_and_port_can_be_rebound() -> None:
    network = Network()
    path = SimulatedPath(network, scenario(rebinding=Rebinding(first=S)), rng=random.Random(1))
    client = Host("client", Station(), lambda event, now: None)
    server = Host(SERVER, Station(), lambda event, now: None)
    with pytest.raises(ConfigError, match="host and port"):
        path.connect(client, server)
    SimulatedPath(network, scenario(), rng=random.Random(1)).connect(client, server)


CROSS = (
    CrossTraffic(algorithm="cubic", flows=2, start=S, stop=4 * S),
    CrossTraffic(algorithm="newreno", direction="down", start=2 * S),
)
NARROW = LinkConfig(rate=2_000_000, delay=10 * MS, queue=20_000, loss=0.01)


def test_cross_traffic_takes_the_stated_links_at_the_stated_times() -> None:
    world = World(scenario(up=NARROW, down=NARROW, cross_traffic=CROSS))
    assert [type(flow.controller).__name__ for flow in world.path.flows] == ["Cubic", "Cubic", "NewReno"]
    world.run(S - 1)
    assert world.network.datagrams == 0
    world.run(2 * S - 1)
    first, second, third = world.path.flows
    assert first.delivered and second.delivered and not third.delivered
    assert world.path.up.stats.offered_bytes > 10 * world.path.down.stats.offered_bytes
    world.run(5 * S)
    sent = first.stats.sent + second.stats.sent
    world.run(8 * S)
    assert first.stats.sent + second.stats.sent == sent  # they have stopped
    assert third.delivered > 0.8 * 250_000 * 4  # alone for four seconds


def test_cross_traffic_moves_no_seed() -> None:
    """The links' and the NAT's generators are the same with it and without; so is what follows in the caller's."""

    def draws(cross_traffic: tuple[CrossTraffic, ...]) -> object:
        rng = random.Random(5)
        lossy = LinkConfig(loss=0.5, rate=10**6, delay=MS)
        rebinding = Rebinding(first=S)
        conditions = scenario(up=lossy, down=lossy, rebinding=rebinding, cross_traffic=cross_traffic)
        path = SimulatedPath(Network(), conditions, rng=rng)
        return [[len(link.transmit(b"x", now=k * S)) for k in range(64)] for link in (path.up, path.down)], rng.random()

    assert draws(()) == draws(CROSS)


def test_a_plain_scenario_draws_what_two_links_would() -> None:
    rng = random.Random(9)
    expected = [random.Random(rng.random()).random() for _ in range(2)]
    path = SimulatedPath(Network(), scenario(up=LinkConfig(loss=0.5), down=LinkConfig(loss=0.5)), rng=random.Random(9))
    drawn = [link.transmit(b"x", now=0) == [] for link in (path.up, path.down)]
    assert drawn == [value < 0.5 for value in expected]


def test_the_same_seed_gives_the_same_trace() -> None:
    def trace(seed: int) -> str:
        world = World(scenario(up=NARROW, down=NARROW, cross_traffic=CROSS), seed=seed, traced=True)
        return world.run(4 * S).network.trace_hash

    assert trace(1) == trace(1) != trace(2)


@pytest.mark.parametrize(("algorithm", "number"), [("vegas", 0), ("cubic", -1), ("cubic", 1 << 16)])
def test_flows_that_cannot_be_are_refused(algorithm: str, number: int) -> None:
    path = SimulatedPath(Network(), scenario(), rng=random.Random(1))
    with pytest.raises(ConfigError):
        Flow(Network(), path.up, path.down, algorithm=algorithm, number=number, start=0)
