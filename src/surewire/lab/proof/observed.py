"""What an observer of the wire knows of a stream: naive books, on purpose not those of `surewire.core`.

A checker that shared its bookkeeping with what it checks would share its mistakes. These are written for
small runs: memory is a byte for each byte of the stream and for each packet number.
"""

from __future__ import annotations


class SeenBytes:
    """The bytes of a stream as they were sent for the first time."""

    def __init__(self) -> None:
        self.data = bytearray()

    def check(self, start: int, payload: bytes) -> str | None:
        """Compare with what was sent before, and keep what is new; says what is wrong, or None."""
        known = len(self.data)
        if start > known:
            return f"bytes {known} to {start - 1} were left out"
        overlap = known - start
        if self.data[start : start + len(payload)] != payload[:overlap]:
            return f"bytes from {start} on differ from those sent before"
        if overlap < len(payload):
            self.data += payload[overlap:]
        return None


class Arrivals:
    """Which numbers of a growing range have arrived, and up to where without a gap."""

    def __init__(self) -> None:
        self.contiguous = 0  # all numbers below have arrived
        self._marks = bytearray()

    @property
    def stop(self) -> int:
        """One past the largest that arrived; 0 when none has."""
        return len(self._marks)

    def add(self, start: int, stop: int) -> None:
        """Numbers [start, stop) arrived."""
        if stop > len(self._marks):
            self._marks.extend(bytes(stop - len(self._marks)))
        self._marks[start:stop] = b"\1" * (stop - start)
        if start <= self.contiguous < stop:
            gap = self._marks.find(0, self.contiguous)
            self.contiguous = gap if gap >= 0 else len(self._marks)

    def has_all(self, start: int, stop: int) -> bool:
        """True when all of [start, stop) have arrived."""
        return stop <= len(self._marks) and self._marks.find(0, start, stop) < 0
