"""The options that `surewire send` and `surewire recv` share, and what they set."""

from __future__ import annotations

import argparse
import dataclasses
import os
import stat

from surewire.api.keys import unreadable_key
from surewire.apps.arguments import Arguments, seconds
from surewire.apps.console import complain, os_reason
from surewire.core.units import NS_PER_S
from surewire.errors import ConfigError
from surewire.native.config import LEAST_DATAGRAM, MOST_DATAGRAM, NativeConfig

KEY_SIZE = 32
_MOST_KEY_FILE = 4096  # bytes; a longer file is something else


def add_keys(parser: argparse.ArgumentParser) -> Arguments:
    """Add what both sides have of keys; what is added to the result excludes the others."""
    keys = parser.add_argument_group("keys (one of them)").add_mutually_exclusive_group()
    keys.add_argument("--psk", metavar="FILE", help="a key that both sides share: a file with 64 hexadecimal digits")
    keys.add_argument("--plain", action="store_true", help="nothing is encrypted, nobody is known; checksums only")
    return keys


def add_shared(parser: argparse.ArgumentParser) -> None:
    """Add what both sides have of path and output."""
    path = parser.add_argument_group("the path")
    path.add_argument(
        "--mtu",
        type=datagram_size,
        metavar="N",
        help=f"bytes of UDP payload in a full datagram, {LEAST_DATAGRAM} to {MOST_DATAGRAM} (default: searched for)",
    )
    path.add_argument("--no-offload", action="store_true", help="one datagram a system call (no UDP_SEGMENT, UDP_GRO)")
    path.add_argument(
        "--timeout",
        type=seconds,
        default=30.0,
        metavar="S",
        help="seconds of silence after which a transfer is given up (default %(default)g)",
    )
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print one JSON object a file on standard output")
    output.add_argument("-q", "--quiet", action="store_true", help="no progress and no summary, errors only")


def datagram_size(text: str) -> int:
    """An argument that is a length of datagrams."""
    if not text.isascii() or not text.isdigit() or not LEAST_DATAGRAM <= int(text[:9]) <= MOST_DATAGRAM:
        raise argparse.ArgumentTypeError(f"'{text[:20]}' is not a number from {LEAST_DATAGRAM} to {MOST_DATAGRAM}")
    return int(text)


def make_config(timeout: float) -> NativeConfig:
    """Settings of a connection that is given up after `timeout` seconds of silence."""
    defaults = NativeConfig()
    patience = int(timeout * NS_PER_S)
    transport = dataclasses.replace(defaults.transport, idle_timeout=patience, handshake_timeout=patience)
    return dataclasses.replace(defaults, transport=transport, keepalive=min(defaults.keepalive, max(patience // 3, 1)))


def read_shared_key(prog: str, path: str | None) -> bytes | None:
    """The key in the file of --psk, None without one. A file that others can read is used, but not silently.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            others = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077
            text = file.read(_MOST_KEY_FILE).strip()
    except (OSError, ValueError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else error
        raise unreadable_key(path, reason) from None
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE:
        raise ConfigError(
            f"{path} holds no key: {2 * KEY_SIZE} hexadecimal digits expected (openssl rand -hex {KEY_SIZE})"
        )
    if others:
        complain(prog, f"note: others can read the key in {path} (chmod 600 {path})")
    return key
