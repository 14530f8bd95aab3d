"""The receiving end of a simulated TCP-like flow: counts what arrives and acknowledges it.

It acknowledges every second segment or after 40 ms, and at once what is out of order, comes twice or fills a hole
(RFC 5681 §4.2), with the ranges beyond the first hole (RFC 2018 §4). It has room for everything: no window is stated.
"""

from __future__ import annotations

from surewire.core.events import Event
from surewire.core.ranges import RangeSet
from surewire.core.trains import Address, Buffer, Train
from surewire.core.units import NS_PER_MS
from surewire.sim.flow_segments import MAX_RANGES, MSS, Ack, emit_ack, parse_data

_ACK_EVERY = 2
_MAX_ACK_DELAY = 40 * NS_PER_MS  # RFC 5681 §4.2 allows 500 ms; 40 ms is what Linux waits


class FlowSink:
    """An endpoint that takes one flow's segments."""

    def __init__(self, *, flow: int) -> None:
        """A sink for the flow with this number."""
        self._flow = flow
        self._next = 0
        self._beyond = RangeSet()  # arrived out of order
        self._newest: int | None = None  # what arrived out of order last
        self._transmission = 0
        self._peer: Address = None
        self._waiting = 0  # segments not acknowledged yet
        self._echo = 0
        self._ack_at: int | None = None

    @property
    def delivered(self) -> int:
        """Bytes that have arrived in order."""
        return self._next * MSS

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        """Take data segments; whatever is none of this flow is left alone."""
        whole = bytes(buffer)
        for start in range(0, len(whole), stride):
            data = parse_data(whole[start : start + stride])
            if data is not None and data.flow == self._flow:
                self._peer = source
                self._transmission = max(self._transmission, data.transmission)
                if not self._waiting:
                    self._echo = data.sent_at
                self._waiting += 1
                is_due = self._take(data.sequence) or self._waiting >= _ACK_EVERY
                self._ack_at = now if is_due else now + _MAX_ACK_DELAY

    def _take(self, sequence: int) -> bool:
        """Note a segment; True when it is to be acknowledged at once."""
        if sequence != self._next:
            if sequence > self._next:
                self._beyond.add(sequence, sequence + 1)
                self._newest = sequence
            return True
        self._next += 1
        hole = self._beyond.first
        if hole is None:
            return False
        if hole[0] == self._next:
            self._next = hole[1]
            self._beyond.discard_below(self._next)
        return True

    def handle_timeout(self, *, now: int) -> None:
        """A held acknowledgment goes out with the next `poll_transmit`."""

    def poll_transmit(self, *, now: int) -> Train | None:
        """The acknowledgment, if one is due."""
        if self._ack_at is None or now < self._ack_at:
            return None
        self._ack_at = None
        self._waiting = 0
        ack = emit_ack(Ack(self._flow, self._next, self._transmission, self._echo, self._ranges()))
        return Train((ack,), len(ack), len(ack), self._peer)

    def _ranges(self) -> tuple[tuple[int, int], ...]:
        """The range that grew last, then the highest others."""
        if not self._beyond:
            return ()
        grown = None if self._newest is None else self._beyond.range_of(self._newest)
        others = self._beyond.newest(MAX_RANGES)
        if grown is None:
            return tuple(others)
        return (grown, *[one for one in others if one != grown][: MAX_RANGES - 1])

    def poll_timeout(self) -> int | None:
        """When a held acknowledgment is due."""
        return self._ack_at

    def poll_event(self) -> Event | None:
        """A sink has nothing to tell."""
        return None
