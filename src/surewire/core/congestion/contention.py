"""Others on the path who fill its queue: when to compete with them, and when that is over.

Delays that do not go away are theirs if the queue stands whatever is cut, or overflows although it was. From then on
the window is that of `Competition`, which is told here of each round what it means to those who answer to every loss.
On a path that loses much by itself nobody competes, since nothing that answers to each loss lives there. Beside those
who answer to no loss, as BBR (version 1), the rate is that of `EvenRate`, if they are seen.
"""

from __future__ import annotations

from surewire.core.congestion.competition import Competition
from surewire.core.congestion.cuts import Cuts
from surewire.core.congestion.even_rate import EvenRate
from surewire.core.congestion.path_state import PathState
from surewire.core.congestion.round_trips import Round


def is_contended(path: PathState, cuts: Cuts, *, excess: float, now: int) -> bool:
    """True when the queue overflows (`excess` is the loss in excess) or stands although we keep it short."""
    if not path.is_surely_clean:
        return False
    queue, allowed = path.queue, path.allowed
    overflows = excess > 0 and cuts.has_stood and max(queue.delay, queue.before) > allowed
    return overflows or (cuts.is_standing(now) and queue.delay > allowed // 2)


class Contention:
    """One competition, from when it is noticed until it `is_over`."""

    def __init__(self, path: PathState, *, now: int, is_untried: bool = False) -> None:
        """Begin with the window that the path has; `is_untried`: it is what yielding has left."""
        self.competition = Competition(path.window, segment=path.segment, now=now, is_untried=is_untried)
        self.even = EvenRate(path)
        self.pacing_rate = 0  # bytes a second while the rate is held; else 0
        self.is_over = False
        self._path = path

    def on_loss(self, *, now: int) -> None:
        """More was lost than the path loses: yield as the others do."""
        path = self._path
        self.even.on_loss(now=now)
        self.competition.on_loss(now=now, base=path.queue.base, delay=path.queue.delay)
        self._follow()
        path.begin()

    def on_round(self, ended: Round, *, excess: float, now: int) -> None:
        """Take a round, and the loss in excess as the others see it."""
        path, queue, competition = self._path, self._path.queue, self.competition
        is_low = queue.delay < path.allowed // (2 if competition.is_testing else 3)
        was_on = self.pacing_rate > 0
        self.pacing_rate = 0
        if self.even.is_on(ended, now=now) and not competition.is_testing:
            self._hold(is_low=is_low, now=now)
            return
        if (was_on or excess) and not competition.is_testing and not is_low:
            self.on_loss(now=now)
            if not competition.is_testing and self.even.is_tried(now=now, has_tested=False):
                self._hold(is_low=is_low, now=now)
            return
        was_testing = competition.is_testing
        if competition.on_round(
            now=now, base=queue.base, delay=queue.delay, is_low=is_low, is_used=path.is_used(ended)
        ):
            path.begin()
        self._follow()
        # What is lost of an empty queue is nobody's who competes, and where much is lost anyway nobody does.
        if competition.is_over or (excess and is_low) or path.is_lossy:
            self._end(now)
        elif was_testing and self.even.is_tried(now=now, has_tested=True):
            self._hold(is_low=is_low, now=now)

    def _hold(self, *, is_low: bool, now: int) -> None:
        """Keep to the even rate, whatever is lost."""
        self.competition.hold(self.even.window, is_low=is_low)
        self._follow()
        self.pacing_rate = self.even.rate
        if self.competition.is_over or self._path.is_lossy:
            self._end(now)

    def _end(self, now: int) -> None:
        self.competition.end(now=now)
        self.is_over = True
        self._path.begin()

    def _follow(self) -> None:
        self.competition.window = self._path.window = max(self.competition.window, self._path.least)
