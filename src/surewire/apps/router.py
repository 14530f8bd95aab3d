"""`surewire router`: a UDP relay that behaves like a bad network, for any two UDP programs.

This file is the command: arguments in, a relay run, a summary out. The relaying is in
`surewire.drivers.relay`, what happens to a datagram in `surewire.impair`, what is printed in `router_report`.

Exit codes: 0 ended by --duration, an interrupt (Ctrl-C) or SIGTERM; 1 an address does not resolve or
cannot be used; 2 bad arguments, among them a scenario that does not exist; 3 with --strict: it did not keep up.
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
from typing import NoReturn

from surewire.apps.arguments import parse_destination, parse_endpoint
from surewire.apps.console import is_error_terminal, say
from surewire.apps.router_options import (
    NS_PER_S,
    add_path_arguments,
    link_config,
    parse_seconds,
)
from surewire.apps.router_report import live_text, relay_records, silence, summary_text, warning
from surewire.drivers.relay import Relay
from surewire.drivers.relay_config import RelayConfig
from surewire.drivers.relay_sockets import Endpoint, has_many_addresses
from surewire.errors import ConfigError
from surewire.impair import LinkConfig, Rebinding, Scenario
from surewire.lab.proof.conversation_check import PROTOCOLS, ConversationCheck
from surewire.lab.scenario_files import load_scenario

EXIT_OK = 0
EXIT_ADDRESS = 1
EXIT_USAGE = 2
EXIT_BEHIND = 3
EXIT_BROKEN = 4

DESCRIPTION = "Relay UDP between clients and a server over an emulated bad path, with a source port per client (NAT)."
EPILOG = (
    "All options of the path apply to each direction separately: --loss 10 loses 10% each way. "
    "With --scenario they override what it says. "
    "Clients idle for five minutes are forgotten; at most 256 are served at once. "
    "Exit codes: 0 ended by --duration, Ctrl-C or SIGTERM; 1 an address does not resolve or cannot be used; "
    "2 bad arguments, among them a scenario that does not exist; 3 with --strict: the router did not keep up; "
    "4 with --check: a datagram broke a rule."
)

_LIVE_INTERVAL = NS_PER_S // 2
_CLEAR_LINE = "\r\x1b[K"
_PERFECT = Scenario(name="perfect", up=LinkConfig(), down=LinkConfig())


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
    parser.add_argument(
        "--scenario", metavar="NAME|FILE", help="a path by name, or a TOML file; the options given besides override it"
    )
    parser.add_argument(
        "--rebind",
        type=parse_seconds,
        metavar="S",
        help="a NAT that forgets: each S seconds clients get another source port (overrides a scenario's)",
    )
    parser.add_argument(
        "--rebind-address",
        action="store_true",
        help="--rebind, or the scenario's, changes the source address, too (servers on 127.x.x.x, Linux)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit code 3 if the router did not keep up, so that the path was worse"
    )
    parser.add_argument(
        "--check",
        choices=PROTOCOLS,
        metavar="PROTOCOL",
        help="hold each datagram against the rules of rdp or streamer (one conversation); exit code 4 if one broke",
    )
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    parser.add_argument("--quiet", action="store_true", help="no live counters on the terminal")
    add_path_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Relay as the parsed arguments say, print the summary, return the exit code."""
    try:
        scenario = _PERFECT if args.scenario is None else load_scenario(args.scenario)
        server = _resolve_server(args)
        rebinding, note = _rebinding(args, scenario, server)
        config = _relay_config(args, scenario, rebinding)
        check = None if args.check is None else ConversationCheck(args.check)
        relay = _open_relay(args, server, config, check)
    except ConfigError as error:
        return _fail(EXIT_USAGE, str(error))
    except OSError as error:
        return _fail(EXIT_ADDRESS, str(error))
    with relay, _ended_by_signals(relay):
        listening = str(relay.endpoint)
        say(f"listening on {listening}\n")
        if scenario.cross_traffic:
            _note(f"scenario {scenario.name} has cross traffic, which the router cannot play; the rest is as it says")
        if note is not None:
            _note(note)
        started = time.monotonic_ns()
        _relay_until_end(relay, args.duration, live=not args.quiet and is_error_terminal())
        summary = {
            "listen": listening,
            "to": str(server),
            "scenario": args.scenario,
            "seed": config.seed,
            "duration_s": round((time.monotonic_ns() - started) / NS_PER_S, 6),
            **relay_records(relay),
        }
        if check is not None:
            summary["violations"] = [str(violation) for violation in check.findings.kept]
        stats = relay.snapshot()
        silent = silence(relay.up, relay.down, stats)
    print(json.dumps(summary) if args.json else summary_text(summary), flush=True)
    if (said := warning(stats)) is not None:
        say(f"surewire router: warning: {said}\n")
    if silent is not None:
        _note(silent)
    if check is not None and check.findings.count:
        count, first = check.findings.count, check.findings.kept[0]
        return _fail(EXIT_BROKEN, f"{count} times a rule of {args.check} was broken, first {first}")
    return EXIT_OK if stats.kept_up or not args.strict else EXIT_BEHIND


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
    say(f"surewire router: error: {reason}\n")
    return code


def _note(text: str) -> None:
    say(f"surewire router: note: {text}\n")


def _resolve_server(args: argparse.Namespace) -> Endpoint:
    """Raises OSError, whose text names the argument at fault."""
    try:
        return Endpoint.resolve(*args.to)
    except OSError as error:
        raise OSError(f"--to {_join(args.to)}: {error.strerror or error}") from error


def _relay_config(args: argparse.Namespace, scenario: Scenario, rebinding: Rebinding | None) -> RelayConfig:
    """Raises ConfigError if options contradict each other."""
    return RelayConfig(
        up=link_config(args, "up", base=scenario.up),
        down=link_config(args, "down", base=scenario.down),
        seed=args.seed if args.seed is not None else secrets.randbelow(2**32),
        rebinding=rebinding,
    )


def _rebinding(args: argparse.Namespace, scenario: Scenario, server: Endpoint) -> tuple[Rebinding | None, str | None]:
    """What the NAT is to do, and a note if that is less than the scenario says.

    Raises:
        ConfigError: the options ask for what cannot be.
    """
    wanted = scenario.rebinding
    if args.rebind is not None:
        wanted = Rebinding(first=args.rebind, every=args.rebind)
    if args.rebind_address:
        if wanted is None:
            raise ConfigError("--rebind-address needs --rebind, or a scenario that rebinds")
        if not has_many_addresses(server):
            raise ConfigError("--rebind-address works only towards a server on 127.x.x.x, on Linux")
        wanted = dataclasses.replace(wanted, address=True)
    if wanted is None or not wanted.address or has_many_addresses(server):
        return wanted, None
    note = (
        f"scenario {scenario.name} changes the source address, which the router can only towards a server on "
        "127.x.x.x, on Linux; only the port changes"
    )
    return dataclasses.replace(wanted, address=False), note


def _open_relay(
    args: argparse.Namespace, server: Endpoint, config: RelayConfig, check: ConversationCheck | None
) -> Relay:
    """Raises OSError, whose text names the argument at fault."""
    try:
        return Relay(Endpoint.resolve(*args.listen), server, config, tap=check)
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
        say(_CLEAR_LINE + live_text(relay))
    say(_CLEAR_LINE)


if __name__ == "__main__":
    sys.exit(main())
