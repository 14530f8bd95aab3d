"""Signals that ask a tool to stop: noted, so that it ends in order; the second of a kind ends the process as usual."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

_WANTED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequests:
    """Use as a context, on the main thread: inside, `signal` is the first of SIGINT, SIGTERM and SIGHUP that came.

    SIGHUP stays ignored where it was, under nohup.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequests:
        for number in _WANTED:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        if self.signal is None:
            self.signal = signal.Signals(number)
