"""surewire: the command with everything that is not one of the assignments' own tools.

Only the module of the command that was asked for is imported: importing all of them takes longer than sending a
small file. So what `surewire --help` says of each command stands here, and the rest in the command's own module.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import select
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast

from surewire import __version__
from surewire.apps import console, exit_codes
from surewire.apps.arguments import ToolParser

_OUTPUT_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class Tool(Protocol):
    """A module that is one command."""

    DESCRIPTION: str
    EPILOG: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


class Command(NamedTuple):
    """One command: its line in the list, and the module in `surewire.apps` that is the `Tool`."""

    help: str
    module: str


class Group(NamedTuple):
    """Commands that have a first word in common."""

    help: str
    description: str
    commands: Mapping[str, Command]


ALONE: Mapping[str, Command] = {
    "send": Command("send a file, sealed, over any path", "send"),
    "recv": Command("receive files that others send", "recv"),
    "router": Command("relay UDP both ways through NAT and an impaired network", "router"),
    "scenarios": Command("list the networks that have a name, or show one", "scenarios"),
}

GROUPS: Mapping[str, Group] = {
    "lab": Group(
        "real hosts, a kernel NAT and an impaired wire (Linux, root)",
        "Run programs on hosts of their own, in network namespaces, with a NAT router and an impaired wire between.",
        {
            "run": Command("run a server and a client on it", "lab_run"),
            "validate": Command("measure what it does against what it was told", "lab_validate"),
        },
    ),
    "sim": Group(
        "whole conversations in virtual time",
        "Run conversations in virtual time: one, many, random ones that are checked, or all there can be.",
        {
            "run": Command("one conversation on one network", "sim_run"),
            "matrix": Command("every protocol on every scenario, against the table on record", "sim_matrix"),
            "sweep": Command("many runs over parameters: a table and a picture", "sim_sweep"),
            "fuzz": Command("random networks, settings and applications, each checked", "sim_fuzz"),
            "replay": Command("one of these again", "sim_replay"),
            "explore": Command("every order of events in small conversations", "sim_explore"),
        },
    ),
    "streamer": Group(
        "what the class-room byte stream does on a bad network",
        "Tools for Streamer, the reliable byte stream of the second assignment.",
        {"compare": Command("run its variants side by side in virtual time", "streamer_compare")},
    ),
}


class CommandParser(ToolParser):
    """The parser of one command; it imports the command when it is to read arguments."""

    def __init__(self, *, module: str | None = None, **options: Any) -> None:
        """Take the module's name, and what `argparse.ArgumentParser` takes."""
        super().__init__(allow_abbrev=False, **options)
        self._module = module

    # Narrower than argparse's overloads, which tell of namespaces of other classes; none is used here.
    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        module, self._module = self._module, None
        if module is not None:
            tool = cast(Tool, importlib.import_module(f"surewire.apps.{module}"))
            self.description, self.epilog = tool.DESCRIPTION, tool.EPILOG
            self.formatter_class = argparse.RawDescriptionHelpFormatter
            tool.add_arguments(self)
            self.set_defaults(run=tool.run, refuse=self.error)
        return super().parse_known_args(args, namespace)


def make_parser() -> ToolParser:
    """The command line."""
    parser = ToolParser(prog="surewire", description="Reliable transport over UDP, and networks to try it on.")
    parser.add_argument("--version", action="version", version=f"surewire {__version__}")
    commands = parser.add_subparsers(
        title="commands", dest="command", required=True, metavar="COMMAND", parser_class=CommandParser
    )
    for name, command in ALONE.items():
        commands.add_parser(name, help=command.help, module=command.module)
    for name, group in GROUPS.items():
        subparser = commands.add_parser(name, help=group.help, description=group.description)
        members = subparser.add_subparsers(
            title="commands", dest=f"{name}_command", required=True, metavar="COMMAND", parser_class=CommandParser
        )
        for member, command in group.commands.items():
            members.add_parser(member, help=command.help, module=command.module)
    return parser


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
    except KeyboardInterrupt:
        # Before a command minds it by itself, while it is imported for one.
        console.complain("surewire", "interrupted")
        return exit_codes.INTERRUPTED
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
