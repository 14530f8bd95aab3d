"""What the parts of the default controller judge by, as if a path of 20 Mbit/s and 50 ms had been seen for a while."""

from __future__ import annotations

from surewire.core.congestion.path_state import PathState
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from tests.unit.core.congestion.make_round import make_round

SEGMENT = 1000
RTT = 50 * MS
BDP = 125_000
NOW = 100 * S


def make_path(*, loss: float = 0.0, evidence: float = 1000.0) -> PathState:
    """A path whose window is what it holds, with an empty queue; it loses so much, as so many segments have shown."""
    path = PathState(segment=SEGMENT)
    path.window = BDP
    path.queue.on_first(RTT)
    path.queue.begin(RTT, now=NOW)
    path.floor.begin(loss, evidence)
    return path


def queue(path: PathState, delay: int, *, now: int = NOW) -> None:
    """Let a round show a queue of so many ns."""
    path.queue.on_round(make_round(BDP, rtt=RTT + delay), noise=0, now=now)
