"""Which packet numbers have arrived, and when to say so (RFC 9000 §13.2)."""

from __future__ import annotations

from collections import deque

from surewire.core.config import TransportConfig
from surewire.core.ranges import RangeSet
from surewire.core.timers import Timer, TimerTable

_JUDGED = 128  # numbers by which losses are judged: enough for a share, few enough to follow a path that changes
_FORGOTTEN_SHARE = 8  # of the ranges remembered are forgotten at once: to forget one moves all the others
_NEW_RANGES = 4  # that are told of at once: of those that fit one acknowledgment, few enough to be repeated often
_REPEATED = 4  # acknowledgments that report each arrival, at least


class AckTracker:
    """The receiving side's record of packet numbers and its acknowledgment policy.

    An acknowledgment is due at once after `ack_every` arrivals, two of the first `ack_pairs`, after one out of order or
    repeated (the sender needs to know, RFC 9000 §13.2.1; `ack_reordered` turns that off for formats in which each
    acknowledgment tells of many arrivals), and otherwise when `max_ack_delay` has passed. With an `interval` it waits
    until that much time has passed since the one before, unless much was lost.
    """

    __slots__ = (
        "_acks_sent",
        "_config",
        "_forgotten_below",
        "_is_due",
        "_new_ranges",
        "_not_before",
        "_pending",
        "_received",
        "_recent",
        "_timers",
        "arrivals",
        "interval",
        "largest",
        "latest",
        "latest_at",
    )

    def __init__(self, config: TransportConfig, timers: TimerTable) -> None:
        self._config = config
        self._timers = timers
        self._received = RangeSet()
        self._pending = 0
        self._is_due = False
        self._recent: deque[tuple[int, int]] = deque(maxlen=config.max_ack_ranges)
        """Numbers that arrived last, each with the count of acknowledgments sent before."""
        self._acks_sent = 0
        self._forgotten_below = 0
        self._new_ranges = 0  # since the last acknowledgment
        self._not_before = 0
        self.interval = 0  # ns between acknowledgments that only bulk demands; a small part of the round trip
        self.arrivals = 0  # calls of `on_received`: while it stays, there is nothing else to say
        self.largest = -1
        self.latest = -1  # the number that arrived last
        self.latest_at = 0

    @property
    def tracked_ranges(self) -> int:
        """Ranges of received numbers that are remembered."""
        return len(self._received)

    @property
    def is_due(self) -> bool:
        """True when an acknowledgment should go out now."""
        return self._is_due

    def is_new(self, number: int) -> bool:
        """True when `number` has not been recorded (or is so old that the record is gone: then False)."""
        return number > self.largest or (number >= self._forgotten_below and number not in self._received)

    def on_received(self, start: int, stop: int, *, now: int, is_eliciting: bool = True) -> None:
        """Record the arrival of numbers [start, stop); not `is_eliciting`: they ask for no acknowledgment."""
        config = self._config
        self.arrivals += 1
        is_in_order = start == self.largest + 1  # so none of them was there
        self._received.add(start, stop)
        if not is_in_order and len(self._received) > config.max_tracked_ranges:
            self._received.keep_newest(config.max_tracked_ranges - config.max_tracked_ranges // _FORGOTTEN_SHARE)
            self._forgotten_below = (self._received.first or (0, 0))[0]
        self._recent.append((start, self._acks_sent))
        self.latest, self.latest_at = stop - 1, now
        if self.latest > self.largest:
            self.largest = self.latest
        if not is_eliciting:
            return
        self._pending += stop - start
        self._new_ranges += not is_in_order
        every = config.ack_every if self.largest >= config.ack_pairs else min(config.ack_every, 2)
        if self._pending >= every or (config.ack_reordered and not is_in_order):
            self.on_enough(now=now)
        elif self._timers.deadline(Timer.DELAYED_ACK) is None:
            self._timers.arm(Timer.DELAYED_ACK, now + config.max_ack_delay)

    @property
    def is_pending(self) -> bool:
        """True when something has arrived that no acknowledgment sent so far tells of."""
        return self._is_due or self._pending > 0

    @property
    def missing_share(self) -> float:
        """Share of the last 128 numbers up to the largest that have not arrived, 0..1."""
        start, stop = max(self.largest + 1 - _JUDGED, 0), self.largest + 1
        return sum(high - low for low, high in self._received.missing(start, stop)) / max(stop - start, 1)

    def received_ranges(self) -> list[tuple[int, int]]:
        """Every range [start, stop) of remembered numbers, highest first: for formats that report a whole window."""
        return self._received.newest(self._config.max_ack_ranges)

    def is_all(self, ranges: list[tuple[int, int]]) -> bool:
        """True when these ranges of received numbers, which do not overlap, are all there ever were."""
        return not self._forgotten_below and sum(stop - start for start, stop in ranges) == self._received.total()

    def on_enough(self, *, now: int) -> None:
        """So much has arrived that an acknowledgment is worth it, unless one left within the `interval`.

        It waits no longer for its turn than that, and not at all when there are so many new ranges that soon not each
        could be told of in several acknowledgments: where nothing is lost, few acknowledgments say everything.
        """
        if now >= self._not_before or self._new_ranges >= _NEW_RANGES:
            self._is_due = True
            return
        deadline = self._timers.deadline(Timer.DELAYED_ACK)
        if deadline is None or deadline > self._not_before:
            self._timers.arm(Timer.DELAYED_ACK, self._not_before)

    def make_due(self) -> None:
        """Let an acknowledgment go out now, whatever arrived."""
        self._is_due = True

    def on_sent(self) -> None:
        """An acknowledgment of everything recorded went out."""
        self._acks_sent += 1
        for _ in range(len(self._recent) - self._config.min_ack_ranges):
            if self._recent[0][1] > self._acks_sent - _REPEATED:
                break
            self._recent.popleft()
        self._pending = self._new_ranges = 0
        self._not_before = self.latest_at + self.interval
        self._is_due = False
        self._timers.cancel(Timer.DELAYED_ACK)

    def ranges_and_newest(self) -> list[tuple[int, int]]:
        """As `ranges`, and the ranges next below until there are twice `min_ack_ranges`; highest first.

        Where acknowledgments are lost, too, an arrival is worth more than `_REPEATED` of them. Not the oldest ranges: a
        number that was lost stays a hole for ever, so they would soon be of a past that nobody asks for. And an
        arrival told of long after those behind it looks as if the path had overtaken it.
        """
        ranges = self.ranges()
        most = min(2 * self._config.min_ack_ranges, self._config.max_ack_ranges)
        if len(ranges) >= most or len(ranges) == len(self._received):
            return ranges
        newest = self._received.newest(most)
        if newest[-1] <= ranges[-1]:
            return newest
        told = set(ranges)
        others = [found for found in newest if found not in told]
        return sorted(ranges + others[: most - len(ranges)], reverse=True)

    def ranges(self) -> list[tuple[int, int]]:
        """The ranges [start, stop) that recent arrivals are in, highest first.

        Recent rather than high: a datagram that was overtaken by many must still be reported.
        """
        if len(self._received) == 1:
            return list(self._received) if self._recent else []
        ranges: list[tuple[int, int]] = []
        start, range_of = self.largest + 1, self._received.range_of
        for number, _ in sorted(self._recent, reverse=True):
            if number < start and (found := range_of(number)) is not None:
                ranges.append(found)
                start = found[0]
        return ranges
