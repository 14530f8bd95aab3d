"""`surewire sim replay`: one case of the fuzzer again, with its packets.

This file is the command: arguments in, one run of `surewire.lab.proof.fuzz`, what came of it out. What the exit
statuses mean is in `EPILOG`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from surewire.apps import console, exit_codes
from surewire.apps.sim_fuzz import whole
from surewire.core.units import NS_PER_S
from surewire.errors import ConfigError
from surewire.lab.proof.fuzz import check_case, run_case
from surewire.lab.proof.fuzz_case import FuzzCase, as_json, from_json, protocol_of
from surewire.lab.proof.fuzz_cases import PROTOCOLS, draw_case
from surewire.lab.proof.fuzz_expect import is_benign
from surewire.lab.proof.fuzz_trace import PacketWriter, describe_native, describe_rdp, describe_streamer
from surewire.lab.proof.fuzz_world import ORIGIN
from surewire.sim import Tap

DESCRIPTION = """\
Run one case of the fuzzer again, from its seed or from the file that
`surewire sim fuzz --minimize` wrote, and say what came of it.
"""

EPILOG = """\
With --trace each packet has a line: when, from where to where, and what it says; sent
packets at the margin, arrivals indented. Streamer's numbers are shown as they are
sent, shortened; of sealed native datagrams only the header is. --show prints the case
itself, which --case takes back.

exit status:
  0    nothing is wrong with the run
  1    something is
  2    wrong arguments
  3    the file cannot be read, or holds no case
  130  interrupted
"""

_PROG = "surewire sim replay"
_DESCRIBE = {"rdp": describe_rdp, "streamer": describe_streamer, "native": describe_native}
_FAILED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("seed", nargs="?", type=whole, metavar="SEED", help="the case's seed")
    chosen.add_argument("--case", type=Path, metavar="FILE", help="the case as a file")
    parser.add_argument(
        "--protocol", choices=PROTOCOLS, help="as it was given to `fuzz`; the seed decides if it was not"
    )
    parser.add_argument("--trace", action="store_true", help="print each packet")
    parser.add_argument("--show", action="store_true", help="print the case as JSON, and do not run it")


def run(args: argparse.Namespace) -> int:
    """Replay as the parsed arguments say; return the exit status."""
    try:
        case = draw_case(args.seed, args.protocol) if args.case is None else from_json(args.case.read_text("utf-8"))
    except OSError as error:
        console.complain(_PROG, f"cannot read {args.case}: {console.os_reason(error)}")
        return exit_codes.FILE
    except (ConfigError, UnicodeDecodeError) as error:
        console.complain(_PROG, f"{args.case}: {error}")
        return exit_codes.FILE
    with console.plain_interrupts():
        if args.show:
            print(as_json(case))
            return exit_codes.OK
        if args.trace:
            run_case(case, taps=_tracers(case))
        result = check_case(case, is_twice=True)
        expected = "nothing but success would do" if is_benign(case) else "an error would do"
        print(
            f"{protocol_of(case)}: {result.outcome} ({expected}) after {result.ended_at / NS_PER_S:.6f} s and "
            f"{result.datagrams} datagrams; trace {result.trace}"
        )
        for line in result.violations:
            print(f"wrong: {line}")
    return _FAILED if result.violations else exit_codes.OK


def _tracers(case: FuzzCase) -> Sequence[Tap]:
    return [PacketWriter(print, _DESCRIBE[protocol_of(case)], origin=ORIGIN)]
