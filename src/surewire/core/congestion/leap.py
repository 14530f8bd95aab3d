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

Answers may come in bunches, where a radio or a busy host hands over in one go what has gathered for some milliseconds.
A train that comes back in two of them seems to take as long as the pause between them, whatever the path takes: how
long it took is known only to within that pause, and doubling goes on. One that comes back in a single bunch has waited,
its beginning longer than its end: that its round trips fall shows no queue that drains.

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
_BUNCHED = 2  # times as long as its answers to come a train took to leave, if it was held and handed over at once
_LEAST_SPREAD = NS_PER_MS  # by which a train that met a queue takes longer to come than to leave
_UNKNOWN = -1
_MOST, _MORE = 5, 4  # a rate that is more by so much is another one: a quarter, as in deliveries that grow


class _Answer(NamedTuple):
    sent_at: int  # when what it acknowledges left, ns
    at: int  # ns
    sent: int  # bytes that had been sent up to then


class _Answers:
    """The answers (acknowledgments) to one train. Times in ns."""

    __slots__ = ("_first", "_last", "_widest", "count")

    def __init__(self, sent: int = 0) -> None:
        """None yet; before the train so many bytes were known to have been `sent`."""
        self.count = 0
        self._first = self._last = _Answer(0, 0, sent)
        self._widest = 0  # the longest pause between two of them

    def add(self, sent_at: int, *, at: int, sent: int) -> None:
        """One came `at` this time, of what left at `sent_at`; `sent` bytes had left up to then, each time they did."""
        answer = _Answer(sent_at, at, max(self._last.sent, sent))
        self._widest = max(self._widest, at - self._last.at) if self.count else 0
        if not self.count:
            self._first = answer
        self._last = answer
        self.count += 1

    @property
    def sent(self) -> int:
        """Bytes that had been sent up to the last of what is acknowledged."""
        return self._last.sent

    @property
    def passed(self) -> int:
        """Bytes between the first one and the last."""
        return self._last.sent - self._first.sent

    @property
    def left(self) -> int:
        """How long it took these to leave."""
        return max(self._last.sent_at - self._first.sent_at, 1)

    @property
    def came(self) -> int:
        """How long it took the answers to come."""
        return max(self._last.at - self._first.at, 1)

    @property
    def grain(self) -> int:
        """How exactly `came` is known: by how much the longest pause is longer than even ones would be."""
        return max(self._widest - self.came // max(self.count - 1, 1), 0)


class Leap:
    """`gain` says how fast a window may leave, and `take` how large it may become.

    `is_near`: a train came back slower than it left. `is_full`: one of enough datagrams did, so the path is known, or
    the window is too small for one. `is_measured`: there was one of enough, and `rate` is what the path takes.
    `is_over`: no more trains. `shown`: the largest window (bytes) that a train showed to fit the path; `rate`: bytes a
    second at which the last one that counts has passed. `is_shared`: there are others, so no later one counts.
    """

    __slots__ = (
        "_answers",
        "_ended_at",
        "_fastest",
        "_is_delayed",
        "_round_trips",
        "_sent_at",
        "_since",
        "_train",
        "is_full",
        "is_measured",
        "is_near",
        "is_over",
        "is_shared",
        "rate",
        "shown",
    )

    def __init__(self, *, is_over: bool = False) -> None:
        self.is_over = is_over
        self.is_full = self.is_measured = self.is_near = self.is_shared = False
        self.shown = self.rate = 0
        self._round_trips = LatestRoundTrips()
        self._is_delayed = False  # they have grown
        self._sent_at = _UNKNOWN  # when what was acknowledged just now had left, ns
        self._since = 0  # when this train began to leave, ns
        self._ended_at: int | None = None  # when it had left, or a little later
        self._train = 0  # bytes of it that tell
        self._answers = _Answers()  # to it
        self._fastest = 0  # bytes a second at which the last one may have passed at most

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
        answers = self._answers
        answers.add(sent_at, at=now, sent=sent)
        self._is_delayed = self._is_delayed or self._round_trips.have_grown(jitter)
        if answers.count < _LEAST_ANSWERS or answers.passed < max(self._train, _LEAST_SEGMENTS * segment):
            return 0
        is_long = answers.count >= _MANY_ANSWERS and answers.passed >= _MANY_SEGMENTS * segment
        return self._judge(window, now, jitter=jitter, is_long=is_long)

    def _judge(self, window: int, now: int, *, jitter: int, is_long: bool) -> int:
        answers = self._answers
        passed, left, came, grain = answers.passed, answers.left, answers.came, answers.grain
        noise = min(jitter, self._round_trips.unevenness)
        was_near, before = self.is_near, self._fastest
        self.is_near = 8 * came > 9 * left and came - left > max(_LEAST_SPREAD, 2 * noise, grain)
        has_drained = _BUNCHED * came >= left and self._round_trips.have_fallen(jitter)
        slowest = passed * NS_PER_S // (max(left, came) + grain)
        if (has_drained or (was_near and self.is_near)) and 0 < _MOST * before < _MORE * slowest:
            self.is_shared = self.is_full = self.is_over = True
            return 0
        self.rate = passed * NS_PER_S // max(left, came)
        self._fastest = passed * NS_PER_S // max(left, came - grain)
        self.is_full = self.is_measured = self.is_near and is_long
        self.is_over = self.is_full or (not self.is_near and (self._is_delayed or 3 * came > 4 * left))
        shown = min(_GAIN * window, passed * self._round_trips.least // max(left, came))
        self.shown = max(self.shown, shown)
        self._begin(now, max(shown, window))
        return shown

    def _begin(self, now: int, window: int) -> None:
        self._since, self._ended_at, self._answers = now, None, _Answers(self._answers.sent)
        self._train = int(_TELLING_PART * window / _GAIN)
