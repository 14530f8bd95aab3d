"""The rate beside a sender that fills the queue and does not answer to losses, as BBR does (version 1).

Such a sender goes by the highest rate that it had within ten round trips, and holds two products of it. Where the
queue is no longer than the path, it overflows whatever we send, and who answers is left nothing; but what we hold of it
is ours, and less lasts as well as more. What it loses us is what it takes for its highest rate: all that we leave free
for a moment. So the rate is held even, which halves what is dropped, and losses are borne up to a bound.

What the path carries is known from before, or from when the other one looks at the empty path: what is ours comes as
fast as the path delivers then. Somewhat less than half of that is ours.

Until it is known the rate is searched for: from what was left when the first loss was answered, as nobody else has
answered to those after it, by steps up, and not again up to what has lost too much.

Who it is shows in the queue (`gain_cycle`), and goes on to show while it looks at the empty path now and then, but not
while our own window goes up and down. So where losses follow each other sooner than CUBIC fills a queue, the rate is
held for some round trips to find out.
"""

from __future__ import annotations

from surewire.core.congestion.base import AckSample
from surewire.core.congestion.carried_rate import CarriedRate
from surewire.core.congestion.cubic_curve import BETA
from surewire.core.congestion.cycle_losses import CycleLosses
from surewire.core.congestion.gain_cycle import PERIOD, GainCycle
from surewire.core.congestion.path_state import PathState
from surewire.core.congestion.round_trips import Round
from surewire.core.units import NS_PER_S

# In round trips of the empty path:
_SOON = 24  # after a loss: CUBIC takes seconds to fill a queue again
_RECENT = 160  # a loss counts
_TRIED = 60  # the rate is held to see the cycle
_LASTS = 112  # the rate is held after a sight of it; our own steps, and its looks at the empty path, hide it for 64
_LASTS_LOOKED = 160  # after such a look: the queue has to fill again, and steps back follow
_PATIENCE = 32  # after a step the other one has forgotten what it had before
_PAUSE = 16  # between two steps back

_SOON_LOSSES = 2  # in a row: once may be chance
_TRY_EVERY = 8 * NS_PER_S
_UNLIKE = 0.35  # the queue to what it was a cycle before
_HALF_SEEN = 0.5  # beside CUBIC it is around 1
_PART = 41  # per cent of what the path carries
_LITTLE_LOSS, _MOST_LOSS = 0.02, 0.05  # of what was sent in two cycles: to try more, and to yield
_OTHER_PATH = 0.25  # so much is lost where the path is not what it was
_BACK = 16
_STEP = 8  # part of the rate: less is not worth what it costs until the other one has forgotten
_ROOM = 115  # per cent of what the rate has on the way when the queue is as long as the path


class EvenRate:
    """`rate` in bytes a second; it is in force while it `is_on`."""

    def __init__(self, path: PathState) -> None:
        """What the path has delivered lately is the least that it carries."""
        self.rate = 0
        self._path = path
        self._cycle = GainCycle()
        self._carried = CarriedRate(path)
        self._lost_at = self._try_at = 0
        self._soon = 0  # losses in a row, each soon after the one before
        self._kept = 0  # the rate after the first of them was answered
        self._until = 0
        self._is_sure = False
        self._unlike_at = 0
        self._too_much = 0  # the rate that has lost too much
        self._patient_until = 0
        self._losses = CycleLosses()

    @property
    def window(self) -> int:
        """What the rate has on the way beside a full queue, and some more, so that the rate is what limits."""
        return 2 * self._path.queue.base * self.rate // NS_PER_S * _ROOM // 100

    @property
    def _is_short(self) -> bool:
        """True when the queue is not longer than the path: the other one keeps it no longer."""
        return 4 * self._path.queue.rtt < 9 * self._path.queue.base

    def on_rtt(self, rtt: int, *, sent_at: int) -> None:
        """Take a round trip (ns) of what was sent at `sent_at`."""
        self._carried.on_rtt(rtt)
        self._cycle.on_rtt(rtt, sent_at=sent_at, base=self._path.queue.base)

    def on_ack(self, sample: AckSample) -> None:
        """Take an acknowledgment."""
        self._carried.on_ack(sample, rate=self.rate, is_sure=self._is_sure)

    def on_loss(self, *, now: int) -> None:
        """The window is about to be cut for a loss."""
        path = self._path
        if not self._is_short:
            return
        is_soon = now - self._lost_at < _SOON * path.queue.base
        self._soon = self._soon + 1 if is_soon else 0
        answered = int(BETA * path.window) * NS_PER_S // path.queue.rtt
        self._kept = max(self._kept, answered) if is_soon else answered
        self._lost_at = now

    def is_tried(self, *, now: int, has_tested: bool) -> bool:
        """True when the rate is to be held from now on, to see who the others are.

        `has_tested`: a test has just shown that there are others; else it takes one loss more to suspect them.
        """
        path = self._path
        if self._soon < _SOON_LOSSES + (not has_tested) or now < self._try_at:
            return False
        self._try_at = now + _TRY_EVERY
        self._until = now + _TRIED * path.queue.base
        self.rate = path.window * NS_PER_S // path.queue.rtt
        return True

    def is_on(self, ended: Round, *, now: int) -> bool:
        """Take a round; True when the rate is in force."""
        base = self._path.queue.base
        is_on = now < self._until
        if not is_on:
            self._is_sure = False
        elif not self._is_short and not self._is_sure:
            self._until = now
        unlikeness = self._cycle.unlikeness
        if unlikeness > _UNLIKE:
            self._unlike_at = now
        if unlikeness < _HALF_SEEN and self._is_short and now - self._lost_at < _RECENT * base:
            if is_on:  # it does not end while there is something to see
                self._until = max(self._until, now + PERIOD * base)
            if now - self._unlike_at > PERIOD * base:
                self._see(ended, now)
        if self._is_sure:
            if self._carried.has_looked:  # as nobody else does
                self._until = max(self._until, now + _LASTS_LOOKED * base)
            self._adapt(ended, now)
        self._carried.has_looked = False
        return now < self._until

    def _see(self, ended: Round, now: int) -> None:
        if now >= self._until:
            self.rate = ended.acked * NS_PER_S // max(ended.took, 1)
        if not self._is_sure and self._kept > self.rate:  # nobody else has answered to the losses after that
            self._step(self._kept, now)
        self._is_sure = True
        self._lost_at = now
        self._until = max(self._until, now + _LASTS * self._path.queue.base)

    def _adapt(self, ended: Round, now: int) -> None:
        path, carried = self._path, self._carried
        part = carried.value * _PART // 100
        loss = self._losses.on_round(ended, floor=path.floor.share, now=now, base=path.queue.base)
        if part - self.rate > self.rate // _STEP and not ended.is_app_limited:
            self._too_much = 0
            self._step(part, now)
        elif carried.is_measured and self.rate > part:
            self.rate = part
        elif loss is None or now < self._patient_until:
            return
        elif loss > _OTHER_PATH:  # answer as everybody does
            self._until, self._is_sure = now, False
            carried.forget()
        elif loss > _MOST_LOSS:
            self._too_much = self.rate
            self.rate -= self.rate // _BACK
            carried.step_back()
            self._patient_until = now + _PAUSE * path.queue.base
        elif loss < _LITTLE_LOSS and self._unlike_at < now and not carried.is_measured and not ended.is_app_limited:
            more = self.rate + self.rate // 2
            self._step(min(more, self._too_much or more), now)

    def _step(self, rate: int, now: int) -> None:
        base = self._path.queue.base
        self.rate = rate
        self._patient_until = now + _PATIENCE * base
        self._until = now + _LASTS * base
