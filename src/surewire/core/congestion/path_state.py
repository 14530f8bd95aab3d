"""What the parts of the default controller have in common: the path as far as it is known, and the window in force.

Each part is made with it, judges by it, and changes the window in it; which part has its turn is for `model` to say.
Whoever reduces the window calls `begin`: what was sent before says nothing of the new one.
"""

from __future__ import annotations

from surewire.core.congestion.bandwidth import BandwidthFilter
from surewire.core.congestion.base import AckSample
from surewire.core.congestion.growth import Growth
from surewire.core.congestion.loss_floor import MOST, LossFloor
from surewire.core.congestion.queue_delay import QueueDelay
from surewire.core.congestion.round_trips import ENOUGH_SEGMENTS, Round, RoundTrips
from surewire.core.congestion.widening import Widening, WiderPath
from surewire.core.units import NS_PER_S

LEAST_SEGMENTS = 4
"""Of a window that is only made smaller for a queue; and of a round from which loss is learned."""

_LOST_FOR_LONGER = 8  # parts of the round trip: so much later a loss is known than an arrival (RFC 9002 §6.1.2)
_INITIAL_SEGMENTS = 32  # paced; RFC 6928 allows 10 at once, and what is paced harms less (Google's QUIC: 32)
_MIN_SEGMENTS = 2  # RFC 9002 §7.2
_NO_LOSS = 0.01  # a floor above it: no loss-based flow lives here, whoever holds the queue
_HELD_ROUNDS = 3  # once may be chance
_USUAL_SAMPLES = 16  # round trips in a round


class PathState:
    """`window`, `segment` and `least`, the least window, in bytes; `filter` has what the path delivers at most."""

    def __init__(self, *, segment: int) -> None:
        """Nothing is known yet but the length of a segment."""
        self.segment = segment
        self.least = _MIN_SEGMENTS * segment
        self.window = _INITIAL_SEGMENTS * segment
        self.floor = LossFloor()
        self.queue = QueueDelay()
        self.rounds = RoundTrips()
        self.filter = BandwidthFilter()
        self.growth = Growth()
        self.wider = WiderPath()
        self.widening: Widening | None = None
        self._held = 0  # rounds in a row of which too little arrived for a larger window

    def on_segment(self, segment: int, *, is_start: bool) -> None:
        """Reckon with segments of this length; at the start the first window is as many of them."""
        if is_start and self.window == _INITIAL_SEGMENTS * self.segment:
            self.window = _INITIAL_SEGMENTS * segment
        self.segment = segment
        self.least = _MIN_SEGMENTS * segment

    @property
    def allowed(self) -> int:
        """The longest queue that is borne now, ns."""
        return self.queue.allowed(self.window, noise=self.rounds.noise(_USUAL_SAMPLES))

    @property
    def noise(self) -> int:
        """By how much the median of a round's round trips may be off, ns."""
        return self.rounds.noise(_USUAL_SAMPLES)

    @property
    def is_lossy(self) -> bool:
        """True when the path loses so much that nobody lives here who answers to each loss."""
        return self.floor.share >= _NO_LOSS

    @property
    def is_surely_clean(self) -> bool:
        """True when it is known for sure that the path loses less than that."""
        return self.floor.is_surely_below(_NO_LOSS)

    def window_for(self, rate: int, round_trip: int) -> int:
        """Bytes on the way (with those that are lost) by which so many a second leave, at this round trip (ns)."""
        return int(rate * round_trip * (1 + self.floor.share / _LOST_FOR_LONGER)) // NS_PER_S

    def segments(self, ended: Round) -> float:
        """Of how many segments the round tells whether they were lost."""
        return ended.settled / self.segment

    def is_used(self, ended: Round) -> bool:
        """True when the window, and not the application, is what held the sender back (RFC 9002 §7.8)."""
        is_near = 10 * ended.used >= 8 * self.window or ended.used + self.segment > self.window
        return is_near and not ended.is_app_limited

    def plateau(self, ended: Round) -> int:
        """The window (bytes) that delivers as much as the present one, if growing has not helped; else 0.

        A window that was held for some rounds, since so little arrives, is none that the path takes, whatever the floor
        says: nothing else would ever tell, as it does not grow any more. Few segments come back in bunches: where half
        of them are not back yet the round says nothing of what arrives.
        """
        if self.queue.before > self.allowed // 2 and self.queue.delay < self.allowed // 4:
            self.growth.forget()
        loss = self.floor.share
        if self._held >= _HELD_ROUNDS:
            found = int(ended.acked / (1 - loss))
        else:
            found = self.growth.plateau(self.window, ended.acked, segments=self.segments(ended), loss=loss)
            # What this growth began with may have been too much already.
            found = found and min(found, int(ended.acked / (1 - loss)))
        is_part = 2 * ended.settled < ended.used < ENOUGH_SEGMENTS * self.segment
        return max(found, self.least) if found and not is_part else 0

    def begin(self, *, is_blind: bool = False) -> None:
        """The window was reduced: see what comes of it; `is_blind` as in `Growth`."""
        self._held = 0
        self.rounds.begin()
        self.growth = Growth(is_blind=is_blind)
        self.wider.begin()
        self.widening = None

    def grow(self, ended: Round, *, now: int) -> None:
        """Make the window larger after a round in which nothing said that the path is full."""
        if self.widening is not None:
            return
        if self._is_wider(ended, now=now):
            self.widening = Widening(self.window, now=now)
            step = self.window
        else:
            is_gentle = self.queue.delay > self.allowed // 2
            step = self.growth.step(self.window, segment=self.segment, is_gentle=is_gentle)
        # Whatever the floor says: not far beyond what can have been sent for so much to arrive.
        most = max(int(ended.acked / (0.8 * (1 - MOST))), 8 * self.segment)
        self._held = self._held + 1 if self.window >= most else 0
        self.window = max(min(self.window + step, most), self.window)

    def _is_wider(self, ended: Round, *, now: int) -> bool:
        return self.wider.is_seen(
            self.window,
            ended,
            now=now,
            rounds=self.growth.rounds,
            base=self.queue.base,
            bearable=self.allowed // 4,
            segments=self.segments(ended),
            loss=self.floor.share,
            jitter=self.rounds.jitter,
        )

    def widen(self, sample: AckSample) -> None:
        """Make the window larger for an acknowledgment, if the path was seen to be a wider one."""
        widening = self.widening
        if widening is None:
            return
        base, loss = self.queue.base, self.floor.share
        self.window += widening.growth(
            sample, window=self.window, base=base, bearable=self.allowed, loss=loss, segment=self.segment
        )
        if widening.is_over:
            self.window = widening.window(self.window, base=base)
            self.wider.on_filled(before=widening.began_with, found=self.window, now=sample.now)
            self.wider.on_full(int(widening.rate * (1 - loss)))
            self.begin()
