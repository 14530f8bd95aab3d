"""What acknowledgments tell: which transmissions arrived, which are lost, and how fast the path is.

It knows no wire format: a session brings acknowledgments as packet numbers or, from a peer that has none, as a byte
position (`ByteAcks`). Each one settles runs of the log, gives a round trip, a rate sample, and evidence of losses; the
controller learns of all that by one sample. How long to wait before a transmission counts as lost: see `loss`.
"""

from __future__ import annotations

from operator import attrgetter

from surewire.core.byte_acks import ByteAcks
from surewire.core.congestion import AckSample, PhaseOutcome
from surewire.core.flight import Flight
from surewire.core.loss import OvertakingWindow, ReorderingWindow
from surewire.core.sent_log import SentRun
from surewire.core.timers import Timer
from surewire.errors import RemoteProtocolError

# A name of its own: Python 3.11 takes longer to look up a member of an enumeration than to call a method.
_LOSS = Timer.LOSS

_PROBES_BEFORE_RETREAT = 4  # probe timeouts without progress, after which a lower byte position is believed


class Settling:
    """The side of the sending half that listens."""

    __slots__ = ("_byte_acks", "_flight", "_overtaking", "_reordering")

    def __init__(self, flight: Flight) -> None:
        least = flight.config.overtaking_window
        self._flight = flight
        self._reordering = ReorderingWindow(flight.rtt)
        self._overtaking = OvertakingWindow(flight.rtt, least=least) if least else None
        self._byte_acks = ByteAcks()

    def on_ack_numbers(
        self, ranges: list[tuple[int, int]], *, position: int, echo: int | None, ack_delay: int, now: int
    ) -> None:
        """See `Outbound.on_ack_numbers`."""
        self._check_position(position)
        flight = self._flight
        una = flight.scoreboard.una
        is_news = self._on_numbers(ranges, echo=echo, ack_delay=ack_delay, now=now)
        if flight.scoreboard.on_acked(0, position):
            flight.advanced_at = now
        self._after_ack(now, is_progress=is_news or flight.scoreboard.una > una)

    def on_ack_bytes(self, position: int, *, now: int) -> bool:
        """See `Outbound.on_ack_bytes`; False when it was an old one."""
        self._check_position(position)
        flight, board = self._flight, self._flight.scoreboard
        is_progress = position > board.una
        if is_progress:
            ranges, echo = self._byte_acks.numbers(flight.log, position)
            if flight.probing.count:
                echo = None  # it may answer a probe, and the acknowledgments that answered the rest may be lost
            self._on_numbers(ranges, echo=echo, ack_delay=0, now=now)
            if board.on_acked(0, position):
                flight.advanced_at = now
            self._byte_acks.on_advance(position)
        elif position < board.una:
            if flight.probing.count < _PROBES_BEFORE_RETREAT:
                return False  # it was overtaken
            board.retreat(position)  # the peer has been saying less all the time: a damaged one said too much
        if self._byte_acks_hole(now):
            flight.timers.cancel(_LOSS)
        self._after_ack(now, is_progress=is_progress)
        return True

    def _check_position(self, position: int) -> None:
        if position > self._flight.scoreboard.next_offset:
            raise RemoteProtocolError("acknowledgment of bytes never sent")

    def _on_numbers(self, ranges: list[tuple[int, int]], *, echo: int | None, ack_delay: int, now: int) -> bool:
        """Settle packet numbers; True when that was progress: news, and not of pings only where that matters."""
        flight = self._flight
        log, rtt, stats = flight.log, flight.rtt, flight.stats
        before, before_sent_at = log.largest_acked, log.largest_acked_sent_at
        acked, spurious = log.acknowledge(ranges)
        settled = sorted(acked + spurious, key=attrgetter("first")) if spurious else acked
        echoed = None if echo is None else log.find(echo)
        if echoed is not None and echo != rtt.last_echo and ack_delay <= flight.rules.max_ack_delay:
            rtt.last_echo = echo
            self._on_rtt(echoed, ack_delay=ack_delay, now=now)
        if not settled:
            return False
        if spurious:
            stats.spurious_segments += sum(run.count for run in spurious)
            spurious_bytes = sum(run.nbytes for run in spurious)
            stats.spurious_bytes += spurious_bytes
            flight.loss_share.take(lost=-spurious_bytes)
        if flight.block is not None:
            flight.block.on_acked(acked, spurious)
        outcomes, acked_bytes = [], 0
        for run in settled:
            if run.last < before and not flight.rules.has_byte_acks:
                self._on_overtaken(run, lead=before_sent_at - run.sent_at, now=now)
            if flight.scoreboard.on_acked(run.offset, run.stop):
                flight.advanced_at = now
            flight.probing.on_settled(run)
            outcomes.append(PhaseOutcome(run.snapshot.phase, run.nbytes, 0))
            acked_bytes += run.nbytes
        flight.loss_share.take(acked=acked_bytes)
        latest = echoed if echoed is not None and echoed in settled else settled[-1]
        sent = settled[-1].snapshot.sent_from + settled[-1].offset + settled[-1].nbytes
        sample = flight.sampler.on_acked(settled, latest, now=now, shortest=rtt.smoothed_rtt // 2)
        lost = [] if flight.rules.has_byte_acks else self._detect_lost(now)
        outcomes_lost = flight.take_back(lost)
        flight.controller.on_ack(
            AckSample(now, sample, acked_bytes, sent, log.bytes_in_flight, outcomes, outcomes_lost)
        )
        if not acked_bytes and flight.rules.silence_interval is not None:
            flight.probing.on_hollow_answer()
            return False
        return True

    def _on_overtaken(self, run: SentRun, *, lead: int, now: int) -> None:
        """A run was acknowledged now although one sent `lead` ns later had been acknowledged before."""
        self._flight.stats.reordered += run.count
        self._reordering.on_overtaken(sent_at=run.sent_at, now=now)
        if self._overtaking is not None:
            self._overtaking.on_overtaken(lead=lead, now=now)

    def _on_rtt(self, echoed: SentRun, *, ack_delay: int, now: int) -> None:
        """Take the round trip of the run that arrived last before an acknowledgment.

        It is exact whether or not another acknowledgment, which overtook this one, told of the arrival before.
        """
        flight, rtt = self._flight, now - echoed.sent_at
        if rtt > 0:
            flight.rtt.on_sample(rtt, ack_delay=ack_delay)
            self._byte_acks.doublings = 0
            flight.controller.on_rtt(rtt, rttvar=flight.rtt.rttvar, sent_at=echoed.sent_at)

    def _after_ack(self, now: int, *, is_progress: bool) -> None:
        flight = self._flight
        if is_progress:  # else it only answers a probe: the back-off goes on (RFC 9002 §6.2.1)
            flight.probing.reset()
        if flight.is_window_closed:
            flight.advanced_at = now
        una = None if self._overtaking is None else flight.scoreboard.una
        flight.log.forget(lost_before=now - 3 * self._reordering.loss_delay(now), una=una)

    # Losses.

    def on_loss_timer(self, *, now: int) -> None:
        """`Timer.LOSS` has expired."""
        if self._flight.rules.has_byte_acks:
            self._byte_acks_hole(now)
        else:
            self._flight.on_lost(self._detect_lost(now), now)

    def _detect_lost(self, now: int) -> list[SentRun]:
        log, timers = self._flight.log, self._flight.timers
        if self._overtaking is not None:
            return log.detect_lost(sent_before=log.largest_acked_sent_at - self._overtaking.window(now))[0]
        if not log.bytes_in_flight:
            timers.cancel(_LOSS)
            return []
        delay = self._reordering.loss_delay(now, is_at_end=self._flight.is_at_end)
        lost, waiting = log.detect_lost(sent_before=now - delay)
        timers.set(_LOSS, None if waiting is None else waiting.sent_at + delay)
        return lost

    def _byte_acks_hole(self, now: int) -> bool:
        """Repair the hole of a peer that acknowledges byte positions; True when something was lost."""
        flight, board = self._flight, self._flight.scoreboard
        if flight.is_window_closed or board.is_data_acked:
            # Nothing lies behind the hole: an acknowledgment answers what is at it, a probe or the end mark.
            return False
        delay = self._reordering.loss_delay(now) << self._byte_acks.doublings
        lost, waiting = self._byte_acks.lost_at_hole(flight.log, una=board.una, sent_before=now - delay)
        for run in lost:
            flight.log.declare_lost(run)
        flight.on_lost(lost, now)
        if waiting is not None:
            flight.timers.arm(_LOSS, waiting.sent_at + delay)
        return bool(lost)
