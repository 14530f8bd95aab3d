"""`surewire send` and `surewire recv` as child processes over loopback, with keys of their own."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from tests.commands.rdp_tools import ENVIRONMENT, HOST, Outcome, Tool

SUREWIRE = [sys.executable, "-m", "surewire.apps.cli"]
_LISTENING = re.compile(r"surewire recv: listening on 127\.0\.0\.1:(\d+)(?:, fingerprint (sw1:[a-z2-7-]+))?\n")


class Home:
    """A folder with everything of one user: configuration, files to send, files received."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.into = path / "into"
        self.into.mkdir()
        self.env = {**ENVIRONMENT, "XDG_CONFIG_HOME": str(path / "config")}

    def file(self, content: bytes, name: str = "sent.bin") -> Path:
        path = self.path / name
        path.write_bytes(content)
        return path

    @property
    def received(self) -> dict[str, bytes]:
        """What stands in the folder of received files."""
        return {path.name: path.read_bytes() for path in self.into.iterdir()}

    @property
    def known_servers(self) -> Path:
        return self.path / "config" / "surewire" / "known_servers"

    def send(self, file: object, port: int, *options: object) -> Outcome:
        """Run `surewire send` to its end."""
        with Sending(self, file, port, *options) as tool:
            return tool.wait()


class Sending(Tool):
    """`surewire send`."""

    def __init__(self, home: Home, file: object, port: int, *options: object, terminal: str | None = None) -> None:
        """`terminal` is the path of one that is to be its standard error."""
        arguments = ("send", file, f"{HOST}:{port}", *options)
        # exec, so that signals meet the tool itself
        command = SUREWIRE if terminal is None else ["sh", "-c", 'exec "$@" 2>"$0"', terminal, *SUREWIRE]
        super().__init__("surewire", *arguments, command=command, env=home.env)


class Receiving(Tool):
    """`surewire recv`, listening."""

    def __init__(self, home: Home, *options: object, port: int = 0) -> None:
        arguments = ("recv", "--listen", f"{HOST}:{port}", "--into", home.into, *options)
        super().__init__("surewire", *arguments, command=SUREWIRE, env=home.env)
        line = self.read_error_line()
        match = _LISTENING.fullmatch(line)
        assert match is not None, (line, self.wait())
        self.port = int(match[1])
        self.fingerprint = match[2]


def run(home: Home, *words: object) -> Outcome:
    """Run a command that ends by itself."""
    with Tool("surewire", *words, command=SUREWIRE, env=home.env) as tool:
        return tool.wait()


def records(out: str) -> list[dict[str, Any]]:
    """The objects printed with --json, one a line."""
    return [json.loads(line) for line in out.splitlines()]
