"""Which packet numbers have arrived, and when to say so (RFC 9000 §13.2)."""

from __future__ import annotations

from surewire.core.config import TransportConfig
from surewire.core.ranges import RangeSet
from surewire.core.timers import Timer, TimerTable


class AckTracker:
    """The receiving side's record of packet numbers and its acknowledgment policy.

    An acknowledgment is due at once after `ack_every` arrivals, after one out of order or repeated
    (the sender needs to know, RFC 9000 §13.2.1), and otherwise when `max_ack_delay` has passed.
    """

    __slots__ = ("_config", "_is_due", "_pending", "_received", "_timers", "largest", "largest_at")

    def __init__(self, config: TransportConfig, timers: TimerTable) -> None:
        self._config = config
        self._timers = timers
        self._received = RangeSet()
        self._pending = 0
        self._is_due = False
        self.largest = -1
        self.largest_at = 0

    @property
    def is_due(self) -> bool:
        """True when an acknowledgment should go out now."""
        return self._is_due

    def is_new(self, number: int) -> bool:
        """True when `number` has not been recorded (or is so old that the record is gone: then False)."""
        first = self._received.first
        is_forgotten = (
            len(self._received) >= self._config.max_tracked_ranges and first is not None and number < first[0]
        )
        return number not in self._received and not is_forgotten

    def on_received(self, start: int, stop: int, *, now: int) -> None:
        """Record the arrival of numbers [start, stop)."""
        in_order = start == self.largest + 1
        new = self._received.add(start, stop)
        self._received.keep_newest(self._config.max_tracked_ranges)
        if stop - 1 > self.largest:
            self.largest = stop - 1
            self.largest_at = now
        self._pending += stop - start
        if not in_order or not new or self._pending >= self._config.ack_every:
            self._is_due = True
        elif self._timers.deadline(Timer.DELAYED_ACK) is None:
            self._timers.arm(Timer.DELAYED_ACK, now + self._config.max_ack_delay)

    def make_due(self) -> None:
        """Let an acknowledgment go out now, whatever arrived."""
        self._is_due = True

    def on_sent(self) -> None:
        """An acknowledgment of everything recorded went out."""
        self._pending = 0
        self._is_due = False
        self._timers.cancel(Timer.DELAYED_ACK)

    def ranges(self) -> list[tuple[int, int]]:
        """The newest ranges [start, stop), highest first."""
        return self._received.newest(self._config.max_ack_ranges)
