"""What held a transfer back, as far as it shows at the sender: its processor, its disk, the receiver, the path.

Judged from samples of the connection, taken a few times a second, and from the times this process spent. It says where
the time went, not what would be fastest; where nothing stands out it says so.
"""

from __future__ import annotations

from typing import NamedTuple

from surewire.native.statistics import ConnectionStats

_MOST = 0.85  # of the time on the processor: it did hardly anything else
_MUCH = 0.4
_FEW = 5  # samples that say nothing yet


class Verdict(NamedTuple):
    """What it was, as a word for programs and in words."""

    code: str  # start, window, source, processor, path
    text: str


class Bottleneck:
    """Collects samples while a transfer runs."""

    def __init__(self) -> None:
        self._samples = 0
        self._closed_window = 0

    def sample(self, stats: ConnectionStats) -> None:
        """Look at the connection once."""
        if not stats.is_app_limited:
            self._samples += 1
            self._closed_window += stats.is_window_limited

    def verdict(self, *, busy: float, reading: float, loss: float) -> Verdict:
        """Judge.

        Args:
            busy: share of the time that the transport was on the processor, the hashing beside it not counted.
            reading: share of the time spent waiting for the file's bytes.
            loss: share of the bytes sent that were lost.
        """
        if self._samples < _FEW:
            return Verdict("start", "starting up; the transfer was too short for anything else to show")
        if reading > _MUCH:
            return Verdict("source", f"reading the file, {reading:.0%} of the time")
        closed = self._closed_window / self._samples
        if closed > _MUCH:
            return Verdict("window", f"the receiver's window, closed {closed:.0%} of the time")
        if busy > _MOST:
            return Verdict("processor", f"this computer's processor, busy {busy:.0%} of the time")
        lost = f", which lost {loss:.1%}" if loss > 0.001 else ""
        return Verdict(
            "path", f"the path and what is behind it{lost}; the processor here was busy {busy:.0%} of the time"
        )
