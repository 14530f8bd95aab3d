"""The options of tools that send: `--congestion`, which controller decides how fast, and `--rate`, the limit it keeps.

What the texts mean is here, too. The quantities come from the model of networks, so a rate is written as everywhere;
that is loaded only when one was given, as most runs have none.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import TypeVar

from surewire.apps.arguments import Arguments
from surewire.apps.rate_limit import RateLimit, parse_bits
from surewire.core.congestion import NAMES, Congestion
from surewire.errors import ConfigError

T = TypeVar("T")

_FIXED = "fixed"
_WINDOW = re.compile(r"(?P<size>[^A-Za-z]+(?=B)|[^A-Za-z]+[KkMG](?=iB))i?B")


def add_sending(arguments: Arguments) -> None:
    """Add both options; they give `args.congestion`, a `Congestion`, and `args.rate`, a `RateLimit` or None."""
    others = ", ".join(name for name in NAMES if name != _FIXED)
    arguments.add_argument(
        "--congestion",
        type=_or_complaint(parse_congestion),
        default=Congestion(),
        metavar="NAME",
        help=f"what decides how fast to send: {others}, or {_FIXED}:X with a rate in bits/s, a window in bytes, or both"
        f", as in {_FIXED}:20M, {_FIXED}:64KiB, {_FIXED}:20M,1MiB (default {NAMES[0]})",
    )
    arguments.add_argument(
        "--rate",
        type=_or_complaint(RateLimit),
        metavar="LIMIT",
        help="bits of the file a second that are sent at most, repeats included, as in 20M; @FILE: what stands in FILE,"
        " which is read again every second (default: no limit)",
    )


def parse_congestion(text: str) -> Congestion:
    """The controller that a text names: one of `NAMES`; "fixed" with a rate (bits/s), a window (bytes, in B), or both.

    Raises:
        ConfigError: it names none, or the values are wrong.
    """
    name, colon, values = text.partition(":")
    if name != _FIXED:
        if colon and name in NAMES:
            raise ConfigError(f"{name} takes no values, only {_FIXED} does, not '{text}'")
        return Congestion(name)
    given: dict[str, int] = {}
    for value in values.split(",") if colon else ():
        kind, number = ("window", _window(value)) if value.endswith("B") else ("rate", parse_bits(value))
        if kind in given:
            raise ConfigError(f"'{text}' has two of a {kind}")
        given[kind] = number
    if not given:
        raise ConfigError(f"{_FIXED} needs a rate or a window, as in {_FIXED}:20M or {_FIXED}:64KiB")
    return Congestion(name, rate=given.get("rate"), window=given.get("window"))


def _window(text: str) -> int:
    from surewire.impair.quantities import parse_size

    found = _WINDOW.fullmatch(text)
    if found is None:
        raise ConfigError(f"a window is bytes such as 64KiB, 1MiB or 5000B, not '{text}'")
    return parse_size(found["size"])


def _or_complaint(make: Callable[[str], T]) -> Callable[[str], T]:
    """`make` for argparse, which takes only errors of its own for a user's mistake."""

    def convert(text: str) -> T:
        try:
            return make(text)
        except ConfigError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert
