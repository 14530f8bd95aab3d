"""Now and then, the round trip without our own queue (BBR's ProbeRTT).

The lowest round trip of the last seconds is the path's only if the queue was ever empty. A queue that was
there from the start passes for path, and a path that became longer passes for queue. Both show when
little is in flight for a moment: every ten seconds, and when a queue seems to stand that nothing drains.
"""

from __future__ import annotations

from surewire.core.congestion.rounds import median_rtt
from surewire.core.units import NS_PER_S

_INTERVAL = 10 * NS_PER_S
_MIN_INTERVAL = NS_PER_S
_STANDING_ROUNDS = 8  # judged rounds with a queue: a whole gain cycle, its low phase included
_ROUND_TRIPS = 3  # of looking: what comes in the first one are packets that overtook others
_ENOUGH_SAMPLES = 8


class RttProbe:
    """When to look, and what is seen. `is_active` while the window is to be small."""

    def __init__(self) -> None:
        self.is_active = False
        self._last_at = 0
        self._phase: int | None = None  # in which the runs are sent whose round trips count
        self._samples: list[int] = []
        self._drained_at = 0

    def is_due(self, now: int, *, queue_rounds: int) -> bool:
        """True when it is time to look; `queue_rounds` is how long a queue has been standing."""
        since = now - self._last_at
        return since >= _INTERVAL or (queue_rounds >= _STANDING_ROUNDS and since >= _MIN_INTERVAL)

    def restart(self, now: int) -> None:
        """Reckon the interval from `now`: the queue has just been drained for another reason."""
        self._last_at = now

    def begin(self, now: int) -> None:
        """Let the queue drain; what is measured before `on_drained` does not count."""
        self.is_active = True
        self._last_at = now
        self._phase = None
        self._samples.clear()

    @property
    def is_draining(self) -> bool:
        return self.is_active and self._phase is None

    def on_drained(self, now: int, *, phase: int) -> None:
        """Little is in flight: runs sent in `phase`, from `now` on, see the empty path."""
        self._phase = phase
        self._drained_at = now

    def on_rtt(self, rtt: int, *, phase: int) -> None:
        """Take a round trip (ns) of a run sent in `phase`."""
        if self.is_active and phase == self._phase:
            self._samples.append(rtt)

    def poll_result(self, now: int, *, believed: int) -> int | None:
        """The path's round trip (ns) once enough was seen; the probe is over then. `believed` is what it was before."""
        if not self._samples:
            return None
        rtt = median_rtt(self._samples)
        least = rtt if len(self._samples) >= _ENOUGH_SAMPLES else max(2 * rtt, believed)
        if now - self._drained_at < _ROUND_TRIPS * least:
            return None
        self.is_active = False
        return rtt
