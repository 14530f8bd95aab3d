"""What held a transfer back, as far as the sender can see: a limit, its processor, its disk, the receiver, the path.

Judged from samples of the connection, taken a few times a second, and from the times this process spent. It says where
the time went, not what would be fastest; where nothing stands out it says so.
"""

from __future__ import annotations

from typing import NamedTuple

from surewire.core.units import NS_PER_S
from surewire.native.statistics import ConnectionStats

_MOST = 0.85  # of the time on the processor: it did hardly anything else
_MUCH = 0.4
_NEARLY = 0.8  # of what a limit would have let through: trains leave in bursts, and the end is slower
_FEW = 5  # samples that say nothing yet


class Verdict(NamedTuple):
    """What it was, as a word for programs and in words."""

    code: str  # start, limit, window, source, processor, path
    text: str


class Bottleneck:
    """Collects samples while a transfer runs."""

    def __init__(self) -> None:
        self._samples = 0
        self._closed_window = 0
        self._limit = _LimitUse()

    def sample(self, stats: ConnectionStats, *, now: int) -> None:
        """Look at the connection once, at `now` (ns)."""
        self._limit.sample(stats, now)
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
        if self._limit.is_used_up:
            return Verdict("limit", "the limit that was set for the rate")
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


class _LimitUse:
    """How much of what a limit of the rate lets through was used."""

    def __init__(self) -> None:
        self._began: tuple[int, int] | None = None  # time of the first look, and bytes sent until then
        self._looked_at = 0
        self._limited_for = 0  # ns during which there was a limit
        self._allowed = 0  # bytes that it let through in that time, times 10^9
        self._sent = 0  # bytes since the first look

    def sample(self, stats: ConnectionStats, now: int) -> None:
        sent = stats.acknowledged + stats.bytes_in_flight + stats.retransmitted_bytes
        if self._began is None:
            self._began = now, sent
        elif stats.max_rate is not None:
            self._limited_for += now - self._looked_at
            self._allowed += stats.max_rate * (now - self._looked_at)
        self._looked_at = now
        self._sent = sent - self._began[1]

    @property
    def is_used_up(self) -> bool:
        """True when there was a limit for most of the time, and hardly less was sent than it lets through."""
        if self._began is None or 2 * self._limited_for <= self._looked_at - self._began[0]:
            return False
        return self._sent * NS_PER_S >= _NEARLY * self._allowed
