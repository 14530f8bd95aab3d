"""The end of a transfer: lost repairs, lost FINs, lost last acknowledgments, a receiver that takes its time."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from surewire.core.events import Closed
from surewire.errors import Reset, Unconfirmed
from surewire.impair import Delivery, Link, LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from surewire.wire import text
from surewire.wire.segment import PacketType
from tests.sim.world import MS, PATH, PLAIN, S, begin_together, confirm_late, content, impaired, tap_both


class PickyLink:
    """A link that loses what `is_lost` says, which is told the type, the number and how often it came before."""

    def __init__(self, config: LinkConfig, is_lost: Callable[[PacketType, int, int], bool]) -> None:
        self._link = Link(config, random.Random(0))
        self._picks = is_lost
        self._copies: dict[tuple[PacketType, int], int] = {}

    def transmit(self, datagram: bytes, *, now: int) -> list[Delivery]:
        lines = dict(line.split(b": ") for line in datagram.partition(b"\n\n")[0].split(b"\n"))
        kind = PacketType(lines[b"Type"].decode())
        number = int(lines.get(b"Sequence", lines.get(b"Acknowledgment", b"0")))
        copy = self._copies[kind, number] = self._copies.get((kind, number), -1) + 1
        return [] if self._picks(kind, number, copy) else self._link.transmit(datagram, now=now)


def lose(simulation: RdpSimulation, is_lost: Callable[[PacketType, int, int], bool], *, forward: bool = True) -> None:
    """Let one direction of a simulation lose chosen packets: by type, number and how often it was sent before."""
    hosts = (simulation.sender_host, simulation.receiver_host)
    source, destination = hosts if forward else hosts[::-1]
    simulation.network.connect(source, destination, PickyLink(PATH, is_lost))


def first_data_number(simulation: RdpSimulation) -> int:
    """The sequence number of the file's first byte, learned from a run that is thrown away."""
    tap, _ = tap_both(simulation)
    simulation.run()
    return text.parse(tap.log[0].datagram).number + 1


@pytest.mark.parametrize("losses", [1, 2, 3, 8])
@pytest.mark.parametrize("near_end", [True, False])
def test_a_repair_lost_behind_the_fin_is_repaired_again(losses: int, near_end: bool) -> None:
    data = content(60_000)
    base = first_data_number(RdpSimulation(data, PATH, seed=1))
    low, high = (58_000, 59_000) if near_end else (30_000, 31_000)
    simulation = RdpSimulation(data, PATH, seed=1)

    def is_lost(kind: PacketType, number: int, copy: int) -> bool:
        return kind is PacketType.DAT and low <= number - base < high and copy < losses

    lose(simulation, is_lost)
    simulation.run(limit_s=60)
    assert simulation.is_success, f"{losses} losses: {simulation.sender_outcome}, {simulation.receiver_outcome}"


@pytest.mark.parametrize("extensions", [True, False])
@pytest.mark.parametrize("kind", [PacketType.SYN, PacketType.FIN])
@pytest.mark.parametrize("losses", [1, 3])
def test_a_lost_opening_or_end_is_sent_again(extensions: bool, kind: PacketType, losses: int) -> None:
    simulation = RdpSimulation(content(5_000), PATH, seed=1, config=None if extensions else PLAIN)
    lose(simulation, lambda this, number, copy: this is kind and copy < losses)
    assert simulation.run(limit_s=60).is_success
    assert simulation.sender.packets.count("sS", kind) > losses
    assert simulation.sender.packets.count("s", kind) == 1
    assert simulation.receiver.packets.count("rR", kind) == simulation.sender.packets.count("sS", kind) - losses


@pytest.mark.parametrize("extensions", [True, False])
@pytest.mark.parametrize("losses", [1, 4])
def test_a_lost_last_acknowledgment_is_sent_again(extensions: bool, losses: int) -> None:
    size = 5_000
    base = first_data_number(RdpSimulation(content(size), PATH, seed=1))
    simulation = RdpSimulation(content(size), PATH, seed=1, config=None if extensions else PLAIN)

    def is_lost(kind: PacketType, number: int, copy: int) -> bool:
        return kind is PacketType.ACK and number == base + size + 1 and copy < losses

    lose(simulation, is_lost, forward=False)
    assert simulation.run(limit_s=60).is_success
    assert simulation.sender_outcome.note is None


def test_a_sender_whose_last_acknowledgment_never_comes_knows_that_it_does_not_know() -> None:
    size = 5_000
    base = first_data_number(RdpSimulation(content(size), PATH, seed=1))
    simulation = RdpSimulation(content(size), PATH, seed=1)
    lose(simulation, lambda kind, number, copy: kind is PacketType.ACK and number == base + size + 1, forward=False)
    simulation.run(limit_s=200)
    assert simulation.is_identical
    assert simulation.receiver_outcome.closed and simulation.receiver_outcome.error is None
    assert isinstance(simulation.sender_outcome.error, Unconfirmed)


@pytest.mark.parametrize("extensions", [True, False])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_receiver_that_takes_a_minute_to_store_the_file_keeps_the_sender_patient(extensions: bool, seed: int) -> None:
    link = impaired(loss=0.1, duplicate=0.1, reorder=0.1)
    simulation = RdpSimulation(content(30_000), link, seed=seed, config=None if extensions else PLAIN)
    confirm_late(simulation, 60 * S)
    simulation.run(limit_s=200)
    assert simulation.is_success, f"seed {seed}: {simulation.sender_outcome}, {simulation.receiver_outcome}"
    assert simulation.sender_outcome.note is None
    assert simulation.sender.duration > 60 * S
    assert simulation.receiver.duration > 60 * S
    assert simulation.sender.packets.count("s", PacketType.FIN) == 1


@pytest.mark.parametrize("extensions", [True, False])
def test_a_receiver_that_takes_a_minute_is_not_flooded_with_fins(extensions: bool) -> None:
    simulation = RdpSimulation(content(5_000), PATH, seed=1, config=None if extensions else PLAIN)
    confirm_late(simulation, 60 * S)
    assert simulation.run().is_success
    # One each half second is what the settings say; a few more while the wait grows to that.
    assert simulation.sender.packets.count("sS", PacketType.FIN) < 2 * 60 + 30


def test_a_receiver_that_fails_after_a_minute_tells_the_sender() -> None:
    simulation = RdpSimulation(content(30_000), PATH, seed=1)
    simulation.receiver_host.on_event = lambda event, now: None
    simulation.network.at(61 * S, lambda: simulation.receiver.abort("the disk is gone", now=simulation.network.now))
    simulation.network.at(61 * S, lambda: simulation.network.service(simulation.receiver_host))
    simulation.run(limit_s=200)
    assert isinstance(simulation.sender_outcome.error, Reset)
    assert "the disk is gone" in str(simulation.sender_outcome.error)
    assert simulation.sink.committed is None


@pytest.mark.parametrize("extensions", [True, False])
def test_the_receiver_answers_for_as_long_as_the_sender_may_need_it(extensions: bool) -> None:
    simulation = RdpSimulation(content(5_000), PATH, seed=1, config=None if extensions else PLAIN)
    ends: list[int] = []
    pass_on = simulation.receiver_host.on_event

    def on_event(event: object, now: int) -> None:
        if isinstance(event, Closed):
            ends.append(now)
        pass_on(event, now)  # type: ignore[arg-type]

    simulation.receiver_host.on_event = on_event
    simulation.run()
    confirmed = simulation.receiver.ended_at
    assert confirmed is not None
    if extensions:  # the sender's farewell came a round trip later
        assert confirmed < ends[0] < confirmed + 50 * MS
    else:
        assert ends == [confirmed + simulation.receiver.config.plain_linger]


def test_a_receiver_that_misses_the_farewell_lingers_long_enough_for_an_outage() -> None:
    simulation = RdpSimulation(content(5_000), PATH, seed=1)
    lose(simulation, lambda kind, number, copy: kind is PacketType.ACK)
    began = simulation.network.now
    assert simulation.run().is_success
    assert simulation.network.now - began > 12 * S


def test_ten_seconds_of_silence_that_swallow_the_last_acknowledgment() -> None:
    simulation = RdpSimulation(content(5_000), PATH, seed=1)
    simulation.run()
    assert simulation.receiver.ended_at is not None
    confirmed = simulation.receiver.ended_at - S  # the network's time begins at 1 s
    for start in (confirmed - 1, confirmed + 1):
        link = LinkConfig(delay=PATH.delay, rate=PATH.rate, blackouts=((start, start + 10 * S),))
        simulation = RdpSimulation(content(5_000), link, seed=1)
        begin_together(simulation)
        simulation.run()
        assert simulation.is_success, f"{start}: {simulation.sender_outcome}, {simulation.receiver_outcome}"
