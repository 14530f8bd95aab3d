"""Which bytes of the incoming stream have arrived, and how many more may.

The bytes themselves are not kept here: a file takes them in any order, so memory does not grow with
the window. What is limited is the window (right edge = acknowledged prefix + window, never moved
back, RFC 9293 §3.8.6) and the number of holes, which a hostile or unlucky order of arrival could
otherwise make grow without bound.
"""

from __future__ import annotations

from surewire.core.config import TransportConfig
from surewire.core.ranges import RangeSet


class Reassembly:
    """The receiving side's books, in stream offsets."""

    __slots__ = ("_max_gaps", "_received", "_window", "contiguous", "size")

    def __init__(self, config: TransportConfig, *, window: int | None = None) -> None:
        self._received = RangeSet()
        self._max_gaps = config.max_gaps
        self._window = config.receive_window if window is None else window
        self.contiguous = 0  # every byte below has arrived
        self.size: int | None = None  # of the stream, once its end is known

    @property
    def window(self) -> int:
        """Bytes beyond the contiguous prefix that can be taken."""
        return self._window

    @property
    def is_complete(self) -> bool:
        return self.size is not None and self.contiguous >= self.size

    @property
    def has_gaps(self) -> bool:
        return self.highest > self.contiguous

    @property
    def highest(self) -> int:
        """One past the highest byte received."""
        last = self._received.last
        return last[1] if last is not None else 0

    @property
    def received(self) -> int:
        """Bytes received, each counted once."""
        return self._received.total()

    def set_size(self, size: int) -> bool:
        """Learn where the stream ends. False, and no change, when that contradicts what is known."""
        if size < self.highest or (self.size is not None and self.size != size):
            return False
        self.size = size
        return True

    def is_acceptable(self, start: int, stop: int) -> bool:
        """True when bytes [start, stop) lie within the window and the known size."""
        limit = self.contiguous + self._window
        return 0 <= start < stop <= (limit if self.size is None else min(limit, self.size))

    def accept(self, start: int, stop: int) -> list[tuple[int, int]] | None:
        """Take bytes [start, stop), which must be acceptable.

        Returns:
            The parts that are new, ascending; None when they were refused because there are too many holes.
        """
        if start > self.contiguous and self.gaps >= self._max_gaps and not self._touches(start, stop):
            return None
        new = self._received.add(start, stop)
        if start <= self.contiguous:
            self.contiguous = self._received.prefix
        return new

    def ranges(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The parts of [start, stop) that have arrived, ascending."""
        return self._received.within(start, stop)

    @property
    def gaps(self) -> int:
        """Holes below the highest byte received."""
        return len(self._received) - (self.contiguous > 0)

    def _touches(self, start: int, stop: int) -> bool:
        return self._received.missing(start - 1, stop + 1) != [(start - 1, stop + 1)]
