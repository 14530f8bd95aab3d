"""The limit that `--rate` sets: a rate, or `@FILE` for what stands in a file, looked up again while the tool runs.

A file, because everybody can write one, from a shell, from cron or from another program, and it also tells what the
limit is at the moment. It may be rewritten in place or replaced by another of its name. What it holds in between, or
by mistake, changes nothing: the limit stays as it was, and one line says so if the file is still wrong a second later.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from surewire.apps.console import os_reason
from surewire.core.units import NS_PER_S
from surewire.errors import ConfigError

NO_LIMIT = "none"
"""The text that lifts the limit."""

_EVERY = NS_PER_S
_LONGEST = 64  # bytes of a file that holds a rate; a longer one is something else


class RateLimit:
    """A limit as it stands: `rate` is in bytes a second, None for no limit."""

    def __init__(self, text: str) -> None:
        """Take what stands behind `--rate`: bits a second such as 20M, "none", or `@` and the name of a file with that.

        Raises:
            ConfigError: it is none of these, or the file cannot be read.
        """
        self._path = text[1:] if text.startswith("@") else None
        self._next_look = 0
        self._problem: str | None = None  # what was wrong with the file at the last look
        self._is_told = False
        self.rate = _parse(text) if self._path is None else _read(self._path)

    def look(self, *, now: int, warn: Callable[[str], None]) -> bool:
        """Look into the file, at most once a second; `now` is in ns. True when `rate` has changed.

        `warn` is told what is wrong with the file, once for each thing, if it is so at two looks in a row.
        """
        if self._path is None or now < self._next_look:
            return False
        self._next_look = now + _EVERY
        try:
            rate = _read(self._path)
        except ConfigError as error:
            self._on_problem(str(error), warn)
            return False
        self._problem = None
        has_changed = rate != self.rate
        self.rate = rate
        return has_changed

    def _on_problem(self, problem: str, warn: Callable[[str], None]) -> None:
        if problem != self._problem:  # perhaps it is only being written
            self._problem, self._is_told = problem, False
        elif not self._is_told:
            self._is_told = True
            warn(f"note: {problem}; the limit stays as it was")


def parse_bits(text: str) -> int:
    """Bytes a second of a rate that is written in bits a second, at least 1.

    Raises:
        ConfigError: it is no rate, or less than 8 bits a second.
    """
    # It costs as much as the rest of a small tool, and most runs have no limit.
    from surewire.impair.quantities import parse_rate

    bits = parse_rate(text)
    if bits < 8:
        raise ConfigError(f"a rate to send at is at least 8 bits a second, not '{text}'")
    return bits // 8


def _parse(text: str) -> int | None:
    return None if text == NO_LIMIT else parse_bits(text)


def _read(path: str) -> int | None:
    """The limit in a file.

    Raises:
        ConfigError: the file cannot be read, or holds something else.
    """
    try:
        # Not to wait for whoever writes, should it be a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            content = os.read(descriptor, _LONGEST + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else error
        raise ConfigError(f"cannot read the limit of the rate in {path}: {reason}") from error
    text = content.decode("ascii", errors="backslashreplace").strip()
    try:
        if not text or len(content) > _LONGEST:
            raise ConfigError("the file is empty" if not text else "the file is too long for that")
        return _parse(text)
    except ConfigError as error:
        raise ConfigError(f"{path} holds no limit of the rate: {error}") from error
