"""The default controller: a window that keeps the queue short, and answers to loss only where loss means congestion.

Theory of operation. A window of bytes in flight is paced over the round trip. It grows a little faster each round trip
(`growth`) until one of three things says that the path is full:

* the queue is longer than this flow may let it be (`queue_delay`): the window is cut by the queue's share;
* more is lost than the path loses by itself (`loss_floor`): it is cut by the excess;
* more was sent and hardly more arrived (`growth`): it goes back to what the path delivers.

So random loss costs nothing but itself: on a path that loses a share p, C is sent and C(1 - p) arrives. Since every
window goes down by a share and up by equal steps, and faster flows bear shorter queues, such flows come to equal parts.
Where others fill the queue, as CUBIC does, cuts do not empty it, and the window becomes CUBIC's as long as that
lasts (`competition`). Where round trips do not answer to the window at all, the path may have become longer: the window
doubles as at the start, and if it at least doubles before anything else moves, the path is longer indeed. Where they
rose all at once, from one datagram to the next, and stayed (`round_trip_step`), the rate is kept, and so tried at once.

Modes: STARTUP (`start_up`), AVOID, COMPETE, and LOOK, a round with half the window to see the empty path's round trip.

Sources: start-up RFC 9406; pacing RFC 9002 §7.7; competition RFC 9438; delay thresholds by rate: Swift (Kumar et al.
2020); switching to a loss-based window: Copa (Arun and Balakrishnan 2018). The rest is ours: docs/congestion.md.
"""

from __future__ import annotations

from enum import Enum, auto

from surewire.core.congestion.bandwidth import BandwidthFilter, RecentMost
from surewire.core.congestion.base import AckSample, PhaseOutcome
from surewire.core.congestion.competition import Competition
from surewire.core.congestion.growth import Growth
from surewire.core.congestion.loss_floor import MOST, LossFloor
from surewire.core.congestion.queue_delay import QueueDelay
from surewire.core.congestion.quiet_rounds import QuietRounds
from surewire.core.congestion.round_trips import Round, RoundTrips
from surewire.core.congestion.start_up import StartUp
from surewire.core.units import NS_PER_MS, NS_PER_S

_INITIAL_SEGMENTS = 32  # paced; RFC 6928 allows 10 at once, and what is paced harms less (Google's QUIC: 32)
_MIN_SEGMENTS = 2  # RFC 9002 §7.2
_FEW_SEGMENTS = 8
_LEAST_SEGMENTS = 4
_MOST_RISE = 0.05  # of the floor in a quiet round: what was lost may be others' doing
_LOW = 0.6  # of what the path has delivered lately: what is lost of so much less cannot be ours to cause
_STARTUP_GAIN, _PACING_GAIN = 200, 103  # per cent of the window in a round trip
_LEAST_CUT = 70  # per cent that a cut leaves at least: one look may be wrong
_LEFT_PART = 64  # of the round trip is left of a queue that is cut: what is cut too much is missed for some rounds
_LEAST_FURTHER_CUT = 40  # the second one, and so on: the first was right
_WRONG_BY = 2  # times at most: what a cut leaves of a queue that is longer than the path
_UNDERSHOOT = 97  # per cent: after a loss, where there is no queue to drain, a little less than the path takes
_CUTS_AT_LEAST = 3  # in a row, down to the least window: the queue is not ours, or there is none
_STANDING_CUTS = 6  # in a row without a sight of a short queue: others hold it
_STANDING_AGAIN = 3  # where they have just seemed to be gone
_UNMOVED = 5  # per cent by which the round trip may differ that does not answer to a quarter of the window
_SILENT_ROUND_TRIPS, _SILENCE = 4, 100 * NS_PER_MS
_ANY_NOISE = 1 << 62
_DOUBTFUL_PART = 16  # of the round trip: where it varies by more, the first to come are fast ones, and no measure
_LARGE_EXCESS = 0.15
_NO_LOSS = 0.01  # a floor above it: no loss-based flow lives here, whoever holds the queue


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
        self.mode = _STARTUP
        self.window = _INITIAL_SEGMENTS * segment
        self.floor = LossFloor()
        self.queue = QueueDelay()
        self._segment = segment
        self._initial_rtt = initial_rtt
        self._rounds = RoundTrips()
        self._filter = BandwidthFilter()
        self._delivered = RecentMost()  # bytes a second, of whole rounds
        self._start_up = StartUp()
        self._growth = Growth()
        self._quiet = QuietRounds()
        self._competition: Competition | None = None
        self._cuts = _Cuts()
        self._last_ack_at = 0

    @property
    def bandwidth(self) -> int:
        """What the path delivers at most, as far as it was seen, bytes a second; 0 while unknown."""
        return self._filter.bandwidth

    # What the connection reads before it sends.

    @property
    def phase(self) -> int:
        return self._rounds.phase

    @property
    def pacing_rate(self) -> int:
        is_doubling = self.mode is _STARTUP and not self._start_up.losses.is_in_doubt
        gain = _STARTUP_GAIN if is_doubling else _PACING_GAIN
        return max(gain * self.window * NS_PER_S // (100 * (self.queue.rtt or self._initial_rtt)), self._segment)

    @property
    def cwnd(self) -> int:
        window = self.window // 2 if self.mode is _LOOK else self.window
        return max(window, _MIN_SEGMENTS * self._segment)

    @property
    def queue_allowed(self) -> int:
        """The longest queue that is borne now, ns."""
        return self.queue.allowed(self.window, noise=self._rounds.noise(16))

    # What the connection tells.

    def on_segment(self, segment: int) -> None:
        """Reckon with segments of this length from now on."""
        if self.mode is _STARTUP and self.window == _INITIAL_SEGMENTS * self._segment:
            self.window = _INITIAL_SEGMENTS * segment
        self._segment = segment
        if self._competition is not None:
            self._competition.on_segment(segment)

    def on_rtt(self, rtt: int, *, rttvar: int, sent_at: int) -> None:
        """Take a round trip (ns) of what was sent at `sent_at`."""
        if not self.queue.base:
            self.queue.on_first(rtt)
        self._rounds.on_rtt(rtt, rttvar=rttvar, sent_at=sent_at)
        self.queue.step.on_rtt(rtt, sent_at=sent_at)
        if self.mode is _STARTUP:
            self._start_up.on_rtt(rtt)

    def on_lost(self, outcomes: list[PhaseOutcome], *, now: int) -> None:
        """Count losses; what follows from them follows at the end of the round."""
        self._rounds.on_lost(outcomes)

    def on_ack(self, sample: AckSample) -> None:
        """Take an acknowledgment, and decide anew if a round has ended."""
        rtt = max(self.queue.rtt, self.queue.step.latest_rtt)  # a path much longer falls silent in each round trip
        if self._last_ack_at and sample.now - self._last_ack_at > _SILENT_ROUND_TRIPS * rtt + _SILENCE:
            self._rounds.begin()  # what was lost in an outage says nothing of the window
        self._last_ack_at = sample.now
        self._filter.on_sample(sample.rate.delivery_rate, is_app_limited=sample.rate.is_app_limited)
        if sample.rate.round_start:
            self._filter.on_round()
        tolerance = _ANY_NOISE if self.mode is _STARTUP else self.queue_allowed // 4
        ended = self._rounds.on_ack(sample, tolerance=tolerance)
        if self.mode is _STARTUP:
            self._start(sample, ended)
        elif ended is not None:
            self._decide(ended, sample.now)

    # Start-up.

    def _start(self, sample: AckSample, ended: Round | None) -> None:
        start, queue, rounds = self._start_up, self.queue, self._rounds
        base = self._cuts.unmoved_rtt or (queue.base if queue.is_known else _ANY_NOISE)
        self._filter.raise_to_best()
        self.window += start.growth(sample, base=base, jitter=rounds.jitter, segment=self._segment)
        if ended is not None:
            queue.rtt = ended.rtt
            if not self._cuts.unmoved_rtt:
                start.take_round_trips(ended)
                queue.begin(start.least_round_trip(jitter=rounds.jitter, noise=rounds.noise), now=sample.now)
            tried = start.on_round(ended, segment=self._segment)
            if tried:
                self.window = tried
                rounds.begin()
        if start.is_over_by:
            self._end_start_up(base, sample.now)

    def _end_start_up(self, base: int, now: int) -> None:
        start, reached = self._start_up, self.window
        self._filter.forget_best()
        rate = start.rate if start.is_over_by == "delay" else self._filter.bandwidth
        if not self._cuts.unmoved_rtt:  # who seeks may have others beside him, who cause losses
            self.floor.begin(start.losses.share, start.losses.evidence)
        found = int(rate * base // NS_PER_S / (1 - self.floor.share))
        # Acknowledgments that come together show any rate: no window that was not reached, and not much less.
        self.window = min(max(found, reached // 4, _MIN_SEGMENTS * self._segment), reached)
        self.mode = _AVOID
        if self._cuts.unmoved_rtt:
            self._end_seeking(reached, now)
        elif start.is_over_by == "delay":
            grain = self._segment * NS_PER_S // max(rate, 1)  # so much round trips differ by in a queue of one's own
            self.queue.is_doubtful = self._rounds.jitter > max(self.queue.base // _DOUBTFUL_PART, grain)
        else:
            self.mode = _LOOK  # is there no queue, or has it been full all the time?
        self._cuts = _Cuts()
        self._begin()

    def _end_seeking(self, reached: int, now: int) -> None:
        """The window has doubled before anything else moved: the path is longer. Or others hold the queue."""
        if reached >= 2 * self._cuts.window:
            self.queue.move(self._cuts.unmoved_rtt, now=now)
        else:
            self.window = self._cuts.window
            self._compete(now)

    # Rounds.

    def _decide(self, ended: Round, now: int) -> None:
        noise, segments = self._rounds.noise(ended.samples), ended.settled / self._segment
        if self.mode is _LOOK:
            self.queue.look(ended, now=now)
            if ended.loss < self.floor.share:
                self.floor.learn(ended.loss, segments)
            self.mode = _AVOID
            self._begin()
            return
        if 2 * ended.rtt < self.queue.base and self._competition is None:
            self._shorten(ended)
            return
        self.queue.on_round(ended, noise=noise, now=now)
        self._delivered.take(min(ended.acked, self.window) * NS_PER_S // ended.rtt, now=now)
        if self._competition is not None:
            self._go_on_competing(self._competition, ended, segments, now)
            return
        if self._quiet.restored is not None:
            if not ended.settled:
                return
            self._end_quiet_round(ended, segments, now)
            self._begin()  # the gap that it left in what is on the way goes around once more
            return
        if self._cuts.unmoved_rtt:
            if ended.settled:
                self._end_trial(ended, segments, now)
            return
        self._quiet.on_round(ended, is_first=not self._growth.rounds)
        if self.queue.is_look_due(now):
            self.mode = _LOOK
            self._begin()
            return
        self._avoid(ended, segments, now)

    def _avoid(self, ended: Round, segments: float, now: int) -> None:
        queue, floor, allowed = self.queue, self.floor, self.queue_allowed
        is_used = self._is_used(ended)
        is_queue = queue.delay > allowed
        plateau = 0
        if is_used and not is_queue:
            plateau = self._growth.plateau(self.window, ended.acked, segments=segments, loss=floor.share)
        excess = self._excess(ended, segments, may_be_path=not is_queue)
        if self._is_far_below():
            learn = floor.learn_anew if excess else floor.learn
            learn(ended.loss, segments)
            excess = 0.0
        if not self._growth.rounds and not excess:
            floor.forgive()
        if self._is_contended(excess, allowed, now):
            self._compete(now)
            if excess:
                self._yield(now)
        elif is_queue:
            self._cut_queue(ended, now)
        elif excess and self._may_be_chance(excess, is_empty=queue.delay < allowed // 4):
            pass  # see the next round, and do not grow meanwhile
        elif excess:
            self._cut(
                self.window * max(int(100 * (1 - excess)), _LEAST_CUT) * _UNDERSHOOT // 10_000, now, is_blind=True
            )
        elif plateau:
            self._cut(plateau * _UNDERSHOOT // 100, now, is_blind=True)
        elif is_used:
            self._grow(ended, queue=queue.delay, allowed=allowed)
        if queue.delay < allowed * 3 // 4:
            self._cuts.count = 0

    def _excess(self, ended: Round, segments: float, *, may_be_path: bool = False, is_strict: bool = False) -> float:
        return self.floor.excess(
            ended.loss,
            segments,
            window=self.window,
            least=_FEW_SEGMENTS * self._segment,
            may_be_path=may_be_path,
            is_strict=is_strict,
        )

    def _may_be_chance(self, excess: float, *, is_empty: bool) -> bool:
        """True of one round with somewhat more loss: where losses come in bursts, it says little without a queue."""
        is_lossy = self.floor.share >= _NO_LOSS or is_empty
        return is_lossy and excess < _LARGE_EXCESS and not self.floor.is_repeated

    def _is_far_below(self) -> bool:
        """True when much less is sent than the path has delivered in the last rounds, and there is no queue."""
        arriving = self.window * (1 - self.floor.share)
        is_low = arriving < _LOW * self._delivered.most * self.queue.base // NS_PER_S
        return is_low and self._is_surely_empty

    @property
    def _is_surely_empty(self) -> bool:
        allowed = self.queue_allowed
        return self.queue.delay < allowed // 3 and self.queue.has_been_long(allowed)

    def _is_used(self, ended: Round) -> bool:
        """True when the window, and not the application, is what held the sender back (RFC 9002 §7.8)."""
        is_near = 10 * ended.used >= 8 * self.window or ended.used + self._segment > self.window
        return is_near and not ended.is_app_limited

    def _grow(self, ended: Round, *, queue: int, allowed: int) -> None:
        step = self._growth.step(
            self.window,
            segment=self._segment,
            is_gentle=queue > allowed // 2,
            is_clear=queue < allowed // 4,
        )
        grown = self.window + step
        # Whatever the floor says: not far beyond what can have been sent for so much to arrive.
        most = max(int(ended.acked / (0.8 * (1 - MOST))), 8 * self._segment)
        self.window = max(min(grown, most), self.window)

    def _cut(self, window: int, now: int, *, is_blind: bool = False) -> None:
        least = _MIN_SEGMENTS if self.queue.delay > self.queue_allowed else _LEAST_SEGMENTS
        window = max(window, least * self._segment)
        self.window = self._quiet.window(window, rtt=self.queue.rtt, now=now, is_lossy=self.floor.share >= _NO_LOSS)
        self._begin(is_blind=is_blind)

    def _cut_queue(self, ended: Round, now: int) -> None:
        queue, cuts, window = self.queue, self._cuts, self.window
        if self._is_step(now):
            return
        is_unmoved = cuts.count and cuts.is_unmoved(window, queue.rtt) and queue.delay > 2 * self.queue_allowed
        if is_unmoved or (cuts.count >= _CUTS_AT_LEAST and window <= _LEAST_SEGMENTS * self._segment):
            self._seek()
            return
        share = 100 * (queue.base + queue.base // _LEFT_PART + self._rounds.noise(16)) // queue.rtt
        least = min(_LEAST_FURTHER_CUT if cuts.count else _LEAST_CUT, _WRONG_BY * share)
        if not cuts.count:
            cuts.window = window
        cuts.rtt = ended.latest_rtt
        cuts.count += 1
        share = max(share, least)
        self._cut(window * share // 100, now)
        if queue.delay > queue.base:  # paced by the long round trip, the smaller window would leave the link idle
            queue.rtt = max(queue.rtt * share // 100, queue.base)

    def _end_quiet_round(self, ended: Round, segments: float, now: int) -> None:
        self.window = max(self.window, self._quiet.restored or 0)
        is_less = self.floor.is_below(ended.loss, segments)
        may_learn = self._quiet.end(ended, is_less=is_less, now=now)
        is_short = self.queue.delay < self.queue_allowed // 3
        is_believable = self._is_surely_empty or ended.loss < self.floor.share + _MOST_RISE
        if may_learn and segments >= _LEAST_SEGMENTS and is_short and is_believable:
            self.floor.learn(min(ended.loss, self.floor.share + _MOST_RISE), segments)

    def _begin(self, *, is_blind: bool = False) -> None:
        """The window was reduced: see what comes of it."""
        self._rounds.begin()
        self._growth = Growth(is_blind=is_blind)

    def _is_step(self, now: int) -> bool:
        """True when the delay came all at once: not to be cut for before it is known whether it stays."""
        queue, cuts = self.queue, self._cuts
        was_in_doubt, cuts.is_in_doubt = cuts.is_in_doubt, False
        is_long = queue.delay > 2 * self.queue_allowed
        if not is_long or not queue.step.explains(queue.delay, rtt=queue.rtt, now=now):
            return False
        if queue.step.is_new(queue.rtt, now=now):
            cuts.is_in_doubt = not was_in_doubt  # once: where round trips vary there is always a new one
            return cuts.is_in_doubt
        if queue.step.is_kept(queue.rtt):
            self._keep_rate()
            return True
        queue.step.forget()
        return False

    def _keep_rate(self) -> None:
        """The path has become longer: send as fast as before for a round trip, and see whether it carries that."""
        queue, cuts = self.queue, self._cuts
        cuts.unmoved_rtt, cuts.window = queue.rtt, self.window
        carried = int(self.bandwidth * queue.rtt // NS_PER_S / (1 - self.floor.share))
        self.window = max(min(self.window * queue.rtt // queue.base, carried), self.window)
        self._begin()

    def _shorten(self, ended: Round) -> None:
        """The path has become much shorter: as much on the way as before would be far too much, the rate is right."""
        self.window = max(self.window * ended.rtt // self.queue.base, _LEAST_SEGMENTS * self._segment)
        self.queue.base = self.queue.rtt = ended.rtt
        self._quiet.restored = None
        self._cuts = _Cuts()
        self.mode = _LOOK  # what was on the way has come too fast, and waits
        self._begin()

    def _end_trial(self, ended: Round, segments: float, now: int) -> None:
        """As fast as before for a round trip: the path is longer, or others hold the queue."""
        cuts = self._cuts
        if self._excess(ended, segments) > _LARGE_EXCESS or 4 * ended.rtt > 5 * cuts.unmoved_rtt:
            self.window = cuts.window
            self._compete(now)
        else:
            self.queue.move(min(ended.rtt, cuts.unmoved_rtt), now=now)
            self._cuts = _Cuts()

    def _seek(self) -> None:
        """Round trips do not answer to the window: find out by growing whether that is a longer path."""
        self._cuts.unmoved_rtt = self.queue.rtt
        self.window = self._cuts.window
        self._start_up = StartUp(loss=self.floor.share, segments=100.0, is_sure=True)
        self.mode = _STARTUP
        self._rounds.begin()

    # Competition.

    def _is_contended(self, excess: float, allowed: int, now: int) -> bool:
        """True when the queue overflows or stands although we keep it short: somebody else fills it."""
        if not self.floor.is_surely_below(_NO_LOSS):
            return False
        overflows = excess > 0 and self._cuts.count > 0 and max(self.queue.delay, self.queue.before) > allowed
        is_standing = self._cuts.count >= _STANDING_CUTS or self._cuts.held_before(now) > 0
        return overflows or (is_standing and self.queue.delay > allowed // 2)

    def _compete(self, now: int) -> None:
        self.mode = _COMPETE
        self.window = max(self.window, self._cuts.window, self._cuts.held_before(now))
        self._competition = Competition(self.window, segment=self._segment, now=now)
        self._cuts = _Cuts()
        self._begin()

    def _yield(self, now: int) -> None:
        competition = self._competition
        if competition is not None:
            competition.on_loss(now=now, base=self.queue.base, delay=self.queue.delay)
            self._follow(competition)
            self._begin()

    def _go_on_competing(self, competition: Competition, ended: Round, segments: float, now: int) -> None:
        queue = self.queue
        is_low = queue.delay < self.queue_allowed // (2 if competition.is_testing else 3)
        excess = self._excess(ended, segments, is_strict=True)
        if excess and not competition.is_testing and not is_low:
            self._yield(now)
            return
        if competition.on_round(
            now=now, base=queue.base, delay=queue.delay, is_low=is_low, is_used=self._is_used(ended)
        ):
            self._begin()
        self._follow(competition)
        # What is lost of an empty queue is nobody's who competes, and where much is lost anyway nobody does.
        if competition.is_over or (excess and is_low) or self.floor.share >= _NO_LOSS:
            competition.end(now=now)
            self._competition, self._cuts.ended = None, competition
            self.mode = _AVOID
            self._begin()

    def _follow(self, competition: Competition) -> None:
        competition.window = self.window = max(competition.window, _MIN_SEGMENTS * self._segment)


class _Cuts:
    """Cuts for a queue that was not seen short since: how many, and where they began."""

    __slots__ = ("count", "ended", "is_in_doubt", "rtt", "unmoved_rtt", "window")

    def __init__(self) -> None:
        self.count = 0
        self.window = 0  # before the first of them
        self.rtt = 0
        self.is_in_doubt = False  # the delay came all at once, and may be gone as soon
        self.ended: Competition | None = None  # before them
        self.unmoved_rtt = 0  # the round trip (ns) that did not answer to them; 0 while none is in question

    def held_before(self, now: int) -> int:
        """The window (bytes) held in a competition that was ended too early, as these cuts say; 0: there was none."""
        if self.ended is None or self.count < _STANDING_AGAIN or not self.ended.is_doubtful(now):
            return 0
        return self.ended.before_test

    def is_unmoved(self, window: int, rtt: int) -> bool:
        """True when a quarter of the window is gone, and the round trip is still what it was, neither more nor less."""
        return 4 * window <= 3 * self.window and 100 * abs(rtt - self.rtt) <= _UNMOVED * self.rtt
