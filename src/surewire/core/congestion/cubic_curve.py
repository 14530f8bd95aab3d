"""The window of CUBIC between two reductions (RFC 9438 §4.2 to §4.7): a function of the time since the last one.

Only IEEE 754 arithmetic and integers, no function of the C library: the same on every machine.
"""

from __future__ import annotations

from surewire.core.units import NS_PER_S

BETA = 0.7
"""What a reduction leaves of the window (§4.6)."""

_C = 0.4  # §5, segments / s^3
_ALPHA = 3 * (1 - BETA) / (1 + BETA)  # §4.3
_FAST_CONVERGENCE = (1 + BETA) / 2  # §4.7


class CubicCurve:
    """The cubic function of one stage of congestion avoidance, and the window that Reno would have (§4.1.2)."""

    __slots__ = ("_begin_at", "_k_us", "_max", "_reno", "is_begun", "segment")

    def __init__(self, *, segment: int) -> None:
        self.is_begun = False
        self.segment = segment
        self._max: float | None = None  # W_max, bytes; None: the stage begins on the plateau
        self._k_us = 0  # K
        self._begin_at = 0  # t_epoch, ns
        self._reno = 0.0  # W_est, bytes

    def begin(self, window: float, *, now: int) -> None:
        """Begin a stage with `window` (cwnd_epoch). Without a loss before it K is 0 (§4.8, §4.10)."""
        self.is_begun = True
        self._begin_at = now
        self._reno = window
        if self._max is None or self._max < window:
            self._max = window
        below = int(self._max - window)
        self._k_us = _cube_root(int(below * 10**18 / (_C * self.segment)))

    def end(self, window: float) -> None:
        """A loss at `window` ends the stage: fast convergence yields to new flows (§4.7)."""
        self.is_begun = False
        self._max = window * _FAST_CONVERGENCE if self._max is not None and window < self._max else window

    def forget(self) -> None:
        """After a timeout the next stage begins on the plateau, wherever that will be (§4.8)."""
        self.is_begun = False
        self._max = None

    def postpone(self, duration: int) -> None:
        """Leave `duration` ns out of the stage."""
        self._begin_at += duration

    def at(self, now: int) -> float:
        """W_cubic in bytes."""
        seconds = ((now - self._begin_at) - 1000 * self._k_us) / NS_PER_S
        return (self._max or 0.0) + _C * self.segment * seconds * seconds * seconds

    def grow_as_reno(self, windows: float, *, prior: float) -> float:
        """W_est after so many more windows were acknowledged: as fast as Reno once it has made up for the reduction."""
        alpha = 1.0 if self._reno >= prior else _ALPHA
        self._reno += alpha * self.segment * windows
        return self._reno


def _cube_root(value: int) -> int:
    """The integer cube root of `value` >= 0, by Newton's method from above."""
    if value == 0:
        return 0
    root = 1 << -(-value.bit_length() // 3)
    while (better := (2 * root + value // (root * root)) // 3) < root:
        root = better
    return root
