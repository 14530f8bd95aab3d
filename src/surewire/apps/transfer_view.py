"""How far a transfer is, as numbers and in words; nothing is printed here."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from surewire.apps import console
from surewire.core.units import NS_PER_MS, NS_PER_S

_RATE_OVER = 2 * NS_PER_S
_RATE_STEP = 50 * NS_PER_MS


class View(NamedTuple):
    """One transfer at one moment."""

    key: int  # tells transfers apart
    name: str
    done: int  # bytes confirmed by the other side, or received
    size: int
    rate: float  # bytes/s, of late
    rtt_ns: int  # 0: not known
    loss: float  # share of what was sent, 0..1; < 0: not known on this side

    @property
    def share(self) -> float:
        """0..1; an empty file is done."""
        return self.done / self.size if self.size else 1.0

    @property
    def seconds_left(self) -> float | None:
        """At this rate; None when nothing moves."""
        return (self.size - self.done) / self.rate if self.rate > 0 else None


class RateMeter:
    """Bytes a second over the last two seconds."""

    def __init__(self, now: int) -> None:
        self._marks: deque[tuple[int, int]] = deque([(now, 0)])

    def rate(self, done: int, *, now: int) -> float:
        """The rate, when `done` bytes are done at `now` (ns)."""
        marks = self._marks
        while len(marks) > 1 and marks[1][0] <= now - _RATE_OVER:
            marks.popleft()
        since, before = marks[0]
        if now - marks[-1][0] >= _RATE_STEP:
            marks.append((now, done))
        return (done - before) * NS_PER_S / (now - since) if now > since else 0.0


def details(view: View) -> str:
    """Everything but the name and the share."""
    return f"{console.human(view.done)} of {console.human(view.size)}  {pace(view)}"


def pace(view: View) -> str:
    """How it goes, without the sizes."""
    parts = [f"{console.human(view.rate)}/s"]
    if view.rtt_ns:
        parts.append(f"RTT {milliseconds(view.rtt_ns)}")
    if view.loss >= 0:
        parts.append(f"loss {view.loss:.1%}")
    left = view.seconds_left
    if left is not None:
        parts.append(f"{duration(left)} left")
    return "  ".join(parts)


def milliseconds(ns: int) -> str:
    """A round trip for people."""
    return f"{ns / NS_PER_MS:.3g} ms" if ns < 100 * NS_PER_MS else f"{ns / NS_PER_MS:.0f} ms"


def duration(seconds: float) -> str:
    """A time for people, from seconds to days."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes, hours = whole // 60, whole // 3600
    if hours >= 100:
        return f"{hours // 24} days"
    return f"{minutes}:{whole % 60:02d} min" if not hours else f"{hours}:{minutes % 60:02d} h"


def printable(text: str) -> str:
    """A name that cannot move the cursor."""
    return "".join(char if char.isprintable() else "?" for char in text)
