"""Garbage, forgeries and strangers all through a transfer: the file stays right, and nobody gives up."""

from __future__ import annotations

import random

import pytest

from surewire.core.trains import Address
from surewire.core.units import NS_PER_MS
from surewire.impair import LinkConfig
from surewire.lab.simulated.rdp_simulation import RECEIVER, SENDER, RdpSimulation
from surewire.rdp.config import RdpConfig
from surewire.wire import text
from surewire.wire.segment import Offer, PacketType
from tests.sim.world import PATH, PLAIN, S, Tap, content, impaired

STRANGER = ("203.0.113.66", 6666)
MS = NS_PER_MS


class Attacker:
    """Injects datagrams at both hosts while a transfer runs; overhears everything that is sent."""

    def __init__(self, simulation: RdpSimulation, seed: int) -> None:
        self.rng = random.Random(seed)
        self.simulation = simulation
        self.overheard = [b""]  # no RST: sent again by someone else it is a forgery (tests/unit/rdp has those)
        self.injected = 0
        Tap(simulation.sender_host, simulation.sender, on_sent=self._overhear)
        Tap(simulation.receiver_host, simulation.receiver, on_sent=self._overhear)

    def _overhear(self, datagram: bytes) -> None:
        if b"Type: RST" not in datagram:
            self.overheard.append(datagram)

    def attack(self, *, every: int, count: int, sources: tuple[Address | None, ...], kinds: str) -> None:
        """Inject `count` datagrams, one each `every` ns once the peers know each other.

        Before that nothing proves anything. A source of None is the other host's address.
        """
        network = self.simulation.network

        def turn() -> None:
            nonlocal count
            if self.simulation.sender.started_at is not None:
                count -= 1
                self._inject(sources[count % len(sources)], kinds)
            if count and not self.simulation.sender_outcome.closed:
                network.at(network.now + every, turn)

        network.at(S, turn)

    def _inject(self, source: Address | None, kinds: str) -> None:
        simulation = self.simulation
        at_receiver = self.rng.random() < 0.6
        target = simulation.receiver_host if at_receiver else simulation.sender_host
        spoofed = SENDER if at_receiver else RECEIVER
        kind = self.rng.choice(kinds.split())
        self.injected += 1
        simulation.network.inject(self._forge(kind), source=source or spoofed, destination=target)

    def _forge(self, kind: str) -> bytes:
        rng = self.rng
        if kind == "garbage":
            return rng.randbytes(rng.choice((0, 1, 30, 200, 1024, 1500, 9000)))
        if kind == "header":
            return b"Magic: CSC361\nType: %b\n%b\n\n" % (
                rng.choice((b"DAT", b"SYN", b"ACK", b"FIN", b"NAK", b"")),
                rng.choice((b"Sequence: ", b"Payload: 9999999", b"Acknowledgment: -1", b"Window: 9", b"\xff" * 300)),
            )
        packet = bytearray(rng.choice(self.overheard))
        if kind == "replay":
            return bytes(packet)
        for _ in range(rng.randint(1, 8) if packet else 0):
            packet[rng.randrange(len(packet))] = rng.choice(b"0123456789\n: ABCxyz\x00\xff")
        return bytes(packet)


@pytest.mark.parametrize("seed", range(1, 9))
@pytest.mark.parametrize("bad", [False, True], ids=["clean", "bad"])
def test_garbage_forgeries_and_replays_from_everywhere(seed: int, bad: bool) -> None:
    link = impaired(loss=0.1, duplicate=0.1, reorder=0.1, corrupt=0.1) if bad else PATH
    simulation = RdpSimulation(content(150_000, seed), link, seed=seed)
    attacker = Attacker(simulation, seed)
    attacker.attack(every=MS // 2, count=400, sources=(None, STRANGER), kinds="garbage header mutant replay mutant")
    simulation.run()
    assert simulation.is_success, f"seed {seed}: {simulation.sender_outcome}, {simulation.receiver_outcome}"
    assert attacker.injected > 150, f"seed {seed}"


@pytest.mark.parametrize("seed", range(1, 5))
def test_garbage_and_strangers_in_plain_mode(seed: int) -> None:
    """Without a checksum only what is no packet, or comes from another host, can be told from the truth."""
    simulation = RdpSimulation(content(100_000, seed), impaired(loss=0.05), seed=seed, config=PLAIN)
    attacker = Attacker(simulation, seed)
    attacker.attack(every=MS, count=200, sources=(None, STRANGER), kinds="garbage replay")
    attacker.attack(every=MS, count=200, sources=(STRANGER,), kinds="garbage header mutant replay")
    simulation.run()
    assert simulation.is_success, f"seed {seed}: {simulation.sender_outcome}, {simulation.receiver_outcome}"


@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize("config", [RdpConfig(), PLAIN], ids=["ours", "plain"])
def test_garbage_before_anything_else(seed: int, config: RdpConfig) -> None:
    simulation = RdpSimulation(content(5_000), PATH, seed=seed, config=config)
    attacker = Attacker(simulation, seed)
    for turn in range(60):
        simulation.network.at(
            S + turn * MS,
            lambda: simulation.network.inject(
                attacker.rng.randbytes(attacker.rng.randrange(1_200)),
                source=STRANGER,
                destination=attacker.rng.choice((simulation.sender_host, simulation.receiver_host)),
            ),
        )
    simulation.run()
    assert simulation.is_success, f"seed {seed}: {simulation.sender_outcome}, {simulation.receiver_outcome}"
    assert simulation.receiver.stats.damaged > 10 < simulation.sender.stats.strangers


@pytest.mark.parametrize("config", [RdpConfig(), PLAIN], ids=["ours", "plain"])
@pytest.mark.parametrize("offer", [None, Offer(1, 12345, 0, 9)], ids=["plain", "ours"])
def test_a_second_sender_is_told_to_go_away_and_disturbs_nothing(config: RdpConfig, offer: Offer | None) -> None:
    simulation = RdpSimulation(content(100_000), PATH, seed=1, config=config)
    tap = Tap(simulation.receiver_host, simulation.receiver)
    syn = text.emit_syn(b"UVicCSc361", 77, offer)
    for at_ms in (65, 70, 75, 80):  # data are under way
        simulation.network.at(
            S + at_ms * MS,
            lambda: simulation.network.inject(syn, source=STRANGER, destination=simulation.receiver_host),
        )
    simulation.run()
    assert simulation.is_success, f"{simulation.sender_outcome}, {simulation.receiver_outcome}"
    answers = [seen.datagram for seen in tap.log if seen.is_sent and seen.other == STRANGER]
    assert answers == [b"Magic: UVicCSc361\nType: RST\n\n"] * 4
    assert simulation.receiver.packets.count("s", PacketType.RST) == 4
    assert simulation.sender.packets.count("rR", PacketType.RST) == 0


def test_two_senders_at_once_are_served_one() -> None:
    """Two real senders open at the same receiver: the first to arrive wins, the other ends with a refusal."""
    first = RdpSimulation(content(50_000), LinkConfig(delay=20 * MS), seed=1)
    other = RdpSimulation(content(50_000, 1), LinkConfig(delay=20 * MS), seed=2)
    syn = other.sender.poll_transmit(now=S)
    assert syn is not None
    tap = Tap(first.receiver_host, first.receiver)
    first.network.at(
        S + 70 * MS,
        lambda: first.network.inject(syn.datagrams()[0], source=STRANGER, destination=first.receiver_host),
    )
    assert first.run().is_success
    (answer,) = [seen.datagram for seen in tap.log if seen.other == STRANGER and seen.is_sent]
    other.sender.handle_datagrams(answer, len(answer), RECEIVER, now=S + 90 * MS)
    assert "refused" in str(next(iter([other.sender.poll_event()])))


def test_a_flood_of_openings_leaves_no_memory_behind() -> None:
    simulation = RdpSimulation(content(50_000), PATH, seed=1)
    tap = Tap(simulation.receiver_host, simulation.receiver)
    for turn in range(2_000):
        syn = text.emit_syn(b"CSC361", turn, Offer(1, turn, 0, 10**15))
        source = ("203.0.113.9", turn)
        simulation.network.at(
            S + 65 * MS + turn * MS // 40,
            lambda syn=syn, source=source: simulation.network.inject(  # type: ignore[misc]
                syn, source=source, destination=simulation.receiver_host
            ),
        )
    assert simulation.run().is_success
    assert sum(1 for seen in tap.log if seen.is_sent and b"RST" in seen.datagram) == 2_000
    assert simulation.receiver.stats.strangers == 2_000
