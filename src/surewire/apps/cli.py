"""surewire: the command with everything that is not one of the assignments' own tools."""

from __future__ import annotations

import argparse
import sys

from surewire import __version__
from surewire.apps import router, streamer_compare
from surewire.apps.rdp_tool import ToolParser


def make_parser() -> ToolParser:
    """The command line."""
    parser = ToolParser(prog="surewire", description="Reliable transport over UDP, and networks to try it on.")
    parser.add_argument("--version", action="version", version=f"surewire {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    routing = commands.add_parser(
        "router",
        help="relay UDP both ways through NAT and an impaired network",
        description=router.DESCRIPTION,
        epilog=router.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    router.add_arguments(routing)
    routing.set_defaults(run=router.run)
    streaming = commands.add_parser(
        "streamer",
        help="what the class-room byte stream does on a bad network",
        description="Tools for Streamer, the reliable byte stream of the second assignment.",
        allow_abbrev=False,
    )
    _add_streamer_commands(streaming)
    return parser


def _add_streamer_commands(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(title="commands", dest="streamer_command", required=True, metavar="COMMAND")
    comparing = commands.add_parser(
        "compare",
        help="run its variants side by side in virtual time",
        description=streamer_compare.DESCRIPTION,
        epilog=streamer_compare.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    streamer_compare.add_arguments(comparing)
    comparing.set_defaults(run=streamer_compare.run)


def main(argv: list[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    args = make_parser().parse_args(argv)
    status: int = args.run(args)
    return status


def entry() -> int:
    """For the console script."""
    return main()


if __name__ == "__main__":
    sys.exit(main())
