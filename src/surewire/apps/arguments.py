"""What command lines here are made of: a parser whose complaints are one line, and types of arguments.

Small, because a command that has nothing to do with the rest should not wait for it.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any, NoReturn, Protocol

from surewire.apps import exit_codes
from surewire.apps.console import complain


class ToolParser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        complain(self.prog, f"{message} (see {self.prog} --help)")
        sys.exit(exit_codes.USAGE)


class Arguments(Protocol):
    """Where arguments can be added: a parser, or a group of its arguments."""

    def add_argument(self, *names: str, **options: Any) -> argparse.Action: ...


def seconds(text: str) -> float:
    """An argument that is a time in seconds, more than 0 and at most a day."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 86400:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of seconds between 0 and 86400")
    return value


def parse_endpoint(text: str) -> tuple[str, int]:
    """Split `HOST:PORT`; an IPv6 address stands in brackets. Port 0..65535.

    Raises:
        ArgumentTypeError: the text is none.
    """
    host, colon, port_text = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise argparse.ArgumentTypeError(f"an IPv6 address needs brackets, as in [::1]:5000, not '{text}'")
    if not (colon and host and port_text.isascii() and port_text.isdigit()) or int(port_text) > 65535:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, not '{text}'")
    return host, int(port_text)


def parse_destination(text: str) -> tuple[str, int]:
    """As `parse_endpoint`, but port 0 is no place to send to."""
    host, port = parse_endpoint(text)
    if port == 0:
        raise argparse.ArgumentTypeError(f"port 0 cannot be sent to: '{text}'")
    return host, port
