"""The sending half of Streamer: the core's `Outbound` with the rules of the mode that was chosen.

Nothing here paces unless a controller was chosen: the class-room's sendto itself lets a hundred packets a second
through. What limits in any case is who listens: one segment until the peer has answered, no new data for one that is
full, and no more numbers on their way than the one byte of an acknowledgment can name.
"""

from __future__ import annotations

from surewire.core.congestion import CongestionController, FixedRate
from surewire.core.outbound import Outbound
from surewire.core.rtt import RttEstimator
from surewire.core.send_rules import Probe
from surewire.core.timers import TimerTable
from surewire.streamer.config import Pipelining, StreamerConfig
from surewire.streamer.window import BoundedWindow
from surewire.wire import compact

SEGMENT = compact.MAX_PACKET - 16
"""Bytes of data in a full segment: the rest is the header and what an acknowledgment usually takes."""

_UNLIMITED = 1 << 62
_RATE = 10_000_000  # bytes a second: above what sendto lets through, so that the pacer never holds anything back
_WIDE_HEADER = compact.header_size(compact.Ack(0), wide=True)  # bytes, without holes
_MAX_NUMBERS_AHEAD = 192  # numbers sent above the largest acknowledged: acknowledgments name them by one byte
_TRIES_IN_GRACE = 8  # at least, of a side without pings that waits for the last acknowledgment
_MAX_DOUBLINGS = 10  # of the wait between pings: beyond every limit that makes sense


class Sending:
    """What may be sent now, and how often a silent peer is asked."""

    __slots__ = ("_config", "_times_full", "_window", "outbound")

    def __init__(self, config: StreamerConfig, timers: TimerTable, *, now: int) -> None:
        self._config = config
        self._times_full = 0  # packets in a row in which the peer said that it is full
        self._window = BoundedWindow(_controller(config), limit=1)
        self.outbound = Outbound(
            size=None,
            segment=SEGMENT,
            config=config.transport,
            controller=self._window,
            rtt=RttEstimator(config.transport.initial_rtt),
            timers=timers,
            now=now,
        )
        rules = self.outbound.rules
        rules.has_byte_acks = False
        rules.max_offset = _UNLIMITED
        rules.probe = Probe.PING if config.pipelining is Pipelining.SELECTIVE_REPEAT else Probe.EVERYTHING
        rules.max_closing_pto = config.transport.linger // _TRIES_IN_GRACE
        self.outbound.scoreboard.end_rides = config.fin_rides

    @property
    def is_idle(self) -> bool:
        """True when everything that was sent is acknowledged."""
        board = self.outbound.scoreboard
        return board.una >= board.next_offset

    @property
    def _numbers_ahead(self) -> int:
        log = self.outbound.log
        return log.next_number - log.largest_acked

    def set_window(self, *, is_known: bool) -> None:
        """Open the window if the peer has answered (`is_known`) and the mode allows for more than one segment."""
        is_open = (
            is_known
            and self._config.pipelining is not Pipelining.STOP_AND_WAIT
            and self._numbers_ahead <= _MAX_NUMBERS_AHEAD
        )
        self._window.limit = self._config.send_buffer if is_open else 1

    def set_segment(self, ack: compact.Ack | None) -> None:
        """Let full segments leave room for the acknowledgment that is to ride on them.

        While both sides send, there is no other: arrivals that it has no room for would be taken for lost.
        Repairs keep their size: cut anew, they would leave a rest for a packet of its own.
        """
        is_repair = self.outbound.scoreboard.has_lost
        holes = 0 if ack is None or is_repair else len(ack.holes)
        self.outbound.rules.segment = min(SEGMENT, compact.MAX_PACKET - _WIDE_HEADER - holes)

    def on_heard(self, *, is_full: bool, now: int) -> None:
        """A packet of the peer's came, with or without the word that it can take no more."""
        if is_full:
            self.outbound.advanced_at = now  # it takes nothing, and says so
        self.outbound.rules.max_offset = self.outbound.scoreboard.next_offset if is_full else _UNLIMITED
        self._times_full = self._times_full + 1 if is_full else 0

    def set_ping_interval(self, *, has_met: bool) -> None:
        """Ask a peer that does not answer less and less often: it may not have been started yet, or be gone.

        A peer that only says that it is full need not be asked as often either (RFC 9293 §3.8.6.1).
        """
        config = self._config
        patience, limit = config.patient_pings, config.max_ping_interval
        if not has_met:
            patience, limit = config.patient_openings, config.max_opening_interval
        if self._numbers_ahead > _MAX_NUMBERS_AHEAD:
            # Without answers to more, neither side could read what the other acknowledges.
            self.outbound.rules.ping_interval = max(limit, config.ping_interval)
            return
        doublings = min(max(self.outbound.unanswered_probes - patience, self._times_full), _MAX_DOUBLINGS)
        self.outbound.rules.ping_interval = min(config.ping_interval << doublings, limit)


def _controller(config: StreamerConfig) -> CongestionController:
    if config.congestion is None:
        return FixedRate(rate=_RATE, cwnd=config.send_buffer)
    return config.congestion.make(segment=SEGMENT, initial_rtt=config.transport.initial_rtt)
