"""Others on the path who fill its queue: when to compete with them, and when that is over.

Delays that do not go away are theirs if the queue stands whatever is cut, or overflows although it was. From then on
the window is that of `Competition`, which is told here of each round what it means to those who answer to every loss.
On a path that loses much by itself nobody competes, since nothing that answers to each loss lives there.
"""

from __future__ import annotations

from surewire.core.congestion.competition import Competition
from surewire.core.congestion.cuts import Cuts
from surewire.core.congestion.path_state import PathState
from surewire.core.congestion.round_trips import Round


def is_contended(path: PathState, cuts: Cuts, *, excess: float, now: int) -> bool:
    """True when the queue overflows (`excess` is the loss in excess) or stands although we keep it short."""
    if not path.is_surely_clean:
        return False
    queue, allowed = path.queue, path.allowed
    overflows = excess > 0 and cuts.count > 0 and max(queue.delay, queue.before) > allowed
    return overflows or (cuts.is_standing(now) and queue.delay > allowed // 2)


class Contention:
    """One competition, from when it is noticed until it `is_over`."""

    def __init__(self, path: PathState, *, now: int, is_untried: bool = False) -> None:
        """Begin with the window that the path has; `is_untried`: it is what yielding has left."""
        self.competition = Competition(path.window, segment=path.segment, now=now, is_untried=is_untried)
        self.is_over = False
        self._path = path

    def on_loss(self, *, now: int) -> None:
        """More was lost than the path loses: yield as the others do."""
        path = self._path
        self.competition.on_loss(now=now, base=path.queue.base, delay=path.queue.delay)
        self._follow()
        path.begin()

    def on_round(self, ended: Round, *, excess: float, now: int) -> None:
        """Take a round, and the loss in excess as the others see it."""
        path, queue, competition = self._path, self._path.queue, self.competition
        is_low = queue.delay < path.allowed // (2 if competition.is_testing else 3)
        if excess and not competition.is_testing and not is_low:
            self.on_loss(now=now)
            return
        if competition.on_round(
            now=now, base=queue.base, delay=queue.delay, is_low=is_low, is_used=path.is_used(ended)
        ):
            path.begin()
        self._follow()
        # What is lost of an empty queue is nobody's who competes, and where much is lost anyway nobody does.
        if competition.is_over or (excess and is_low) or path.is_lossy:
            competition.end(now=now)
            self.is_over = True
            path.begin()

    def _follow(self) -> None:
        self.competition.window = self._path.window = max(self.competition.window, self._path.least)
