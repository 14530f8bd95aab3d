"""Sudden rises of the round trip: a path that has become longer, and no queue.

A queue grows while more comes in than goes out. Of two datagrams sent a millisecond apart the second waits eight
milliseconds longer only if the link was offered nine times its rate in between; a path that changes is longer from one
datagram to the next. So a rise that is many times as long as the time between the two sendings is a step. It says
nothing yet of what comes after: a burst of others may be as steep, but is gone a round trip later. So a step counts
only if every round trip since is as long.

Who sends seldom sees no steps: between two of its datagrams anything may have come. It is left to growing to find out
(see `doubling`). Rises by less than a quarter are none.
"""

from __future__ import annotations

_STEEP = 8  # times the time between the two sendings
_PART = 3  # of the delay that is in question: changes of both ways may come one after the other
_STEP_AGE = 4  # round trips: after a cut a round is judged two or three later
_LITTLE = 5  # per cent


class RoundTripStep:
    """The last sudden rise; `latest_rtt` is the last round trip, ns."""

    __slots__ = ("_at", "_least", "_rise", "_sent_at", "latest_rtt")

    def __init__(self) -> None:
        self.latest_rtt = 0
        self._sent_at = 0
        self._rise = 0
        self._at = 0
        self._least = 0  # round trip since then

    def on_rtt(self, rtt: int, *, sent_at: int) -> None:
        """Take the round trip (ns) of what was sent then."""
        before, rise = self.latest_rtt, rtt - self.latest_rtt
        if 4 * rise > before > 0 and rise > _STEEP * (sent_at - self._sent_at):
            self._rise, self._at, self._least = rise, sent_at + rtt, rtt
        elif rtt < self._least:
            self._least = rtt
        self.latest_rtt, self._sent_at = rtt, sent_at

    def explains(self, delay: int, *, rtt: int, now: int) -> bool:
        """True when there was a step lately that is a good part of this delay (ns)."""
        return _PART * self._rise >= delay and now - self._at <= _STEP_AGE * rtt

    def is_new(self, rtt: int, *, now: int) -> bool:
        """True when nothing that was sent since the step is back yet."""
        return now - self._at < rtt - rtt // 8

    def is_kept(self, rtt: int) -> bool:
        """True when no round trip since the step was shorter than this one (ns), but for a little."""
        return 100 * self._least >= (100 - _LITTLE) * rtt

    def forget(self) -> None:
        """It was none."""
        self._rise = 0
