"""The minimal protocol of the assignment, spoken by one side or both: no checksums, no packet numbers."""

from __future__ import annotations

import itertools

import pytest

from surewire.impair import LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from surewire.rdp.config import RdpConfig
from surewire.wire import text
from surewire.wire.segment import PacketType
from tests.sim.world import MS, PATH, PLAIN, Audit, content, impaired, tap_both

OURS = RdpConfig()
SIDES = {"both plain": (PLAIN, PLAIN), "plain sender": (PLAIN, OURS), "plain receiver": (OURS, PLAIN)}
IMPAIRMENTS = ("loss", "duplicate", "reorder")  # nothing can detect corruption here
COMBINATIONS = [names for count in range(4) for names in itertools.combinations(IMPAIRMENTS, count)]


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("combination", COMBINATIONS, ids=lambda names: "+".join(names) or "clean")
def test_the_file_arrives_identical(sides: str, combination: tuple[str, ...]) -> None:
    config, receiver_config = SIDES[sides]
    for seed in range(1, 4):
        why = f"seed {seed}"
        data = content(60_000, seed)
        link = impaired(**dict.fromkeys(combination, 0.1))
        simulation = RdpSimulation(data, link, seed=seed, config=config, receiver_config=receiver_config)
        tap, _ = tap_both(simulation)
        simulation.run()
        assert simulation.is_success, f"{why}: {simulation.sender_outcome}, {simulation.receiver_outcome}"
        assert not simulation.sender.is_ours and not simulation.receiver.is_ours, why
        assert simulation.sender_outcome.note is None, why
        Audit(data, why, is_plain=config is PLAIN).read(tap.log)


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_megabyte_at_ten_percent_loss(seed: int) -> None:
    simulation = RdpSimulation(content(1 << 20, seed), impaired(loss=0.1), seed=seed, config=PLAIN).run()
    assert simulation.is_success, f"seed {seed}: {simulation.sender_outcome}, {simulation.receiver_outcome}"


@pytest.mark.parametrize("seed", range(1, 4))
def test_thirty_percent_loss_each_way(seed: int) -> None:
    link = impaired(loss=0.3, duplicate=0.1, reorder=0.1)
    simulation = RdpSimulation(content(60_000, seed), link, seed=seed, config=PLAIN).run()
    assert simulation.is_success, f"seed {seed}: {simulation.sender_outcome}, {simulation.receiver_outcome}"


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_slow_jittery_path(seed: int) -> None:
    link = LinkConfig(delay=200 * MS, jitter=50 * MS, loss=0.1, duplicate=0.05)
    simulation = RdpSimulation(content(60_000, seed), link, seed=seed, config=PLAIN).run()
    assert simulation.is_success, f"seed {seed}: {simulation.sender_outcome}, {simulation.receiver_outcome}"


@pytest.mark.parametrize("sides", SIDES)
def test_a_plain_peer_is_sent_the_minimal_fields_and_nothing_else(sides: str) -> None:
    config, receiver_config = SIDES[sides]
    fields = {
        PacketType.DAT: [b"Magic", b"Type", b"Sequence", b"Payload"],
        PacketType.FIN: [b"Magic", b"Type", b"Sequence"],
        PacketType.SYN: [b"Magic", b"Type", b"Sequence"],
        PacketType.ACK: [b"Magic", b"Type", b"Acknowledgment", b"Window"],
    }
    link = impaired(loss=0.1)
    simulation = RdpSimulation(content(30_000), link, seed=4, config=config, receiver_config=receiver_config)
    taps = tap_both(simulation)
    simulation.run()
    for seen in (*taps[0].log, *taps[1].log):
        head, _, body = seen.datagram.partition(b"\n\n")
        kind = text.parse(seen.datagram).type
        assert [line.partition(b": ")[0] for line in head.split(b"\n")] == fields[kind]
        assert len(body) <= text.MAX_PLAIN_PAYLOAD
        if kind is not PacketType.DAT:
            assert body == b"" or (kind is PacketType.SYN and config is OURS)


def test_a_payload_limit_for_peers_that_take_less() -> None:
    config = RdpConfig(extensions=False, plain_payload=900)
    simulation = RdpSimulation(content(9_000), PATH, seed=1, config=config).run()
    assert simulation.is_success
    sizes = {size for _, kind, _, size, *_ in simulation.sender.take_records() if kind is PacketType.DAT}
    assert sizes == {900}


@pytest.mark.parametrize("payload", [1, 10, 100, 536])
def test_a_small_payload_for_plain_peers_does_not_stall_a_transfer_between_two_of_ours(payload: int) -> None:
    for seed in range(1, 4):
        simulation = RdpSimulation(
            content(20_000), impaired(loss=0.1), seed=seed, config=RdpConfig(plain_payload=payload)
        ).run()
        assert simulation.is_success, f"seed {seed}: {simulation.sender_outcome}, {simulation.receiver_outcome}"


@pytest.mark.parametrize("magic", [b"CSc361", b"UVicCSc361", b"~" * 32])
@pytest.mark.parametrize("sides", [*SIDES, "both ours"])
def test_the_receiver_answers_in_the_senders_spelling(magic: bytes, sides: str) -> None:
    plain_sender, plain_receiver = (side is PLAIN for side in SIDES.get(sides, (OURS, OURS)))
    simulation = RdpSimulation(
        content(5_000),
        PATH,
        seed=1,
        config=RdpConfig(magic=magic, extensions=not plain_sender),
        receiver_config=RdpConfig(extensions=not plain_receiver),
    )
    taps = tap_both(simulation)
    assert simulation.run().is_success
    for seen in (*taps[0].log, *taps[1].log):
        assert seen.datagram.startswith(b"Magic: " + magic + b"\n")
