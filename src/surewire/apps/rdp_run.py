"""One run of rdps or rdpr: drives the session, writes log, progress and summary, minds the signals."""

from __future__ import annotations

import argparse
import errno
import signal
import time
from collections.abc import Callable, Iterable
from types import FrameType, TracebackType
from typing import Any, Protocol

from surewire.apps import console
from surewire.apps.packet_lines import PacketLines
from surewire.core.events import Closed, Event
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.drivers.blocking import BlockingDriver
from surewire.drivers.driven import DrivenSession
from surewire.drivers.screen_log import ScreenLog
from surewire.drivers.udp import UdpSocket
from surewire.errors import ConnectionLost, DestinationError
from surewire.rdp.records import PacketRecord

_PROGRESS_INTERVAL = 200 * NS_PER_MS
_STDOUT = 1


class RecordingSession(DrivenSession, Protocol):
    """The part of a session a run needs."""

    def take_records(self) -> list[PacketRecord]: ...

    def drop_records(self) -> None: ...


class Run:
    """Use as a context: inside, signals are noted in `stop_requested` instead of ending the process."""

    def __init__(
        self, prog: str, args: argparse.Namespace, socket: UdpSocket, session: RecordingSession, done: Callable[[], str]
    ) -> None:
        """Take the options and the session; `done` says how far it is, for the progress line.

        Raises:
            DestinationError: the log file cannot be written.
        """
        self.stop_requested = False
        self.opened_at = time.monotonic_ns()
        self._prog = prog
        self._socket = socket
        self._session = session
        self._progress = _Progress(done) if args.progress else None
        self._log = _PacketLog(prog, args.log)
        self._lines = None if args.quiet else PacketLines(self._log.write, socket.local_address)
        self._signals = _Signals(self._on_signal)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return (time.monotonic_ns() - self.opened_at) / NS_PER_S

    def drive(self, *, on_event: Callable[[Event], None], on_turn: Callable[[], int | None]) -> Closed:
        """Run the session to its end; `on_turn` is the tool's own, called before the log is written."""

        def turn() -> int | None:
            wishes = [wish for wish in (on_turn(), self._report()) if wish is not None]
            return min(wishes) if wishes else None

        driver = BlockingDriver(self._session, self._socket, on_event=on_event, on_turn=turn)
        try:
            return driver.run()
        except OSError as error:
            self._report()
            return Closed(ConnectionLost(f"the network failed: {console.os_reason(error)}"))

    def finish(self, summary: str) -> None:
        """Write the summary after the last line, and wait until everything is out."""
        if self._progress is not None:
            self._progress.end()
        self._log.finish(summary)

    def __enter__(self) -> Run:
        self._signals.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signals.give_back()

    def _report(self) -> int | None:
        """Write what happened since the last turn; return when the next one is wanted (ns)."""
        if self._lines is None:
            self._session.drop_records()
        else:
            self._lines.add(self._session.take_records())
        return None if self._progress is None else self._progress.show()

    def _on_signal(self) -> None:
        self.stop_requested = True


class _PacketLog:
    """The packet lines on the screen or in a file; the summary goes to the screen in any case."""

    def __init__(self, prog: str, path: str | None) -> None:
        self._prog = prog
        self._path = path
        try:
            self._file = None if path is None else open(path, "wb", buffering=0)  # noqa: SIM115 (finish() closes it)
        except OSError as error:
            raise DestinationError(f"cannot write {path}: {console.os_reason(error)}") from error
        self._out = ScreenLog(self._file or _STDOUT)
        self.write = self._out.write

    def finish(self, summary: str) -> None:
        if self._file is not None:
            self._close(self._out, self._path)
            self._file.close()
            self._out = ScreenLog(_STDOUT)
        self._out.write(summary)
        self._close(self._out, "the screen")

    def _close(self, out: ScreenLog, name: str | None) -> None:
        out.close()
        if out.error is None or (isinstance(out.error, OSError) and out.error.errno == errno.EPIPE):
            return  # a reader that has seen enough is nobody's failure
        reason = console.os_reason(out.error) if isinstance(out.error, OSError) else out.error
        console.complain(self._prog, f"note: the log is not complete: cannot write to {name}: {reason}")


class _Progress:
    """One line on standard error, written over at a terminal."""

    def __init__(self, done: Callable[[], str]) -> None:
        self._done = done
        self._next = 0
        self._is_terminal = console.is_error_terminal()

    def show(self) -> int:
        now = time.monotonic_ns()
        if now >= self._next:
            self._next = now + _PROGRESS_INTERVAL
            self._write()
        return self._next - now

    def end(self) -> None:
        self._write()
        if self._is_terminal:
            console.say("\n")

    def _write(self) -> None:
        text = self._done()
        console.say(f"\r{text:<78}" if self._is_terminal else f"{text}\n")


class _Signals:
    """Ctrl-C, SIGTERM and a closed terminal; the second of a kind ends the process as usual."""

    def __init__(self, note: Callable[[], None]) -> None:
        self._note = note
        self._previous: dict[signal.Signals, Any] = {}

    def take(self) -> None:
        for number in self._wanted():
            self._previous[number] = signal.signal(number, self._handle)

    def give_back(self) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            signal.signal(number, handler)

    def _wanted(self) -> Iterable[signal.Signals]:
        yield signal.SIGINT
        yield signal.SIGTERM
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # ignored under nohup
            yield signal.SIGHUP

    def _handle(self, number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        self._note()
