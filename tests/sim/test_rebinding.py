"""A NAT that gives the sender another port, or another address, while a transfer runs."""

from __future__ import annotations

import pytest

from surewire.impair import LinkConfig
from surewire.lab.simulated.rdp_simulation import RECEIVER, SENDER, RdpSimulation
from surewire.rdp.config import RdpConfig
from surewire.wire import text
from surewire.wire.segment import Offer, PacketType
from tests.sim.world import MS, PATH, PLAIN, S, confirm_late, content, impaired, tap_both

OTHER_PORT = (SENDER[0], 9999)
OTHER_HOST = ("198.51.100.7", 40_000)
SIZE = 300_000


def rebound(
    *, at: int, to: tuple[str, int], config: RdpConfig | None = None, link: LinkConfig = PATH, seed: int = 1
) -> RdpSimulation:
    """A transfer whose sender gets another address after `at` ns."""
    simulation = RdpSimulation(content(SIZE), link, seed=seed, config=config)
    simulation.network.at(S + at, lambda: simulation.network.rebind(simulation.sender_host, to))
    return simulation


@pytest.mark.parametrize("to", [OTHER_PORT, OTHER_HOST], ids=["port", "host"])
@pytest.mark.parametrize("at_ms", [45, 70, 100, 150, 170, 200])
def test_a_new_address_is_followed_with_the_extension(to: tuple[str, int], at_ms: int) -> None:
    simulation = rebound(at=at_ms * MS, to=to).run()
    assert simulation.is_success, f"{simulation.sender_outcome}, {simulation.receiver_outcome}"
    assert simulation.receiver.peer == (to if at_ms < 200 else simulation.receiver.peer)


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_new_address_is_followed_on_a_bad_path(seed: int) -> None:
    link = impaired(loss=0.1, duplicate=0.1, reorder=0.1, corrupt=0.1)
    simulation = rebound(at=(50 + 30 * seed) * MS, to=OTHER_HOST, link=link, seed=seed).run()
    assert simulation.is_success, f"seed {seed}: {simulation.sender_outcome}, {simulation.receiver_outcome}"
    assert simulation.receiver.peer == OTHER_HOST, f"seed {seed}"
    assert simulation.receiver.stats.migrations <= 1, f"seed {seed}"  # late packets move nothing back


def test_many_new_addresses_are_followed() -> None:
    simulation = RdpSimulation(content(SIZE), impaired(loss=0.05), seed=3)
    for turn in range(1, 9):
        to = (SENDER[0], 9_000 + turn)
        simulation.network.at(
            S + turn * 25 * MS,
            lambda to=to: simulation.network.rebind(simulation.sender_host, to),  # type: ignore[misc]
        )
    simulation.run()
    assert simulation.is_success, f"{simulation.sender_outcome}, {simulation.receiver_outcome}"
    assert simulation.receiver.stats.migrations > 2


def test_a_new_address_while_the_file_is_stored_is_followed() -> None:
    simulation = rebound(at=5 * S, to=OTHER_HOST)
    confirm_late(simulation, 10 * S)
    assert simulation.run().is_success
    assert simulation.receiver.peer == OTHER_HOST


def test_a_new_address_before_the_first_acknowledgment_arrives_is_followed() -> None:
    """The SYN has arrived, its ACK goes to the old address and is lost; the repeated SYN comes from the new one."""
    simulation = rebound(at=5 * MS, to=OTHER_PORT).run()
    assert simulation.is_success, f"{simulation.sender_outcome}, {simulation.receiver_outcome}"


@pytest.mark.parametrize("at_ms", [60, 90, 120, 150])
def test_a_new_port_is_followed_in_plain_mode(at_ms: int) -> None:
    simulation = rebound(at=at_ms * MS, to=OTHER_PORT, config=PLAIN).run()
    assert simulation.is_success, f"{simulation.sender_outcome}, {simulation.receiver_outcome}"
    assert simulation.receiver.peer == OTHER_PORT and simulation.receiver.stats.migrations == 1


@pytest.mark.parametrize("at_ms", [60, 120])
def test_a_new_host_is_not_followed_in_plain_mode(at_ms: int) -> None:
    simulation = rebound(at=at_ms * MS, to=OTHER_HOST, config=PLAIN).run()
    assert simulation.receiver.stats.migrations == 0 and simulation.receiver.stats.strangers > 0
    assert simulation.receiver.peer == SENDER
    assert simulation.sink.committed is None
    assert simulation.receiver_outcome.error is not None and simulation.sender_outcome.error is not None


def test_a_new_port_before_the_fin_is_followed_in_plain_mode() -> None:
    """All data are acknowledged; only the FIN comes from the new port, at the number where it must be."""
    simulation = RdpSimulation(content(20_000), PATH, seed=1, config=PLAIN)
    tap, _ = tap_both(simulation)
    simulation.run()
    fin_at = tap.first_sent_at(PacketType.FIN)
    simulation = RdpSimulation(content(20_000), PATH, seed=1, config=PLAIN)
    simulation.network.at(fin_at - 1, lambda: simulation.network.rebind(simulation.sender_host, OTHER_PORT))
    simulation.run()
    assert simulation.is_success, f"{simulation.sender_outcome}, {simulation.receiver_outcome}"
    assert simulation.sender_outcome.note is None


# Forgeries: nothing a stranger sends may move the transfer to the stranger.

STRANGER = ("203.0.113.66", 6666)
SAME_HOST = (SENDER[0], 6666)


def forged(simulation: RdpSimulation, packets: list[bytes], source: tuple[str, int]) -> None:
    """Inject packets at the receiver, one each 5 ms from 100 ms on, when a good part of the file is there."""
    for turn, packet in enumerate(packets):
        simulation.network.at(
            S + (100 + 5 * turn) * MS,
            lambda packet=packet: simulation.network.inject(  # type: ignore[misc]
                packet, source=source, destination=simulation.receiver_host
            ),
        )


def numbers_of(seed: int, config: RdpConfig | None) -> tuple[int, int]:
    """ISN and session (0 in plain mode) of the transfer with this seed."""
    simulation = RdpSimulation(content(SIZE), PATH, seed=seed, config=config)
    tap, _ = tap_both(simulation)
    simulation.network.run(until=S)
    syn = text.parse(tap.log[0].datagram)
    return syn.number, syn.offer.session if syn.offer is not None else 0


@pytest.mark.parametrize("source", [STRANGER, SAME_HOST], ids=["host", "port"])
def test_forged_packets_without_the_sessions_checksum_move_nothing(source: tuple[str, int]) -> None:
    isn, session = numbers_of(1, None)
    wrong_key = text.session_key(session ^ 1)
    evil = b"evil" * 200
    packets = [
        text.emit_plain_dat(b"CSC361", isn + 1 + 150_000, evil),
        text.emit_plain_dat(b"CSC361", isn + 1, evil),
        b"".join(text.emit_dats(b"CSC361", isn + 1 + 200_000, evil, segment=900, packet_number=500, key=wrong_key)),
        text.emit_fin(b"CSC361", isn + 1 + SIZE),
        text.emit_fin(b"CSC361", isn + 1),
        text.emit_rst(b"CSC361"),
        text.emit_syn(b"CSC361", isn, None),
        text.emit_syn(b"CSC361", isn, Offer(1, session ^ 1, 0, 5)),
        text.emit_ack(b"CSC361", isn + 1, 5),
    ]
    simulation = RdpSimulation(content(SIZE), PATH, seed=1)
    forged(simulation, packets, source)
    simulation.run()
    assert simulation.is_success, f"{simulation.sender_outcome}, {simulation.receiver_outcome}"
    assert simulation.receiver.peer == SENDER
    assert simulation.receiver.stats.migrations == 0


@pytest.mark.parametrize(
    "source, offsets",
    [(STRANGER, (150_000, 151_000, 160_000)), (SAME_HOST, (-950, 400_000, 10**12)), (SAME_HOST, (0, 959))],
    ids=["another host", "outside the window", "old data"],
)
def test_forged_plain_packets_that_prove_nothing_move_nothing(
    source: tuple[str, int], offsets: tuple[int, ...]
) -> None:
    isn, _ = numbers_of(1, PLAIN)
    packets = [text.emit_plain_dat(b"CSC361", isn + 1 + offset, b"e" * 900) for offset in offsets]
    packets += [text.emit_fin(b"CSC361", isn + 1 + SIZE), text.emit_rst(b"CSC361"), text.emit_fin(b"CSC361", isn + 1)]
    if source == SAME_HOST:
        packets = packets[:-3]
    simulation = RdpSimulation(content(SIZE), PATH, seed=1, config=PLAIN)
    forged(simulation, packets, source)
    simulation.run()
    assert simulation.is_success, f"{simulation.sender_outcome}, {simulation.receiver_outcome}"
    assert simulation.receiver.peer == SENDER
    assert simulation.receiver.stats.migrations == 0
    assert simulation.receiver.stats.strangers == len(packets)


def test_the_receivers_address_is_fixed() -> None:
    """The sender listens to the address it was told only."""
    isn, _ = numbers_of(1, None)
    simulation = RdpSimulation(content(SIZE), PATH, seed=1)
    for turn, packet in enumerate([text.emit_rst(b"CSC361")] * 5 + [text.emit_ack(b"CSC361", isn + 1 + SIZE + 1, 5)]):
        simulation.network.at(
            S + (5 + 20 * turn) * MS,
            lambda packet=packet: simulation.network.inject(  # type: ignore[misc]
                packet, source=(RECEIVER[0], 1), destination=simulation.sender_host
            ),
        )
    assert simulation.run().is_success
    assert simulation.sender.stats.strangers == 6
