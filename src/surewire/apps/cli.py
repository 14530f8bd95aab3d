"""surewire: the command with everything that is not one of the assignments' own tools."""

from __future__ import annotations

import argparse
import errno
import os
import select
import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from surewire import __version__
from surewire.apps import (
    console,
    exit_codes,
    lab_run,
    lab_validate,
    router,
    scenarios,
    sim_explore,
    sim_fuzz,
    sim_matrix,
    sim_replay,
    sim_run,
    sim_sweep,
    streamer_compare,
)
from surewire.apps.rdp_tool import ToolParser

_OUTPUT_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class Tool(Protocol):
    """A module that is one command."""

    DESCRIPTION: str
    EPILOG: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


class Group(NamedTuple):
    """Commands that have a first word in common."""

    help: str
    description: str
    commands: Mapping[str, tuple[str, Tool]]


ALONE: Mapping[str, tuple[str, Tool]] = {
    "router": ("relay UDP both ways through NAT and an impaired network", router),
    "scenarios": ("list the networks that have a name, or show one", scenarios),
}

GROUPS: Mapping[str, Group] = {
    "lab": Group(
        "real hosts, a kernel NAT and an impaired wire (Linux, root)",
        "Run programs on hosts of their own, in network namespaces, with a NAT router and an impaired wire between.",
        {
            "run": ("run a server and a client on it", lab_run),
            "validate": ("measure what it does against what it was told", lab_validate),
        },
    ),
    "sim": Group(
        "whole conversations in virtual time",
        "Run conversations in virtual time: one, many, random ones that are checked, or all there can be.",
        {
            "run": ("one conversation on one network", sim_run),
            "matrix": ("every protocol on every scenario, against the table on record", sim_matrix),
            "sweep": ("many runs over parameters: a table and a picture", sim_sweep),
            "fuzz": ("random networks, settings and applications, each checked", sim_fuzz),
            "replay": ("one of these again", sim_replay),
            "explore": ("every order of events in small conversations", sim_explore),
        },
    ),
    "streamer": Group(
        "what the class-room byte stream does on a bad network",
        "Tools for Streamer, the reliable byte stream of the second assignment.",
        {"compare": ("run its variants side by side in virtual time", streamer_compare)},
    ),
}


def make_parser() -> ToolParser:
    """The command line."""
    parser = ToolParser(prog="surewire", description="Reliable transport over UDP, and networks to try it on.")
    parser.add_argument("--version", action="version", version=f"surewire {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    for name, (text, tool) in ALONE.items():
        _add_tool(commands.add_parser, name, text, tool)
    for name, group in GROUPS.items():
        subparser = commands.add_parser(name, help=group.help, description=group.description, allow_abbrev=False)
        members = subparser.add_subparsers(title="commands", dest=f"{name}_command", required=True, metavar="COMMAND")
        for member, (text, tool) in group.commands.items():
            _add_tool(members.add_parser, member, text, tool)
    return parser


def _add_tool(add_parser: Callable[..., ToolParser], name: str, text: str, tool: Tool) -> None:
    parser = add_parser(
        name,
        help=text,
        description=tool.DESCRIPTION,
        epilog=tool.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    tool.add_arguments(parser)
    parser.set_defaults(run=tool.run, refuse=parser.error)


def main(argv: list[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    args, unknown = make_parser().parse_known_args(argv)
    if unknown:
        # Left to parse_args, the complaint would name `surewire`, whose --help says nothing of the command's options.
        args.refuse(f"unrecognized arguments: {' '.join(unknown)}")
    status: int = args.run(args)
    return status


def entry() -> int:
    """For the console script: `main`, without a traceback if the output has no reader any more, or no room."""
    try:
        console.open_standard_output()
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        if not _is_output_broken():
            raise
        return exit_codes.NO_READER
    except OSError as error:
        if error.filename is not None or error.errno not in _OUTPUT_FULL:
            raise
        console.complain("surewire", f"cannot write the output: {console.os_reason(error)}")
        _drop_output()
        return exit_codes.FILE
    return status


def _is_output_broken() -> bool:
    """Whether standard output is the pipe that broke; then what it still holds is dropped."""
    poller = select.poll()
    poller.register(sys.stdout.fileno(), 0)  # errors are told without being asked for
    if not poller.poll(0):
        return False
    _drop_output()
    return True


def _drop_output() -> None:
    """Python writes the rest when it ends, which would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(entry())
