"""HyStart++: leaving slow start when the round trips grow, before the queue overflows (RFC 9406).

A round whose least round trip is clearly above that of the round before ends slow start proper; conservative
slow start follows at a quarter of the growth. If the round trips shrink again it was jitter, and slow start
goes on; after five rounds it is over. Only the first slow start is guarded (§4.3): later ones have a threshold.

§4.2's limit L on the growth for one acknowledgment is left to the sender, which paces or acknowledges often.
"""

from __future__ import annotations

from surewire.core.units import NS_PER_MS

_MIN_RTT_THRESH = 4 * NS_PER_MS  # §4.3, these five
_MAX_RTT_THRESH = 16 * NS_PER_MS
_MIN_RTT_DIVISOR = 8
_N_RTT_SAMPLE = 8
_CSS_ROUNDS = 5
CSS_GROWTH_DIVISOR = 4
"""By how much slower the window grows in conservative slow start (§4.3)."""


def telling_rise(rtt: int) -> int:
    """By how much (ns) those of a round must be above `rtt`, that of the round before, to end slow start (§4.2)."""
    return min(max(rtt // _MIN_RTT_DIVISOR, _MIN_RTT_THRESH), _MAX_RTT_THRESH)


class HyStart:
    """Watches the round trips of slow start: `is_conservative` in its second part, `is_over` after it."""

    __slots__ = ("_css_baseline", "_css_rounds", "_current_min", "_last_min", "_samples", "is_over")

    def __init__(self) -> None:
        self.is_over = False
        self._last_min = 0  # least round trip of the round before, ns; 0 while unknown
        self._current_min = 0
        self._samples = 0  # in this round
        self._css_baseline = 0  # ns; 0 in slow start proper
        self._css_rounds = 0

    @property
    def is_conservative(self) -> bool:
        """True in conservative slow start."""
        return self._css_baseline > 0

    def on_rtt(self, rtt: int) -> None:
        """Take a round trip (ns, > 0) of the present round (§4.2)."""
        self._samples += 1
        self._current_min = min(self._current_min or rtt, rtt)
        if self._samples < _N_RTT_SAMPLE:
            return
        if self._css_baseline:
            if self._current_min < self._css_baseline:
                self._css_baseline = 0
        elif self._last_min and self._current_min >= self._last_min + telling_rise(self._last_min):
            self._css_baseline = self._current_min
            self._css_rounds = 0

    def on_round(self) -> None:
        """A round has ended."""
        self._last_min, self._current_min, self._samples = self._current_min, 0, 0
        if self._css_baseline:
            self._css_rounds += 1
            self.is_over = self._css_rounds >= _CSS_ROUNDS
