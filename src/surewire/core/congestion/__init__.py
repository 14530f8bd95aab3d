"""Rate control: one narrow interface, each algorithm in a file of its own."""

from __future__ import annotations

from surewire.core.congestion.base import AckSample, CongestionController, PhaseOutcome
from surewire.core.congestion.fixed import FixedRate
from surewire.core.congestion.model import PathModel

__all__ = ["AckSample", "CongestionController", "FixedRate", "PathModel", "PhaseOutcome"]
