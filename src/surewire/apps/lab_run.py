"""`surewire lab run`: a server and a client of the user's in the laboratory, and one JSON object about it.

This file is the command: arguments in, a run, JSON out. The laboratory is in `surewire.lab.wired`.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from surewire.apps import exit_codes
from surewire.apps.console import complain, os_reason
from surewire.apps.lab_output import CommandOutput
from surewire.apps.router_options import NS_PER_S, add_path_arguments, link_config, parse_seconds
from surewire.drivers.namespaces import NamespaceError
from surewire.errors import ConfigError
from surewire.impair import LinkConfig, Scenario
from surewire.lab.proof.conversation_check import PROTOCOLS, ConversationCheck
from surewire.lab.scenario_files import load_scenario
from surewire.lab.wired.capture import read_capture
from surewire.lab.wired.emulation import EMULATORS
from surewire.lab.wired.laboratory import LabOptions, LabReport, WiredLab
from surewire.lab.wired.running import PairReport, Patience, run_pair

DESCRIPTION = """\
Start SERVER at the server's host, wait until it listens, start CLIENT at the
client's host behind the NAT, wait for both, and print one JSON object. In both
commands {server}, {client} and {router} become addresses: 10.10.1.100,
192.168.1.100 and, of the router, the outer one, 10.10.1.1.

    surewire lab run --scenario lab-router -- \\
        rdpr {server} 8080 copy ::: rdps {client} 0 {server} 8080 file

What the commands print goes to standard error, each line with "server: " or
"client: " in front, or to files (--logs).
"""

EPILOG = """\
The client and the server must end by themselves or be servers: a server that still
runs --grace seconds after the client has ended is stopped, and that is no failure.
Damage (--corrupt) flips bits anywhere in IP packets, so kernels drop most damaged
packets for their checksums; --corrupt-past-checksum is for testing a program's own.

exit status:
  0    both commands ended with 0, or the client did and the server was stopped
  1    a command failed, the server never listened, or the time was over
  2    wrong arguments
  3    the laboratory cannot be built here, or failed: not root, not Linux, a command
       is missing
  4    with --check: both commands ended well, but a datagram broke a rule
  130  interrupted (Ctrl-C, SIGTERM)
"""

COMMAND_FAILED = 1
NO_LABORATORY = 3
RULE_BROKEN = 4
SEPARATOR = ":::"
_PROG = "surewire lab run"
_NS_PER_MS = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    parser.add_argument("--scenario", metavar="NAME", help="a scenario's name, or FILE.toml; default: a perfect wire")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the emulator, default: a new one")
    parser.add_argument("--timeout", type=parse_seconds, metavar="S", help="for the client; default: the scenario's")
    parser.add_argument("--grace", type=parse_seconds, default="5", metavar="S", help="see below; default %(default)s")
    parser.add_argument(
        "--ready-after",
        type=parse_seconds,
        metavar="S",
        help="start CLIENT after S seconds, whether SERVER listens or not",
    )
    parser.add_argument("--no-nat", action="store_true", help="the router forwards without translation")
    parser.add_argument(
        "--emulator",
        choices=EMULATORS,
        default="auto",
        help="tun: ours; netem: the kernel's; auto: the kernel's where there is one that does the scenario exactly",
    )
    parser.add_argument(
        "--corrupt-past-checksum", action="store_true", help="damage payloads only and make checksums good again"
    )
    parser.add_argument("--capture", metavar="FILE", help="write all packets to FILE (pcapng, for Wireshark)")
    parser.add_argument(
        "--check",
        choices=PROTOCOLS,
        help="hold each datagram on the wire against the rules of this protocol (one conversation)",
    )
    parser.add_argument("--logs", metavar="DIR", help="write what the commands print to files in DIR")
    add_path_arguments(parser)
    parser.add_argument("commands", nargs="+", metavar="-- SERVER ::: CLIENT", help="the two commands")


def run(args: argparse.Namespace) -> int:
    """Run what the parsed arguments say, print the report, return the exit status."""
    try:
        server, client = split_commands(args.commands)
        scenario = chosen_scenario(args)
        with _sigterm_interrupts(), CommandOutput(args.logs) as output, _capture_file(args) as capture:
            options = _options(args, capture)
            with WiredLab(scenario, options) as lab:
                began = time.monotonic()
                pair = run_pair(
                    lab,
                    server,
                    client,
                    _patience(args, scenario),
                    server_streams=output.streams("server"),
                    client_streams=output.streams("client"),
                )
                seconds = time.monotonic() - began
                report = lab.finish()
            output.finish()
            check = None if args.check is None or capture is None else _checked(args.check, capture)
    except ConfigError as error:
        return _fail(exit_codes.USAGE, str(error))
    except NamespaceError as error:
        return _fail(NO_LABORATORY, str(error))
    except OSError as error:
        return _fail(exit_codes.USAGE, f"{error.filename}: {os_reason(error)}" if error.filename else os_reason(error))
    except KeyboardInterrupt:
        complain(_PROG, "interrupted")
        return exit_codes.INTERRUPTED
    record = _record(scenario, options, pair, report, seconds)
    if check is not None:
        record["violations"] = [str(violation) for violation in check.findings.kept]
    print(json.dumps(record), flush=True)
    if not report.kept_up:
        complain(_PROG, "WARNING: the emulator did not keep up, so the wire was worse than the scenario")
    if pair.failure is not None:
        return _fail(COMMAND_FAILED, pair.failure)
    if check is not None and check.findings.count:
        count, first = check.findings.count, check.findings.kept[0]
        return _fail(RULE_BROKEN, f"{count} times a rule of {args.check} was broken, first {first}")
    return exit_codes.OK


@contextlib.contextmanager
def _capture_file(args: argparse.Namespace) -> Iterator[Path | None]:
    """Where to capture: where the arguments say, or for a check in a file that goes afterwards."""
    if args.capture is not None or args.check is None:
        yield None if args.capture is None else Path(args.capture)
        return
    with tempfile.TemporaryDirectory(prefix="surewire-lab-") as folder:
        yield Path(folder) / "wire.pcapng"


def _checked(protocol: str, capture: Path) -> ConversationCheck:
    check = ConversationCheck(protocol)
    with capture.open("rb") as file:
        check.take_capture(read_capture(file))
    return check


def split_commands(words: list[str]) -> tuple[list[str], list[str]]:
    """SERVER and CLIENT out of `SERVER ::: CLIENT`.

    Raises:
        ConfigError: there are not two commands.
    """
    if words.count(SEPARATOR) != 1:
        raise ConfigError(f"expected two commands with {SEPARATOR} between them: -- SERVER {SEPARATOR} CLIENT")
    at = words.index(SEPARATOR)
    server, client = words[:at], words[at + 1 :]
    if not server or not client:
        raise ConfigError(f"a command is missing {'before' if not server else 'after'} {SEPARATOR}")
    return server, client


def chosen_scenario(args: argparse.Namespace) -> Scenario:
    """The scenario the arguments name, with their path options over it.

    Raises:
        ConfigError: there is no such scenario, or the options make no sense.
    """
    if args.scenario is None:
        scenario = Scenario(name="plain", up=LinkConfig(), down=LinkConfig(), description="a perfect wire")
    else:
        scenario = load_scenario(args.scenario)
    up, down = link_config(args, "up", base=scenario.up), link_config(args, "down", base=scenario.down)
    return dataclasses.replace(scenario, up=up, down=down)


def _options(args: argparse.Namespace, capture: Path | None) -> LabOptions:
    return LabOptions(
        seed=secrets.randbelow(2**32) if args.seed is None else args.seed,
        nat=not args.no_nat,
        emulator=args.emulator,
        past_checksum=args.corrupt_past_checksum,
        capture=capture,
    )


def _patience(args: argparse.Namespace, scenario: Scenario) -> Patience:
    timeout = scenario.deadline if args.timeout is None else args.timeout
    return Patience(
        timeout_s=timeout / NS_PER_S,
        grace_s=args.grace / NS_PER_S,
        ready_after_s=None if args.ready_after is None else args.ready_after / NS_PER_S,
    )


def _record(
    scenario: Scenario, options: LabOptions, pair: PairReport, report: LabReport, seconds: float
) -> dict[str, Any]:
    wire = report.wire
    return {
        "scenario": scenario.name,
        "seed": options.seed if wire.emulator == "tun" else None,
        "emulator": wire.emulator,
        "nat": options.nat,
        "addresses": dict(WiredLab.ADDRESSES),
        "ok": pair.failure is None,
        "failure": pair.failure,
        "seconds": round(seconds, 3),
        "server": dataclasses.asdict(pair.server),
        "client": dataclasses.asdict(pair.client),
        "up": wire.up,
        "down": wire.down,
        "kept_up": report.kept_up,
        "wire": _wire_record(wire.wire, wire.unread),
        "rebindings": report.rebindings,
        "cross_traffic": [dataclasses.asdict(flow) for flow in report.other_flows],
    }


def _wire_record(stats: dict[str, int], unread: int) -> dict[str, float]:
    """The wire's counters, times in ms as in the router's JSON."""
    record: dict[str, float] = {**stats, "unread": unread}
    if "worst_lateness" in record:  # netem does not tell
        record["worst_lateness_ms"] = round(record.pop("worst_lateness") / _NS_PER_MS, 3)
    return record


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """While this lasts, SIGTERM ends the run in order, as Ctrl-C does; also where a shell had Ctrl-C ignored."""

    def interrupt(signum: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _fail(code: int, reason: str) -> int:
    complain(_PROG, f"error: {reason}")
    return code


def main(argv: list[str] | None = None) -> int:
    """Run the command by itself; returns the exit status."""
    parser = argparse.ArgumentParser(prog=_PROG, description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False)
    add_arguments(parser)
    return run(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
