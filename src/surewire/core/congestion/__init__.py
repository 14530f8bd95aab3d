"""Rate control: one narrow interface, each algorithm in a file of its own."""

from __future__ import annotations

from surewire.core.congestion.background import Background
from surewire.core.congestion.base import AckSample, CongestionController, PhaseOutcome
from surewire.core.congestion.bbr1 import Bbr1
from surewire.core.congestion.choice import NAMES, Congestion
from surewire.core.congestion.cubic import Cubic
from surewire.core.congestion.fixed import FixedRate
from surewire.core.congestion.model import PathModel
from surewire.core.congestion.newreno import NewReno

__all__ = [
    "NAMES",
    "AckSample",
    "Background",
    "Bbr1",
    "Congestion",
    "CongestionController",
    "Cubic",
    "FixedRate",
    "NewReno",
    "PathModel",
    "PhaseOutcome",
]
