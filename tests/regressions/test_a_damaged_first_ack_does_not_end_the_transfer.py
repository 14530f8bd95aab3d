"""One damaged ACK of the SYN left both sides silent until they gave up.

When the name of the field `Check` was damaged in the first ACK, it looked like a plain peer's. The sender went on with
plain packets, the receiver dropped them as damaged and never answered, so the sender never saw an ACK with a checksum.
"""

from __future__ import annotations

import random

from surewire.impair import Delivery, Link, LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation

MS = 1_000_000


class FirstAckDamaged(Link):
    """Changes one letter of the first ACK's field `Check`."""

    is_done = False

    def transmit(self, datagram: bytes, *, now: int) -> list[Delivery]:
        if not self.is_done:
            self.is_done = True
            datagram = datagram.replace(b"\nCheck: ", b"\nChfck: ")
        return super().transmit(datagram, now=now)


def test_the_extension_is_taken_up_by_a_later_ack() -> None:
    link = LinkConfig(delay=10 * MS)
    transfer = RdpSimulation(b"x" * 100_000, link, seed=1)
    transfer.network.connect(transfer.receiver_host, transfer.sender_host, FirstAckDamaged(link, random.Random(1)))
    transfer.run()
    assert transfer.is_success
    assert transfer.sender.is_ours
