"""Cross traffic: TCP-like flows that other traffic has to share a bottleneck with, cheap for each packet.

A `Flow` is two hosts of its own, a sender that always has something to send and a sink, on two links that may
have other users. Its congestion control is the real one (`surewire.core.congestion`); the rest is what TCP does as far
as others can feel it (`flow_sender`, `flow_sink`). There is nothing random in it: the same links give the same flow.
"""

from __future__ import annotations

from surewire.core.congestion import Cubic, NewReno
from surewire.core.events import Event
from surewire.errors import ConfigError
from surewire.sim.flow_segments import MSS
from surewire.sim.flow_sender import FlowSender, SenderStats, WindowController
from surewire.sim.flow_sink import FlowSink
from surewire.sim.network import Host, Network, OneWayLink

CONTROLLERS: dict[str, type[NewReno] | type[Cubic]] = {"newreno": NewReno, "cubic": Cubic}
"""Congestion control by the name that scenarios use."""

_PORT = 5001
_FLOWS_IN_NETWORK = 1 << 16


class Flow:
    """One long-lived flow.

    Attributes:
        sender, sink: the hosts.
        controller: the sender's congestion control.
    """

    def __init__(
        self,
        network: Network,
        forward: OneWayLink,
        backward: OneWayLink,
        *,
        algorithm: str,
        number: int,
        start: int,
        stop: int | None = None,
    ) -> None:
        """Put a flow on `network`; its data take `forward`, its acknowledgments `backward`.

        Args:
            network: on which both hosts are added, as ("10.98.x.y", 5001) and ("10.99.x.y", 5001).
            forward, backward: the links, whoever else uses them.
            algorithm: "newreno" or "cubic".
            number: of the flow on this network, 0..65535; makes the addresses.
            start, stop: when it sends, ns of the network's clock; None for to the end.

        Raises:
            ConfigError: the algorithm is unknown or the number out of range.
        """
        if algorithm not in CONTROLLERS:
            raise ConfigError(f"the congestion control of a flow is {' or '.join(CONTROLLERS)}, not {algorithm!r}")
        if not 0 <= number < _FLOWS_IN_NETWORK:
            raise ConfigError(f"the number of a flow is 0 to {_FLOWS_IN_NETWORK - 1}, not {number!r}")
        high, low = divmod(number, 256)
        here, there = (f"10.98.{high}.{low}", _PORT), (f"10.99.{high}.{low}", _PORT)
        self.controller: WindowController = CONTROLLERS[algorithm](segment=MSS)
        self._from = FlowSender(self.controller, flow=number, peer=there, start=start, stop=stop)
        self._to = FlowSink(flow=number)
        self.sender = Host(here, self._from, _nothing_told)
        self.sink = Host(there, self._to, _nothing_told)
        network.connect(self.sender, self.sink, forward)
        network.connect(self.sink, self.sender, backward)
        network.add(self.sink)
        network.add(self.sender)

    @property
    def delivered(self) -> int:
        """Bytes that have arrived in order."""
        return self._to.delivered

    @property
    def stats(self) -> SenderStats:
        """The sender's counters."""
        return self._from.stats


def _nothing_told(event: Event, now: int) -> None:
    """The endpoints of a flow have no events."""
