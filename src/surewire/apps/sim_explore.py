"""`surewire sim explore`: all that a bad network can do to two sessions, up to a bound.

This file is the command: arguments in, a table (or JSON) out. The search is `surewire.lab.proof.explorer`; no packet
leaves the process. What the exit statuses mean is in `EPILOG`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence

from surewire.apps import console, exit_codes
from surewire.core.units import NS_PER_S
from surewire.errors import ConfigError
from surewire.lab.proof import explore_rdp, explore_streamer
from surewire.lab.proof.explorer import Budget, Report, World, explore, replay

DESCRIPTION = """\
Let a network lose, copy, delay and reorder the first packets between two sessions
in every possible way, and then be good: whatever it did, nothing false may have been
claimed, and both sides have to end rightly within a deadline.
"""

_EPILOG = """\
worlds, of --protocol rdp:
{rdp}
worlds, of --protocol streamer:
{streamer}

columns:
  states       different states met while the network was bad
  steps        ways out of them that were tried
  ends         states in which the budget was used up, or both sides had closed
  depth        choices of the longest way there
  longest      seconds from the network's turning good to the end, at most
  complete     whether everything within the bound was seen in time

A violation is told with the choices that lead there; --choices shows them step by step:
  t    the next timer rings          d3   the fourth datagram on its way arrives
  x0   the first one is lost         c0   it arrives, and a copy stays on its way

exit status:
  0    nothing wrong was found
  2    wrong arguments, or choices that are not possible
  6    something wrong was found
  130  interrupted
"""

WORLDS: Mapping[str, Sequence[World]] = {"rdp": explore_rdp.WORLDS, "streamer": explore_streamer.WORLDS}

_PROG = "surewire sim explore"
_MAX_BUDGET = 100
_MAX_SECONDS = 1_000_000


def _list(worlds: Sequence[World]) -> str:
    return "\n".join(f"  {world.name:<15}{world.description}" for world in worlds)


EPILOG = _EPILOG.format(rdp=_list(WORLDS["rdp"]), streamer=_list(WORLDS["streamer"]))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("--protocol", choices=list(WORLDS), help="default: both")
    parser.add_argument("--world", metavar="NAME", help="one of those below; default: all")
    bound = parser.add_argument_group("what the network may do")
    for option, default, text in (
        ("--packets", 5, "fates of datagrams it decides: arrivals, losses and copies"),
        ("--faults", 1, "losses and copies among them"),
        ("--waits", 1, "timers that ring while something is on its way"),
        ("--swaps", None, "arrivals before one that was sent earlier; default: no limit"),
    ):
        text += "" if default is None else ", default %(default)s"
        bound.add_argument(option, type=_budget, default=default, metavar="N", help=text)
    parser.add_argument(
        "--seconds", type=_seconds, metavar="S", help="processor seconds a world may take, default: any"
    )
    parser.add_argument(
        "--choices", type=_choices, metavar="C,C,...", help="follow these instead of all; needs --protocol and --world"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")


def run(args: argparse.Namespace, worlds: Mapping[str, Sequence[World]] = WORLDS) -> int:
    """Explore `worlds` as the parsed arguments say; return the exit status."""
    try:
        chosen = _chosen(args, worlds)
        with console.plain_interrupts():
            if args.choices is not None:
                return _replay(args, chosen)
            return _explore(args, chosen)
    except ConfigError as error:
        console.complain(_PROG, error)
        return exit_codes.USAGE


def _explore(args: argparse.Namespace, chosen: Sequence[tuple[str, World]]) -> int:
    swaps = args.packets if args.swaps is None else args.swaps
    budget = Budget(args.packets, args.faults, args.waits, swaps)
    width = max(len(f"{protocol} {world.name}") for protocol, world in chosen)
    if not args.json:
        print(f"{budget.packets} packets, {budget.faults} faults, {budget.waits} waits, {budget.swaps} swaps\n")
        print(
            f"{'world':<{width}}{'states':>10}{'steps':>10}{'ends':>9}{'depth':>7}{'longest':>9}{'cpu s':>8}  complete"
        )
    reports = []
    for protocol, world in chosen:
        report = explore(world, budget, max_cpu_s=args.seconds)
        reports.append((protocol, world, report))
        if not args.json:
            print(_row(f"{protocol} {world.name}", width, report), flush=True)
    if args.json:
        records = [_record(protocol, world, report) for protocol, world, report in reports]
        print(json.dumps({"budget": budget._asdict(), "worlds": records}))
    for protocol, world, report in reports:
        if report.violation is not None:
            console.complain(_PROG, f"{protocol} {world.name}: {report.violation.problem}")
            words = f"--protocol {protocol} --world {world.name} --choices {','.join(report.violation.choices)}"
            console.complain(_PROG, f"to see it: {_PROG} {words}")
    is_wrong = any(report.violation is not None for _, _, report in reports)
    return exit_codes.LOST if is_wrong else exit_codes.OK


def _replay(args: argparse.Namespace, chosen: Sequence[tuple[str, World]]) -> int:
    if len(chosen) != 1:
        raise ConfigError("--choices needs one world: name it by --protocol and --world")
    ((_, world),) = chosen
    lines: list[str] = []
    violation = replay(world, args.choices, lines.append if args.json else print)
    if args.json:
        print(json.dumps({"lines": lines, "problem": None if violation is None else violation.problem}))
    if violation is None:
        return exit_codes.OK
    console.complain(_PROG, violation.problem)
    return exit_codes.LOST


def _chosen(args: argparse.Namespace, worlds: Mapping[str, Sequence[World]]) -> list[tuple[str, World]]:
    protocols = [args.protocol] if args.protocol else list(worlds)
    found = [(each, world) for each in protocols for world in worlds[each] if args.world in (None, world.name)]
    if not found:
        raise ConfigError(f"there is no world '{args.world}'{f' of {args.protocol}' if args.protocol else ''}")
    return found


def _row(name: str, width: int, report: Report) -> str:
    complete = "yes" if report.is_complete else "WRONG" if report.violation is not None else "no"
    return (
        f"{name:<{width}}{report.states:>10}{report.transitions:>10}{report.leaves:>9}{report.depth:>7}"
        f"{report.longest / NS_PER_S:>9.2f}{report.cpu_s:>8.1f}  {complete}"
    )


def _record(protocol: str, world: World, report: Report) -> dict[str, object]:
    violation = report.violation
    return {
        "protocol": protocol,
        "world": world.name,
        "states": report.states,
        "steps": report.transitions,
        "ends": report.leaves,
        "depth": report.depth,
        "longest_s": round(report.longest / NS_PER_S, 3),
        "cpu_s": round(report.cpu_s, 1),
        "complete": report.is_complete,
        "outcomes": dict(sorted(report.outcomes.items())),
        "violation": None if violation is None else {"problem": violation.problem, "choices": list(violation.choices)},
    }


def _whole(text: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10 or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}, not '{text}'")
    return int(text)


def _budget(text: str) -> int:
    return _whole(text, 0, _MAX_BUDGET)


def _seconds(text: str) -> int:
    return _whole(text, 1, _MAX_SECONDS)


def _choices(text: str) -> list[str]:
    return [word for word in text.split(",") if word]
