"""The first ACK arrived damaged: its checksum line had another name, so it passed for a plain one, with a wider window.

The sender believed that window for ever, since windows only grow, and repeated a DAT that the receiver could not take.
"""

from __future__ import annotations

from surewire.core.config import TransportConfig
from surewire.core.units import NS_PER_MS
from surewire.impair import Delivery, LinkConfig
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from surewire.rdp.config import RdpConfig


class FirstAckDamaged:
    """A link that widens the window of the first ACK and hides its checksum."""

    def __init__(self) -> None:
        self._is_first = True

    def transmit(self, datagram: bytes, *, now: int) -> list[Delivery]:
        if self._is_first:
            self._is_first = False
            assert b"Window: 1\n" in datagram and b"Check: " in datagram
            datagram = datagram.replace(b"Window: 1\n", b"Window: 3\n").replace(b"Check: ", b"Gheck: ")
        return [Delivery(now + 20 * NS_PER_MS, datagram)]


def test_the_transfer_goes_on() -> None:
    config = RdpConfig(transport=TransportConfig(receive_window=1))
    simulation = RdpSimulation(b"ab", LinkConfig(delay=20 * NS_PER_MS), seed=1, config=config)
    simulation.network.connect(simulation.receiver_host, simulation.sender_host, FirstAckDamaged())
    assert simulation.run(limit_s=60).is_success
