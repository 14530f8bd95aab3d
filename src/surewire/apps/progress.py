"""How far transfers are, on standard error, while they run.

At a terminal, where the package `rich` is installed, bars that are written over; else a line now and then. `rich` is
imported when a transfer has lasted for a while: the import takes longer than sending a small file.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from typing import Protocol

from surewire.apps import console
from surewire.apps.transfer_view import View, details, printable
from surewire.core.units import NS_PER_MS, NS_PER_S

FIRST_AFTER = 300 * NS_PER_MS
"""Age from which a transfer is shown."""

_LINE_EVERY = 2 * NS_PER_S


class Display(Protocol):
    """Where progress is shown."""

    def show(self, views: Sequence[View]) -> None:
        """These are the transfers that run; called often."""

    def hide(self) -> None:
        """Something else is to be written now, or all is over; `show` begins anew."""


class Nothing:
    """Shows nothing."""

    def show(self, views: Sequence[View]) -> None:
        """Nothing."""

    def hide(self) -> None:
        """Nothing."""


class Lines:
    """A line for each transfer, now and then."""

    def __init__(self) -> None:
        self._next: int | None = None

    def show(self, views: Sequence[View]) -> None:
        now = time.monotonic_ns()
        if self._next is None:
            self._next = now + _LINE_EVERY
        if now < self._next:
            return
        self._next = now + _LINE_EVERY
        for view in views:
            console.say(f"{printable(view.name)}: {view.share:.0%}  {details(view)}\n")

    def hide(self) -> None:
        """Lines stay."""


def make_display(*, is_quiet: bool) -> Display:
    """The display that fits standard error."""
    if is_quiet:
        return Nothing()
    if console.is_error_terminal() and importlib.util.find_spec("rich") is not None:
        return _Bars()
    return Lines()


class _Bars:
    """Bars; the module behind it, and `rich`, come with the first of them."""

    def __init__(self) -> None:
        self._bars: Display | None = None

    def show(self, views: Sequence[View]) -> None:
        if self._bars is None:
            from surewire.apps.progress_bars import Bars

            self._bars = Bars()
        self._bars.show(views)

    def hide(self) -> None:
        if self._bars is not None:
            self._bars.hide()
