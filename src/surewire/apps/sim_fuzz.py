"""`surewire sim fuzz`: random conversations in virtual time, on all cores, every one of them watched and judged.

This file is the command: arguments in, a campaign of `surewire.lab.proof.fuzz`, failures and a summary out. What the
exit statuses mean is in `EPILOG`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import textwrap
import time
from collections import Counter
from pathlib import Path

from surewire.apps import console, exit_codes
from surewire.core.units import NS_PER_S
from surewire.lab.proof.fuzz import SAME_TRACE, SeedResult, Summary, campaign, check_case, rule_of
from surewire.lab.proof.fuzz_case import as_json
from surewire.lab.proof.fuzz_cases import PROTOCOLS, draw_case
from surewire.lab.proof.minimize import minimize

DESCRIPTION = """\
Draw a case from each seed (a path with any impairments, settings, applications and
what strangers do), run it in virtual time, and check everything that was promised:
what arrives is what was sent, once and in order; nothing is called delivered that is
not; each side ends in time, well or with an error that says why; no packet breaks
the format; memory and timers stay within their limits. Where nothing was in the way,
the case must succeed.
"""

EPILOG = """\
The same seed gives the same case and the same run, datagram by datagram; every 16th
seed is run twice to see that it does. `surewire sim replay` runs one of them again.

exit status:
  0    no case failed
  1    a case failed
  2    wrong arguments
  3    a minimized case cannot be written
  130  interrupted; the summary so far is printed first
"""

_PROG = "surewire sim fuzz"
_FAILED = 1
_CLEAR_LINE = "\r\x1b[K"
_MAX_SEEDS = 10_000_000
_MAX_TOLD = 20  # failures told one by one
_MAX_MINIMIZED = 5  # the others are usually the same defect again
_WIDTH = 106


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("--seeds", type=_seeds, default=1000, metavar="N", help="how many cases, default %(default)s")
    parser.add_argument("--start", type=whole, default=0, metavar="S", help="the first seed, default %(default)s")
    parser.add_argument(
        "--jobs",
        type=_jobs,
        default=os.cpu_count() or 1,
        metavar="J",
        help="processes, default %(default)s (all cores)",
    )
    parser.add_argument("--protocol", choices=PROTOCOLS, help="default all")
    parser.add_argument("--time-limit", type=_seconds, metavar="S", help="begin no more cases after so many seconds")
    parser.add_argument(
        "--minimize", action="store_true", help="make the first 5 failing cases smaller, and write each to a file"
    )
    parser.add_argument(
        "--cases", type=Path, default=Path(), metavar="DIR", help="folder for these files, default here"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the summary")


def run(args: argparse.Namespace) -> int:
    """Fuzz as the parsed arguments say; return the exit status."""
    if args.minimize and not args.cases.is_dir():
        console.complain(_PROG, f"cannot write to {args.cases}: there is no such folder")
        return exit_codes.FILE
    began = time.monotonic()
    summary, failures = Summary(), list[SeedResult]()
    is_interrupted = False
    with contextlib.closing(campaign(_seed_range(args), protocol=args.protocol, jobs=args.jobs)) as results:
        try:
            for chunk in results:
                _take(chunk, summary, failures, args)
                if args.time_limit is not None and time.monotonic() - began >= args.time_limit:
                    break
        except KeyboardInterrupt:
            is_interrupted = True
    if console.is_error_terminal():
        console.say(_CLEAR_LINE)
    seconds = time.monotonic() - began
    print(json.dumps(record(summary, failures, seconds)) if args.json else table(summary, seconds), flush=True)
    if is_interrupted:
        return exit_codes.INTERRUPTED
    if args.minimize and not all(write_minimized(one, args) for one in failures[:_MAX_MINIMIZED]):
        return exit_codes.FILE
    return _FAILED if failures else exit_codes.OK


def table(summary: Summary, seconds: float) -> str:
    """The summary for people."""
    total = sum(summary.cases.values())
    lines = [
        f"{total:,} cases in {seconds:.1f} s, {summary.failed:,} failed; {summary.datagrams:,} datagrams, "
        f"{summary.virtual_ns / NS_PER_S / 3600:,.1f} hours of virtual time"
    ]
    for protocol, count in sorted(summary.cases.items()):
        lines += [
            "",
            f"{protocol}: {count:,} cases, in {summary.benign[protocol]:,} of them nothing but success would do",
            _shares("  ended with  ", summary.outcomes, protocol),
            _shares("  there were  ", summary.features, protocol),
        ]
    return "\n".join(lines)


def record(summary: Summary, failures: list[SeedResult], seconds: float) -> dict[str, object]:
    """The summary for programs."""
    return {
        "cases": dict(summary.cases),
        "benign": dict(summary.benign),
        "failed": summary.failed,
        "datagrams": summary.datagrams,
        "seconds": round(seconds, 3),
        "virtual_seconds": round(summary.virtual_ns / NS_PER_S, 3),
        "outcomes": _by_protocol(summary.outcomes, summary.cases),
        "features": _by_protocol(summary.features, summary.cases),
        "failures": [
            {"seed": one.seed, "protocol": one.protocol, "violations": list(one.violations)} for one in failures
        ],
    }


def _seed_range(args: argparse.Namespace) -> range:
    return range(args.start, args.start + args.seeds)


def _take(chunk: list[SeedResult], summary: Summary, failures: list[SeedResult], args: argparse.Namespace) -> None:
    """Count the results of some seeds, and tell the failures."""
    for one in chunk:
        summary.add(one)
        if not one.violations:
            continue
        failures.append(one)
        if len(failures) <= _MAX_TOLD:
            _tell(one, args)
        elif len(failures) == _MAX_TOLD + 1:
            console.complain(_PROG, "more cases failed, which are only counted")
    if console.is_error_terminal():
        console.say(f"{_CLEAR_LINE}{sum(summary.cases.values())} of {args.seeds} cases, {summary.failed} failed")


def _tell(one: SeedResult, args: argparse.Namespace) -> None:
    """A failure: what, and how to see it again."""
    if console.is_error_terminal():
        console.say(_CLEAR_LINE)
    more = f" (and {len(one.violations) - 1} more)" if len(one.violations) > 1 else ""
    console.complain(_PROG, f"seed {one.seed}, {one.protocol}: {one.violations[0]}{more}")
    console.say(f"  surewire sim replay {one.seed}{_protocol_option(args)} --trace\n")


def _protocol_option(args: argparse.Namespace) -> str:
    return f" --protocol {args.protocol}" if args.protocol else ""


def write_minimized(one: SeedResult, args: argparse.Namespace) -> bool:
    """Write the smallest case that fails as this seed does; False when it cannot be written."""
    if one.result is None:
        return True  # it would kill this process, too
    case = draw_case(one.seed, args.protocol)
    is_twice = one.violations[0].startswith(SAME_TRACE)
    rule = rule_of(one.violations)
    shrunk = minimize(case, lambda smaller: rule_of(check_case(smaller, is_twice=is_twice).violations) == rule)
    path = args.cases / f"surewire-fuzz-{one.protocol}-{one.seed}.json"
    try:
        path.write_text(as_json(shrunk.case) + "\n", encoding="utf-8")
    except OSError as error:
        console.complain(_PROG, f"cannot write {path}: {console.os_reason(error)}")
        return False
    console.say(
        f"  surewire sim replay --case {path} --trace   (seed {one.seed} made smaller in {shrunk.tried} runs)\n"
    )
    return True


def _shares(title: str, counts: Counter[tuple[str, str]], protocol: str) -> str:
    mine = [(name, count) for (owner, name), count in counts.most_common() if owner == protocol]
    return textwrap.fill(
        ", ".join(f"{name} {count:,}" for name, count in mine),
        width=_WIDTH,
        initial_indent=title,
        subsequent_indent=" " * len(title),
        break_on_hyphens=False,
    )


def _by_protocol(counts: Counter[tuple[str, str]], cases: Counter[str]) -> dict[str, dict[str, int]]:
    return {
        protocol: {name: count for (owner, name), count in counts.most_common() if owner == protocol}
        for protocol in sorted(cases)
    }


def whole(text: str, least: int = 0, most: int = 10**12) -> int:
    """A whole number for argparse."""
    if not text.isascii() or not text.isdigit() or len(text) > 12 or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}, not '{text}'")
    return int(text)


def _seeds(text: str) -> int:
    return whole(text, 1, _MAX_SEEDS)


def _jobs(text: str) -> int:
    return whole(text, 1, 1024)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"expected seconds, more than 0, not '{text}'")
    return seconds
