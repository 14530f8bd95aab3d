"""The window while others keep the queue full: CUBIC's (RFC 9438), since nothing else gets its part beside CUBIC.

A flow that yields to a queue gets nothing where another one fills it. So once the queue stays although the window was
reduced again and again, or overflows although it was, delays are no sign any more; excess losses are. Now and then,
best at a loss, the window is reduced by so much that the queue would be empty if nobody else held it: if it is, the
competition is over. It is also over when no queue was seen for long. Others that have just answered to the same
loss seem to be gone, too: so for a while the end is in doubt, and the window of before the test is kept in mind.

Who yielded to the others until it noticed them has hardly anything by then, and CUBIC's curve without a loss before it
is flat for seconds. So where nothing was tried yet it begins as every flow of CUBIC's does, with slow start, until
something is lost or the round trips grow as HyStart++ says (RFC 9406).
"""

from __future__ import annotations

from surewire.core.congestion.cubic_curve import BETA, CubicCurve
from surewire.core.congestion.hystart import telling_rise
from surewire.core.units import NS_PER_S

_TEST_EVERY = 8 * NS_PER_S
_FIRST_TEST = NS_PER_S
_QUIET_ROUNDS = 12  # without a queue
_DOUBT = 8 * NS_PER_S  # CUBIC's way back to a full queue takes some seconds


class Competition:
    """The window from when the competition was noticed until it `is_over`."""

    def __init__(self, window: int, *, segment: int, now: int, is_untried: bool = False) -> None:
        """Begin with so many bytes; `is_untried`: nobody has seen yet whether there is room for more."""
        self.window = window
        self._is_starting = is_untried
        self._rtt = 0  # of the last round of slow start
        self.is_over = False
        self.before_test = window  # the window that the last test was made from
        self._doubtful_until = 0
        self._curve = CubicCurve(segment=segment)
        self._prior = float(window)  # the window before the last reduction
        self._restored: int | None = None  # the window after the test that is going on
        self._test_at = now + _FIRST_TEST
        self._latest_test_at = now + _FIRST_TEST  # at a loss or not
        self._quiet_rounds = 0

    def on_loss(self, *, now: int, base: int, delay: int) -> None:
        """Reduce the window; `base` and `delay` are the path's round trip and the queue's part above it, ns."""
        self._is_starting = False
        self._curve.end(float(self.window))
        self._prior = float(self.window)
        self.window = int(self.window * BETA)
        if now >= self._test_at:
            self._test(now, base, delay)

    def _test(self, now: int, base: int, delay: int) -> None:
        self._test_at = now + _TEST_EVERY
        self._latest_test_at = now + 2 * _TEST_EVERY
        self._restored = self.before_test = self.window
        self.window = min(self.window, self.window * base // (base + delay))

    def on_round(self, *, now: int, base: int, delay: int, is_low: bool, is_used: bool) -> bool:
        """Take a round without an excess loss, in which the queue `is_low` or not; True when the window
        was changed at once."""
        self._quiet_rounds = self._quiet_rounds + 1 if is_low else 0
        if self._restored is not None:
            self.is_over = is_low
            if not is_low:
                self.window = self._restored
            self._restored = None
            return True
        self.is_over = self._quiet_rounds >= _QUIET_ROUNDS
        if now >= self._latest_test_at:  # no loss gave an occasion
            self._test(now, base, delay)
            return True
        if is_used:
            self._grow(now, base + delay)
        return False

    def hold(self, window: int, *, is_low: bool) -> None:
        """Go on with this window, whatever was lost, and grow from there later; take a round as `on_round` does."""
        self._quiet_rounds = self._quiet_rounds + 1 if is_low else 0
        self.is_over = self._quiet_rounds >= _QUIET_ROUNDS
        self._is_starting = False
        self.window = window
        self._prior = float(window)
        self._curve.end(self._prior)

    def end(self, *, now: int) -> None:
        """Nobody seems to be there any more."""
        self._doubtful_until = now + _DOUBT

    def is_doubtful(self, now: int) -> bool:
        """True for some seconds after the end: a queue that stands then says that it was none."""
        return now < self._doubtful_until

    @property
    def is_testing(self) -> bool:
        """True while the window is so small that the queue would be empty without others."""
        return self._restored is not None

    def _grow(self, now: int, rtt: int) -> None:
        if self._is_starting:
            before, self._rtt = self._rtt or rtt, rtt
            self._is_starting = rtt < before + telling_rise(before)
        if self._is_starting:
            self.window += self.window // 2
            return
        curve, window = self._curve, float(self.window)
        if not curve.is_begun:
            curve.begin(window, now=now)
        reno = curve.grow_as_reno(1.0, prior=self._prior)
        cubic = min(max(curve.at(now + rtt), window), 1.5 * window)
        self.window = int(reno if curve.at(now) < reno else cubic)

    def on_segment(self, segment: int) -> None:
        """Reckon with segments of this length from now on."""
        self._curve.segment = segment
