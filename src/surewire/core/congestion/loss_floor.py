"""The loss that is no congestion: its share, measured where we cannot have caused it.

The floor is measured in groups: the bytes sent during one phase of the controller. A group counts only
when the phase sent at most at the bandwidth and the round trips of its packets show that the queue was
empty. Loss in such groups cannot be congestion that we cause. A full shallow buffer or a policer drops in
other phases; its loss does not enter the floor. The estimate leans to zero by half a standard deviation
and fades when no valid group was seen for 8 s.
"""

from __future__ import annotations

from collections import deque
from math import isqrt

from surewire.core.congestion.base import PhaseOutcome
from surewire.core.congestion.rounds import median_rtt
from surewire.core.units import NS_PER_MS, NS_PER_S

_FLOOR_MAX = 60  # per cent; a bound on how much harder loss can ever make us send
_FLOOR_FADES = 8 * NS_PER_S
_GROUP_MIN_SEGMENTS = 8
_SETTLED_AFTER = 4  # phases, of at least a round trip each: by then a group's bytes are acknowledged or lost


class _Group:
    """The bytes sent during one phase."""

    __slots__ = ("acked", "is_quiet", "lost", "phase", "rtts")

    def __init__(self, phase: int, *, is_quiet: bool) -> None:
        self.phase = phase
        self.is_quiet = is_quiet
        self.acked = 0
        self.lost = 0
        self.rtts: list[int] = []


class LossFloor:
    """The share of bytes lost while the flow sends below the bandwidth, in parts of `ONE`."""

    ONE = 1 << 16

    def __init__(self, *, segment: int) -> None:
        self.floor = 0
        self.phase = 0  # the mark that runs sent now carry
        self._segment = segment
        self._groups: deque[_Group] = deque([_Group(0, is_quiet=False)])
        self._lost = 0  # segments, in 1/256, fading
        self._total = 0
        self._updated_at = 0

    def count(self, outcomes: list[PhaseOutcome]) -> None:
        """Count what became of bytes to the phase in which they were sent."""
        for phase, acked, lost in outcomes:
            group = self._group(phase)
            if group is not None:
                group.acked += acked
                group.lost += lost

    def on_rtt(self, rtt: int, *, phase: int) -> None:
        """Take a round trip (ns) of a packet sent in `phase`."""
        group = self._group(phase)
        if group is not None:
            group.rtts.append(rtt)

    def _group(self, phase: int) -> _Group | None:
        index = phase - self._groups[0].phase
        return self._groups[index] if 0 <= index < len(self._groups) else None

    def begin_phase(self, *, is_quiet: bool, min_rtt: int, now: int) -> None:
        """Start a phase; `is_quiet` when it sends at most at the bandwidth. Judge the groups settled by now."""
        self.phase += 1
        self._groups.append(_Group(self.phase, is_quiet=is_quiet))
        while len(self._groups) > _SETTLED_AFTER:
            group = self._groups.popleft()
            is_empty_queue = bool(group.rtts) and median_rtt(group.rtts) <= min_rtt * 115 // 100 + NS_PER_MS
            if group.is_quiet and is_empty_queue and group.acked + group.lost >= _GROUP_MIN_SEGMENTS * self._segment:
                self._learn(group, now)
        if self.floor and now - self._updated_at >= _FLOOR_FADES:
            self.floor //= 2
            self._lost //= 2
            self._updated_at = now

    def _learn(self, group: _Group, now: int) -> None:
        self._lost = self._lost * 3 // 4 + (group.lost << 8) // self._segment
        self._total = self._total * 3 // 4 + ((group.acked + group.lost) << 8) // self._segment
        self._updated_at = now
        if self._total:
            deviation = isqrt(self._lost << 8) // 2
            share = max(self._lost - deviation, 0) * self.ONE // self._total
            self.floor = min(share, _FLOOR_MAX * self.ONE // 100)

    def compensate(self, rate: int) -> int:
        """What must be sent so that `rate` is delivered."""
        return rate * self.ONE // (self.ONE - self.floor)
