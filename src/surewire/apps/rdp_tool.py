"""The command line that rdps and rdpr share: options, their checks, and what they set."""

from __future__ import annotations

import argparse
import json
import os
import stat
import sys

from surewire import __version__
from surewire.apps import exit_codes
from surewire.apps.arguments import ToolParser, seconds
from surewire.apps.console import complain, os_reason
from surewire.core.config import TransportConfig
from surewire.core.units import NS_PER_S
from surewire.drivers.udp import UdpSocket
from surewire.errors import ConfigError
from surewire.rdp.config import RdpConfig


def make_parser(prog: str, description: str, usage: str) -> ToolParser:
    """A parser with the options both tools have; `usage` names the arguments."""
    parser = ToolParser(
        prog=prog,
        usage=f"{prog} {usage} [options]",
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


def parse(parser: ToolParser, argv: list[str]) -> argparse.Namespace:
    """The arguments; without any, or with bad ones, it says so and ends the process."""
    if not argv:
        complain(parser.prog, " ".join(parser.format_usage().split()))
        sys.exit(exit_codes.USAGE)
    return parser.parse_args(argv)


def port(text: str) -> int:
    """An argument that is a UDP port."""
    if not text.isascii() or not text.isdigit() or len(text) > 5 or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"'{text[:20]}' is no port: 0 to 65535 expected")
    return int(text)


def peer_port(text: str) -> int:
    """An argument that is the UDP port of somebody else."""
    value = port(text)
    if not value:
        raise argparse.ArgumentTypeError("nobody can be at port 0: 1 to 65535 expected")
    return value


def rdp_config(args: argparse.Namespace, *, magic: str | None = None, linger: float | None = None) -> RdpConfig:
    """Settings of a session from the options; `linger` is in seconds, None for the usual times.

    Raises:
        ConfigError: an option is out of range.
    """
    patience = int(args.timeout * NS_PER_S)
    if magic is not None and not magic.isascii():
        raise ConfigError("magic must be 1 to 32 printable ASCII characters without spaces")
    defaults = RdpConfig()
    plain_linger, our_linger = defaults.plain_linger, defaults.transport.linger
    if linger is not None:
        plain_linger = our_linger = int(linger * NS_PER_S)
    return RdpConfig(
        magic=defaults.magic if magic is None else magic.encode(),
        extensions=not args.plain,
        silent_close=min(patience, defaults.silent_close),
        plain_linger=plain_linger,
        transport=TransportConfig(idle_timeout=patience, handshake_timeout=patience, linger=our_linger),
    )


def require_distinct(args: argparse.Namespace, file: str) -> None:
    """Refuse to write the log or the figures over the file of the transfer, or over each other.

    Raises:
        ConfigError: two of them are one file, by whatever names.
    """
    seen: dict[tuple[int, int] | str, str] = {}
    for name, path in (("the file of the transfer", file), ("--log", args.log), ("--stats", args.stats)):
        identity = None if path is None else _identity(path)
        if identity is None:
            continue
        if identity in seen:
            raise ConfigError(f"{seen[identity]} and {name} are the same file, {path}")
        seen[identity] = name


def _identity(path: str) -> tuple[int, int] | str | None:
    """What makes two names one file; None for what can be shared, like a terminal or the null device."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return os.path.realpath(path)
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def open_socket(local: tuple[str, int], remote: tuple[str, int] | None, *, offload: bool, purpose: str) -> UdpSocket:
    """The socket of the transfer; `purpose` begins the complaint.

    Raises:
        AddressError: an address cannot be used.
    """
    try:
        socket = UdpSocket(local, remote=remote, offload=offload)
    except OSError as error:
        raise exit_codes.AddressError(f"{purpose}: {os_reason(error)}") from error
    if socket.address == socket.remote:
        socket.close()
        raise exit_codes.AddressError(f"{purpose}: that is the same address and port")
    return socket


def write_stats(prog: str, path: str | None, figures: dict[str, object]) -> None:
    """Write the figures of a run to `path`, if it was asked for; that it fails is only said."""
    if path is None:
        return
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps(figures) + "\n")
    except OSError as error:
        complain(prog, f"cannot write {path}: {os_reason(error)}")
