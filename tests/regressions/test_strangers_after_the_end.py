"""A receiver that has failed counted what its sender had still under way as packets of strangers.

`rdpr` on a full disk then ended with a note about strangers that never were.
"""

from __future__ import annotations

from collections.abc import Sequence

from surewire.core.state import State
from surewire.core.trains import Buffer
from surewire.errors import DestinationError
from surewire.rdp.receiver import RdpReceiver
from surewire.transfer.files import MemorySink
from surewire.wire import text

PEER = ("192.0.2.1", 5000)


class FullSink(MemorySink):
    def write_at(self, offset: int, pieces: Sequence[Buffer]) -> None:
        raise DestinationError("disk full")


def test_strangers_after_the_end() -> None:
    receiver = RdpReceiver(FullSink())
    packets = [text.emit_syn(b"CSC361", 0, None)]
    packets += [text.emit_plain_dat(b"CSC361", 1 + 3 * i, b"abc") for i in range(3)]
    for packet in packets:
        receiver.handle_datagrams(packet, len(packet), PEER, now=0)
    assert receiver.state is State.CLOSED
    assert receiver.stats.strangers == 0
