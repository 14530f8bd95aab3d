"""What every kind of link gives: deliveries, and counters of what happened to the rest.

`Link` and `ClassroomLink` share these; how a link comes to them is in `link` and `classroom`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Delivery(NamedTuple):
    """A datagram that comes out of the link.

    Attributes:
        at: when, ns, on the clock of the `now` that was passed in.
        datagram: its bytes, corrupted or not.
    """

    at: int
    datagram: bytes


@dataclass(slots=True)
class LinkStats:
    """Counters of a link since it was made. Bytes are datagram bytes, without `overhead`.

    Attributes:
        offered, offered_bytes: datagrams given to `Link.transmit`.
        delivered, delivered_bytes: deliveries returned, copies and those due later included.
        lost: datagrams lost behind the bottleneck, independently, in a burst or by their number.
        queue_dropped: datagrams that found the queue full.
        blacked_out: datagrams offered during a blackout.
        duplicated: datagrams delivered twice.
        corrupted: copies with bits flipped.
        reordered: copies picked by `reorder`.
        peak_queue_bytes: most bytes that ever waited for the bottleneck, `overhead` included.
        mtu_dropped: datagrams too long for the black hole.
        policed: datagrams that found too few tokens in the bucket.
        codel_dropped: datagrams that CoDel dropped from the head of the queue.
    """

    offered: int = 0
    offered_bytes: int = 0
    delivered: int = 0
    delivered_bytes: int = 0
    lost: int = 0
    queue_dropped: int = 0
    blacked_out: int = 0
    duplicated: int = 0
    corrupted: int = 0
    reordered: int = 0
    peak_queue_bytes: int = 0
    mtu_dropped: int = 0
    policed: int = 0
    codel_dropped: int = 0

    @property
    def gone(self) -> int:
        """Datagrams offered of which nothing was or will be delivered: offered + duplicated - delivered."""
        stopped = self.blacked_out + self.mtu_dropped + self.policed
        return stopped + self.queue_dropped + self.codel_dropped + self.lost
