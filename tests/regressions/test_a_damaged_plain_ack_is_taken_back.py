"""Plain peers have no checksum: an ACK damaged on the way may state more than arrived, or a wider window.

The sender then believed that bytes which had been lost were there, or sent probes longer than a small window,
which the receiver dropped, and both sides talked at cross purposes for ever.
"""

from __future__ import annotations

import pytest

from surewire.impair import LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from surewire.rdp.config import RdpConfig
from surewire.wire.segment import PacketType, Segment
from tests.sim.world import MS, PLAIN, content
from tests.unit.rdp.scripted import S, SenderScript

SIZE = 30_000
WINDOW = 700


def to_a_small_window(seed: int) -> RdpSimulation:
    """A finished transfer of `SIZE` bytes, with loss one way and damage the other."""
    transfer = RdpSimulation(
        content(SIZE, seed),
        LinkConfig(delay=20 * MS, loss=0.02),
        LinkConfig(delay=20 * MS, corrupt=0.1),
        seed=seed,
        config=PLAIN,
        receiver_config=RdpConfig(extensions=False, plain_window=WINDOW),
    ).run(limit_s=120)
    assert transfer.is_success, f"seed {seed}: {transfer.sender_outcome}, {transfer.receiver_outcome}"
    return transfer


@pytest.mark.parametrize("seed", [1, 4, 8])
def test_transfers_to_a_small_window_end(seed: int) -> None:
    to_a_small_window(seed)


@pytest.mark.parametrize("seed", [4, 8])
def test_bytes_behind_a_closed_window_are_not_sent_one_by_one(seed: int) -> None:
    sent = to_a_small_window(seed).sender.packets.count("sS", PacketType.DAT)
    assert sent < 3 * SIZE // WINDOW


def answer(script: SenderScript, position: int, until: int) -> list[Segment]:
    """Answer every packet at once with an ACK of `position`, until a time; return the packets."""
    found: list[Segment] = []
    while (deadline := script.sender.poll_timeout()) is not None and deadline <= until:
        for _ in range(len(sent := script.wait(deadline))):
            script.ack(position)
        found += sent + script.packets()
    return found


def test_an_ack_that_says_too_much_is_taken_back_after_some_probes() -> None:
    script = SenderScript(bytes(5_000), config=PLAIN)
    script.ack(0)
    sent = script.packets()
    assert [packet.type for packet in sent[:2]] == [PacketType.DAT] * 2
    first, second = (len(packet.payload) for packet in sent[:2])
    script.now += 40 * MS
    script.ack(first)
    script.ack(first + second)  # damaged: the second packet was lost
    assert script.sender.acked_bytes == first + second
    script.ack(first)  # one that says less may only have been overtaken
    assert script.sender.acked_bytes == first + second
    found = answer(script, first, script.now + 20 * S)
    assert script.sender.acked_bytes == first
    assert script.isn + 1 + first in {packet.number for packet in found}
