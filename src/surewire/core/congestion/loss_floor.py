"""The loss that is no congestion: its share, and when a round's loss is more than that.

Only what is lost beyond the floor tells of congestion. The floor is learned where congestion cannot be ours to
cause: while the rate grows in start-up and everything that is added arrives in proportion, and later in quiet rounds,
for which the window is made smaller on purpose and in which less must arrive than before. It follows at once when
less is lost than it says. What start-up has seen may have been others' losses: the rounds after it, all of them and
whoever held the queue, soon show if the path loses less. A loss that appears in the middle of a connection and does
not shrink when the window does, with an empty queue, is taken for the path's, step by step. Where few segments are on
the way each round agrees with nearly any share: so once a smaller window has shown that a loss was the window's doing
(`correct`), what only agrees teaches nothing for a while.

It is a bound, not a drive: nothing is ever sent because of the floor, what is lost below it is only not answered. Where
several flows overload a path together none of them can tell that loss from the path's; what keeps them from it is the
queue (see `queue_delay`), and that floors are limited.
"""

from __future__ import annotations

from math import sqrt

MOST = 0.6
"""The highest floor, as a share: a bound on how much loss is ever left unanswered."""

_MEMORY = 1000.0  # segments that an estimate rests on at most: older ones fade
_AVERAGE_MEMORY = 500.0
_NEW_MEMORY = 100.0
_MARGIN = 0.02  # of loss, beside what chance explains: BBRv3 takes as much for no congestion
_DEVIATIONS = 2.5
_ONSET = 0.1  # the floor rises by so much at once where cutting the window does not help
_LEAST_SEGMENTS = 4
_NEW_DEVIATIONS = 2.0  # by which the floor may be above the average while that rests on less
_HARDLY_ANY = 0.01
_SURE = 150.0  # segments: an estimate that rests on fewer takes what agrees with it


class LossFloor:
    """The floor as a share (0..MOST), and judgement by it. Amounts are in segments."""

    def __init__(self) -> None:
        self.share = 0.0
        self._segments = 0.0  # that it rests on
        self._dispersion = 2.0  # variance of a round's loss over that of independent losses: bursts have more
        self.is_repeated = False  # the round before showed an excess, too
        self._was_excess = False
        self._average = 0.0  # of all rounds of late since start-up, whatever their loss was due to
        self._averaged = 0.0  # that it rests on
        self._doubtful = 0.0  # segments that are not learned from, as more was learned than a smaller window lost
        self._strikes = 0  # rounds with an excess, in a row
        self._first: tuple[float, float] = (0.0, 0.0)  # loss and window at the first of them

    def _deviation(self, loss: float, segments: float) -> float:
        """Of the difference of the two shares, were both of the same path (two-proportion test)."""
        share, known = self.share, max(self._segments, _LEAST_SEGMENTS)
        pooled = (share * known + loss * segments) / (known + segments) if loss > share else share
        pooled = max(pooled, 0.5 / segments)
        variance = pooled * (1 - pooled) * (1 / segments + 1 / known)
        dispersion = max(self._dispersion, 1.0) if share > 0.01 else 1.0
        return sqrt(variance * dispersion)

    def excess(
        self,
        loss: float,
        segments: float,
        *,
        window: int,
        least: int,
        may_be_path: bool,
        is_strict: bool = False,
    ) -> float:
        """By what share of what was sent more was lost than the path loses: 0 if chance explains it.

        Args:
            loss: share lost in the round.
            segments: sent in it.
            window: in force then, bytes.
            least: a window so small that it is no use to try a smaller one, bytes.
            may_be_path: nothing else says that there is a queue.
            is_strict: others on the path answer every loss: do as they do.
        """
        if segments < _LEAST_SEGMENTS:
            return 0.0
        self._bound(loss, segments)
        share, deviation = self.share, self._deviation(loss, segments)
        self._learn_dispersion(loss, segments)
        self._doubtful -= segments
        if loss <= share + _DEVIATIONS * deviation + (0.0 if is_strict else _MARGIN):
            if self.is_below(loss, segments):
                self.share += (loss - share) / 3
            elif may_be_path and self._segments < _SURE and self._doubtful <= 0:
                self.learn(loss, segments)
            self.is_repeated, self._was_excess = False, False
            return 0.0
        self.is_repeated, self._was_excess = self._was_excess, True
        self._strikes += 1
        first_loss, first_window = self._first
        if self._strikes == 1:
            self._first = (loss, window)
        elif window <= least or (window < 0.6 * first_window and loss > 0.8 * first_loss):
            self._strikes = 0
            if may_be_path:
                self.share = min(loss, share + _ONSET, MOST)
                self._segments = segments
                self._doubtful = 0.0
                return 0.0
        return (loss - share) / (1 - share)

    def _bound(self, loss: float, segments: float) -> None:
        """The path loses no more by itself than is lost in all.

        What start-up has shown rests on few rounds, which met others' queues: so it is no part of the average.
        """
        is_new = self._averaged < _AVERAGE_MEMORY
        self._average += (loss - self._average) * segments / (segments + self._averaged)
        self._averaged = min(self._averaged + segments, _AVERAGE_MEMORY)
        deviations = _NEW_DEVIATIONS if is_new else 1.0
        self.share = min(self.share, self._average + deviations * sqrt(self.share / self._averaged))
        if is_new and self._segments < _SURE <= self._averaged and self._average < _HARDLY_ANY:
            self.share, self._segments = self._average, _SURE

    def _learn_dispersion(self, loss: float, segments: float) -> None:
        """From rounds with little loss only: congestion can explain much, never little."""
        share = self.share
        if not share:
            return
        if loss < share:
            squared = (loss - share) ** 2 * segments / (share * (1 - share))
            self._dispersion += (min(squared, 25.0) - self._dispersion) / 16
        else:
            self._dispersion += (1.0 - self._dispersion) / 64

    def forgive(self) -> None:
        """A round without growth has shown no excess: what comes next is a new matter."""
        self._strikes = 0

    def is_below(self, loss: float, segments: float) -> bool:
        """True when less is lost than chance lets expect."""
        if segments <= 0:
            return False
        # With little regard to bursts: a floor that is too high takes what is lost less for a sign of them.
        dispersion = min(max(self._dispersion, 1.0), 2.0)
        return loss < self.share - 2 * sqrt(self.share * (1 - self.share) * dispersion / segments)

    def is_surely_below(self, share: float) -> bool:
        """True when the floor is below this share, and rests on enough to tell."""
        return self.share < share and self._segments >= _SURE

    def learn(self, loss: float, segments: float) -> None:
        """Take what was lost where it was not ours to cause."""
        self._doubtful = 0.0
        self._segments = min(self._segments, _MEMORY)
        self.share = min(self.share + (loss - self.share) * segments / max(segments + self._segments, 1.0), MOST)
        self._segments += segments

    def correct(self, loss: float, segments: float) -> None:
        """What was taken for the path's loss was not: a smaller window lost this, and chance does not explain it.

        Rounds that only agree with the floor teach nothing for a while then, as so little evidence agrees with any.
        """
        self.share = min(loss, self.share)
        self._segments = min(self._segments, segments)
        self._doubtful = _AVERAGE_MEMORY

    def learn_anew(self, loss: float, segments: float) -> None:
        """Learn where it is much more than was thought: the path is another one, and old evidence counts little."""
        self._segments = min(self._segments, _NEW_MEMORY)
        self._average = max(self._average, loss)
        self._averaged = _AVERAGE_MEMORY
        self.learn(loss, segments)
        self._strikes = 0

    def begin(self, share: float, segments: float) -> None:
        """Start from what start-up has shown."""
        self.share = min(share, MOST)
        self._segments = segments
