"""`surewire router`: a UDP relay that behaves like a bad network, for any two UDP programs.

This file is the command: arguments in, a relay run, a summary out. The relaying is in
`surewire.drivers.relay`, what happens to a datagram in `surewire.impair`.

Exit codes: 0 ended by --duration, an interrupt (Ctrl-C) or SIGTERM; 1 an address does not resolve or
cannot be used; 2 bad arguments.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from surewire.apps.router_options import (
    DIRECTIONS,
    NS_PER_S,
    add_path_arguments,
    link_config,
    parse_destination,
    parse_endpoint,
    parse_seconds,
)
from surewire.drivers.relay import LATE, Relay, RelayConfig, RelayStats
from surewire.drivers.relay_sockets import Endpoint
from surewire.errors import ConfigError
from surewire.impair import LinkStats

EXIT_OK = 0
EXIT_ADDRESS = 1
EXIT_USAGE = 2

DESCRIPTION = "Relay UDP between clients and a server over an emulated bad path, with a source port per client (NAT)."
EPILOG = (
    "All options of the path apply to each direction separately: --loss 10 loses 10% each way. "
    "Clients idle for five minutes are forgotten; at most 256 are served at once. "
    "Exit codes: 0 ended by --duration, Ctrl-C or SIGTERM; 1 an address does not resolve or cannot be used; "
    "2 bad arguments."
)

_LIVE_INTERVAL = NS_PER_S // 2
_CLEAR_LINE = "\r\x1b[K"
_ROWS = (
    ("offered", "offered"),
    ("offered bytes", "offered_bytes"),
    ("lost", "lost"),
    ("dropped, queue full", "queue_dropped"),
    ("blacked out", "blacked_out"),
    ("duplicated", "duplicated"),
    ("corrupted", "corrupted"),
    ("reordered", "reordered"),
    ("delivered", "delivered"),
    ("delivered bytes", "delivered_bytes"),
    ("peak queue bytes", "peak_queue_bytes"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the router's arguments to a parser, its own or a subcommand's."""
    parser.add_argument(
        "--listen", required=True, type=parse_endpoint, metavar="HOST:PORT", help="where clients send to; port 0: any"
    )
    parser.add_argument(
        "--to", required=True, type=parse_destination, metavar="HOST:PORT", help="the server; IPv6 in brackets"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="seed of all random decisions, default: a new one")
    parser.add_argument("--duration", type=parse_seconds, metavar="S", help="end after S seconds, default: never")
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    parser.add_argument("--quiet", action="store_true", help="no live counters on the terminal")
    add_path_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Relay as the parsed arguments say, print the summary, return the exit code."""
    seed = args.seed if args.seed is not None else secrets.randbelow(2**32)
    try:
        config = RelayConfig(up=link_config(args, "up"), down=link_config(args, "down"), seed=seed)
    except ConfigError as error:
        return _fail(EXIT_USAGE, str(error))
    try:
        relay, server = _open_relay(args, config)
    except OSError as error:
        return _fail(EXIT_ADDRESS, str(error))
    with relay, _ended_by_signals(relay):
        listening = str(relay.endpoint)
        print(f"listening on {listening}", file=sys.stderr, flush=True)
        started = time.monotonic_ns()
        _relay_until_end(relay, args.duration, live=not args.quiet and sys.stderr.isatty())
        summary = {
            "listen": listening,
            "to": str(server),
            "seed": seed,
            "duration_s": round((time.monotonic_ns() - started) / NS_PER_S, 6),
            "relay": _relay_record(relay.snapshot()),
            "up": dataclasses.asdict(relay.up),
            "down": dataclasses.asdict(relay.down),
        }
    print(json.dumps(summary) if args.json else _summary_text(summary), flush=True)
    return EXIT_OK


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (default: the process's); returns the exit code."""
    parser = _OneLineParser(prog="surewire router", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False)
    add_arguments(parser)
    try:
        args = parser.parse_args(argv)
    except SystemExit as end:
        return EXIT_OK if end.code is None else int(end.code)
    return run(args)


class _OneLineParser(argparse.ArgumentParser):
    """A parser that answers a bad argument with one line, not with the whole usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"{self.prog}: error: {message} (see --help)\n")


def _fail(code: int, reason: str) -> int:
    print(f"surewire router: error: {reason}", file=sys.stderr)
    return code


def _open_relay(args: argparse.Namespace, config: RelayConfig) -> tuple[Relay, Endpoint]:
    """Resolve both addresses and bind.

    Raises:
        OSError: its text names the argument at fault.
    """
    try:
        server = Endpoint.resolve(*args.to)
    except OSError as error:
        raise OSError(f"--to {_join(args.to)}: {error.strerror or error}") from error
    try:
        return Relay(Endpoint.resolve(*args.listen), server, config), server
    except OSError as error:
        raise OSError(f"cannot listen on {_join(args.listen)}: {error.strerror or error}") from error


def _join(endpoint: tuple[str, int]) -> str:
    host, port = endpoint
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def _ended_by_signals(relay: Relay) -> Iterator[None]:
    """While this lasts, an interrupt and SIGTERM stop the relay instead of the process."""

    def stop(signum: int, frame: FrameType | None) -> None:
        relay.stop()

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _relay_until_end(relay: Relay, duration: int | None, *, live: bool) -> None:
    """Relay for `duration` ns (None: no limit) or until stopped, with counters on stderr if `live`."""
    if not live:
        relay.run(duration)
        return
    deadline = None if duration is None else time.monotonic_ns() + duration
    stopped = False
    while not stopped:
        left = _LIVE_INTERVAL if deadline is None else min(_LIVE_INTERVAL, deadline - time.monotonic_ns())
        if left <= 0:
            break
        stopped = relay.run(left)
        print(_CLEAR_LINE + _live_text(relay), end="", file=sys.stderr, flush=True)
    print(_CLEAR_LINE, end="", file=sys.stderr, flush=True)


def _live_text(relay: Relay) -> str:
    """One line of less than 80 characters for counts of up to a million."""
    parts = [f"clients {relay.active_clients}"]
    for name, stats in (("up", relay.up), ("down", relay.down)):
        parts.append(f"{name} {stats.offered}>{stats.delivered} lost {_gone(stats)}")
    return " | ".join(parts)


def _gone(stats: LinkStats) -> int:
    return stats.lost + stats.queue_dropped + stats.blacked_out


def _relay_record(stats: RelayStats) -> dict[str, Any]:
    record = dataclasses.asdict(stats)
    record["worst_lateness_ms"] = round(record.pop("worst_lateness") / 1e6, 3)
    return record


def _summary_text(summary: dict[str, Any]) -> str:
    names = [name for _, name in DIRECTIONS]
    lines = [
        f"relayed {summary['listen']} to {summary['to']} for {summary['duration_s']:.3f} s, seed {summary['seed']}",
        f"{'datagrams':<20}{names[0]:>18}{names[1]:>18}",
    ]
    lines += [f"{label:<20}{summary['up'][key]:>18}{summary['down'][key]:>18}" for label, key in _ROWS]
    relay = summary["relay"]
    lines.append(
        f"clients: {relay['clients']} served, {relay['clients_evicted']} forgotten, "
        f"{relay['clients_refused']} datagrams of clients refused"
    )
    lines.append(f"ICMP errors: {relay['icmp_errors']}, not sent: {relay['unsent']}, not yet due: {relay['pending']}")
    drops = relay["receive_drops"]
    lines.append(
        f"keeping up: {relay['late']} deliveries over {LATE // 1_000_000} ms late "
        f"(worst {relay['worst_lateness_ms']} ms), {relay['overflowed']} dropped for lack of memory, "
        f"{'unknown' if drops is None else drops} dropped by the system unread"
    )
    if relay["late"] or relay["overflowed"] or drops:
        lines.append("WARNING: the relay did not keep up, so the path was worse than the options say")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
