"""Files of awkward sizes, heavy loss, and paths that fall silent for ten seconds."""

from __future__ import annotations

import pytest

from surewire.impair import GilbertElliott, LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from surewire.wire.segment import PacketType
from tests.sim.world import MS, PATH, PLAIN, Audit, S, begin_together, content, impaired, tap_both

FIRST_DATA = ("s", PacketType.DAT)
ALL_FOUR = impaired(loss=0.1, duplicate=0.1, reorder=0.1, corrupt=0.1)


def payload_of(*, plain: bool) -> int:
    """Bytes of data in a full packet."""
    simulation = RdpSimulation(content(5_000), PATH, seed=1, config=PLAIN if plain else None)
    simulation.run()
    return max(size for _, kind, _, size, *_ in simulation.sender.take_records() if kind is PacketType.DAT)


@pytest.mark.parametrize("plain", [False, True], ids=["ours", "plain"])
@pytest.mark.parametrize("bad", [False, True], ids=["clean", "bad"])
def test_sizes_around_multiples_of_the_payload(plain: bool, bad: bool) -> None:
    payload = payload_of(plain=plain)
    assert payload >= 900
    around = [max(count * payload + odd, 0) for count in (0, 1, 2, 10, 44) for odd in (-2, -1, 0, 1, 2)]
    link = impaired(loss=0.1, duplicate=0.1, reorder=0.1) if bad else PATH
    for size in sorted({0, 1, 2, 100, *around}):
        why = f"seed {size}, {size} bytes"
        data = content(size)
        simulation = RdpSimulation(data, link, seed=size, config=PLAIN if plain else None)
        tap, _ = tap_both(simulation)
        simulation.run()
        assert simulation.is_success, f"{why}: {simulation.sender_outcome}, {simulation.receiver_outcome}"
        assert simulation.receiver.received == simulation.receiver.contiguous == size, why
        assert simulation.sender.acked_bytes == size, why
        sizes = [size for event, kind, _, size, *_ in simulation.sender.take_records() if (event, kind) == FIRST_DATA]
        assert sum(sizes) == size, why
        assert len(sizes) == -(-size // max(sizes, default=1)), why  # all full but the last
        Audit(data, why, is_plain=plain).read(tap.log)


def test_a_file_with_every_byte_and_one_of_zeros_only() -> None:
    for data in (bytes(range(256)) * 40, bytes(20_000), b"\n\n" * 5_000, b"Magic: CSC361\nType: RST\n\n" * 400):
        simulation = RdpSimulation(data, ALL_FOUR, seed=7).run()
        assert simulation.is_success, data[:10]


@pytest.mark.parametrize("seed", range(1, 9))
def test_thirty_percent_loss_each_way(seed: int) -> None:
    data = content(300_000, seed)
    simulation = RdpSimulation(data, impaired(loss=0.3), seed=seed).run()
    assert simulation.is_success, f"seed {seed}: {simulation.sender_outcome}, {simulation.receiver_outcome}"
    assert simulation.sender.duration < 10 * S, f"seed {seed}"


@pytest.mark.parametrize("seed", range(1, 5))
def test_thirty_percent_of_everything_each_way(seed: int) -> None:
    link = impaired(loss=0.3, duplicate=0.3, reorder=0.3, corrupt=0.3)
    simulation = RdpSimulation(content(100_000, seed), link, seed=seed).run()
    assert simulation.is_success, f"seed {seed}: {simulation.sender_outcome}, {simulation.receiver_outcome}"


@pytest.mark.parametrize("seed", range(1, 5))
def test_loss_in_bursts(seed: int) -> None:
    bursts = GilbertElliott.from_average(0.1, 12)
    link = LinkConfig(bursts=bursts, delay=20 * MS, rate=20_000_000)
    simulation = RdpSimulation(content(200_000, seed), link, seed=seed).run()
    assert simulation.is_success, f"seed {seed}: {simulation.sender_outcome}, {simulation.receiver_outcome}"


@pytest.mark.parametrize("seed", range(1, 4))
def test_the_labs_impairments_of_one_year(seed: int) -> None:
    link = LinkConfig(loss=0.1, duplicate=0.05, delay=200 * MS, jitter=50 * MS)
    simulation = RdpSimulation(content(200_000, seed), link, seed=seed).run()
    assert simulation.is_success, f"seed {seed}: {simulation.sender_outcome}, {simulation.receiver_outcome}"


@pytest.mark.parametrize(
    "link",
    [
        LinkConfig(),
        LinkConfig(delay=2 * S),
        LinkConfig(delay=600 * MS, loss=0.05, rate=2_000_000),
        LinkConfig(rate=20_000, delay=10 * MS),
        LinkConfig(rate=1_000_000, delay=10 * MS, queue=4_000),
        LinkConfig(jitter=300 * MS, delay=300 * MS, loss=0.02),
    ],
    ids=["no delay at all", "4 s round trip", "satellite", "20 kbit/s", "queue of four packets", "wild jitter"],
)
def test_unusual_paths(link: LinkConfig) -> None:
    simulation = RdpSimulation(content(30_000), link, seed=3).run(limit_s=120)
    assert simulation.is_success, f"{simulation.sender_outcome}, {simulation.receiver_outcome}"


def transfer_time(data: bytes) -> int:
    """Nanoseconds from the SYN to the acknowledged FIN on the clean path."""
    simulation = RdpSimulation(data, PATH, seed=2)
    began = simulation.network.now
    simulation.run()
    assert simulation.sender.ended_at is not None
    return simulation.sender.ended_at - began


@pytest.mark.parametrize("plain", [False, True], ids=["ours", "plain"])
@pytest.mark.parametrize("percent", [0, 5, 20, 50, 80, 93, 97, 100])
def test_ten_seconds_of_silence(percent: int, plain: bool) -> None:
    """The silence begins after a share of the time that the whole transfer would take without it."""
    data = content(300_000)
    start = transfer_time(data) * percent // 100
    link = LinkConfig(delay=20 * MS, rate=20_000_000, blackouts=((start, start + 10 * S),))
    simulation = RdpSimulation(data, link, seed=2, config=PLAIN if plain else None)
    begin_together(simulation)
    simulation.run()
    assert simulation.is_success, f"{simulation.sender_outcome}, {simulation.receiver_outcome}"
    assert simulation.sender.ended_at is not None
    took = simulation.sender.ended_at - S
    # Before the silence, but for what was under way when it began; or after it: then at most the longest wait for a
    # probe, and the rest of the file.
    silent_until, patience = start + 10 * S, simulation.sender.config.transport.max_pto + 5 * S
    assert took <= start + 20 * MS or silent_until < took < silent_until + patience
    assert percent > 90 or took > silent_until


@pytest.mark.parametrize("seed", range(1, 4))
def test_silence_again_and_again(seed: int) -> None:
    blackouts = tuple((at * S, at * S + 1_500 * MS) for at in range(0, 60, 3))
    link = LinkConfig(delay=20 * MS, rate=4_000_000, loss=0.05, blackouts=blackouts)
    simulation = RdpSimulation(content(400_000, seed), link, seed=seed)
    begin_together(simulation)
    simulation.run()
    assert simulation.is_success, f"seed {seed}: {simulation.sender_outcome}, {simulation.receiver_outcome}"
