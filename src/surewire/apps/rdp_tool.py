"""What rdps and rdpr share: options, the packet log, progress, signals, and how a run ends."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn, Protocol

from surewire import __version__
from surewire.apps import exit_codes
from surewire.apps.packet_lines import PacketLines
from surewire.core.config import TransportConfig
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.drivers.screen_log import ScreenLog
from surewire.drivers.udp import UdpSocket
from surewire.errors import ConfigError
from surewire.rdp.config import RdpConfig
from surewire.rdp.records import PacketRecord

PROGRESS_INTERVAL = 200 * NS_PER_MS


class ToolParser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{self.prog}: {message} (see {self.prog} --help)\n")
        sys.exit(exit_codes.USAGE)


def make_parser(prog: str, description: str) -> ToolParser:
    """A parser with the options both tools have."""
    parser = ToolParser(
        prog=prog,
        description=description,
        epilog=exit_codes.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{prog} (surewire) {__version__}")
    group = parser.add_argument_group("options (none is needed)")
    group.add_argument("--quiet", action="store_true", help="no line for each packet, only the summary")
    group.add_argument("--log", metavar="FILE", help="write the packet lines to FILE, not to the screen")
    group.add_argument("--progress", action="store_true", help="show progress on standard error")
    group.add_argument("--stats", metavar="FILE", help="write figures of the run to FILE as one JSON object")
    group.add_argument("--plain", action="store_true", help="speak only the assignment's minimal packets")
    group.add_argument("--no-offload", action="store_true", help="one datagram a system call (no UDP_SEGMENT, UDP_GRO)")
    group.add_argument(
        "--timeout",
        type=seconds,
        default=30.0,
        metavar="S",
        help="seconds of silence after which the transfer is given up (default %(default)g)",
    )
    return parser


def port(text: str) -> int:
    """An argument that is a UDP port."""
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is no port: 0 to 65535 expected")
    return int(text)


def seconds(text: str) -> float:
    """An argument that is a time in seconds, more than 0 and at most a day."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 86400:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of seconds between 0 and 86400")
    return value


def rdp_config(args: argparse.Namespace, *, magic: str | None = None, **transport: int) -> RdpConfig:
    """Settings of a session from the options.

    Raises:
        ConfigError: an option is out of range.
    """
    patience = int(args.timeout * NS_PER_S)
    settings = TransportConfig(idle_timeout=patience, handshake_timeout=patience, **transport)
    if magic is None:
        return RdpConfig(extensions=not args.plain, transport=settings)
    if not magic.isascii():
        raise ConfigError("magic must be 1 to 32 printable ASCII characters without spaces")
    return RdpConfig(extensions=not args.plain, transport=settings, magic=magic.encode())


class Recording(Protocol):
    """The part of a session a run's log needs."""

    def take_records(self) -> list[PacketRecord]: ...


class Run:
    """One run of a tool: its log, its progress line, its stop flag."""

    def __init__(
        self, args: argparse.Namespace, socket: UdpSocket, session: Recording, done: Callable[[], str]
    ) -> None:
        """Take the options and the session; `done` says how far it is, for the progress line.

        Raises:
            OSError: the log file cannot be written.
        """
        self.stopped_by: int | None = None
        self._session = session
        self._done = done
        self._shows_progress = args.progress
        self._next_progress = 0
        self._log_file = open(args.log, "wb", buffering=0) if args.log else None  # noqa: SIM115
        self.log = ScreenLog(self._log_file or 1)
        self._lines = None if args.quiet else PacketLines(self.log.write, socket.local_address)

    def on_turn(self) -> int | None:
        """Write what happened since the last turn."""
        records = self._session.take_records()
        if self._lines is not None:
            self._lines.add(records)
        if self._shows_progress and (now := time.monotonic_ns()) >= self._next_progress:
            self._next_progress = now + PROGRESS_INTERVAL
            self._show(self._done())
        return PROGRESS_INTERVAL if self._shows_progress else None

    def finish(self, summary: str) -> None:
        """Write the summary after the last line, and wait until everything is out."""
        if self._shows_progress:
            self._show(self._done())
            sys.stderr.write("\n")
        if self._log_file is None:
            self.log.write(summary)
            self.log.close()
            return
        self.log.close()
        self._log_file.close()
        write_out(summary)

    def _show(self, text: str) -> None:
        with contextlib.suppress(OSError):  # progress is worth no failure
            sys.stderr.write(f"\r{text:<78}" if sys.stderr.isatty() else f"{text}\n")
            sys.stderr.flush()

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """While inside, Ctrl-C and SIGTERM set `stopped_by`; a second one ends the process as usual."""

        def note(number: int, frame: FrameType | None) -> None:
            self.stopped_by = number
            signal.signal(number, signal.SIG_DFL)

        previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def write_out(text: str) -> None:
    """Print to standard output; that nobody reads it is no failure of the transfer."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def write_stats(path: str | None, figures: dict[str, object]) -> None:
    """Write the figures of a run to `path`, if it was asked for.

    Raises:
        OSError: it cannot be written.
    """
    if path is not None:
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps(figures) + "\n")


def complain(prog: str, message: object) -> None:
    """One line on standard error."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{prog}: {message}\n")


def human(nbytes: float) -> str:
    """A size for people."""
    if nbytes < 1000:
        return f"{nbytes:.0f} B"
    units = ("kB", "MB", "GB", "TB")
    power = min((len(str(int(nbytes))) - 1) // 3, len(units))
    return f"{nbytes / 1000**power:.1f} {units[power - 1]}"


def os_reason(error: OSError) -> str:
    """What the system says, without number or path."""
    return error.strerror or str(error)
