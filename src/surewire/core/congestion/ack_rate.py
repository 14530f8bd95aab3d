"""The rate at which the latest acknowledgments came: while a queue grows, that is what the path delivers."""

from __future__ import annotations

from collections import deque
from math import sqrt
from typing import NamedTuple

from surewire.core.units import NS_PER_S

_LEAST_ACKS = 9
_FEW_ACKS = 4  # fewer than these
_LEAST_PART = 32  # must come over this part of half a round trip
_SEGMENTS = 32  # that the rate is taken of, if so many acknowledgments tell of fewer
_DEVIATIONS = 2


class _Ack(NamedTuple):
    at: int  # ns
    acked: int  # bytes acknowledged up to then
    sent: int  # bytes that had been sent up to the last of them


class AckRate:
    """Bytes a second over half a round trip at most.

    A window is sent in half a round trip, and its queue seen when the window is half of what the path takes; so a rate
    over the whole round trip would be too low. It would be, too, over a pause. Of two or three that come together after
    one, as trains do, any rate comes out; it is none before more are known.
    """

    def __init__(self) -> None:
        self._acks: deque[_Ack] = deque()
        self._acked = self._sent = 0
        self._segment = 1
        self._least = 0  # ns

    def on_ack(self, acked: int, *, sent: int, now: int, longest: int, segment: int) -> None:
        """Take an acknowledgment of so many bytes; what is older than `longest` (ns) does not count.

        `sent` is what had been sent up to the last of them, in bytes.
        """
        acks = self._acks
        self._acked += acked
        self._sent = max(self._sent, sent)  # it may have been overtaken
        self._segment = segment
        self._least = longest // _LEAST_PART
        if acks and acks[-1].at == now:
            acks.pop()  # of several at one time the last one counts
        acks.append(_Ack(now, self._acked, self._sent))
        while len(acks) > 2 and (
            now - acks[0].at > longest
            or (len(acks) > _LEAST_ACKS and self._acked - acks[1].acked >= _SEGMENTS * segment)
        ):
            acks.popleft()

    @property
    def value(self) -> int:
        """Bytes a second that arrive; 0 while unknown."""
        return self._over(self._acked - self._acks[0].acked) if self._acks else 0

    @property
    def span(self) -> int:
        """Time (ns) from the first to the last of the acknowledgments that the rate is taken of."""
        return self._acks[-1].at - self._acks[0].at if self._acks else 0

    def taken(self, *, loss: float) -> int:
        """Bytes a second that the path takes, of which it loses this share; 0 while unknown.

        Counted as they were sent, so that it does not matter how many of these few were lost by chance. If so many
        were that chance is no reason, a queue overflows, and only what arrives tells of the path.
        """
        if not self._acks:
            return 0
        sent, acked = self._sent - self._acks[0].sent, self._acked - self._acks[0].acked
        chance = _DEVIATIONS * sqrt(sent * self._segment * loss * (1 - loss))
        return self._over(sent if acked >= sent * (1 - loss) - chance else int(acked / (1 - loss)))

    def _over(self, amount: int) -> int:
        elapsed = self._acks[-1].at - self._acks[0].at
        is_chance = len(self._acks) < _FEW_ACKS and elapsed < self._least
        return 0 if is_chance or not elapsed else amount * NS_PER_S // elapsed
