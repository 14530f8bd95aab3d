"""The last datagram of a connection that is over, for a peer that missed it.

A connection says that it is over in one datagram and is gone. If that one is lost, the peer asks on, to nobody. So the
datagram is kept as it was sent, some thirty sealed bytes, and sent again to whoever sends something to the connection's
id; nothing else of the connection is needed for that. The peer may have got another address meanwhile, so that is
not looked at.

It is never larger than what asks for it, and goes out so many times, with growing waits between: so two sides that are
both gone do not answer each other for ever, and who asks with a forged address gains nothing.
"""

from __future__ import annotations

from surewire.core.trains import Address, Train
from surewire.core.units import NS_PER_MS

MAX_REPEATS = 40
_REPEATS_EACH = 4  # with one wait
_MOST_COPIES = 3  # to who asks a second time: the path loses
FIRST_WAIT = 50 * NS_PER_MS
"""Before it is said the second time; after each four, the wait is twice as long, up to `LONGEST_WAIT`."""

LONGEST_WAIT = 1_500 * NS_PER_MS
"""All of them together outlast the silence that a peer bears: an outage of one direction uses them up as well."""


class LastWord:
    """One datagram and how often it was said."""

    __slots__ = ("_datagram", "_next_at", "_repeats")

    def __init__(self, train: Train, *, now: int) -> None:
        """It was just sent; its bytes are copied."""
        self._datagram = b"".join(train.buffers)
        self._repeats = 0
        self._next_at = now + FIRST_WAIT

    def repeat(self, source: Address, nbytes: int, *, now: int) -> Train | None:
        """What to send when `nbytes` came from `source`; None when they are too few, or it was said often enough."""
        size = len(self._datagram)
        if nbytes < size or self._repeats >= MAX_REPEATS or now < self._next_at:
            return None
        copies = min(nbytes // size, _MOST_COPIES) if self._repeats else 1
        self._repeats += 1
        self._next_at = now + min(FIRST_WAIT << self._repeats // _REPEATS_EACH, LONGEST_WAIT)
        return Train([self._datagram] * copies, size, copies * size, source)
