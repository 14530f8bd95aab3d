"""What is said of arrivals: when, how much of it fits, and how often.

The core's `AckTracker` decides when an acknowledgment is due. On a path that loses much, one that goes
alone goes twice: losing it would cost the peer a ping, and both sides its answer.
"""

from __future__ import annotations

from surewire.core.acks import AckTracker
from surewire.core.timers import TimerTable
from surewire.streamer.config import StreamerConfig
from surewire.wire import compact

_NUMBERS_TO_JUDGE = 2  # largest number of the peer's below which nothing is said about its losses


class Acknowledging:
    """The acknowledgments of one peer's packets."""

    __slots__ = ("_arrivals", "_config", "_is_repeat", "_whole", "tells_end", "tracker")

    def __init__(self, config: StreamerConfig, timers: TimerTable) -> None:
        self._config = config
        self.tracker = AckTracker(config.transport, timers)
        self._arrivals = 0
        self._whole: compact.Ack | None = None  # what there is to say after so many arrivals
        self.tells_end = True  # each copy of our FIN told of all that had arrived by then
        self._is_repeat = False  # the next one that goes alone is the second copy

    def block(self, *, room: int) -> compact.Ack | None:
        """What has arrived, in one byte and at most `room` more; None when it does not fit, or nothing has."""
        if room < compact.MAX_HOLES:
            return compact.Ack.from_ranges(self.tracker.received_ranges(), room) if room >= 0 else None
        if self._arrivals != self.tracker.arrivals:  # a packet asks twice: how long it is, then for itself
            self._arrivals = self.tracker.arrivals
            self._whole = compact.Ack.from_ranges(self.tracker.received_ranges())
        return self._whole

    def on_ridden(self) -> None:
        """An acknowledgment went out on a packet of data or a ping."""
        self.tracker.on_sent()
        self._is_repeat = False

    def on_fin_sent(self, ack: compact.Ack | None) -> None:
        """Our FIN went out with `ack`: when that FIN is acknowledged, the peer has had it."""
        self.tells_end &= ack is not None and self.tracker.is_all(ack.ranges())

    def on_sent_alone(self) -> None:
        """An acknowledgment went out in a packet of its own."""
        tracker = self.tracker
        tracker.on_sent()
        is_lossy = tracker.largest >= _NUMBERS_TO_JUDGE and tracker.missing_share > self._config.repeat_acks_above
        self._is_repeat = is_lossy and not self._is_repeat
        if self._is_repeat:
            tracker.make_due()
