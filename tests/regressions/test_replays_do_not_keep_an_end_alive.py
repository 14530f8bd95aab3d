"""A stranger who sent overheard packets again, one every second, kept a side that was done from ever ending."""

from __future__ import annotations

import random

import pytest

from surewire.core.state import State
from surewire.core.trains import Address
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import Link, LinkConfig
from surewire.sim import Host, Network
from surewire.streamer.session import StreamerSession

ONE, OTHER = ("192.0.2.1", 1), ("192.0.2.2", 2)
LINK = LinkConfig(delay=10 * NS_PER_MS)


class Overheard:
    """A tap that keeps what was sent to one side."""

    def __init__(self, destination: Address) -> None:
        self.destination = destination
        self.packets: list[bytes] = []

    def on_sent(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        if destination == self.destination:
            self.packets.append(datagram)

    def on_delivered(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        pass


def replay(network: Network, tap: Overheard, host: Host, source: Address) -> None:
    """Send everything overheard again each second."""
    for packet in tuple(tap.packets):
        network.inject(packet, source=source, destination=host)
    network.at(network.now + NS_PER_S, lambda: replay(network, tap, host, source))


@pytest.mark.parametrize("head_start", [0, NS_PER_S], ids=["both at once", "the first to finish"])
def test_streamer_ends(head_start: int) -> None:
    tap = Overheard(ONE)
    network = Network(tap=tap)
    sessions = [StreamerSession(peer, rng=random.Random(seed), now=0) for seed, peer in enumerate((OTHER, ONE))]
    hosts = [Host(ONE, sessions[0], lambda event, now: None), Host(OTHER, sessions[1], lambda event, now: None)]
    for here, there in ((0, 1), (1, 0)):
        link = Link(LINK, random.Random(here))
        link.begin(now=0)
        network.connect(hosts[here], hosts[there], link)
    sessions[0].write(b"x" * 3000, now=0)

    def finish(index: int) -> None:
        sessions[index].finish(now=network.now)
        network.service(hosts[index])

    for host in hosts:
        network.add(host)
    network.at(NS_PER_S, lambda: finish(0))
    network.at(NS_PER_S + head_start, lambda: finish(1))
    network.at(3 * NS_PER_S, lambda: replay(network, tap, hosts[0], OTHER))
    network.run(until=60 * NS_PER_S)
    assert [session.state for session in sessions] == [State.CLOSED, State.CLOSED]
