"""A checked packet played back again and again kept a dead transfer waiting: each moved the deadline of silence."""

from __future__ import annotations

from surewire.core.config import TransportConfig
from surewire.core.state import State
from surewire.rdp.config import RdpConfig
from surewire.wire import text
from surewire.wire.segment import Offer
from tests.unit.rdp.scripted import KEY, MAGIC, SESSION, ReceiverScript, S


def test_a_sender_that_only_opened_is_noticed_however_often_its_syn_is_played_back() -> None:
    script = ReceiverScript(config=RdpConfig(transport=TransportConfig(idle_timeout=5 * S)))
    script.open(ours=True, size=100)
    syn = text.emit_syn(MAGIC, script.isn, Offer(1, SESSION, 0, 100))
    for _ in range(20):
        script.wait(script.now + S // 2)
        script.feed(syn)
    assert script.receiver.state is State.CLOSED


def test_a_dead_sender_is_noticed_however_often_its_last_packet_comes() -> None:
    script = ReceiverScript(config=RdpConfig(transport=TransportConfig(idle_timeout=5 * S)))
    script.open(ours=True, size=100)
    packet = b"".join(
        text.emit_dats(MAGIC, script.isn + 1, bytes(10), segment=1_000, packet_number=script.packet_number, key=KEY)
    )
    script.feed(packet)
    for _ in range(20):
        script.wait(script.now + S // 2)
        script.feed(packet)
    assert script.receiver.state is State.CLOSED
