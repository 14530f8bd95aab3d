"""`surewire streamer compare`: the same Streamer with its switches in different positions, on one workload.

This file is the command: arguments in, runs, a table (or JSON) and perhaps a chart out. It runs in
virtual time, see `surewire.lab.simulated.streamer_simulation`; no packet leaves the process. What the exit statuses
mean is in `EPILOG`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from surewire.apps import console, exit_codes, streamer_chart
from surewire.apps.streamer_variants import DEFAULT, USUAL, Figures, Result, Trial, Variant, run_trial, variants
from surewire.core.congestion import NAMES, Congestion
from surewire.core.units import NS_PER_S
from surewire.errors import ConfigError
from surewire.impair import ClassroomConfig
from surewire.streamer.config import AckPolicy, Pipelining

DESCRIPTION = """\
Run the assignment's tester over the class-room network once for each variant of
Streamer and each seed, in virtual time, and put the means side by side.
"""

EPILOG = """\
With none of --mode, --acks, --nagle and --congestion, six variants are run: what a
first solution does (stop-and-wait, an ACK for each packet, Nagle off), stop-and-wait,
go-back-n, selective-repeat (Streamer's defaults), and the defaults with an ACK for each
packet and with Nagle off. With any of them, all variants that have one of the given
values. Without --congestion nothing controls it: the class-room's sendto lets a hundred
packets a second through, and what is lost there is lost at random.

columns, both hosts together:
  packets      all that were sent
  repeated     of these: with data or a FIN that had been sent before
  ACKs         of these: nothing but an acknowledgment
  pings        of these: nothing but the question what has arrived
  Eth. bytes   with UDP, IP and Ethernet headers, as the class-room socket counts
  last number  seconds until both hosts had read all numbers
  closed       seconds until both connections were closed, 2 s of grace included
  failed       runs in which a number was not delivered or a connection not closed

exit status:
  0    every run delivered everything and closed
  2    wrong arguments, or a chart was asked for and matplotlib is not installed
  3    the chart cannot be written
  6    a run failed
  130  interrupted
"""

_PROG = "surewire streamer compare"
_SWITCHES = {"on": True, "off": False}
_CONTROLLERS = {"none": None, **{name: Congestion(name) for name in NAMES if name != "fixed"}}
_MAX_NUMBERS = 1_000_000
_MAX_SEEDS = 1000
_MAX_DELAY_S = 10.0
_CLEAR_LINE = "\r\x1b[K"
_COLUMNS = (
    (("", "packets"), "packets", 1),
    (("", "repeated"), "repeated", 1),
    (("", "ACKs"), "acks", 1),
    (("", "pings"), "pings", 1),
    (("Eth.", "bytes"), "eth_bytes", 0),
    (("last", "number"), "last_number_s", 2),
    (("", "closed"), "closed_s", 2),
)
_CELL = 9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "--numbers", type=_numbers, default=1000, metavar="N", help="the tester's NUMS, default %(default)s"
    )
    network = parser.add_argument_group("the network, both ways")
    for option, text in (("--loss", "share of packets lost"), ("--corruption", "bits flipped in a packet on average")):
        network.add_argument(option, type=_share, default=0.1, metavar="P", help=f"{text}, 0 to 1, default %(default)s")
    network.add_argument(
        "--delay", type=_delay, default=0.1, metavar="S", help="longest delay in seconds, default %(default)s"
    )
    runs = parser.add_argument_group("runs")
    runs.add_argument("--seeds", type=_seeds, default=10, metavar="N", help="runs of each variant, default %(default)s")
    runs.add_argument("--seed", type=_seed, default=1, metavar="N", help="seed of the first run, default %(default)s")
    chosen = parser.add_argument_group("variants")
    for option, values, text in (
        ("--mode", [str(mode) for mode in Pipelining], "pipelining"),
        ("--acks", [str(policy) for policy in AckPolicy], "an ACK for each packet, or delayed ones"),
        ("--nagle", list(_SWITCHES), "Nagle's algorithm"),
        ("--congestion", list(_CONTROLLERS), "what controls congestion"),
    ):
        chosen.add_argument(
            option,
            nargs="+",
            action="extend",
            choices=values,
            default=[],
            metavar="X",
            help=f"{text}: {', '.join(values)}",
        )
    output = parser.add_argument_group("output")
    output.add_argument("--chart", type=_chart, metavar="FILE", help="also draw bars to FILE.svg or FILE.png")
    output.add_argument("--json", action="store_true", help="print one JSON object instead of the table")


def run(args: argparse.Namespace) -> int:
    """Compare as the parsed arguments say; return the exit status."""
    if args.chart is not None:
        if not args.chart.absolute().parent.is_dir():
            console.complain(_PROG, f"cannot write {args.chart}: there is no such folder")
            return exit_codes.FILE
        try:
            streamer_chart.require_matplotlib()
        except ConfigError as error:
            console.complain(_PROG, error)
            return exit_codes.USAGE
    with console.plain_interrupts():
        results = list(_run_all(args))
    print(json.dumps(record(args, results)) if args.json else table(args, results), flush=True)
    status = _tell_failures(results)
    if args.chart is not None:
        try:
            draw(args, results)
        except OSError as error:
            console.complain(_PROG, f"cannot write {args.chart}: {console.os_reason(error)}")
            return exit_codes.FILE
    return status


def chosen_variants(args: argparse.Namespace) -> Sequence[Variant]:
    """What the options ask for."""
    if not (args.mode or args.acks or args.nagle or args.congestion):
        return USUAL
    return variants(
        [Pipelining(mode) for mode in args.mode],
        [AckPolicy(policy) for policy in args.acks],
        [_SWITCHES[value] for value in args.nagle],
        [_CONTROLLERS[name] for name in dict.fromkeys(args.congestion)],
    )


def conditions(args: argparse.Namespace) -> str:
    """What all runs have in common, for headings."""
    seeds = f"mean of seeds {args.seed} to {args.seed + args.seeds - 1}" if args.seeds > 1 else f"seed {args.seed}"
    return (
        f"{args.numbers} numbers each way, loss {args.loss:g}, corruption {args.corruption:g}, "
        f"delay up to {args.delay:g} s, {seeds}"
    )


def table(args: argparse.Namespace, results: Sequence[Result]) -> str:
    """The results for people; its rows are at most 106 characters wide."""
    width = max(len(result.variant.name) for result in results)
    lines = [f"Streamer in virtual time: {conditions(args)}", ""]
    for line, last in enumerate(("", "failed")):
        heads = "".join(f"{head[line]:>{_CELL}}" for head, _, _ in _COLUMNS)
        lines.append(f"{'variant' if last else '':<{width}}{heads}{last:>{_CELL}}".rstrip())
    for result in results:
        failed = f"{len(result.failures)}/{len(result.trials)}"
        lines.append(f"{result.variant.name:<{width}}{_cells(result.mean)}{failed:>{_CELL}}")
    return "\n".join(lines)


def record(args: argparse.Namespace, results: Sequence[Result]) -> dict[str, object]:
    """The results for programs; figures as in `Figures`, null when every run of a variant failed."""
    return {
        "numbers": args.numbers,
        "loss": args.loss,
        "corruption": args.corruption,
        "delay_s": args.delay,
        "seeds": [args.seed + index for index in range(args.seeds)],
        "variants": [
            {
                "name": result.variant.name,
                "mode": str(result.variant.pipelining),
                "acks": str(result.variant.acks),
                "nagle": result.variant.nagle,
                "congestion": None if result.variant.congestion is None else result.variant.congestion.name,
                "mean": None if result.mean is None else _rounded(result.mean),
                "failures": [{"seed": trial.seed, "problem": trial.problem} for trial in result.failures],
            }
            for result in results
        ],
    }


def draw(args: argparse.Namespace, results: Sequence[Result]) -> None:
    """Draw what matters most to `args.chart`.

    Raises:
        OSError: it cannot be written.
    """
    means = [result.mean for result in results]
    chosen = [result.variant for result in results]
    streamer_chart.draw_bars(
        args.chart,
        title=f"Streamer: {conditions(args)}",
        names=[variant.name for variant in chosen],
        panels=[
            streamer_chart.Panel(title=title, values=[mean and getattr(mean, name) for mean in means])
            for name, title in (
                ("packets", "packets, both hosts"),
                ("eth_bytes", "Ethernet bytes, both hosts"),
                ("last_number_s", "seconds to the last number"),
            )
        ],
        emphasized=chosen.index(DEFAULT) if DEFAULT in chosen else None,
    )


def _run_all(args: argparse.Namespace) -> Iterator[Result]:
    network = ClassroomConfig(loss=args.loss, corruption=args.corruption, max_delay=round(args.delay * NS_PER_S))
    is_live = console.is_error_terminal()
    for variant in chosen_variants(args):
        trials: list[Trial] = []
        for seed in range(args.seed, args.seed + args.seeds):
            if is_live:
                console.say(f"{_CLEAR_LINE}{variant.name}: {len(trials)} of {args.seeds} runs")
            trials.append(run_trial(variant, args.numbers, network, seed))
        yield Result(variant, trials)
    if is_live:
        console.say(_CLEAR_LINE)


def _tell_failures(results: Sequence[Result]) -> int:
    """Name the runs that failed; the exit status that follows."""
    for result in results:
        for trial in result.failures:
            console.complain(_PROG, f"{result.variant.name}, seed {trial.seed}: {trial.problem}")
    return exit_codes.LOST if any(result.failures for result in results) else exit_codes.OK


def _cells(mean: Figures | None) -> str:
    if mean is None:
        return f"{'-':>{_CELL}}" * len(_COLUMNS)
    return "".join(f"{getattr(mean, name):>{_CELL}.{decimals}f}" for _, name, decimals in _COLUMNS)


def _rounded(mean: Figures) -> dict[str, float]:
    return {name: round(value, 3) for name, value in mean._asdict().items()}


def _whole(text: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10 or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}, not '{text}'")
    return int(text)


def _numbers(text: str) -> int:
    return _whole(text, 1, _MAX_NUMBERS)


def _seeds(text: str) -> int:
    return _whole(text, 1, _MAX_SEEDS)


def _seed(text: str) -> int:
    return _whole(text, 0, 2**32 - 1)


def _number(text: str, most: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= most:
        raise argparse.ArgumentTypeError(f"expected {what} from 0 to {most:g}, not '{text}'")
    return value


def _share(text: str) -> float:
    return _number(text, 1, "a number")


def _delay(text: str) -> float:
    return _number(text, _MAX_DELAY_S, "seconds")


def _chart(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in streamer_chart.FORMATS:
        raise argparse.ArgumentTypeError(f"expected a name that ends in .svg or .png, not '{text}'")
    return path
