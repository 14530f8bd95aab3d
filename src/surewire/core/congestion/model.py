"""The default controller: a window that keeps the queue short, and answers to loss only where loss means congestion.

Theory of operation. A window of bytes in flight is paced over the round trip. It grows a little faster each round trip
(`growth`) until one of three things says that the path is full:

* the queue is longer than this flow may let it be (`queue_delay`): the window is cut by the queue's share;
* more is lost than the path loses by itself (`round_loss`): it is cut by the excess;
* more was sent and hardly more arrived (`growth`): it goes back to what the path delivers.

So random loss costs nothing but itself: on a path that loses a share p, C is sent and C(1 - p) arrives. Since every
window goes down by a share and up by equal steps, and faster flows bear shorter queues, such flows come to equal parts.
Where others fill the queue, as CUBIC does, cuts do not empty it, and the window becomes CUBIC's as long as that
lasts (`contention`); beside BBR, which answers to no loss, the rate is held (`even_rate`). Where round trips do not
answer to the window at all (`cuts`), the path may have become longer: the window doubles as at the start (`doubling`).
Where they rose all at once, from one datagram to the next, and stayed, the rate is kept, and so tried at once
(`path_change`).

An acknowledgment goes through `on_ack`; at the end of a round `_decide` finds out what kind of round it was, and after
one with nothing special `_avoid` goes through the signs. The parts change the window, which is in `PathState`; which of
them has its turn, and so the mode, is decided here alone.

Modes: STARTUP (`doubling`), AVOID, COMPETE, and LOOK, a round with half the window to see the empty path's round trip.

Sources: start-up RFC 9406; pacing RFC 9002 §7.7; competition RFC 9438; delay thresholds by rate: Swift (Kumar et al.
2020); switching to a loss-based window: Copa (Arun and Balakrishnan 2018). The rest is ours: docs/congestion.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from surewire.core.congestion.base import AckSample, PhaseOutcome
from surewire.core.congestion.contention import Contention, is_contended
from surewire.core.congestion.doubling import Doubling, Found
from surewire.core.congestion.path_change import PathChange
from surewire.core.congestion.path_state import LEAST_SEGMENTS, PathState
from surewire.core.congestion.round_loss import RoundLoss
from surewire.core.congestion.round_trips import Round
from surewire.core.units import NS_PER_MS, NS_PER_S

_WIDENING_GAIN, _PACING_GAIN = 200, 103  # per cent of the window in a round trip
_SILENT_ROUND_TRIPS, _SILENCE = 4, 100 * NS_PER_MS
_ANY_NOISE = 1 << 62
_LEAST_LEFT = 70  # per cent, after a loss: one look may be wrong
_UNDERSHOOT = 97  # per cent: after a loss, where there is no queue to drain, a little less than the path takes


class Mode(Enum):
    STARTUP = auto()
    AVOID = auto()
    COMPETE = auto()
    LOOK = auto()


# Names of their own: Python 3.11 takes longer to look up a member of an enumeration than to call a method.
_STARTUP, _AVOID, _COMPETE, _LOOK = Mode


class PathModel:
    """Bandwidth, round trip, loss floor and queue of the path, and the window that follows from them."""

    def __init__(self, *, segment: int, initial_rtt: int) -> None:
        """Start for segments of this many bytes, guessing the round trip (ns) until it is known."""
        path = PathState(segment=segment)
        self.mode = _STARTUP
        self.floor = path.floor
        self.queue = path.queue
        self._path = path
        self._rounds = path.rounds
        self._initial_rtt = initial_rtt
        self._doubling = Doubling(path)
        self._losses = RoundLoss(path)
        self._change = PathChange(path)
        self._contention: Contention | None = None
        self._silent_at = 0  # if no acknowledgment has come by then

    # What the connection reads before it sends.

    @property
    def window(self) -> int:
        """Bytes; half of them are in force while the mode is LOOK."""
        return self._path.window

    @property
    def bandwidth(self) -> int:
        """What the path delivers at most, as far as it was seen, bytes a second; 0 while unknown."""
        return self._path.filter.bandwidth

    @property
    def phase(self) -> int:
        return self._rounds.phase

    @property
    def pacing_rate(self) -> int:
        if self._contention is not None and self._contention.pacing_rate:
            return self._contention.pacing_rate
        path = self._path
        gain = _PACING_GAIN
        if self.mode is _STARTUP:
            gain = self._doubling.start_up.pacing_gain
        elif path.widening is not None:
            gain = _WIDENING_GAIN
        return max(gain * self.cwnd * NS_PER_S // (100 * (self.queue.rtt or self._initial_rtt)), path.segment)

    @property
    def cwnd(self) -> int:
        path = self._path
        return max(path.window // 2 if self.mode is _LOOK else path.window, path.least)

    @property
    def queue_allowed(self) -> int:
        """The longest queue that is borne now, ns."""
        return self._path.allowed

    # What the connection tells.

    def on_segment(self, segment: int) -> None:
        """Reckon with segments of this length from now on."""
        self._path.on_segment(segment, is_start=self.mode is _STARTUP)
        if self._contention is not None:
            self._contention.competition.on_segment(segment)

    def on_rtt(self, rtt: int, *, rttvar: int, sent_at: int) -> None:
        """Take a round trip (ns) of what was sent at `sent_at`."""
        queue = self.queue
        if not queue.base:
            queue.on_first(rtt)
        self._rounds.on_rtt(rtt, rttvar=rttvar, sent_at=sent_at)
        queue.step.on_rtt(rtt, sent_at=sent_at)
        if self._contention is not None:
            self._contention.even.on_rtt(rtt, sent_at=sent_at)
        if self.mode is _STARTUP:
            self._doubling.start_up.on_rtt(rtt, sent_at=sent_at)
        elif self._path.widening is not None:
            self._path.widening.on_rtt(rtt)

    def on_lost(self, outcomes: Sequence[PhaseOutcome], *, now: int) -> None:
        """Count losses; what follows from them follows at the end of the round."""
        self._rounds.on_lost(outcomes)

    def on_ack(self, sample: AckSample) -> None:
        """Take an acknowledgment, and decide anew if a round has ended."""
        path, queue = self._path, self.queue
        if self._contention is not None:
            self._contention.even.on_ack(sample)
        if 0 < self._silent_at < sample.now:
            self._rounds.begin()  # what was lost in an outage, or held, says nothing of the window
            path.widening = None
        path.filter.on_sample(sample.rate.delivery_rate, is_app_limited=sample.rate.is_app_limited)
        if sample.rate.round_start:
            path.filter.on_round()
        tolerance = _ANY_NOISE if self.mode is _STARTUP else path.allowed // 4
        self._rounds.on_lost(sample.lost)  # a round that ends now has lost them
        ended = self._rounds.on_ack(sample, tolerance=tolerance)
        if self.mode is _STARTUP:
            found = self._doubling.on_ack(sample, ended)
            if found is not None:
                self._leave_start_up(found, sample.now)
        elif ended is not None:
            self._decide(ended, sample.now)
        path.widen(sample)
        rtt = max(queue.rtt, queue.step.latest_rtt)  # a path much longer falls silent in each round trip
        self._silent_at = sample.now + _SILENT_ROUND_TRIPS * rtt + _SILENCE

    def _leave_start_up(self, found: Found, now: int) -> None:
        self.mode = _LOOK if found is Found.LIMIT else _AVOID
        if found is Found.OTHERS and not self._path.is_lossy:
            self._compete(now)
        self._change.begin(is_suspected=found is Found.DOUBT)
        self._losses.quiet.begin(now)
        self._path.begin()

    def _decide(self, ended: Round, now: int) -> None:
        """Take a round, whatever it was for."""
        path, losses, change = self._path, self._losses, self._change
        if self.mode is _LOOK:
            if change.is_shorter(ended) and self._contention is None:
                change.shorten(ended)
            path.queue.look(ended, now=now)
            losses.end_look(ended)
            self.mode = _AVOID
            path.begin()
            return
        if change.is_shorter(ended) and self._contention is None:
            path.window = max(path.window, losses.quiet.restored or 0)
            losses.quiet.restored = None
            change.shorten(ended)
            self.mode = _LOOK  # what was on the way has come too fast, and waits
            return
        path.queue.on_round(ended, noise=self._rounds.noise(ended.samples), now=now)
        losses.on_round(ended, now=now)
        if self._contention is not None:
            self._go_on_competing(self._contention, ended, now)
        elif losses.quiet.restored is not None:
            if ended.settled and losses.end_quiet(ended, now=now):
                path.begin()  # the gap that it left in what is on the way goes around once more
        elif change.is_tried:
            if ended.settled and not change.end_trial(ended, excess=losses.excess(ended), now=now):
                self._compete(now)
        else:
            losses.quiet.on_round(ended, is_first=not path.growth.rounds)
            if path.queue.is_look_due(now):
                self.mode = _LOOK
                path.begin()
            else:
                self._avoid(ended, now)

    def _avoid(self, ended: Round, now: int) -> None:
        """Cut or grow, after a round in which nothing was tried."""
        path, losses, delay, allowed = self._path, self._losses, self.queue.delay, self._path.allowed
        self._change.cuts.on_round(self.queue)
        is_queue = delay > allowed
        is_used = path.is_used(ended)
        plateau = path.plateau(ended) if is_used and not is_queue else 0
        excess = losses.to_answer(ended, may_be_path=not is_queue)
        if is_queue:
            path.wider.on_full(ended.acked * NS_PER_S // max(ended.took, 1))
        elif excess or plateau:
            path.wider.on_full(0)
        if is_contended(path, self._change.cuts, excess=excess, now=now):
            contention = self._compete(now, has_yielded=True)
            if excess:
                contention.on_loss(now=now)
        elif is_queue:
            self._cut_queue(ended, now)
        elif excess:
            if not losses.may_be_chance(excess):  # else see the next round, and do not grow meanwhile
                left = max(int(100 * (1 - excess)), _LEAST_LEFT)
                self._cut(path.window * left * _UNDERSHOOT // 10_000, now, is_blind=True)
        elif plateau:
            self._cut(plateau * _UNDERSHOOT // 100, now, is_blind=True)
        elif is_used:
            path.grow(ended, now=now)
        if delay < allowed * 3 // 4:
            self._change.cuts.count = 0
            self._change.clear()

    def _cut_queue(self, ended: Round, now: int) -> None:
        path, queue, cuts = self._path, self.queue, self._change.cuts
        if self._change.explains_queue(now):
            return
        if not path.is_used(ended):  # what was not sent is not queued: to take away of that would move nothing
            path.window = max(min(path.window, ended.used), path.least)
        is_least = path.window <= LEAST_SEGMENTS * path.segment
        if cuts.are_in_vain(queue, path.window, allowed=path.allowed, is_least=is_least, is_lossy=path.is_lossy):
            self._double_again(cuts.window)
            return
        left = cuts.take(queue, path.window, latest_rtt=ended.latest_rtt, noise=path.noise)
        self._cut(path.window * left // 100, now)
        if queue.delay > queue.base:  # paced by the long round trip, the smaller window would leave the link idle
            queue.rtt = max(queue.rtt * left // 100, queue.base)

    def _cut(self, window: int, now: int, *, is_blind: bool = False) -> None:
        path = self._path
        least = path.least if path.queue.delay > path.allowed else LEAST_SEGMENTS * path.segment
        path.window = self._losses.quiet_window(max(window, least), now=now)
        path.begin(is_blind=is_blind)

    def _double_again(self, window: int) -> None:
        """Round trips do not answer to the window: find out by growing whether that is a longer path."""
        path, change = self._path, self._change
        path.widening = None
        self._rounds.begin()
        rtt = path.queue.rtt
        is_still = change.cuts.is_still(path.window, rtt, is_lossy=path.is_lossy)
        self._doubling = Doubling(path, again_from=window, is_still=is_still, is_repeated=change.suspect(rtt))
        self.mode = _STARTUP

    def _compete(self, now: int, *, has_yielded: bool = False) -> Contention:
        path, cuts = self._path, self._change.cuts
        held = cuts.held_before(now)
        path.window = max(path.window, cuts.window, held)
        self.mode = _COMPETE
        self._contention = contention = Contention(path, now=now, is_untried=has_yielded and not held)
        self._change.begin()
        path.begin()
        return contention

    def _go_on_competing(self, contention: Contention, ended: Round, now: int) -> None:
        contention.on_round(ended, excess=self._losses.excess(ended, is_strict=True), now=now)
        if contention.is_over:
            self._contention = None
            self._change.begin(after=contention.competition)
            self.mode = _AVOID
