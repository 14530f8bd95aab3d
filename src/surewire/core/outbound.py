"""The sending half of a connection: what to send when, and what acknowledgments and silence mean.

It joins the scoreboard (which bytes), the sent log (which transmissions), loss detection, round-trip
and rate estimation, the congestion controller and the pacer. It knows no wire format: a session asks
for runs, writes them as segments, and brings back acknowledgments as packet numbers or, from a peer
that has none, as a byte position.

Order of work for a session: `poll_runs` until it returns nothing; then look at the timer table.
"""

from __future__ import annotations

from operator import attrgetter

from surewire.core.byte_acks import ByteAcks
from surewire.core.config import TransportConfig
from surewire.core.congestion import AckSample, CongestionController, PhaseOutcome
from surewire.core.delivery import DeliverySampler
from surewire.core.loss import OvertakingWindow, ReorderingWindow
from surewire.core.pacer import Pacer
from surewire.core.probing import Probing, TailEffort
from surewire.core.rtt import RttEstimator
from surewire.core.scoreboard import Scoreboard
from surewire.core.send_rules import Probe, SendRules
from surewire.core.sent_log import SentLog, SentRun
from surewire.core.timers import Timer, TimerTable
from surewire.errors import RemoteProtocolError

# Names of their own: Python 3.11 takes longer to look up a member of an enumeration than to call a method.
_LOSS, _PTO, _PACING = Timer.LOSS, Timer.PTO, Timer.PACING

_PROBES_BEFORE_RETREAT = 4  # probe timeouts without progress, after which a lower byte position is believed
_SMALL_PROBE = 32  # bytes that are rather sent again than asked for by a ping: they cost hardly more
_PING_COST = 110  # bytes: a ping and its acknowledgment with the headers of the layers below
_BYTE_ACKS_MAX_IN_FLIGHT = 256 << 10  # bounds the work for an acknowledgment that names no packet numbers


class OutboundStats:
    """Counters of the sending half."""

    __slots__ = ("lost_bytes", "probes", "reordered", "spurious_bytes", "spurious_segments")

    def __init__(self) -> None:
        self.lost_bytes = 0
        self.spurious_segments = 0  # declared lost, arrived after all
        self.spurious_bytes = 0  # in these
        self.reordered = 0
        self.probes = 0


class Outbound:
    """Sends a stream of `size` bytes (None: of as many as the scoreboard is told of later) and its end mark."""

    def __init__(
        self,
        *,
        size: int | None,
        segment: int,
        config: TransportConfig,
        controller: CongestionController,
        rtt: RttEstimator,
        timers: TimerTable,
        now: int,
    ) -> None:
        self.scoreboard = Scoreboard(size)
        self.log = SentLog()
        self.rtt = rtt
        self.controller = controller
        self.stats = OutboundStats()
        self.rules = SendRules(segment=segment, config=config)
        self._config = config
        self._timers = timers
        self._reordering = ReorderingWindow(rtt)
        self._overtaking = OvertakingWindow(rtt, least=config.overtaking_window) if config.overtaking_window else None
        self._sampler = DeliverySampler(now)
        self._pacer = Pacer(segment=segment, now=now)
        self._byte_acks = ByteAcks()
        self._probing = Probing(TailEffort(share=config.tail_effort, spared=config.tail_effort_spared))
        self.advanced_at = now  # when bytes that were missing were acknowledged, or nothing was missing, last

    # What to send.

    def poll_runs(self, *, now: int) -> list[SentRun]:
        """The runs of the next train, already in the log as sent at `now`; empty when nothing may go out now."""
        self._timers.cancel(_PACING)
        board = self.scoreboard
        if self._is_at_rest:
            self._sampler.on_app_limited(bytes_in_flight=self.log.bytes_in_flight)
            return []
        if self._probing.due and (run := self._probe(now)) is not None:
            return [run]
        rate = self._pacing_rate()
        waiting = None if board.has_lost else max(board.size - board.next_offset, 1)
        allowance = self._pacer.allowance(rate, now=now, waiting=waiting)
        room = min(self._window_room(), allowance, self.rules.max_train * self.rules.segment) if allowance else 0
        runs: list[SentRun] = []
        while room > 0 and len(runs) < self.rules.max_runs and (piece := self._next_piece(room)) is not None:
            start, stop = piece
            is_repair = start < self.scoreboard.next_offset
            runs.append(self._transmit(start, stop, now=now, retransmission=is_repair))
            room -= stop - start
            if is_repair and not self.scoreboard.has_unsent:
                self._probing.effort.on_repaired(start, stop)
        if not runs:
            self._on_nothing_sent(rate, allowance)
            runs = self._hasten(now)
        self._arm_pto(now)
        return runs

    def _pacing_rate(self) -> int:
        """The controller's rate, or the limit; what is sent at a limit shows only that the path bears it."""
        rate, limit = self.controller.pacing_rate, self.rules.max_rate
        if limit is None or rate <= limit:
            return rate
        self._sampler.on_app_limited(bytes_in_flight=self.log.bytes_in_flight)
        return limit

    @property
    def _is_at_rest(self) -> bool:
        """True when there is nothing to send whatever is allowed: so it is after each message of a dialogue."""
        board = self.scoreboard
        return (
            board.next_offset >= board.size + board.is_finished
            and not board.has_lost
            and not self._probing.due
            and self.rules.probe is Probe.SEGMENT
        )

    def _hasten(self, now: int) -> list[SentRun]:
        """Everything has been sent and something is missing: spend a little to know, and to be done, sooner."""
        board, effort = self.scoreboard, self._probing.effort
        if self.rules.probe is not Probe.PING or board.una >= board.next_offset:
            return []
        if board.has_unsent or board.has_lost:  # the window or the pacer holds it back
            return []
        sent_total = self.log.sent_total
        copy = effort.next_copy(board)
        if copy is not None and effort.may_spend(copy[1] - copy[0], sent_total=sent_total):
            effort.drop_copy()
            effort.spend(copy[1] - copy[0])
            return [self._transmit(*copy, now=now, retransmission=True, is_single=True)]
        if not effort.may_spend(_PING_COST, sent_total=sent_total):
            return []
        due = self.log.newest_sent_at + self._config.tail_ping_interval
        if now < due:
            self._timers.arm(_PACING, due)
            return []
        effort.spend(_PING_COST)
        return [self._transmit(board.next_offset, board.next_offset, now=now, retransmission=False)]

    @property
    def stalls_at(self) -> int | None:
        """When the peer, if it goes on answering, has taken none of what was sent for too long; None if nothing is.

        Silence is not all: where long datagrams vanish and short ones pass, as behind a wrong path MTU, the peer
        is heard for ever. A closed window is no stall (RFC 9293 §3.8.6.1), nor, but for `is_end_prompt`, is an end
        that is not acknowledged.
        """
        board = self.scoreboard
        end = board.next_offset if self.rules.is_end_prompt else min(board.size, board.next_offset)
        is_open = board.una < end and not self.is_window_closed
        return self.advanced_at + self._config.stall_limit if is_open else None

    def ask(self) -> None:
        """Let a probe go out although nothing is missing: is the peer still there?"""
        self._probing.due = 1

    def skip_number(self) -> int:
        """Use up a packet number for a datagram that carries no bytes of the stream, and return it."""
        number = self.log.next_number
        self.log.next_number = number + 1
        return number

    def set_segment(self, segment: int) -> None:
        """Cut what is sent from now on into segments of so many bytes: that is what the path carries."""
        self.rules.segment = segment
        self._pacer.set_segment(segment)
        self.controller.on_segment(segment)

    def change_path(self, controller: CongestionController) -> None:
        """The peer is somewhere else: what was known of the path means nothing any more (RFC 9000 §9.4)."""
        self.controller = controller
        self.rtt.reset(self._config.initial_rtt)

    @property
    def is_window_closed(self) -> bool:
        """True when the peer has all the bytes it allowed, and there are more."""
        return self.rules.max_offset <= self.scoreboard.una < self.scoreboard.size

    def _window_room(self) -> int:
        room = self.controller.cwnd - self.log.bytes_in_flight
        if self.rules.has_byte_acks:
            room = min(room, _BYTE_ACKS_MAX_IN_FLIGHT - self.log.bytes_in_flight)
        is_idle = self.log.bytes_in_flight == 0 or self.scoreboard.una >= self.scoreboard.next_offset
        return max(room, self.rules.segment) if is_idle else room  # no window holds everything back

    def _on_nothing_sent(self, rate: int, allowance: int) -> None:
        if self._next_piece(self.rules.segment) is None:
            if not self.scoreboard.has_unsent:
                self._sampler.on_app_limited(bytes_in_flight=self.log.bytes_in_flight)
        elif not allowance:
            board = self.scoreboard
            waiting = None if board.has_lost else max(board.size - board.next_offset, 1)
            self._timers.arm(_PACING, self._pacer.next_send_at(rate, waiting=waiting))

    def _next_piece(self, room: int) -> tuple[int, int] | None:
        """The next bytes to send, lost ones first: at most `room` (> 0), whole segments unless the range ends."""
        board, segment = self.scoreboard, self.rules.segment
        piece = board.peek_lost() or self._next_new()
        if piece is None:
            return None
        start, stop = piece
        if self.rules.has_byte_acks:
            room = min(room, segment)
        if start < board.size > self.rules.max_offset:  # it may be smaller than was thought: a probe's business then
            stop = min(stop, self.rules.max_offset)
        if stop - start > room and board.cut(start, stop, room) < stop:
            stop = start + room // segment * segment
        return (start, stop) if stop > start else None

    def _next_new(self) -> tuple[int, int] | None:
        board, rules = self.scoreboard, self.rules
        start = board.next_offset
        if start == board.size:
            may_end = board.is_finished and (rules.may_finish_early or board.is_data_acked)
            return (start, start + 1) if may_end else None
        stop = min(board.size, rules.max_offset)
        if stop < board.size and (stop - start >= rules.segment or board.una < start):
            stop -= (stop - start) % rules.segment  # sender-side avoidance of the silly window (RFC 9293 §3.8.6.2.1)
        if stop <= start or start > board.size:
            return None
        return start, stop + (stop == board.size and board.is_finished and board.end_rides)

    def _transmit(self, start: int, stop: int, *, now: int, retransmission: bool, is_single: bool = False) -> SentRun:
        """Log bytes as sent, in segments; or in one (`is_single`), though they may have become shorter since."""
        segment, length = self.rules.segment, min(stop, self.scoreboard.size) - start
        if is_single and length > segment:
            segment = length
        run = SentRun(
            first=self.log.next_number,
            count=max(-(-length // segment), 1),
            offset=start,
            nbytes=stop - start,
            segment=segment,
            sent_at=now,
            retransmission=retransmission,
            sent_total=self.log.sent_total + stop - start,
            snapshot=self._sampler.snapshot(
                now=now, bytes_in_flight=self.log.bytes_in_flight, phase=self.controller.phase
            ),
        )
        self.log.append(run)
        if self.scoreboard.una >= self.scoreboard.next_offset:
            self.advanced_at = now
        self.scoreboard.on_sent(start, stop)
        self._pacer.on_sent(run.nbytes)
        return run

    # Acknowledgments.

    def on_ack_numbers(
        self, ranges: list[tuple[int, int]], *, position: int, echo: int | None, ack_delay: int, now: int
    ) -> None:
        """Take an acknowledgment of packet numbers, and of all bytes below `position` (a stream offset).

        `echo` is the number that arrived last, `ack_delay` ns before the acknowledgment left; it gives a round
        trip unless it was held back for longer than `max_ack_delay` (RFC 9002 §5.3).

        Raises:
            RemoteProtocolError: it acknowledges what was never sent; nothing has been changed.
        """
        self._check_position(position)
        una = self.scoreboard.una
        is_news = self._on_numbers(ranges, echo=echo, ack_delay=ack_delay, now=now)
        if self.scoreboard.on_acked(0, position):
            self.advanced_at = now
        self._after_ack(now, is_progress=is_news or self.scoreboard.una > una)

    def on_ack_bytes(self, position: int, *, now: int) -> None:
        """Take an acknowledgment that names only the stream offset below which everything arrived.

        Raises:
            RemoteProtocolError: it acknowledges what was never sent; nothing has been changed.
        """
        self._check_position(position)
        board = self.scoreboard
        is_progress = position > board.una
        if is_progress:
            ranges, echo = self._byte_acks.numbers(self.log, position)
            if self._probing.count:
                echo = None  # it may answer a probe, and the acknowledgments that answered the rest may be lost
            self._on_numbers(ranges, echo=echo, ack_delay=0, now=now)
            if board.on_acked(0, position):
                self.advanced_at = now
            self._byte_acks.on_advance(position)
        elif position < board.una:
            if self._probing.count < _PROBES_BEFORE_RETREAT:
                return  # an old acknowledgment that was overtaken
            board.retreat(position)  # the peer has been saying less all the time: a damaged one said too much
        if self._byte_acks_hole(now):
            self._timers.cancel(_LOSS)
        self._after_ack(now, is_progress=is_progress)

    def _check_position(self, position: int) -> None:
        if position > self.scoreboard.next_offset:
            raise RemoteProtocolError("acknowledgment of bytes never sent")

    def _on_numbers(self, ranges: list[tuple[int, int]], *, echo: int | None, ack_delay: int, now: int) -> bool:
        """Settle packet numbers; True when any of them was news."""
        before, before_sent_at = self.log.largest_acked, self.log.largest_acked_sent_at
        acked, spurious = self.log.acknowledge(ranges)
        settled = sorted(acked + spurious, key=attrgetter("first")) if spurious else acked
        echoed = None if echo is None else self.log.find(echo)
        if echoed is not None and echo != self.rtt.last_echo and ack_delay <= self.rules.max_ack_delay:
            self.rtt.last_echo = echo
            self._on_rtt(echoed, ack_delay=ack_delay, now=now)
        if not settled:
            return False
        if spurious:
            self.stats.spurious_segments += sum(run.count for run in spurious)
            self.stats.spurious_bytes += sum(run.nbytes for run in spurious)
        outcomes, acked_bytes = [], 0
        for run in settled:
            if run.last < before and not self.rules.has_byte_acks:
                self._on_overtaken(run, lead=before_sent_at - run.sent_at, now=now)
            if self.scoreboard.on_acked(run.offset, run.stop):
                self.advanced_at = now
            self._probing.on_settled(run)
            outcomes.append(PhaseOutcome(run.snapshot.phase, run.nbytes, 0))
            acked_bytes += run.nbytes
        latest = echoed if echoed is not None and echoed in settled else settled[-1]
        sample = self._sampler.on_acked(settled, latest, now=now, shortest=self.rtt.smoothed_rtt // 2)
        lost = [] if self.rules.has_byte_acks else self._detect_lost(now)
        self.controller.on_ack(AckSample(now, sample, acked_bytes, self.log.bytes_in_flight, outcomes))
        if lost:
            self._on_lost(lost, now)
        return True

    def _on_overtaken(self, run: SentRun, *, lead: int, now: int) -> None:
        """A run was acknowledged now although one sent `lead` ns later had been acknowledged before."""
        self.stats.reordered += run.count
        self._reordering.on_overtaken(sent_at=run.sent_at, now=now)
        if self._overtaking is not None:
            self._overtaking.on_overtaken(lead=lead, now=now)

    def _on_rtt(self, echoed: SentRun, *, ack_delay: int, now: int) -> None:
        """Take the round trip of the run that arrived last before an acknowledgment.

        It is exact whether or not another acknowledgment, which overtook this one, told of the arrival before.
        """
        rtt = now - echoed.sent_at
        if rtt > 0:
            self.rtt.on_sample(rtt, ack_delay=ack_delay)
            self._byte_acks.doublings = 0
            self.controller.on_rtt(rtt, rttvar=self.rtt.rttvar, phase=echoed.snapshot.phase)

    def _after_ack(self, now: int, *, is_progress: bool) -> None:
        if is_progress:  # else it only answers a probe: the back-off goes on (RFC 9002 §6.2.1)
            self._probing.reset()
        if self.is_window_closed:
            self.advanced_at = now
        self._arm_pto(now)
        una = None if self._overtaking is None else self.scoreboard.una
        self.log.forget(lost_before=now - 3 * self._reordering.loss_delay(now), una=una)

    # Losses and silence.

    def on_loss_timer(self, *, now: int) -> None:
        """`Timer.LOSS` has expired."""
        if self.rules.has_byte_acks:
            self._byte_acks_hole(now)
        else:
            self._on_lost(self._detect_lost(now), now)
        self._arm_pto(now)

    def on_pto(self, *, now: int) -> None:
        """`Timer.PTO` has expired: a probe may go out whatever the window says (RFC 9002 §6.2.4)."""
        self._probing.on_expired()
        if self.rules.probe is Probe.EVERYTHING:
            self._resend_everything(now)
        self._arm_pto(now)

    def _resend_everything(self, now: int) -> None:
        """Take all that is in flight for lost: go-back-N, and stop-and-wait with its single segment."""
        lost = self.log.in_flight()
        if not lost:
            return  # a full peer keeps us waiting: that is asked for by a ping here, too
        self._probing.due = 0
        self.stats.probes += 1
        for run in lost:
            self.log.declare_lost(run)
        self._on_lost(lost, now)

    def _detect_lost(self, now: int) -> list[SentRun]:
        if self._overtaking is not None:
            return self.log.detect_lost(sent_before=self.log.largest_acked_sent_at - self._overtaking.window(now))[0]
        if not self.log.bytes_in_flight:
            self._timers.cancel(_LOSS)
            return []
        delay = self._reordering.loss_delay(now)
        lost, waiting = self.log.detect_lost(sent_before=now - delay)
        self._timers.set(_LOSS, None if waiting is None else waiting.sent_at + delay)
        return lost

    def _byte_acks_hole(self, now: int) -> bool:
        """Repair the hole of a peer that acknowledges byte positions; True when something was lost."""
        if self.is_window_closed or self.scoreboard.is_data_acked:
            # Nothing lies behind the hole: an acknowledgment answers what is at it, a probe or the end mark.
            return False
        delay = self._reordering.loss_delay(now) << self._byte_acks.doublings
        lost, waiting = self._byte_acks.lost_at_hole(self.log, una=self.scoreboard.una, sent_before=now - delay)
        for run in lost:
            self.log.declare_lost(run)
        self._on_lost(lost, now)
        if waiting is not None:
            self._timers.arm(_LOSS, waiting.sent_at + delay)
        return bool(lost)

    def _on_lost(self, lost: list[SentRun], now: int) -> None:
        if not lost:
            return
        for run in lost:
            self.stats.lost_bytes += run.nbytes
            for low, high in self._probing.without_copies(run):
                self.scoreboard.on_lost(low, high)
        self.controller.on_lost([PhaseOutcome(run.snapshot.phase, 0, run.nbytes) for run in lost], now=now)

    def _arm_pto(self, now: int) -> None:
        """Arm the probe timer while something is unacknowledged, or while a closed window could stay closed."""
        board = self.scoreboard
        is_waiting = self.log.bytes_in_flight > 0
        if not is_waiting or board.una >= board.next_offset:  # copies may still be on their way
            is_blocked = board.has_lost or (board.has_unsent and board.next_offset >= self.rules.max_offset)
            if not is_blocked:
                self._timers.cancel(_PTO)
                return
        if is_waiting or self._timers.deadline(_PTO) is None:
            since = self._silent_since() if is_waiting else now
            self._timers.arm(_PTO, max(since, self._probing.last_expiry(now)) + self._probe_wait())

    def _settle_copies(self, start: int, stop: int) -> None:
        """A probe of these bytes takes the place of the copies before it: in silence they would add up."""
        for run in self.log.in_flight():
            if start <= run.offset and run.stop <= stop:
                self.log.declare_lost(run)

    def _silent_since(self) -> int:
        """When the transmission went out that a probe timeout waits for.

        Where a timeout repeats everything, that is the oldest: sending on must not put it off, as what is
        sent behind a loss is in vain.
        """
        if self.rules.probe is Probe.EVERYTHING:
            una = self.scoreboard.una
            oldest = next((run for run in self.log.in_flight() if run.stop > una), None)
            if oldest is not None:
                return oldest.sent_at
        return self.log.newest_sent_at

    def _probe_wait(self) -> int:
        """How long nothing may be acknowledged before the next probe, ns."""
        rules, config, count = self.rules, self._config, self._probing.count
        pto = self.rtt.pto(rules.max_ack_delay)
        if pto < config.min_pto:
            pto = config.min_pto
        if rules.probe is Probe.SEGMENT and not count:
            return pto
        if rules.probe is Probe.PING:
            # A needless ping costs little, a late one a round trip; and pings need not wait for each other's answers.
            return rules.ping_interval if count else min(pto, config.max_pto)
        board = self.scoreboard
        if rules.probe is Probe.EVERYTHING and board.is_finished and not board.has_unsent:
            # The peer may be in its grace period, which does not know how long our timeouts have become.
            return max(min(pto, rules.max_closing_pto), rules.ping_interval)
        limit = rules.max_closing_pto if board.is_data_acked else config.max_pto
        if rules.probe is Probe.EVERYTHING:
            limit = max(limit, rules.ping_interval)  # grows while nobody answers, as a short `max_pto` must not
        return min(pto << count, max(limit, pto))

    @property
    def unanswered_probes(self) -> int:
        """Probe timeouts since something was acknowledged last."""
        return self._probing.count

    def _probe(self, now: int) -> SentRun | None:
        """Send one segment: lost bytes, else new ones, else the lowest unacknowledged ones again; or a ping."""
        self._probing.due -= 1
        self.stats.probes += 1  # also one for which nothing is left to send
        board = self.scoreboard
        if self.rules.probe is not Probe.SEGMENT:
            self._probing.due = 0  # pings are answered at once; a second one would tell no more
            piece = board.next_unacked(0, self.rules.segment)
            if piece is None or piece[1] - piece[0] > _SMALL_PROBE:
                return self._transmit(board.next_offset, board.next_offset, now=now, retransmission=False)
            return self._transmit(*piece, now=now, retransmission=True)
        piece = self._next_piece(self.rules.segment)
        if piece is not None:
            return self._transmit(*piece, now=now, retransmission=piece[0] < board.next_offset)
        room = self.rules.max_offset - board.una  # the window may be smaller than a segment
        length = max(min(self.rules.segment, room), 1)
        piece = board.next_unacked(self._probing.next_offset, length)
        if piece is not None:
            is_full = self.rules.has_byte_acks and self.log.bytes_in_flight >= _BYTE_ACKS_MAX_IN_FLIGHT
            if is_full or (self.is_window_closed and not self.rules.has_byte_acks):
                self._settle_copies(*piece)
            self._probing.copies.add(*piece)
            self._probing.next_offset = piece[1]
            return self._transmit(*piece, now=now, retransmission=True)
        if board.has_unsent and board.una == board.next_offset:
            # Zero window: one byte beyond it makes the peer repeat its window (RFC 9293 §3.8.6.1).
            return self._transmit(board.next_offset, board.next_offset + 1, now=now, retransmission=False)
        return None
