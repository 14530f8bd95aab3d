"""The rate at which the latest acknowledgments came: while a queue grows, that is what the path delivers."""

from __future__ import annotations

from collections import deque

from surewire.core.units import NS_PER_S

_LEAST_ACKS = 9
_SEGMENTS = 32  # that the rate is taken of, if so many acknowledgments tell of fewer


class AckRate:
    """Bytes a second over half a round trip at most.

    A window is sent in half a round trip, and its queue seen when the window is half of what the path takes; so a rate
    over the whole round trip would be too low. It would be, too, over a pause.
    """

    def __init__(self) -> None:
        self._acks: deque[tuple[int, int]] = deque()  # times, and bytes acknowledged up to them
        self._acked = 0

    def on_ack(self, acked: int, *, now: int, longest: int, segment: int) -> None:
        """Take an acknowledgment of so many bytes; what is older than `longest` (ns) does not count."""
        acks = self._acks
        self._acked += acked
        if acks and acks[-1][0] == now:
            acks.pop()  # of several at one time the last one counts
        acks.append((now, self._acked))
        while len(acks) > 2 and (
            now - acks[0][0] > longest or (len(acks) > _LEAST_ACKS and self._acked - acks[1][1] >= _SEGMENTS * segment)
        ):
            acks.popleft()

    @property
    def value(self) -> int:
        """Bytes a second; 0 while unknown."""
        if not self._acks:
            return 0
        (first_at, first), (last_at, last) = self._acks[0], self._acks[-1]
        return (last - first) * NS_PER_S // (last_at - first_at) if last_at > first_at else 0
