"""How the tools talk on the terminal beside their log: one line at a time, whatever state the terminal is in."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator
from typing import TextIO


def open_standard_descriptors() -> None:
    """Point closed standard descriptors at the null device.

    Else the next file opened gets such a number, and the log, meant for the screen, lands in that file.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one


def open_standard_output() -> None:
    """Let printing work: into the null device if standard output was closed before Python started, and any character.

    What the encoding lacks is printed as an escape: a name that somebody else has chosen must not end a tool.
    """
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def plain_interrupts() -> Iterator[None]:
    """While this lasts, Ctrl-C ends the process as it ends any other, not by a Python exception.

    That could be lost (in a callback of the interpreter) or come out as a traceback.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def complain(prog: str, message: object) -> None:
    """One line on standard error, whatever characters file names and peers put into it."""
    line = "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(message))
    say(f"{prog}: {line}\n")


def say(text: str) -> None:
    """Write to standard error; that it is closed or full is no reason to fail."""
    stream = _standard_error()
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        # What is left in the buffer would be tried again when Python ends, and make 120 of the exit status.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def is_error_terminal() -> bool:
    """Whether standard error is a terminal, so that a line can be written over."""
    stream = _standard_error()
    return stream is not None and stream.isatty()


def _standard_error() -> TextIO | None:
    return sys.stderr  # None when it was closed before Python started


def os_reason(error: OSError) -> str:
    """What the system says, without number or path."""
    return error.strerror or str(error)


def human(nbytes: float) -> str:
    """A size for people."""
    if nbytes < 1000:
        return f"{nbytes:.0f} B"
    units = ("kB", "MB", "GB", "TB")
    power = min((len(str(int(nbytes))) - 1) // 3, len(units))
    return f"{nbytes / 1000**power:.1f} {units[power - 1]}"
