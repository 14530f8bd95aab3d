"""What a path carries beside a sender that fills its queue: seen when that one looks at the empty path, as BBR does.

When the queue has just gone, what is ours comes back as fast as the path delivers. Of a low rate there is little in the
queue: soon all of it has passed, and some value between the two comes out. So a value counts as measured only if it is
what was known or seen before, and comes faster than it is sent.
"""

from __future__ import annotations

from surewire.core.congestion.ack_rate import AckRate
from surewire.core.congestion.base import AckSample
from surewire.core.congestion.path_state import PathState
from surewire.core.units import NS_PER_S

_SPAN, _LEAST_SPAN = 16, 32  # parts of a round trip: of acknowledgments that come in a clump any rate comes out
_LOOKS_APART = 8 * NS_PER_S  # those of the other one, ten; where the queue is gone more often, they are none
_ALIKE = 8  # part of a rate by which two differ that are the same
_BACK = 16  # part by which it is less where too much is lost


class CarriedRate:
    """`value` in bytes a second, at least what the path has delivered lately.

    `is_measured`: it is more than a bound. `has_looked`: the other one has, at the empty path, since that was reset.
    """

    def __init__(self, path: PathState) -> None:
        self.value = path.filter.bandwidth
        self.is_measured = False
        self.has_looked = False
        self._path = path
        self._arrivals = AckRate()
        self._rtt = 0  # the latest
        self._empty_at = 0  # when the queue was seen to be gone last

    def on_rtt(self, rtt: int) -> None:
        """Take a round trip (ns)."""
        self._rtt = rtt

    def on_ack(self, sample: AckSample, *, rate: int, is_sure: bool) -> None:
        """Take an acknowledgment of what is sent at this `rate`; `is_sure`: the other one is known to be there."""
        path, base = self._path, self._path.queue.base
        self._arrivals.on_ack(sample.acked, sent=0, now=sample.now, longest=base // _SPAN, segment=path.segment)
        if 8 * self._rtt < 9 * base and self._arrivals.span >= base // _LEAST_SPAN:
            seen = self._arrivals.value
            is_told = _ALIKE * abs(seen - self.value) <= self.value and 4 * seen > 5 * rate
            self.is_measured |= is_sure and is_told
            self.has_looked |= sample.now - self._empty_at > _LOOKS_APART
            self._empty_at = sample.now
            self.value = max(self.value, seen)

    def step_back(self) -> None:
        """Too much is lost: it may be less."""
        self.value -= self.value // _BACK

    def forget(self) -> None:
        """The path is another one."""
        self.value = self._path.filter.bandwidth
