"""What one side of a native connection says once it is open, held against what it can know: docs/format.md, in books.

A `Half` is one side: what it has sent, and what has reached it. Checked of each datagram it sends:

numbers     packet numbers rise, none twice; the key phase changes again only after a number of the present phase
            was acknowledged to it
stream      the same offset always the same bytes, nothing left out; nothing beyond the widest window that reached
            it, but one byte as a probe; one place of the end, nothing behind it
ACK         only numbers that reached it; a position up to which everything did; neither the position nor the edge
            of the window goes back; a delay not longer than the number that arrived last has been there; and not one
            after the other without a reason
the end     DONE only when it has the peer's whole stream and knows that its own was taken; after RESET nothing
paths       a response repeats a challenge that reached it
repairs     see `native_repair_rules`; what can be worked out from the sums that reached a side is bytes that it may
            have, but no number that it may acknowledge
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from surewire.lab.proof.native_repair_rules import SentPieces, WorkedOut, has_block
from surewire.lab.proof.observed import Arrivals, SeenBytes
from surewire.lab.proof.violations import Findings
from surewire.wire import native_frames as frames
from surewire.wire.native_parameters import Parameters
from surewire.wire.native_repairs import Repair

_US = 1_000  # ns: what a delay is stated in


class Short(NamedTuple):
    """A short datagram, readable: its whole number, the bit of the key phase, its frames."""

    number: int
    phase: int
    body: list[frames.Frame]

    @property
    def is_last_word(self) -> bool:
        """Whether its sender may be gone: then the same datagram answers whatever still comes."""
        return any(isinstance(frame, frames.Done | frames.Reset) for frame in self.body)

    @property
    def is_eliciting(self) -> bool:
        """Whether it has to be acknowledged."""
        return any(frames.is_ack_eliciting(frame) for frame in self.body)


class Half:
    """One side of a connection."""

    def __init__(
        self,
        name: str,
        findings: Findings,
        *,
        own: Parameters | None,
        peer: Parameters | None,
        pieces: SentPieces,
        peer_pieces: SentPieces,
    ) -> None:
        """`own` and `peer` are what the sides stated in the handshake; None where that could not be read.

        `pieces` and `peer_pieces` are what this side and the other one send; each is shared by both halves.
        """
        self._name = name
        self._findings = findings
        self._stream = _StreamRules(name, findings, window=0 if peer is None else peer.window)
        self._said = _Said(0 if own is None else own.window)
        self._pieces = pieces
        self.next_number = 0
        self._phase = 0
        self._phase_began = 0
        self._phases = 0
        self.has_reset = False  # it has told the peer that the connection is over
        # what reached it
        self._numbers = Arrivals()
        self._arrived_at: dict[int, int] = {}
        self._received = _Received(peer_pieces)
        self._has_heard_done = False
        self._challenges: Counter[bytes] = Counter()

    @property
    def contiguous(self) -> int:
        """Bytes of the peer's stream that have reached this side, from the front; whether it took them or not.

        Those that it can work out are among them.
        """
        return self._received.contiguous

    @property
    def position(self) -> int:
        """What it can acknowledge at most: the bytes, and one for the end behind them."""
        return self.contiguous + self._received.is_whole

    # What it sends.

    def on_sent(self, short: Short, now: int) -> None:
        """It sends a datagram."""
        if self.has_reset:
            self._add("silence after RESET", f"sends number {short.number}", now)
        self._check_number(short, now)
        for frame in short.body:
            if isinstance(frame, frames.Ack):
                self._check_ack(frame, now)
            elif isinstance(frame, frames.Data):
                self._stream.check(frame, now)
                self._pieces.add(short.number, frame)
            elif isinstance(frame, Repair):
                self._pieces.check(short.number, frame, now)
            elif isinstance(frame, frames.PathResponse):
                self._check_response(frame, now)
            elif isinstance(frame, frames.Done):
                self._check_done(now)
            elif isinstance(frame, frames.Reset):
                self.has_reset = True
        if any(isinstance(frame, frames.Ack) for frame in short.body):
            if len(short.body) == 1 and not self._said.is_asked and not self._said.has_moved:
                self._add("needless ACK", f"number {short.number} says nothing new to nobody who asked", now)
            self._said.is_asked = False

    def _check_number(self, short: Short, now: int) -> None:
        if short.number < self.next_number:
            self._add("packet numbers", f"{short.number} after {self.next_number - 1}", now)
        self.next_number = max(self.next_number, short.number + 1)
        if short.phase == self._phase:
            return
        if self._phases and self._stream.largest_acked < self._phase_began:
            self._add("key phase", f"changes at {short.number}, nothing since {self._phase_began} acknowledged", now)
        self._phase, self._phase_began = short.phase, short.number
        self._phases += 1

    def _check_ack(self, ack: frames.Ack, now: int) -> None:
        for start, stop in ack.ranges:
            if not self._numbers.has_all(start, stop):
                self._add("acknowledged", f"numbers {start} to {stop - 1}, not all reached it", now)
        if ack.position > self.position:
            self._add("acknowledged", f"position {ack.position}, only {self.position} has reached it", now)
        arrived_at = self._arrived_at.get(ack.latest)
        if arrived_at is None:
            self._add("acknowledged", f"number {ack.latest} as the latest, which never reached it", now)
        elif ack.delay_ns > now - arrived_at + _US:
            self._add("delay", f"{ack.delay_ns} ns for number {ack.latest}, it came {now - arrived_at} ns ago", now)
        wrong = self._said.say(ack)
        if wrong is not None:
            self._add("no retreat", wrong, now)

    def _check_response(self, response: frames.PathResponse, now: int) -> None:
        self._challenges[response.data] -= 1
        if self._challenges[response.data] < 0:
            self._add("paths", "a response to a challenge that did not reach it, or to one for the second time", now)

    def _check_done(self, now: int) -> None:
        if not self._received.is_whole:
            self._add("done", "says DONE without the peer's whole stream", now)
        if not self._stream.is_confirmed and not self._has_heard_done:
            self._add("done", "says DONE before its own end was acknowledged", now)

    # What reaches it.

    def on_reached(self, short: Short, now: int) -> None:
        """A datagram of the peer's is about to reach it, perhaps once more."""
        self._numbers.add(short.number, short.number + 1)
        self._arrived_at.setdefault(short.number, now)
        self._received.add(short)
        if self._said.numbers.has_all(short.number, short.number + 1):
            return  # a copy of what it has taken already: to be dropped
        self._said.is_asked = self._said.is_asked or short.is_eliciting
        for frame in short.body:
            if isinstance(frame, frames.Ack):
                self._stream.on_ack(frame)
            elif isinstance(frame, frames.PathChallenge):
                self._challenges[frame.data] += 1
            elif isinstance(frame, frames.Done):
                self._has_heard_done = True

    def _add(self, rule: str, what: str, now: int) -> None:
        self._findings.add(rule, f"{self._name}: {what}", now)


class _Received:
    """What a side can have of the peer's stream."""

    def __init__(self, pieces: SentPieces) -> None:
        """`pieces` is what the peer sends."""
        self._worked_out = WorkedOut(pieces)
        self._bytes = Arrivals()
        self._end: int | None = None

    @property
    def contiguous(self) -> int:
        """Bytes from the front."""
        for data in self._worked_out.poll():
            self._take(data)
        return self._bytes.contiguous

    @property
    def is_whole(self) -> bool:
        """Whether it can have all, the end included."""
        return self.contiguous == self._end

    def add(self, short: Short) -> None:
        """A datagram reached it."""
        repair = next((frame for frame in short.body if isinstance(frame, Repair)), None)
        if repair is not None and not has_block(short.number, repair):
            return  # malformed: nothing of it counts
        self._worked_out.on_reached(short.number, repair)
        for frame in short.body:
            if isinstance(frame, frames.Data):
                self._take(frame)

    def _take(self, data: frames.Data) -> None:
        stop = data.offset + len(data.payload)
        self._bytes.add(data.offset, stop)
        if data.is_last:
            self._end = stop


class _StreamRules:
    """What a side sends of its stream."""

    def __init__(self, name: str, findings: Findings, *, window: int) -> None:
        self._name = name
        self._findings = findings
        self._seen = SeenBytes()
        self._size: int | None = None  # by its first end mark
        self._limit = window  # by the widest window that reached it
        self._acked = 0  # the highest position that did
        self.largest_acked = -1

    @property
    def is_confirmed(self) -> bool:
        """Whether it knows that the peer has all, the end included."""
        return self._size is not None and self._acked > self._size

    def on_ack(self, ack: frames.Ack) -> None:
        """An acknowledgment reached it."""
        self._acked = max(self._acked, ack.position)
        self._limit = max(self._limit, ack.position + ack.window)
        self.largest_acked = max(self.largest_acked, ack.ranges[0][1] - 1)

    def check(self, data: frames.Data, now: int) -> None:
        """It sends a piece."""
        start, stop = data.offset, data.offset + len(data.payload)
        is_probe = stop == start + 1 and start == self._limit
        if start < stop > self._limit and not is_probe:
            self._add("window", f"bytes {start} to {stop - 1}, the window ends at {self._limit}", now)
        wrong = self._seen.check(start, bytes(data.payload))
        if wrong is not None:
            self._add("same bytes", wrong, now)
        if data.is_last:
            if self._size not in (None, stop):
                self._add("end of the stream", f"at {stop}, before at {self._size}", now)
            self._size = stop
        if self._size is not None and len(self._seen.data) > self._size:
            self._add("end of the stream", f"{len(self._seen.data)} bytes sent, the end is at {self._size}", now)

    def _add(self, rule: str, what: str, now: int) -> None:
        self._findings.add(rule, f"{self._name}: {what}", now)


class _Said:
    """What a side has acknowledged so far."""

    def __init__(self, window: int) -> None:
        self._position = 0
        self.numbers = Arrivals()  # that were acknowledged
        self._edge = window  # of its own window: stated in the handshake, then in acknowledgments
        self.is_asked = False  # something reached it that wants an acknowledgment, since the last one
        self.has_moved = False  # the last one said more of position or window than those before it

    def say(self, ack: frames.Ack) -> str | None:
        """Take one more; says what is wrong with it, or None."""
        edge, wrong = ack.position + ack.window, None
        for start, stop in ack.ranges:
            self.numbers.add(start, stop)
        if ack.position < self._position:
            wrong = f"position {ack.position} after {self._position}"
        elif edge < self._edge:
            wrong = f"the window ends at {edge}, was {self._edge}"
        self.has_moved = ack.position > self._position or edge > self._edge
        self._position, self._edge = max(self._position, ack.position), max(self._edge, edge)
        return wrong
