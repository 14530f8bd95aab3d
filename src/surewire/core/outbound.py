"""The sending half of a connection: what to send when, and what acknowledgments and silence mean.

It joins the flight (which bytes, which transmissions), the side that listens (`Settling`), the side that breaks the
silence (`ProbeTimer`), the one that hastens the end (`Tail`), the congestion controller and the pacer. It knows no wire
format: a session asks for runs, writes them as segments, and brings back acknowledgments as packet numbers or, from a
peer that has none, as a byte position.

Order of work for a session: `poll_runs` until it returns nothing; then look at the timer table.
"""

from __future__ import annotations

from surewire.core.config import TransportConfig
from surewire.core.congestion import CongestionController
from surewire.core.flight import Flight, OutboundStats
from surewire.core.pieces import next_piece
from surewire.core.probe_timer import BYTE_ACKS_MAX_IN_FLIGHT, ProbeTimer
from surewire.core.rtt import RttEstimator
from surewire.core.scoreboard import Scoreboard
from surewire.core.send_rules import Probe, SendRules
from surewire.core.sent_log import SentLog, SentRun
from surewire.core.settling import Settling
from surewire.core.tail import Tail
from surewire.core.timers import Timer, TimerTable

# A name of its own: Python 3.11 takes longer to look up a member of an enumeration than to call a method.
_PACING = Timer.PACING

__all__ = ["Outbound", "OutboundStats"]


_SEGMENTS_INTO_SILENCE = 10  # RFC 6928's first window: whether the path carries any is not known


class Outbound:
    """Sends a stream of `size` bytes (None: of as many as the scoreboard is told of later) and its end mark."""

    __slots__ = ("_flight", "_probe_timer", "_settling", "_tail", "log", "rtt", "rules", "scoreboard", "stats")

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
        flight = Flight(
            size=size, segment=segment, config=config, controller=controller, rtt=rtt, timers=timers, now=now
        )
        self._flight = flight
        self._settling = Settling(flight)
        self._probe_timer = ProbeTimer(flight)
        self._tail = Tail(flight)
        self.scoreboard: Scoreboard = flight.scoreboard
        self.log: SentLog = flight.log
        self.rtt: RttEstimator = flight.rtt
        self.rules: SendRules = flight.rules
        self.stats: OutboundStats = flight.stats

    @property
    def controller(self) -> CongestionController:
        """What decides how much goes out; another one may take over at any time."""
        return self._flight.controller

    @controller.setter
    def controller(self, controller: CongestionController) -> None:
        self._flight.controller = controller

    @property
    def advanced_at(self) -> int:
        """When bytes that were missing were acknowledged, or nothing was missing, last (ns)."""
        return self._flight.advanced_at

    @advanced_at.setter
    def advanced_at(self, now: int) -> None:
        self._flight.advanced_at = now

    # What to send.

    def poll_runs(self, *, now: int) -> list[SentRun]:
        """The runs of the next train, already in the log as sent at `now`; empty when nothing may go out now."""
        flight, board, rules = self._flight, self.scoreboard, self.rules
        flight.timers.cancel(_PACING)
        if flight.block is not None:
            self._tail.leave_block()
        if self._is_at_rest:
            flight.sampler.on_app_limited(bytes_in_flight=self.log.bytes_in_flight)
            return []
        if flight.probing.due and (run := self._probe_timer.probe(now)) is not None:
            return [run]
        rate = self._pacing_rate()
        waiting = None if board.has_lost else max(board.size - board.next_offset, 1)
        allowance = flight.pacer.allowance(rate, now=now, waiting=waiting)
        if rate < self.controller.pacing_rate and not allowance and self._window_room() >= rules.segment:
            flight.sampler.on_app_limited(bytes_in_flight=self.log.bytes_in_flight)  # the limit, not the path
        room = min(self._window_room(), allowance, rules.max_train * rules.segment) if allowance else 0
        runs: list[SentRun] = []
        while room > 0 and len(runs) < rules.max_runs and (piece := next_piece(board, rules, room)) is not None:
            start, stop = piece
            is_repair = start < board.next_offset
            runs.append(flight.transmit(start, stop, now=now, retransmission=is_repair))
            room -= stop - start
            if is_repair and not board.has_unsent:
                self._tail.on_repaired(start, stop)
        if not runs:
            self._on_nothing_sent(rate, allowance)
            window = self._window_room() if self._tail.is_open else 0
            runs = self._tail.hasten(now, rate=rate, allowance=allowance, window=window)
        self._probe_timer.arm(now)
        return runs

    def _pacing_rate(self) -> int:
        """The controller's rate, or the limit; what is sent at a limit shows only that the path bears it."""
        rate, limit = self.controller.pacing_rate, self.rules.max_rate
        return rate if limit is None else min(rate, limit)

    @property
    def _is_at_rest(self) -> bool:
        """True when there is nothing to send whatever is allowed: so it is after each message of a dialogue."""
        board = self.scoreboard
        return (
            board.next_offset >= board.size + board.is_finished
            and not board.has_lost
            and not self._flight.probing.due
            and self.rules.probe is Probe.SEGMENT
            and not self._tail.is_open
        )

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
        return self.advanced_at + self._flight.config.stall_limit if is_open else None

    def ask(self) -> None:
        """Let a probe go out although nothing is missing: is the peer still there?"""
        self._flight.probing.due = 1

    def repeat_end(self, *, now: int) -> SentRun | None:
        """The end once more, in a datagram that leaves for something else, if it is short and the path loses."""
        run = self._tail.repeat(now)
        if run is not None:
            self._probe_timer.arm(now)
        return run

    def skip_number(self) -> int:
        """Use up a packet number for a datagram that carries no bytes of the stream, and return it."""
        number = self.log.next_number
        self.log.next_number = number + 1
        return number

    def set_segment(self, segment: int) -> None:
        """Cut what is sent from now on into segments of so many bytes: that is what the path carries."""
        self.rules.segment = segment
        self._flight.pacer.set_segment(segment)
        self.controller.on_segment(segment)

    def change_path(self, controller: CongestionController) -> None:
        """The peer is somewhere else: what was known of the path means nothing any more (RFC 9000 §9.4)."""
        self.controller = controller
        self._flight.give_block_up()
        self.rtt.reset(self._flight.config.initial_rtt)

    @property
    def is_window_closed(self) -> bool:
        """True when the peer has all the bytes it allowed, and there are more."""
        return self._flight.is_window_closed

    def _window_room(self) -> int:
        in_flight = self.log.bytes_in_flight
        room = self.controller.cwnd - in_flight
        if self.rules.has_byte_acks:
            room = min(room, BYTE_ACKS_MAX_IN_FLIGHT - in_flight)
        if self._probe_timer.is_silent:
            segments = max(_SEGMENTS_INTO_SILENCE >> max(self._flight.probing.hollow - 1, 0), 1)
            room = min(room, segments * self.rules.segment - in_flight)
        is_idle = in_flight == 0 or self.scoreboard.una >= self.scoreboard.next_offset
        return max(room, self.rules.segment) if is_idle else room  # no window holds everything back

    def _on_nothing_sent(self, rate: int, allowance: int) -> None:
        flight, board = self._flight, self.scoreboard
        if next_piece(board, self.rules, self.rules.segment) is None:
            if not board.has_unsent:
                flight.sampler.on_app_limited(bytes_in_flight=self.log.bytes_in_flight)
        elif not allowance:
            waiting = None if board.has_lost else max(board.size - board.next_offset, 1)
            flight.timers.arm(_PACING, flight.pacer.next_send_at(rate, waiting=waiting))

    # Acknowledgments and silence.

    def on_ack_numbers(
        self, ranges: list[tuple[int, int]], *, position: int, echo: int | None, ack_delay: int, now: int
    ) -> None:
        """Take an acknowledgment of packet numbers, and of all bytes below `position` (a stream offset).

        `echo` is the number that arrived last, `ack_delay` ns before the acknowledgment left; it gives a round
        trip unless it was held back for longer than `max_ack_delay` (RFC 9002 §5.3).

        Raises:
            RemoteProtocolError: it acknowledges what was never sent; nothing has been changed.
        """
        self._settling.on_ack_numbers(ranges, position=position, echo=echo, ack_delay=ack_delay, now=now)
        self._probe_timer.arm(now)

    def on_round_trip(self, rtt: int, *, now: int) -> None:
        """Take a round trip (ns, > 0) that the session has measured before anything of the stream was sent."""
        self.rtt.on_sample(rtt, ack_delay=0)
        self.controller.on_rtt(rtt, rttvar=self.rtt.rttvar, sent_at=now - rtt)

    def on_ack_bytes(self, position: int, *, now: int) -> None:
        """Take an acknowledgment that names only the stream offset below which everything arrived.

        Raises:
            RemoteProtocolError: it acknowledges what was never sent; nothing has been changed.
        """
        if self._settling.on_ack_bytes(position, now=now):
            self._probe_timer.arm(now)

    def on_loss_timer(self, *, now: int) -> None:
        """`Timer.LOSS` has expired."""
        self._settling.on_loss_timer(now=now)
        self._probe_timer.arm(now)

    def on_pto(self, *, now: int) -> None:
        """`Timer.PTO` has expired: a probe may go out whatever the window says (RFC 9002 §6.2.4)."""
        self._probe_timer.on_expired(now)

    @property
    def unanswered_probes(self) -> int:
        """Probe timeouts since something was acknowledged last."""
        return self._flight.probing.count
