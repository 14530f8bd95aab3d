"""The simulator: endpoints on an impaired network in virtual time."""

from __future__ import annotations

from surewire.sim.network import Endpoint, Host, Network, OneWayLink, Tap

__all__ = ["Endpoint", "Host", "Network", "OneWayLink", "Tap"]
