"""What a transfer leaves behind for the log, the summary and a replay: traces, counters, sizes, order, windows."""

from __future__ import annotations

from collections import Counter

import pytest

from surewire.core.config import TransportConfig
from surewire.core.congestion.fixed import FixedRate
from surewire.lab.simulated.rdp_simulation import RECEIVER, SENDER, RdpSimulation
from surewire.rdp.config import RdpConfig
from surewire.rdp.records import receiver_summary, sender_summary
from surewire.wire import text
from surewire.wire.segment import PacketType
from tests.sim.world import MS, PATH, PLAIN, Audit, assert_counters_equal_records, content, impaired, recount, tap_both

ALL_FOUR = impaired(loss=0.1, duplicate=0.1, reorder=0.1, corrupt=0.1)


def traced(seed: int, data: bytes) -> str:
    return RdpSimulation(data, ALL_FOUR, seed=seed, traced=True).run().network.trace_hash


def test_the_same_seed_gives_the_same_trace_and_another_seed_another() -> None:
    data = content(100_000)
    hashes = [traced(seed, data) for seed in (1, 2, 3)]
    assert hashes == [traced(seed, data) for seed in (1, 2, 3)]
    assert len(set(hashes)) == 3


def test_other_data_give_another_trace() -> None:
    assert traced(1, content(100_000)) != traced(1, content(100_000, seed=1))


@pytest.mark.parametrize("plain", [False, True], ids=["ours", "plain"])
@pytest.mark.parametrize("seed", range(1, 5))
def test_summaries_agree_with_records_and_records_with_the_datagrams(seed: int, plain: bool) -> None:
    why = f"seed {seed}"
    size = 150_000
    link = impaired(loss=0.1, duplicate=0.1, reorder=0.1) if plain else ALL_FOUR
    simulation = RdpSimulation(content(size), link, seed=seed, config=PLAIN if plain else None)
    at_sender, at_receiver = tap_both(simulation)
    assert simulation.run().is_success, why
    sender, receiver = simulation.sender, simulation.receiver
    sent, received = sender.take_records(), receiver.take_records()
    assert_counters_equal_records(sender.packets, sent, why)
    assert_counters_equal_records(receiver.packets, received, why)
    assert sender.take_records() == [] == receiver.take_records()
    for tap, records in ((at_sender, sent), (at_receiver, received)):
        out = Counter(PacketType(seen.datagram.split(b"\n")[1][6:].decode()) for seen in tap.log if seen.is_sent)
        assert out == Counter(kind for event, kind, *_ in records if event in "sS"), why
    assert len([1 for event, *_ in received if event in "rR"]) <= len([1 for s in at_receiver.log if not s.is_sent])
    assert {peer for *_, peer, _ in sent} == {RECEIVER}
    assert {peer for *_, peer, _ in received} == {SENDER}
    for tap, records in ((at_sender, sent), (at_receiver, received)):  # the log's times are those of the packets
        times = Counter(seen.at for seen in tap.log if seen.is_sent)
        assert times == Counter(at for event, *_, at in records if event in "sS"), why
    packets, data = recount(sent)
    assert sender_summary(sender.packets, sender.duration) == (
        f"total data bytes sent: {data['s'] + data['S']}\nunique data bytes sent: {size}\n"
        f"total data packets sent: {packets['s', PacketType.DAT] + packets['S', PacketType.DAT]}\n"
        f"unique data packets sent: {packets['s', PacketType.DAT]}\n"
        f"SYN packets sent: {packets['s', PacketType.SYN] + packets['S', PacketType.SYN]}\n"
        f"FIN packets sent: {packets['s', PacketType.FIN] + packets['S', PacketType.FIN]}\nRST packets sent: 0\n"
        f"ACK packets received: {packets['r', PacketType.ACK] + packets['R', PacketType.ACK]}\n"
        f"RST packets received: 0\ntotal time duration (second): {sender.duration / 1e9:.3f}\n"
    )
    packets, data = recount(received)
    assert f"unique data bytes received: {size}\n" in receiver_summary(receiver.packets, receiver.duration)
    assert f"total data bytes received: {data['r'] + data['R']}\n" in receiver_summary(receiver.packets, 0)
    assert packets["s", PacketType.ACK] + packets["S", PacketType.ACK] == receiver.packets.count("sS", PacketType.ACK)


def test_the_first_copy_of_every_byte_is_s_and_r_and_any_other_is_not() -> None:
    simulation = RdpSimulation(content(100_000), ALL_FOUR, seed=5).run()
    for records, first in ((simulation.sender.take_records(), "s"), (simulation.receiver.take_records(), "r")):
        seen: set[int] = set()
        for event, kind, number, size, *_ in records:
            if kind is PacketType.DAT and event in "sSrR":
                is_new = not seen.issuperset(range(number, number + size))
                assert (event == first) == is_new
                seen.update(range(number, number + size))
        assert len(seen) == 100_000


def test_durations_are_what_the_assignment_defines() -> None:
    simulation = RdpSimulation(content(50_000), PATH, seed=1)
    at_sender, at_receiver = tap_both(simulation)
    simulation.run()
    sender, receiver = simulation.sender, simulation.receiver
    assert sender.started_at == next(seen.at for seen in at_sender.log if not seen.is_sent)
    assert sender.ended_at == at_sender.last_received_at()
    assert receiver.started_at == at_receiver.first_sent_at(PacketType.ACK)
    assert receiver.ended_at == max(seen.at for seen in at_receiver.log if seen.is_sent)
    assert sender.duration == sender.ended_at - sender.started_at > 0
    assert abs(sender.duration - receiver.duration) < 10 * MS


def test_packet_numbers_leave_in_order() -> None:
    """On a clean path nothing overtakes anything: not the FIN the last data either."""
    for size in (0, 500, 5_000, 100_000):
        simulation = RdpSimulation(content(size), PATH, seed=3)
        tap, _ = tap_both(simulation)
        simulation.run()
        numbers = Audit(content(size), f"{size} bytes").read(tap.log).packet_numbers
        assert numbers == sorted(numbers), f"{size} bytes"
        assert simulation.sender.outbound.stats.reordered == 0, f"{size} bytes"


@pytest.mark.parametrize("window", [700, 736, 1_000, 5_000, 65_536])
@pytest.mark.parametrize("plain", [False, True], ids=["ours", "plain"])
def test_the_window_is_never_exceeded(window: int, plain: bool) -> None:
    size = min(40 * window, 150_000)
    data = content(size)
    receiver_config = RdpConfig(
        extensions=not plain, plain_window=window, transport=TransportConfig(receive_window=window)
    )
    for seed, link in enumerate((PATH, ALL_FOUR if not plain else impaired(loss=0.1, duplicate=0.1, reorder=0.1))):
        why = f"seed {seed}, window {window}"
        simulation = RdpSimulation(
            data,
            link,
            seed=seed,
            receiver_config=receiver_config,
            controller=FixedRate(rate=20_000_000, cwnd=1 << 20),  # nothing but the window holds it back
        )
        tap, _ = tap_both(simulation)
        simulation.run()
        assert simulation.is_success, f"{why}: {simulation.sender_outcome}, {simulation.receiver_outcome}"
        Audit(data, why).read(tap.log)
        assert simulation.receiver.stats.ignored == 0, why


@pytest.mark.parametrize("magic", [b"C", b"CSC361", b"M" * 32])
def test_no_datagram_is_longer_than_the_limit_and_full_ones_come_close(magic: bytes) -> None:
    for seed in (1, 2):
        simulation = RdpSimulation(content(200_000), ALL_FOUR, seed=seed, config=RdpConfig(magic=magic)).run()
        assert simulation.is_success, f"seed {seed}"
        assert simulation.receiver_host.max_datagram <= text.MAX_PACKET, f"seed {seed}"
        assert text.MAX_PACKET - 8 <= simulation.sender_host.max_datagram <= text.MAX_PACKET, f"seed {seed}"


def test_a_clean_path_costs_no_byte_twice() -> None:
    simulation = RdpSimulation(content(1 << 20), PATH, seed=1).run()
    assert simulation.sender.packets.data_bytes == {"s": 1 << 20, "S": 0, "r": 0, "R": 0}
    assert simulation.receiver.packets.data_bytes == {"s": 0, "S": 0, "r": 1 << 20, "R": 0}


def test_many_packets_are_in_flight_at_once() -> None:
    """Never stop-and-wait: the acknowledgment of a packet arrives long after its successors left."""
    simulation = RdpSimulation(content(300_000), PATH, seed=1)
    tap, _ = tap_both(simulation)
    simulation.run()
    acks = [index for index, seen in enumerate(tap.log) if not seen.is_sent]
    data_before_the_second_ack = sum(1 for seen in tap.log[: acks[1]] if b"Type: DAT" in seen.datagram[:40])
    assert data_before_the_second_ack >= 10
