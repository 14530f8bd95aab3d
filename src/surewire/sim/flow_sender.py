"""The sending end of a simulated TCP-like flow: always has something to send, as fast as its controller lets it.

What of TCP is here: the window, selective acknowledgments, loss by three later transmissions, the retransmission
timeout and its back-off. What is not: a handshake, an end, flow control, pacing, the undoing of needless
retransmissions, and the wait for reordering to pass: on a path that reorders, such a flow is slow.

Loss goes by transmissions, not by sequence numbers (as RFC 8985 does by their times): a segment is lost when one
that was transmitted three later has arrived, so a lost retransmission is found like any other. Work for an
acknowledgment depends on what it settles, not on the window.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from surewire.core.congestion import AckSample, CongestionController, PhaseOutcome
from surewire.core.delivery import RateSample
from surewire.core.events import Event
from surewire.core.ranges import RangeSet
from surewire.core.rtt import RttEstimator
from surewire.core.trains import Address, Buffer, Train
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.sim.flow_segments import MSS, Ack, Data, emit_data, parse_ack

_DUP_THRESHOLD = 3  # RFC 5681 §3.2
_INITIAL_RTT = NS_PER_S // 3  # makes the first timeout 1 s (RFC 6298 §2.1)
_MIN_RTO = 200 * NS_PER_MS  # Linux's; RFC 6298 §2.4 would have 1 s
_MAX_RTO = 60 * NS_PER_S  # RFC 6298 §2.5
_MAX_TRAIN = 32  # segments


class WindowController(CongestionController, Protocol):
    """A controller that can be told of a retransmission timeout."""

    def on_persistent_congestion(self) -> None:
        """Nothing was acknowledged for a timeout: start again with the least window."""


@dataclass(slots=True)
class SenderStats:
    """Counters of the sending end.

    Attributes:
        sent: data segments, retransmitted ones included.
        retransmitted: segments sent again.
        timeouts: retransmission timeouts.
        reductions: of the window, one at most in a round trip.
        round_trips, round_trip_sum: samples, and their sum in ns.
        window_time: integral of the window over time, byte-ns.
        window_from, window_until: the span of `window_time`, ns.
    """

    sent: int = 0
    retransmitted: int = 0
    timeouts: int = 0
    reductions: int = 0
    round_trips: int = 0
    round_trip_sum: int = 0
    window_time: int = 0
    window_from: int = 0
    window_until: int = 0

    @property
    def mean_rtt(self) -> float:
        """Mean round trip, ns; 0 without samples."""
        return self.round_trip_sum / self.round_trips if self.round_trips else 0.0

    @property
    def mean_cwnd(self) -> float:
        """Mean window over time, bytes; 0 before anything was acknowledged."""
        span = self.window_until - self.window_from
        return self.window_time / span if span else 0.0


class FlowSender:
    """An endpoint that fills a path from `start` to `stop`."""

    def __init__(
        self, controller: WindowController, *, flow: int, peer: Address, start: int, stop: int | None = None
    ) -> None:
        """A sender at rest; `start` and `stop` (None: never) are ns of the network's clock."""
        self.controller = controller
        self.stats = SenderStats(window_from=start, window_until=start)
        self._rtt = RttEstimator(_INITIAL_RTT)
        self._flow = flow
        self._peer = peer
        self._start = start
        self._stop = stop
        self._is_over = False
        self._next = 0  # first segment never sent
        self._in_flight: OrderedDict[int, tuple[int, int]] = OrderedDict()  # segment: transmission, phase
        self._lost: OrderedDict[int, None] = OrderedDict()  # to be sent again, in this order
        self._position = 0
        self._ranges = RangeSet()  # acknowledged beyond it
        self._round_ends = 0  # transmission whose arrival ends the present round
        self._timer = _RetransmissionTimer(self._rtt)

    # What the network calls.

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        """Take acknowledgments; whatever is none of this flow is left alone."""
        whole = bytes(buffer)
        for at in range(0, len(whole), stride):
            ack = parse_ack(whole[at : at + stride])
            if ack is not None and ack.flow == self._flow:
                self._on_ack(ack, now)

    def handle_timeout(self, *, now: int) -> None:
        """A retransmission timeout (RFC 6298 §5): everything in flight is lost; or only the start of the flow."""
        deadline = self._timer.deadline
        if self._is_over or deadline is None or now < deadline:
            return
        self.stats.timeouts += 1
        self._count_window(now)
        outcomes = self._declare_lost(self.stats.sent)
        self._lost = OrderedDict.fromkeys(sorted(self._lost))  # the lowest first: it moves the position
        if not self._timer.backoff:  # what had been sent again already sets no threshold anew (RFC 5681 §3.1)
            self._reduce(outcomes, now)
        self.controller.on_persistent_congestion()
        self._timer.on_expired()

    def poll_transmit(self, *, now: int) -> Train | None:
        """The next segments, lost ones first, as far as the window reaches."""
        if self._stop is not None and now >= self._stop:
            self._is_over = True
        room = self.controller.cwnd // MSS - len(self._in_flight)
        if self._is_over or now < self._start or room <= 0:
            return None
        if not self._in_flight:
            self._timer.start(now)
        phase = self.controller.phase
        buffers: list[Buffer] = []
        for _ in range(min(room, _MAX_TRAIN)):
            buffers += self._transmit(phase, now)
        return Train(buffers, len(buffers[0]) + MSS, len(buffers) // 2 * (len(buffers[0]) + MSS), self._peer)

    def poll_timeout(self) -> int | None:
        """The start, then the retransmission timeout."""
        if self._is_over:
            return None
        return self._timer.deadline if self.stats.sent else self._start

    def poll_event(self) -> Event | None:
        """A flow has nothing to tell."""
        return None

    # Sending.

    def _transmit(self, phase: int, now: int) -> tuple[bytes, bytes]:
        stats = self.stats
        if self._lost:
            sequence, _ = self._lost.popitem(last=False)
            stats.retransmitted += 1
        else:
            sequence = self._next
            self._next += 1
        self._in_flight[sequence] = (stats.sent, phase)
        data = Data(self._flow, sequence, stats.sent, now)
        stats.sent += 1
        return emit_data(data)

    # Acknowledgments and losses.

    def _on_ack(self, ack: Ack, now: int) -> None:
        if ack.position > self._next or ack.transmission >= self.stats.sent or ack.echo > now:
            return  # of another run, since the checksum is right
        stats = self.stats
        rtt = max(now - ack.echo, 1)
        stats.round_trips += 1
        stats.round_trip_sum += rtt
        self._rtt.on_sample(rtt, ack_delay=0)
        self._count_window(now)
        self.controller.on_rtt(rtt, rttvar=self._rtt.rttvar, sent_at=ack.echo)
        is_further = ack.position > self._position
        outcomes = self._settle(ack)
        lost = self._declare_lost(ack.transmission - _DUP_THRESHOLD + 1)
        if outcomes or is_further:
            self._timer.on_news(now)
        if outcomes:
            self.controller.on_ack(self._sample(outcomes, ack.transmission, now))
        self._reduce(lost, now)
        if not self._in_flight:
            self._timer.stop()

    def _sample(self, outcomes: list[PhaseOutcome], transmission: int, now: int) -> AckSample:
        """What the controller is told. Rates are not measured: no controller that goes by loss reads them."""
        is_round_over = transmission >= self._round_ends
        if is_round_over:
            self._round_ends = self.stats.sent
        rate = RateSample(delivery_rate=0, is_app_limited=False, round_start=is_round_over)
        acked = sum(outcome.acked for outcome in outcomes)
        return AckSample(now, rate, acked, transmission * MSS, len(self._in_flight) * MSS, outcomes)

    def _settle(self, ack: Ack) -> list[PhaseOutcome]:
        """Take out what has arrived: the bytes of it, by phase."""
        counts: dict[int, int] = {}
        before, position = self._position, max(self._position, ack.position)
        self._position = position
        self._settle_range(before, position, counts)
        for start, stop in ack.ranges:
            if stop <= self._next:  # else nonsense; and an acknowledgment that was overtaken tells of old ones, too
                self._settle_range(max(start, position), stop, counts)
        self._ranges.discard_below(position)
        return [PhaseOutcome(phase, count * MSS, 0) for phase, count in counts.items()]

    def _settle_range(self, start: int, stop: int, counts: dict[int, int]) -> None:
        for low, high in self._ranges.add(start, stop):
            for sequence in range(low, high):
                self._settle_one(sequence, counts)

    def _settle_one(self, sequence: int, counts: dict[int, int]) -> None:
        sent = self._in_flight.pop(sequence, None)
        if sent is not None:
            counts[sent[1]] = counts.get(sent[1], 0) + 1
        else:
            self._lost.pop(sequence, None)  # it was late

    def _declare_lost(self, before: int) -> list[PhaseOutcome]:
        """Declare lost what was transmitted before the transmission `before`: the bytes of it, by phase."""
        counts: dict[int, int] = {}
        in_flight = self._in_flight
        while in_flight:
            sequence, (transmission, phase) = next(iter(in_flight.items()))
            if transmission >= before:
                break
            del in_flight[sequence]
            self._lost[sequence] = None
            counts[phase] = counts.get(phase, 0) + 1
        return [PhaseOutcome(phase, 0, count * MSS) for phase, count in counts.items()]

    def _reduce(self, lost: list[PhaseOutcome], now: int) -> None:
        if lost:
            phase = self.controller.phase
            self.controller.on_lost(lost, now=now)
            self.stats.reductions += self.controller.phase != phase

    def _count_window(self, now: int) -> None:
        """The window is about to change: it was what it is since the last time."""
        stats = self.stats
        stats.window_time += self.controller.cwnd * (now - stats.window_until)
        stats.window_until = now


class _RetransmissionTimer:
    """RFC 6298 §5. `deadline` in ns, None while nothing is in flight; `backoff` timeouts since the last news."""

    __slots__ = ("_rtt", "_since", "backoff")

    def __init__(self, rtt: RttEstimator) -> None:
        self._rtt = rtt
        self._since: int | None = None
        self.backoff = 0

    @property
    def deadline(self) -> int | None:
        if self._since is None:
            return None
        return self._since + min(max(self._rtt.pto(0), _MIN_RTO) << self.backoff, _MAX_RTO)

    def start(self, now: int) -> None:
        """Something is in flight again."""
        self._since = now

    def stop(self) -> None:
        """Nothing is in flight any more."""
        self._since = None

    def on_news(self, now: int) -> None:
        """Something was acknowledged."""
        self._since = now
        self.backoff = 0

    def on_expired(self) -> None:
        """Wait twice as long next time; the retransmission that follows starts the timer."""
        self._since = None
        self.backoff = min(self.backoff + 1, _MAX_RTO.bit_length())
