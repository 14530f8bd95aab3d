"""A peer that is gone for good: each side ends at its stated deadline, not before and not much after."""

from __future__ import annotations

import pytest

from surewire.core.config import TransportConfig
from surewire.errors import HandshakeTimeout, IdleTimeout, Reset, Unconfirmed
from surewire.impair import LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from surewire.rdp.config import RdpConfig
from surewire.sim import Network
from surewire.wire.segment import PacketType
from tests.sim.world import DEAD, MS, PATH, PLAIN, S, Tap, begin_together, confirm_late, content, cut, tap_both

IDLE = TransportConfig().idle_timeout
HANDSHAKE = TransportConfig().handshake_timeout
SHORT = RdpConfig(transport=TransportConfig(idle_timeout=4 * S, handshake_timeout=3 * S))


def closed_at(tap: Tap) -> int:
    assert tap.closed_at is not None, "it never ended"
    return tap.closed_at


@pytest.mark.parametrize("config", [RdpConfig(), SHORT, PLAIN], ids=["default", "short", "plain"])
def test_nobody_answers(config: RdpConfig) -> None:
    limit = config.transport.handshake_timeout
    simulation = RdpSimulation(b"data", DEAD, seed=1, config=config)
    began = simulation.network.now
    tap, _ = tap_both(simulation)
    simulation.network.run(until=began + limit - 1)
    assert not simulation.sender_outcome.closed
    simulation.network.run(until=began + 10 * limit)
    error = simulation.sender_outcome.error
    assert isinstance(error, HandshakeTimeout)
    assert limit <= closed_at(tap) - began <= limit + S
    tries = simulation.sender.packets.count("sS", PacketType.SYN)
    assert f"{tries} tries" in str(error) and f"{limit // S} s" in str(error)
    assert tries >= limit // S


@pytest.mark.parametrize("config", [RdpConfig(), SHORT, PLAIN], ids=["default", "short", "plain"])
def test_both_sides_notice_a_path_that_died_in_mid_transfer(config: RdpConfig) -> None:
    limit = config.transport.idle_timeout
    simulation = RdpSimulation(content(300_000), PATH, seed=1, config=config)
    at_sender, at_receiver = tap_both(simulation)
    cut(simulation, at=simulation.network.now + 150 * MS)
    simulation.run(limit_s=400)
    for tap, outcome in ((at_sender, simulation.sender_outcome), (at_receiver, simulation.receiver_outcome)):
        assert isinstance(outcome.error, IdleTimeout)
        assert f"{limit // S} s" in str(outcome.error)
        assert closed_at(tap) == tap.last_received_at() + limit
    assert simulation.sink.committed is None
    assert simulation.receiver.contiguous > 0
    assert (
        bytes(simulation.sink.data[: simulation.receiver.contiguous])
        == simulation.data[: simulation.receiver.contiguous]
    )


@pytest.mark.parametrize("silence, survives", [(IDLE - 3 * S, True), (IDLE + 200 * MS, False)])
def test_the_deadline_from_both_sides(silence: int, survives: bool) -> None:
    """A silence a bit shorter than the deadline less one probe interval is survived; a longer one is not."""
    start = 150 * MS
    link = LinkConfig(delay=20 * MS, rate=20_000_000, blackouts=((start, start + silence),))
    simulation = RdpSimulation(content(300_000), link, seed=1)
    begin_together(simulation)
    simulation.run(limit_s=200)
    assert simulation.is_success == survives, f"{simulation.sender_outcome}, {simulation.receiver_outcome}"
    if not survives:
        assert isinstance(simulation.sender_outcome.error, IdleTimeout)
        assert isinstance(simulation.receiver_outcome.error, IdleTimeout | Reset)


def test_an_opening_that_is_answered_late_but_in_time() -> None:
    silence = HANDSHAKE - 2 * S
    simulation = RdpSimulation(content(3_000), LinkConfig(delay=20 * MS, blackouts=((0, silence),)), seed=1)
    begin_together(simulation)
    assert simulation.run(limit_s=200).is_success
    assert simulation.network.now > S + silence


def cut_when_all_is_acknowledged(simulation: RdpSimulation) -> None:
    """Cut the path once every byte is acknowledged and the receiver's application is still storing them."""
    confirm_late(simulation, 10 * S)
    cut(simulation, at=simulation.network.now + 5 * S)


def test_a_receiver_that_never_confirms_leaves_the_file_unconfirmed() -> None:
    simulation = RdpSimulation(content(20_000), PATH, seed=1)
    cut_when_all_is_acknowledged(simulation)
    tap, _ = tap_both(simulation)
    simulation.run(limit_s=200)
    assert isinstance(simulation.sender_outcome.error, Unconfirmed)
    assert closed_at(tap) == tap.last_received_at() + IDLE
    assert simulation.is_identical and simulation.receiver_outcome.error is None  # it is stored, only nobody knows


def test_a_plain_receiver_that_falls_silent_after_the_data_is_taken_to_have_exited() -> None:
    simulation = RdpSimulation(content(20_000), PATH, seed=1, config=PLAIN)
    cut_when_all_is_acknowledged(simulation)
    tap, _ = tap_both(simulation)
    simulation.run(limit_s=200)
    assert simulation.sender_outcome.error is None
    assert simulation.sender_outcome.note is not None and "never acknowledged the FIN" in simulation.sender_outcome.note
    assert closed_at(tap) == tap.last_received_at() + PLAIN.silent_close


def test_a_receiver_without_a_sender_waits_for_ever() -> None:
    simulation = RdpSimulation(b"", DEAD, seed=1)
    simulation.network.run(until=10_000 * S)
    assert not simulation.receiver_outcome.closed


def test_a_receiver_whose_sender_opened_and_vanished_ends() -> None:
    simulation = RdpSimulation(content(20_000), PATH, seed=1)
    _, tap = tap_both(simulation)
    cut(simulation, at=simulation.network.now + 10 * MS)
    simulation.run(limit_s=200)
    assert isinstance(simulation.receiver_outcome.error, IdleTimeout)
    assert closed_at(tap) == tap.last_received_at() + IDLE
    assert isinstance(simulation.sender_outcome.error, HandshakeTimeout)


def test_a_network_with_nothing_left_to_do_stops() -> None:
    simulation = RdpSimulation(content(2_000), PATH, seed=1).run()
    assert isinstance(simulation.network, Network)
    now = simulation.network.now
    assert simulation.network.run(until=now + 1_000 * S)
    assert simulation.network.now <= now + IDLE  # what is left are wake-ups for timers that were cancelled
