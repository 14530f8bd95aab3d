"""How long datagrams queue on the path, judged once a round trip, and how long they may.

The delay of a round is its least round trip above the base, the least of the last twenty to forty seconds. Minima,
because jitter and busy hosts only ever add to a round trip: what the fastest datagram of a round has waited is what
stands in the queue. Round trips stand in for the one-way delays of LEDBAT (RFC 6817 §3.2), which need time stamps from
the receiver; a queue on the way back then counts as well, and to yield to it does no harm.

The target is an eighth of the base within 9 and 15 ms, not LEDBAT++'s 60 ms (§4.1 of its draft): a queue of half a
round trip must be seen to fill before it overflows, and CUBIC leaves one that is shorter than 60 ms empty too rarely
for anybody to tell whether it is there. What round trips vary by at the best of times is added, or jitter would pass
for a queue.
"""

from __future__ import annotations

from collections import deque

from surewire.core.units import NS_PER_MS, NS_PER_S

_BASE_EPOCH = 20 * NS_PER_S  # the base spans one to two of them; a slowdown falls into each (`background`)
_TARGET_DIVISOR = 8
_LEAST_TARGET = 9 * NS_PER_MS
_EMPTY = 0.6  # of the target: acknowledgments are held back for up to 5 ms, in every round trip of a round at worst
_MOST_TARGET = 15 * NS_PER_MS
_RECENT = 4  # round trips, RFC 6817 §3.4.2 CURRENT_FILTER
_ROUNDS_TO_JITTER = 16  # the smoothed variation begins at half a round trip (RFC 9002 §5.3), which is no jitter


class StandingDelay:
    """The queueing `delay` of the round judged last, over the `base`; all in ns.

    Attributes:
        delay: of the round judged last.
        clear_rounds: in a row that saw no queue to speak of.
        full_rounds: in a row that saw twice the target.
    """

    __slots__ = (
        "_epoch_end",
        "_epochs",
        "_jitter",
        "_least",
        "_recent",
        "_rounds",
        "clear_rounds",
        "delay",
        "full_rounds",
    )

    def __init__(self) -> None:
        self.delay = 0
        self.clear_rounds = 0
        self.full_rounds = 0
        self._least = 0  # round trip of this round; 0 before the first one
        self._recent: deque[int] = deque(maxlen=_RECENT)
        self._epochs = (0, 0)  # least round trips of the last epoch and of this one; 0: none yet
        self._epoch_end = 0
        self._jitter = 0  # least smoothed variation that any round ended with
        self._rounds = 0

    @property
    def base(self) -> int:
        """The path's round trip without a queue, as far as it was seen; 0 before the first round."""
        before, now = self._epochs
        return min(before or now, now)

    @property
    def target(self) -> int:
        """The delay to stay at, > 0."""
        return min(max(self.base // _TARGET_DIVISOR, _LEAST_TARGET), _MOST_TARGET) + self._jitter

    @property
    def is_empty(self) -> bool:
        """True when the round judged last saw hardly any queue, nor is there one since."""
        recent = min(self._recent, default=0) - self.base
        return max(self.delay, recent) <= self.target * _EMPTY

    @property
    def is_long(self) -> bool:
        """True when a round trip of late shows a queue longer than the target: delay tells all there is to know."""
        return max(self._recent, default=0) - self.base > self.target

    def on_rtt(self, rtt: int) -> None:
        """Take a round trip (> 0)."""
        self._least = min(self._least or rtt, rtt)
        self._recent.append(rtt)

    def on_round(self, now: int, *, rttvar: int) -> bool:
        """A round has ended, with this smoothed variation; False when it had no round trip to judge."""
        least, self._least = self._least, 0
        if not least:
            return False
        self._rounds += 1
        if self._rounds >= _ROUNDS_TO_JITTER:
            self._jitter = min(self._jitter or rttvar, rttvar)
        before, here = self._epochs
        if now >= self._epoch_end:
            before, here = here, least
            self._epoch_end = now + _BASE_EPOCH
        self._epochs = (before, min(here, least))
        self.delay = least - self.base
        self.clear_rounds = self.clear_rounds + 1 if self.is_empty else 0
        self.full_rounds = self.full_rounds + 1 if self.delay > 2 * self.target else 0
        return True
