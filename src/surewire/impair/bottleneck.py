"""The bottleneck of a link: a queue with an end, perhaps with CoDel, served in order at a rate that may change.

All is decided when a datagram arrives: who came before it is known, and so are the rates to come.

Invariants: datagrams leave in the order they came, none before the one ahead has left; no more than the rate passes
in any interval (times are rounded up to whole ns); what waits never exceeds the limits.
"""

from __future__ import annotations

from collections import deque

from surewire.impair.codel import CoDelDropper
from surewire.impair.config import LinkConfig
from surewire.impair.model import LinkStats

_NS_PER_S = 1_000_000_000
_BITS_PER_BYTE = 8
_UNLIMITED = 1 << 62


class Bottleneck:
    """Queue and server of one link. Sizes include the link's `overhead`."""

    __slots__ = (
        "_changes",
        "_codel",
        "_idle_at",
        "_max_bytes",
        "_max_packets",
        "_rate",
        "_stats",
        "_waiting",
        "_waiting_bytes",
    )

    def __init__(self, config: LinkConfig, rate: int, stats: LinkStats) -> None:
        """An idle one of `rate` bits a second; drops and the longest queue are counted in `stats`."""
        self._rate = rate
        self._stats = stats
        self._max_bytes = config.queue
        self._max_packets = _UNLIMITED if config.queue_packets is None else config.queue_packets
        self._codel = None if config.codel is None else CoDelDropper(config.codel)
        self._changes: deque[tuple[int, int]] = deque()
        self._idle_at = 0
        self._waiting: deque[tuple[int, int]] = deque()
        self._waiting_bytes = 0

    def change_rate(self, rate: int, *, at: int) -> None:
        """Serve at `rate` bits a second from `at` (ns) on. To be said in order of time, before a datagram comes."""
        self._changes.append((at, rate))

    def admit(self, size: int, *, now: int) -> int | None:
        """Let a datagram of `size` bytes queue: when its last bit will have left, or None if it is dropped."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= now:
            self._waiting_bytes -= waiting.popleft()[1]
        found = self._waiting_bytes
        start = self._idle_at
        if start > now:
            backlog = found + size
            if backlog > self._max_bytes or len(waiting) >= self._max_packets:
                self._stats.queue_dropped += 1
                return None
            self._waiting_bytes = backlog
            waiting.append((start, size))
            if backlog > self._stats.peak_queue_bytes:
                self._stats.peak_queue_bytes = backlog
        else:
            start = now
        codel = self._codel
        if codel is not None and codel.drops(arrival=now, turn=start, size=size, backlog=found):
            self._stats.codel_dropped += 1
            return None
        if self._changes:
            self._idle_at = self._finish(size, start)
        else:
            # Rounded up, so that the link is never faster than its rate.
            self._idle_at = start - (-size * _BITS_PER_BYTE * _NS_PER_S // self._rate)
        return self._idle_at

    def _finish(self, size: int, start: int) -> int:
        """When a datagram that starts now or later has left, with the changes of rate on the way."""
        changes = self._changes
        left = size * _BITS_PER_BYTE * _NS_PER_S
        while changes:
            at, rate = changes[0]
            if at > start:
                finish = start - (-left // self._rate)
                if finish <= at:
                    return finish
                left -= self._rate * (at - start)
                start = at
            # No later datagram starts before this one has left, so what lies behind `start` is over.
            self._rate = rate
            changes.popleft()
        return start - (-left // self._rate)
