"""Which bytes of the outgoing stream are unsent, lost, or acknowledged (RFC 6675's scoreboard, in bytes).

The stream's bytes have offsets from 0. Its length may be known at once (a file) or grow until the
application finishes it. The end of the stream is one more, imaginary byte at offset `size`, as TCP's
FIN takes a sequence number (RFC 9293 §3.4): so the end is sent, lost, sent again and acknowledged by
the same code as any byte. Whether it may travel together with the last real ones is up to the format.
"""

from __future__ import annotations

from surewire.core.ranges import RangeSet

WORD = 32
"""Bytes of a message that is all there is: a datagram that is hardly more than its headers."""


class Scoreboard:
    """The sending side's books, in stream offsets."""

    __slots__ = ("_acked", "_lost", "_pushed", "end_rides", "is_finished", "kept_from", "next_offset", "size", "una")

    def __init__(self, size: int | None) -> None:
        """Take the length of the stream in bytes, or None for one that grows until `finish`."""
        self.size = size or 0  # bytes of the stream so far, without the end mark
        self.is_finished = size is not None  # there is an end mark at `size`
        self._pushed = 0  # whoever wrote the last of the bytes below waits for them now
        self.end_rides = False  # the end mark may be sent in one piece with the bytes before it
        self.next_offset = 0  # all below has been sent at least once
        self.una = 0  # the lowest offset not acknowledged (RFC 9293's SND.UNA)
        self.kept_from = 0  # bytes below may be gone, says whoever has them; at most `una`
        self._acked = RangeSet()
        self._lost = RangeSet()

    def extend(self, size: int) -> None:
        """The stream has `size` bytes now, no fewer than before."""
        self.size = size

    def finish(self) -> None:
        """The stream will not grow any more: its end mark may be sent."""
        self.is_finished = True

    def push(self) -> None:
        """What there is so far is whole, and waited for: no more comes soon (the PUSH of RFC 9293 §3.9.1.2)."""
        self._pushed = self.size

    @property
    def is_at_end(self) -> bool:
        """True when all there is, its end mark included, was sent, is not yet acknowledged, and is waited for.

        So is a word that nothing follows (`is_word`), though nobody has said so.
        """
        if not self.is_finished and self._pushed < self.size and not self.is_word:
            return False
        return self.una < self.next_offset >= self.size + self.is_finished

    @property
    def is_word(self) -> bool:
        """True when what is missing is a word that nobody has said to be waited for: to say it again costs little."""
        return not self.is_finished and self._pushed < self.size and self.size - self.una <= WORD

    @property
    def is_data_acked(self) -> bool:
        """True when every byte there is so far, the end mark apart, is acknowledged."""
        return self.una >= self.size

    @property
    def is_done(self) -> bool:
        """True when the end mark is acknowledged too."""
        return self.una > self.size

    @property
    def has_lost(self) -> bool:
        return self._lost.first is not None

    @property
    def has_unsent(self) -> bool:
        """True when bytes (the end mark not counted) have never been sent."""
        return self.next_offset < self.size

    def missing(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Parts of [start, stop) not acknowledged."""
        return self._acked.missing(start, stop)

    def next_unacked(self, offset: int, length: int) -> tuple[int, int] | None:
        """The first at most `length` bytes sent but not acknowledged at or after `offset`, the end mark apart."""
        gaps = self._acked.missing(max(offset, self.una), self.next_offset)
        if not gaps:
            return None
        start, stop = gaps[0]
        if start < self.size and not self.end_rides:
            stop = min(stop, self.size)
        return start, self.cut(start, stop, length)

    def cut(self, start: int, stop: int, length: int) -> int:
        """Where a piece from `start` ends that has at most `length` real bytes; a riding end mark is not counted."""
        limit = start + length
        return stop if min(stop, self.size) <= limit else limit

    def on_acked(self, start: int, stop: int) -> bool:
        """Bytes [start, stop) arrived; True when that was not known of some of them."""
        if stop <= self.una:
            return False
        new = self._acked.add(start, stop)
        self._lost.remove(start, stop)
        if start <= self.una:
            self.una = self._acked.prefix
        return bool(new)

    def retreat(self, position: int) -> None:
        """What was acknowledged from `position` on may not have arrived after all: send it again."""
        stop = self.una
        self._acked.remove(position, stop)
        self._lost.add(position, stop)
        self.una = position

    def on_lost(self, start: int, stop: int) -> None:
        """A transmission of [start, stop) was lost; what no other one brought must be sent again."""
        for low, high in self._acked.missing(start, stop):
            self._lost.add(low, high)

    def peek_lost(self) -> tuple[int, int] | None:
        """The lowest lost range; the end mark apart from the rest, unless it rides."""
        first = self._lost.first
        if first is not None and first[0] < self.size < first[1] and not self.end_rides:
            return first[0], self.size
        return first

    def on_sent(self, start: int, stop: int) -> None:
        """Bytes [start, stop) are on their way (again)."""
        self._lost.remove(start, stop)
        if stop > self.next_offset:
            self.next_offset = stop
