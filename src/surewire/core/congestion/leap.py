"""How start-up leaps: a short train of datagrams at four times the pace shows whether the path takes a window four
times as large.

The first quarter of a window, and the whole of the first one, leaves at four times the window's pace. If it comes back
as fast, the path carries that, and so a window four times as large; if it comes back slower, as large a one as fits
what came back, and that is near what the path takes: nothing is added then until a train of enough datagrams has said
the same. So nothing is sent that was not seen to pass, but the next train. What follows a train leaves at twice the
window's pace, as doubling has it; and doubling is what is left when round trips have varied for no reason that the
train gives.

On a link that is full of others a train comes back the faster, the faster it left: it takes their part for as long as
it lasts (dispersion shows no available bandwidth: Dovrolis et al. 2001). On one that is empty but for itself it does
not. So of two trains that came back slower than they left, the second clearly faster than the first, only the first
counts. So it is where round trips are shorter than at first: the queue that drains is none of ours, and a train that
passes then takes what others have left for a moment.

Quadrupling in slow start where nothing speaks against it: SUSS (Arghavani et al., SIGCOMM 2024); trains faster than the
window: paced chirping (Misund and Briscoe 2019).
"""

from __future__ import annotations

from typing import NamedTuple

from surewire.core.congestion.latest_round_trips import LatestRoundTrips
from surewire.core.units import NS_PER_MS, NS_PER_S

_GAIN, _USUAL_GAIN, _NEAR_GAIN = 4, 2, 1
_TRAIN = _GAIN * _GAIN  # parts of a round trip that a train lasts
_TELLING_PART = 3 / 4  # of a train
_LEAST_SEGMENTS = 10  # of one that tells
_MANY_SEGMENTS = 64  # of one that tells the rate as well
_LEAST_ANSWERS, _MANY_ANSWERS = 4, 8
_LEAST_SPREAD = NS_PER_MS  # by which a train that met a queue takes longer to come than to leave
_UNKNOWN = -1
_MOST, _MORE = 5, 4  # a rate that is more by so much is another one: a quarter, as in deliveries that grow


class _Answer(NamedTuple):
    sent_at: int  # when what it acknowledges left, ns
    at: int  # ns
    sent: int  # bytes that had been sent up to then


class Leap:
    """`gain` says how fast a window may leave, and `take` how large it may become.

    `is_near`: a train came back slower than it left. `is_full`: one of enough datagrams did, so the path is known.
    `is_over`: no more trains. `shown`: the largest window (bytes) that a train showed to fit the path; `rate`: bytes a
    second at which the last one that counts has passed. `is_shared`: there are others, so no later one counts.
    """

    __slots__ = (
        "_answers",
        "_ended_at",
        "_first",
        "_is_delayed",
        "_last",
        "_round_trips",
        "_sent_at",
        "_since",
        "_train",
        "is_full",
        "is_near",
        "is_over",
        "is_shared",
        "rate",
        "shown",
    )

    def __init__(self, *, is_over: bool = False) -> None:
        self.is_over = is_over
        self.is_full = self.is_near = self.is_shared = False
        self.shown = self.rate = 0
        self._round_trips = LatestRoundTrips()
        self._is_delayed = False  # they have grown
        self._sent_at = _UNKNOWN  # when what was acknowledged just now had left, ns
        self._since = 0  # when this train began to leave, ns
        self._ended_at: int | None = None  # when it had left, or a little later
        self._train = 0  # bytes of it that tell
        self._answers = 0  # to it
        self._first = self._last = _Answer(0, 0, 0)

    @property
    def gain(self) -> int:
        """Windows that may leave in a round trip's time."""
        if self.is_over:
            return _USUAL_GAIN
        if self._ended_at is None and not self._is_delayed:
            return _GAIN
        return _NEAR_GAIN if self.is_near else _USUAL_GAIN

    def on_rtt(self, rtt: int, *, sent_at: int) -> None:
        """Take a round trip (ns) of what was sent at `sent_at`."""
        if not self.is_over:
            self._round_trips.add(rtt)
            self._sent_at = sent_at

    def take(self, *, sent: int, now: int, window: int, segment: int, jitter: int) -> int:
        """Take an acknowledgment; the window (bytes) that a train shows to fit the path, once it does, else 0.

        `sent` is what had been sent up to the last datagram that is acknowledged, each time that it was. `jitter` is
        what round trips vary by in any case, ns.
        """
        sent_at, self._sent_at = self._sent_at, _UNKNOWN
        if self.is_over or sent_at == _UNKNOWN:
            return 0  # what passes without a round trip says nothing of a queue
        if self._since and self._ended_at is None and now - self._since >= self._round_trips.least // _TRAIN:
            self._ended_at = now
        if sent_at < self._since:
            return 0
        if self._ended_at is not None and sent_at > self._ended_at:
            self.is_over = self._is_delayed or self.is_near
            self.is_full = self.is_near  # no train tells more of so small a window
            self._begin(now, window)  # too little of it has come back to tell
            return 0
        self._answers += 1
        self._last = _Answer(sent_at, now, max(self._last.sent, sent))
        if self._answers == 1:
            self._first = self._last
        self._is_delayed = self._is_delayed or self._round_trips.have_grown(jitter)
        passed = self._last.sent - self._first.sent
        if self._answers < _LEAST_ANSWERS or passed < max(self._train, _LEAST_SEGMENTS * segment):
            return 0
        is_long = self._answers >= _MANY_ANSWERS and passed >= _MANY_SEGMENTS * segment
        return self._judge(passed, window, now, jitter=jitter, is_long=is_long)

    def _judge(self, passed: int, window: int, now: int, *, jitter: int, is_long: bool) -> int:
        noise = min(jitter, self._round_trips.unevenness)
        left = max(self._last.sent_at - self._first.sent_at, 1)
        came = max(self._last.at - self._first.at, 1)
        was_near, before = self.is_near, self.rate
        self.is_near = 8 * came > 9 * left and came - left > max(_LEAST_SPREAD, 2 * noise)
        rate = passed * NS_PER_S // max(left, came)
        is_others = (was_near and self.is_near) or self._round_trips.have_fallen(jitter)
        if is_others and 0 < _MOST * before < _MORE * rate:
            self.is_shared = self.is_full = self.is_over = True
            return 0
        self.rate = rate
        self.is_full = self.is_near and is_long
        self.is_over = self.is_full or (not self.is_near and (self._is_delayed or 3 * came > 4 * left))
        shown = min(_GAIN * window, passed * self._round_trips.least // max(left, came))
        self.shown = max(self.shown, shown)
        self._begin(now, max(shown, window))
        return shown

    def _begin(self, now: int, window: int) -> None:
        self._since, self._ended_at, self._answers = now, None, 0
        self._train = int(_TELLING_PART * window / _GAIN)
