"""The search for a window by doubling it: at the start, and again where the path may have become longer.

`StartUp` says when it is over. Then the window becomes what the path delivers in a round trip without a queue.

The second search is for round trips that do not answer to the window: others hold the queue, or there is none and the
path is longer. If the window doubles before anything else moves, the path is longer indeed; but a full queue does not
move either. So where the round trip has answered to cuts, it has to come out twice, at the same round trip. On a path
that loses nobody competes, so that others are flows like this one, and each that takes their queue for the path makes
it longer for the rest: there it has to, too, if losses ended the search. In turn it is enough if the window grows by
half. If round trips become shorter, the path is not longer, whatever the window is: they were a queue's, and somebody
yields. Nothing is learned of losses meanwhile: who has others beside him causes some.
"""

from __future__ import annotations

from enum import Enum, auto

from surewire.core.congestion.base import AckSample
from surewire.core.congestion.cuts import UNMOVED
from surewire.core.congestion.path_state import PathState
from surewire.core.congestion.round_trips import Round
from surewire.core.congestion.start_up import N_RTT_SAMPLE, StartUp
from surewire.core.units import NS_PER_S

_UNKNOWN = 1 << 62  # ns: no round trip is longer
_KNOWN_SEGMENTS = 100.0  # that the floor is taken to rest on in a second search
_LONGER_FROM, _LONGER_FROM_LOSSY = 200, 150  # per cent of the window before the cuts: half of that has moved nothing
_DOUBTFUL_PART = 16  # of the round trip: where it varies by more, the first to come are fast ones, and no measure


class Found(Enum):
    """What a search has shown."""

    QUEUE = auto()  # round trips have become longer
    LIMIT = auto()  # something else is the limit: there is no queue, or it has been full all the time
    LONGER_PATH = auto()
    DOUBT = auto()  # it may be a longer path: if the next search says so, too
    OTHERS = auto()  # who hold the queue
    SHORTER_QUEUE = auto()  # round trips have become shorter: others yield


class Doubling:
    """One search. `start_up` judges what it is told of each round trip (`on_rtt`) and of losses (`losses`)."""

    def __init__(
        self, path: PathState, *, again_from: int = 0, is_still: bool = False, is_repeated: bool = False
    ) -> None:
        """Begin with the window that the path has.

        For a second search, `again_from` is the window (bytes, > 0) to begin with, that of the path is what cuts have
        left of it, and the last round's round trip is the one that does not answer. `is_still`: it has not moved since
        they began; `is_repeated`: the search before was in doubt of the same one.
        """
        self._path = path
        self._again_from = again_from
        self._is_still = is_still
        self._is_repeated = is_repeated
        self._unmoved_rtt = path.queue.rtt if again_from else 0
        self._left = path.window
        self.start_up = StartUp()
        if again_from:
            path.window = again_from
            self.start_up = StartUp(loss=path.floor.share, segments=_KNOWN_SEGMENTS, is_sure=True)

    def on_ack(self, sample: AckSample, ended: Round | None) -> Found | None:
        """Grow for an acknowledgment, and for the round that ended with it; None while the search goes on."""
        path, start = self._path, self.start_up
        is_known = path.queue.is_known and start.is_told
        base = self._unmoved_rtt or (path.queue.base if is_known else _UNKNOWN)
        path.filter.raise_to_best()
        path.window += start.growth(
            sample, window=path.window, base=base, jitter=path.rounds.jitter, segment=path.segment
        )
        if ended is not None:
            self._on_round(ended, sample.now)
        if self._has_become_shorter():
            path.filter.forget_best()
            delivered = path.filter.bandwidth * path.queue.base // NS_PER_S  # of a path that became faster, too
            path.window = max(self._left, min(delivered, self._again_from))
            return Found.SHORTER_QUEUE
        return self._end(base, sample.now) if start.is_over_by else None

    def _on_round(self, ended: Round, now: int) -> None:
        path, start, rounds = self._path, self.start_up, self._path.rounds
        path.queue.rtt = ended.rtt
        if not self._unmoved_rtt:
            start.take_round_trips(ended, jitter=rounds.steady_jitter)
            path.queue.begin(start.least_round_trip(jitter=rounds.steady_jitter, noise=rounds.noise), now=now)
        tried = start.on_round(ended, window=path.window, segment=path.segment)
        if tried:
            path.window = tried
            rounds.begin()

    def _has_become_shorter(self) -> bool:
        """True when the round trips that did not answer to the window have become shorter, as a path does not."""
        least = (100 - UNMOVED) * self._unmoved_rtt // 100 - self._path.rounds.noise(N_RTT_SAMPLE)
        return 0 < self.start_up.latest_rtt < least

    def _end(self, base: int, now: int) -> Found:
        path, start, reached = self._path, self.start_up, self._path.window
        path.filter.forget_best()
        is_queue = start.is_over_by == "delay"
        if not self._unmoved_rtt:
            path.floor.begin(start.losses.share, start.losses.evidence)
        rate = start.rate if is_queue else path.filter.bandwidth
        found = path.window_for(rate, base)
        # Acknowledgments that come together show any rate: no window that was not reached, and not much less.
        path.window = min(max(found, reached // 4, path.least), max(reached, start.leap.shown))
        if self._unmoved_rtt:
            return self._end_again(reached, now)
        if not is_queue:
            return Found.LIMIT
        grain = 2 * path.segment * NS_PER_S // max(rate, 1)  # in a queue of one's own, acknowledged two by two
        path.queue.is_doubtful = path.rounds.jitter > max(path.queue.base // _DOUBTFUL_PART, grain)
        return Found.QUEUE

    def _end_again(self, reached: int, now: int) -> Found:
        path, before = self._path, self._again_from
        if 100 * reached < (_LONGER_FROM_LOSSY if path.is_lossy else _LONGER_FROM) * before:
            path.window = max(self._left, before * 3 // 4) if path.is_lossy else before
            return Found.OTHERS
        may_be_full = path.is_lossy and self.start_up.is_over_by == "loss"
        if self._is_repeated or (self._is_still and not may_be_full):
            path.queue.move(self._unmoved_rtt, now=now)
            return Found.LONGER_PATH
        path.window = before
        return Found.DOUBT
