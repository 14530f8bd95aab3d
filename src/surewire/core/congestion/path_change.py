"""Round trips that say that the path has become another one: longer from one datagram to the next, or much shorter.

The window is made as much longer or shorter as the path, so that the rate stays what it was. A longer path is a guess
at first: for a round trip nothing is cut, and then it is known whether the path carries that. If it does not, others
hold the queue. A path whose round trips rose while nobody looked is left to `Cuts` and `Doubling`.
"""

from __future__ import annotations

from surewire.core.congestion.competition import Competition
from surewire.core.congestion.cuts import UNMOVED, Cuts
from surewire.core.congestion.path_state import LEAST_SEGMENTS, PathState
from surewire.core.congestion.round_trips import Round
from surewire.core.units import NS_PER_S

_TOO_MUCH_LOSS = 0.15  # in excess, for a path that carries what is tried


class PathChange:
    """What is made of delays that came all at once, and the `cuts` for those that did not."""

    def __init__(self, path: PathState) -> None:
        self._path = path
        self.cuts = Cuts()
        self._is_in_doubt = False  # the delay came all at once, and may be gone as soon
        self._tried_rtt = 0  # the longer path's, ns, while it is tried
        self._suspected_rtt = 0  # one that cuts do not move, ns; 0 once it is known what it is

    def begin(self, *, after: Competition | None = None, is_suspected: bool = False) -> None:
        """Forget what was cut, doubted and tried.

        `after` is the competition that has ended just now; `is_suspected`: not what a search has left in doubt.
        """
        self.cuts = Cuts(after=after)
        if not is_suspected:
            self.clear()
        self._is_in_doubt = False
        self._tried_rtt = 0

    @property
    def is_tried(self) -> bool:
        """True while it is tried whether the path is longer."""
        return self._tried_rtt > 0

    def explains_queue(self, now: int) -> bool:
        """True when the delay came all at once: not to be cut for before it is known whether it stays.

        Once it is known the longer path is tried.
        """
        queue, step = self._path.queue, self._path.queue.step
        was_in_doubt, self._is_in_doubt = self._is_in_doubt, False
        is_long = queue.delay > 2 * self._path.allowed
        if not is_long or not step.explains(queue.delay, rtt=queue.rtt, now=now):
            return False
        if step.is_new(queue.rtt, now=now):
            self._is_in_doubt = not was_in_doubt  # once: where round trips vary there is always a new one
            return self._is_in_doubt
        if step.is_kept(queue.rtt):
            self._try_longer()
            return True
        step.forget()
        return False

    def _try_longer(self) -> None:
        """Send as fast as before for a round trip, and see whether the path carries that."""
        path, queue = self._path, self._path.queue
        self._tried_rtt, self.cuts.window = queue.rtt, path.window
        carried = int(path.filter.bandwidth * queue.rtt // NS_PER_S / (1 - path.floor.share))
        path.window = max(min(path.window * queue.rtt // queue.base, carried), path.window)
        path.begin()

    def end_trial(self, ended: Round, *, excess: float, now: int) -> bool:
        """Judge the round that was tried; False if others hold the queue: the window is what it was before."""
        if excess > _TOO_MUCH_LOSS or 4 * ended.rtt > 5 * self._tried_rtt:
            self._path.window = self.cuts.window
            return False
        if 2 * ended.rtt < self._path.queue.base + self._tried_rtt:  # it is gone again, before it was known what it was
            self._path.window = self.cuts.window
            self.begin()
            self._path.begin()
            return True
        if self._path.is_used(ended):  # else it goes on: what was not sent shows nothing of what the path carries
            self._path.queue.move(min(ended.rtt, self._tried_rtt), now=now)
            self.begin()
        return True

    def suspect(self, rtt: int) -> bool:
        """Take a round trip (ns) that cuts do not move; True if it is the same as the last time."""
        is_same = 100 * abs(rtt - self._suspected_rtt) <= UNMOVED * self._suspected_rtt
        self._suspected_rtt = rtt
        return is_same

    def clear(self) -> None:
        """There is no such round trip any more."""
        self._suspected_rtt = 0

    def is_shorter(self, ended: Round) -> bool:
        """True of a round trip that is much shorter than any before."""
        return 2 * ended.rtt < self._path.queue.base

    def shorten(self, ended: Round) -> None:
        """As much on the way as before would be far too much there."""
        path = self._path
        path.window = max(path.window * ended.rtt // path.queue.base, LEAST_SEGMENTS * path.segment)
        path.queue.base = path.queue.rtt = ended.rtt
        self.begin()
        path.begin()
