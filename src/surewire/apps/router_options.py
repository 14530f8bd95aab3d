"""The options of commands that describe a path, and argparse types for what else such commands take.

What can be said about a path, and what its texts mean, stands in `surewire.impair.path_options`; here it becomes
arguments. Each option exists three times: `--loss` for both directions, `--up-loss` and `--down-loss` to override it
for client to server and server to client. Nothing is run here.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

from surewire.errors import ConfigError
from surewire.impair import LinkConfig, path_options, path_texts, quantities
from surewire.impair.path_options import PATH_OPTIONS, PathOption

NS_PER_S = quantities.NS_PER_S

DIRECTIONS = (("up", "client to server"), ("down", "server to client"))
"""The prefix of a direction's options and its name."""

_DEFAULT = LinkConfig()

T = TypeVar("T")


def argument_type(parse: Callable[[object], T]) -> Callable[[str], T]:
    """The same reader of a text, with the error argparse turns into one line."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except ConfigError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read


parse_percent = argument_type(quantities.parse_percent)
parse_milliseconds = argument_type(quantities.parse_milliseconds)
parse_seconds = argument_type(quantities.parse_seconds)
parse_rate = argument_type(quantities.parse_rate)
parse_size = argument_type(quantities.parse_size)
parse_burst = argument_type(path_texts.parse_burst)
parse_blackout = argument_type(path_texts.parse_blackout)


def add_path_arguments(parser: argparse.ArgumentParser) -> None:
    """Add every option of the path, for both directions and for each."""
    _add_group(parser, "the path, both directions", "", "")
    for prefix, direction in DIRECTIONS:
        title = f"the path from {direction} only (overrides the option for both)"
        _add_group(parser, title, f"{prefix}-", direction)


def link_config(args: argparse.Namespace, prefix: str, *, base: LinkConfig = _DEFAULT) -> LinkConfig:
    """What the parsed options say about one direction.

    Args:
        args: of a parser with `add_path_arguments`.
        prefix: "up" or "down".
        base: what holds where no option is given, such as a scenario's.

    Raises:
        ConfigError: they contradict each other.
    """
    values: dict[str, object] = {}
    for option in PATH_OPTIONS:
        for name in (f"{prefix}-{option.name}", option.name):
            value = getattr(args, name.replace("-", "_"))
            if value is not None:
                values[option.name] = value
                break
    return path_options.link_config(values, base=base)


def _add_group(parser: argparse.ArgumentParser, title: str, prefix: str, direction: str) -> None:
    group = parser.add_argument_group(title)
    for option in PATH_OPTIONS:
        text = f"as --{option.name}, {direction}" if direction else option.help.replace("%", "%%")
        group.add_argument(
            f"--{prefix}{option.name}",
            type=_checked_text(option),
            metavar=option.metavar,
            help=text,
            action="append" if option.repeatable else "store",
        )


def _checked_text(option: PathOption) -> Callable[[str], str]:
    """The text as it is, if the option can take it: only `link_config` reads values, so 'none' is not lost."""

    def check(text: object) -> str:
        option.check(text)
        return str(text)

    return argument_type(check)
