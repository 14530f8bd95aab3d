"""What breaks the silence: the probe timeout (RFC 9002 §6.2), its back-off, and what goes out when it passes.

Silence is no acknowledgment of anything new for a probe timeout since the last transmission. It shows no loss by
itself: a probe brings the acknowledgment that does. What a probe is depends on the format (`Probe`).
"""

from __future__ import annotations

from surewire.core.flight import Flight
from surewire.core.pieces import next_piece
from surewire.core.probing import UNANSWERED
from surewire.core.send_rules import Probe
from surewire.core.sent_log import SentRun
from surewire.core.timers import Timer

# A name of its own: Python 3.11 takes longer to look up a member of an enumeration than to call a method.
_PTO = Timer.PTO

BYTE_ACKS_MAX_IN_FLIGHT = 256 << 10
"""Bytes in flight at most where acknowledgments name no packet numbers: bounds the work for one of them."""

HOLLOW = 4
"""Pings answered in a row, and nothing else, from which on it is tried ever more rarely whether bytes arrive again."""

_SMALL_PROBE = 32  # bytes that are rather sent again than asked for by a ping: they cost hardly more


class ProbeTimer:
    """Arms `Timer.PTO`, and makes the probes."""

    __slots__ = ("_flight",)

    def __init__(self, flight: Flight) -> None:
        self._flight = flight

    def arm(self, now: int) -> None:
        """Arm the probe timer while something is unacknowledged, or while a closed window could stay closed."""
        flight, board = self._flight, self._flight.scoreboard
        is_waiting = flight.log.bytes_in_flight > 0
        if not is_waiting or board.una >= board.next_offset:  # copies may still be on their way
            is_full = board.has_unsent and board.next_offset >= flight.rules.max_offset
            is_blocked = is_full or board.has_lost or flight.owes
            if not is_blocked:
                flight.timers.cancel(_PTO)
                return
        if is_waiting or flight.timers.deadline(_PTO) is None:
            since = self._silent_since() if is_waiting else now
            flight.timers.arm(_PTO, max(since, flight.probing.last_expiry(now)) + self._wait())

    def on_expired(self, now: int) -> None:
        """`Timer.PTO` has expired: a probe may go out whatever the window says (RFC 9002 §6.2.4)."""
        self._flight.probing.on_expired()
        if self._flight.rules.probe is Probe.EVERYTHING:
            self._resend_everything(now)
        self.arm(now)

    def _resend_everything(self, now: int) -> None:
        """Take all that is in flight for lost: go-back-N, and stop-and-wait with its single segment."""
        flight = self._flight
        lost = flight.log.in_flight()
        if not lost:
            return  # a full peer keeps us waiting: that is asked for by a ping here, too
        flight.probing.due = 0
        flight.stats.probes += 1
        for run in lost:
            flight.log.declare_lost(run)
        flight.on_lost(lost, now)

    def _silent_since(self) -> int:
        """When the transmission went out that a probe timeout waits for.

        Where a timeout repeats everything, that is the oldest: sending on must not put it off, as what is
        sent behind a loss is in vain.
        """
        log = self._flight.log
        if self._flight.rules.probe is Probe.EVERYTHING:
            una = self._flight.scoreboard.una
            oldest = next((run for run in log.in_flight() if run.stop > una), None)
            if oldest is not None:
                return oldest.sent_at
        return log.newest_sent_at

    def _wait(self) -> int:
        """How long nothing may be acknowledged before the next probe, ns."""
        flight = self._flight
        rules, config, count = flight.rules, flight.config, flight.probing.count
        pto = flight.rtt.pto(rules.max_ack_delay)
        if pto < config.min_pto:
            pto = config.min_pto
        if rules.probe is Probe.SEGMENT and not count:
            return pto
        if rules.probe is Probe.PING:
            # A needless ping costs little, a late one a round trip; and pings need not wait for each other's answers.
            return rules.ping_interval if count else min(pto, config.max_pto)
        board = flight.scoreboard
        if rules.probe is Probe.EVERYTHING and board.is_finished and not board.has_unsent:
            # The peer may be in its grace period, which does not know how long our timeouts have become.
            return max(min(pto, rules.max_closing_pto), rules.ping_interval)
        if self.is_silent and rules.silence_interval is not None:
            wait = max(rules.silence_interval, pto) // (2 if flight.path_loss > 0 else 1)
            return min(wait << max(flight.probing.hollow - HOLLOW, 0), max(config.max_pto, wait))
        limit = rules.max_closing_pto if board.is_data_acked else config.max_pto
        if rules.probe is Probe.EVERYTHING:
            limit = max(limit, rules.ping_interval)  # grows while nobody answers, as a short `max_pto` must not
        return min(pto << count, max(limit, pto))

    @property
    def is_silent(self) -> bool:
        """True when probes that carried bytes were not answered, and the peer's window is no reason for that.

        It lasts until bytes are acknowledged: that a ping is shows no more than that short datagrams arrive.
        """
        flight = self._flight
        if flight.rules.silence_interval is None or flight.probing.count < UNANSWERED:
            return False
        return flight.scoreboard.una < flight.scoreboard.next_offset and not flight.is_window_closed

    @property
    def _is_segments_turn(self) -> bool:
        """True when bytes go out into the silence of a path that loses, where each answer may be what was lost.

        With the second probe, the fourth, the eighth: the waits between double, as without pings.
        """
        probing = self._flight.probing
        if self._flight.path_loss <= 0 or probing.count & (probing.count - 1):
            return False
        probing.due = 0
        return True

    def _ping(self, now: int) -> SentRun:
        """Ask what has arrived; with the bytes themselves if they cost hardly more."""
        flight, board = self._flight, self._flight.scoreboard
        flight.probing.due = 0  # pings are answered at once; a second one would tell no more
        piece = board.next_unacked(0, flight.rules.segment)
        if piece is None or piece[1] - piece[0] > _SMALL_PROBE:
            return flight.transmit(board.next_offset, board.next_offset, now=now, retransmission=False)
        return flight.transmit(*piece, now=now, retransmission=True)

    def probe(self, now: int) -> SentRun | None:
        """Send one segment: lost bytes, else new ones, else the lowest unacknowledged ones again; or a ping."""
        flight, board, probing = self._flight, self._flight.scoreboard, self._flight.probing
        rules = flight.rules
        probing.due -= 1
        flight.stats.probes += 1  # also one for which nothing is left to send
        if rules.probe is not Probe.SEGMENT or (self.is_silent and not self._is_segments_turn):
            return self._ping(now)
        piece = next_piece(board, rules, rules.segment)
        if piece is not None:
            return flight.transmit(*piece, now=now, retransmission=piece[0] < board.next_offset)
        room = rules.max_offset - board.una  # the window may be smaller than a segment
        length = max(min(rules.segment, room), 1)
        piece = board.next_unacked(probing.next_offset, length)
        if piece is not None:
            is_full = rules.has_byte_acks and flight.log.bytes_in_flight >= BYTE_ACKS_MAX_IN_FLIGHT
            if is_full or (flight.is_window_closed and not rules.has_byte_acks):
                self._settle_copies(*piece)
            probing.copies.add(*piece)
            probing.next_offset = piece[1]
            return flight.transmit(*piece, now=now, retransmission=True)
        if board.has_unsent and board.una == board.next_offset:
            # Zero window: one byte beyond it makes the peer repeat its window (RFC 9293 §3.8.6.1).
            return flight.transmit(board.next_offset, board.next_offset + 1, now=now, retransmission=False)
        return None

    def _settle_copies(self, start: int, stop: int) -> None:
        """A probe of these bytes takes the place of the copies before it: in silence they would add up."""
        log = self._flight.log
        for run in log.in_flight():
            if start <= run.offset and run.stop <= stop:
                log.declare_lost(run)
