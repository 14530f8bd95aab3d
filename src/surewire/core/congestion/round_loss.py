"""What the loss of a round means: nothing, chance, a window that is too large, or a path that loses so much.

`LossFloor` has what the path loses by itself, and what chance explains. Here is what a round must have been like to be
judged by it, or to teach it: far below what the path delivers, or quiet (`QuietRounds`), and with an empty queue. That
less is lost where it is quiet counts whoever holds the queue: it adds losses, and takes none away.
"""

from __future__ import annotations

from surewire.core.congestion.bandwidth import RecentMost
from surewire.core.congestion.path_state import LEAST_SEGMENTS, PathState
from surewire.core.congestion.quiet_rounds import QuietRounds
from surewire.core.congestion.round_trips import ENOUGH_SEGMENTS, Round
from surewire.core.units import NS_PER_S

_FEW_SEGMENTS = 8
_MOST_RISE = 0.05  # of the floor in a quiet round: what was lost may be others' doing
_MUCH = 0.1  # of loss, by which a floor is too high
_LOW = 0.6  # of what the path has delivered lately: what is lost of so much less cannot be ours to cause
_LARGE_EXCESS = 0.15


class RoundLoss:
    """The judgement of each round's loss, and the `quiet` rounds."""

    def __init__(self, path: PathState) -> None:
        self.quiet = QuietRounds()
        self._path = path
        self._delivered = RecentMost()  # bytes a second, of whole rounds

    def on_round(self, ended: Round, *, now: int) -> None:
        """Take what a round has delivered; the queue knows of it already."""
        self._delivered.take(min(ended.acked, self._path.window) * NS_PER_S // ended.rtt, now=now)

    def excess(self, ended: Round, *, may_be_path: bool = False, is_strict: bool = False) -> float:
        """By what share of what was sent more was lost than the path loses; the arguments are those of `LossFloor`."""
        path = self._path
        return path.floor.excess(
            ended.loss,
            path.segments(ended),
            window=path.window,
            least=_FEW_SEGMENTS * path.segment,
            may_be_path=may_be_path,
            is_strict=is_strict,
        )

    def to_answer(self, ended: Round, *, may_be_path: bool) -> float:
        """The excess to reduce the window for, 0 if there is none; what cannot be ours is learned instead."""
        path, floor = self._path, self._path.floor
        excess = self.excess(ended, may_be_path=may_be_path)
        if self._is_far_below():
            learn = floor.learn_anew if excess else floor.learn
            learn(ended.loss, path.segments(ended))
            excess = 0.0
        if not path.growth.rounds and not excess:
            floor.forgive()
        return excess

    def may_be_chance(self, excess: float) -> bool:
        """True of one round with somewhat more loss: where losses come in bursts, it says little without a queue."""
        path = self._path
        may_come_in_bursts = path.is_lossy or path.queue.delay < path.allowed // 4
        return may_come_in_bursts and excess < _LARGE_EXCESS and not path.floor.is_repeated

    def quiet_window(self, window: int, *, now: int) -> int:
        """The window (bytes) after a reduction to `window`: smaller, if a quiet round is due."""
        path = self._path
        return self.quiet.window(
            window, arriving=self._arriving, segment=path.segment, rtt=path.queue.rtt, now=now, is_lossy=path.is_lossy
        )

    @property
    def _arriving(self) -> int:
        """Bytes that have arrived lately in a round trip of the empty path."""
        return self._delivered.most * self._path.queue.base // NS_PER_S

    def _is_far_below(self) -> bool:
        """True when much less is sent than the path has delivered in the last rounds, and there is no queue."""
        path = self._path
        arriving = path.window * (1 - path.floor.share)
        is_low = arriving < _LOW * self._arriving
        return is_low and self._is_surely_empty

    @property
    def _is_surely_empty(self) -> bool:
        path, allowed = self._path, self._path.allowed
        return path.queue.delay < allowed // 3 and path.queue.has_been_long(allowed)

    def end_look(self, ended: Round) -> None:
        """Take a round with half of the window: it may show that less is lost than was thought.

        If chance does not explain it, the losses before were the whole window's doing: a policer's, or of a queue that
        is too short to be seen.
        """
        floor, segments = self._path.floor, self._path.segments(ended)
        if floor.is_below(ended.loss, segments):
            floor.correct(ended.loss, segments)
        elif ended.loss < floor.share:
            floor.learn(ended.loss, segments)

    def end_quiet(self, ended: Round, *, now: int) -> bool:
        """Take a quiet round; True when it was the last one, and the window is restored."""
        path, floor, quiet = self._path, self._path.floor, self.quiet
        can_correct = floor.is_below(0.0, ENOUGH_SEGMENTS)
        if not quiet.take(ended, segments=path.segments(ended), floor=floor.share if can_correct else 0.0):
            return False
        loss, segments, restored = quiet.loss, quiet.segments, quiet.restored or 0
        is_less = floor.is_below(loss, segments)
        # Where losses come in bursts one round without any says little: the one before has to have raised a doubt.
        is_much_less = quiet.is_deep and segments >= ENOUGH_SEGMENTS and loss < floor.share - _MUCH
        may_learn = quiet.end(ended, is_less=is_less, now=now)
        is_short = path.queue.delay < path.allowed // 3
        is_believable = self._is_surely_empty or loss < floor.share + _MOST_RISE
        if is_less and (quiet.is_small or is_much_less):  # whoever held the queue: it only adds losses
            floor.correct(loss, segments)
            restored = min(restored, int(quiet.arriving / (1 - floor.share)))
        elif may_learn and segments >= LEAST_SEGMENTS and is_short and is_believable:
            floor.learn(min(loss, floor.share + _MOST_RISE), segments)
        path.window = max(path.window, restored)
        return True
