"""The simulator: endpoints on an impaired network in virtual time."""

from __future__ import annotations

from surewire.sim.cross_traffic import Flow
from surewire.sim.network import Endpoint, Host, Network, OneWayLink, Tap
from surewire.sim.path import SimulatedPath

__all__ = ["Endpoint", "Flow", "Host", "Network", "OneWayLink", "SimulatedPath", "Tap"]
