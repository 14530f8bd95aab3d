"""What the commands in the laboratory print: into files, or to our standard error with their names in front."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from surewire.apps.console import say

_PATIENCE_S = 5.0


class CommandOutput:
    """Where the outputs of commands go. The files, or the threads that pass lines on, live until `finish`."""

    def __init__(self, folder: str | None) -> None:
        """Take a folder for the files, which is made if it does not exist; None: standard error.

        Raises:
            OSError: it cannot be made.
        """
        self._folder = None if folder is None else Path(folder)
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
        self._files: list[int] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.finish()

    def streams(self, name: str) -> tuple[int, int]:
        """Descriptors for the standard output and error of the command `name`.

        Raises:
            OSError: a file cannot be written.
        """
        if self._folder is not None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            found = [os.open(self._folder / f"{name}.{kind}", flags, 0o644) for kind in ("out", "err")]
            self._files += found
            return found[0], found[1]
        reading, writing = os.pipe()
        self._files.append(writing)
        thread = threading.Thread(target=_pass_on, args=(name, reading), daemon=True)
        thread.start()
        self._threads.append(thread)
        return writing, writing

    def finish(self) -> None:
        """Close the files; wait for the last lines, which come when the commands have ended. May be called again."""
        for descriptor in self._files:
            os.close(descriptor)
        self._files.clear()
        for thread in self._threads:
            thread.join(_PATIENCE_S)


def _pass_on(name: str, descriptor: int) -> None:
    with open(descriptor, encoding="utf-8", errors="replace") as lines, contextlib.suppress(ValueError):
        for line in lines:
            say(f"{name}: {line.rstrip()}\n")
