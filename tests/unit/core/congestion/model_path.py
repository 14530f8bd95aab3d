"""A path of its own for the default controller, in the measures of its tests: 20 Mbit/s and 50 ms."""

from __future__ import annotations

import random

from surewire.core.congestion import PathModel
from surewire.core.congestion.model import Mode
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from tests.unit.core.congestion.fluid_path import SEGMENT, FluidPath

RATE = 2_500_000  # the path's, bytes a second
RTT = 50 * MS
BDP = RATE * RTT // S


def make_model() -> PathModel:
    return PathModel(segment=SEGMENT, initial_rtt=150 * MS)


def is_in(model: PathModel, mode: Mode) -> bool:
    """True while it is in this mode."""
    return model.mode is mode


class Path(FluidPath):
    """A path with a model on it; `queue` in bandwidth-delay products."""

    def __init__(
        self, *, rate: int = RATE, rtt: int = RTT, queue: float = 1.0, loss: float = 0.0, seed: int | None = None
    ) -> None:
        self.model = make_model()
        rng = None if seed is None else random.Random(seed)
        super().__init__(self.model, rate=rate, rtt=rtt, queue=int(queue * rate * rtt / S), loss=loss, rng=rng)

    def share(self, duration: int = 2 * S) -> float:
        """What arrives in so much time, as a share of what the path could deliver."""
        return self.run(duration) / (self.rate * (1 - self.loss))

    def longest_wait(self, duration: int) -> int:
        """How long the queue becomes within so much time, ns."""
        longest = 0.0
        for _ in range(duration // (10 * MS)):
            self.run(10 * MS)
            longest = max(longest, self.waiting * S / self.rate)
        return int(longest)


def settled(*, rate: int = RATE, rtt: int = RTT, queue: float = 1.0, loss: float = 0.0) -> Path:
    """Three seconds into a transfer."""
    path = Path(rate=rate, rtt=rtt, queue=queue, loss=loss)
    path.run(3 * S)
    assert path.model.mode is not Mode.STARTUP
    return path
