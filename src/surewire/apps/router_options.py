"""The options of `surewire router` that describe the path, and what their texts mean.

Each option exists three times: `--loss` for both directions, `--up-loss` and `--down-loss` to
override it for client to server and server to client. Nothing is run here.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from surewire.errors import ConfigError
from surewire.impair import GilbertElliott, LinkConfig

NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000
_UNLIMITED = 0
_DEFAULT_QUEUE = LinkConfig().queue

DIRECTIONS = (("up", "client to server"), ("down", "server to client"))
"""The prefix of a direction's options and its name."""


def parse_endpoint(text: str) -> tuple[str, int]:
    """Split `HOST:PORT`; an IPv6 address stands in brackets. Port 0..65535.

    Raises:
        ArgumentTypeError: the text is none.
    """
    host, colon, port_text = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise argparse.ArgumentTypeError(f"an IPv6 address needs brackets, as in [::1]:5000, not '{text}'")
    if not (colon and host and port_text.isascii() and port_text.isdigit()) or int(port_text) > 65535:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, not '{text}'")
    return host, int(port_text)


def parse_destination(text: str) -> tuple[str, int]:
    """As `parse_endpoint`, but port 0 is no place to send to."""
    host, port = parse_endpoint(text)
    if port == 0:
        raise argparse.ArgumentTypeError(f"port 0 cannot be sent to: '{text}'")
    return host, port


def parse_percent(text: str) -> float:
    """A percentage as a probability: '10' or '10%' is 0.1."""
    value = _number(text.removesuffix("%"), "a percentage")
    if value > 100:
        raise argparse.ArgumentTypeError(f"expected a percentage from 0 to 100, not '{text}'")
    return value / 100


def parse_milliseconds(text: str) -> int:
    """Milliseconds, fractions allowed, as ns."""
    return round(_number(text, "milliseconds") * _NS_PER_MS)


def parse_seconds(text: str) -> int:
    """Seconds, fractions allowed, as ns."""
    return round(_number(text, "seconds") * NS_PER_S)


def parse_rate(text: str) -> int:
    """Bits a second with an optional k, M or G (powers of 1000); 'none' is no limit."""
    if text == "none":
        return _UNLIMITED
    rate = _scaled(text, 1000, "a rate in bits a second such as 20M, or none")
    if rate == _UNLIMITED:
        raise argparse.ArgumentTypeError("a rate must be at least 1 bit a second; 'none' is no limit")
    return rate


def parse_size(text: str) -> int:
    """Bytes with an optional k, M or G (powers of 1024)."""
    return _scaled(text, 1024, "a size in bytes such as 64k")


def parse_burst(text: str) -> GilbertElliott:
    """`LOSS:MEAN`: average loss in percent and mean datagrams lost in a row."""
    loss, colon, mean = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"expected LOSS:MEAN such as 10:5, not '{text}'")
    try:
        return GilbertElliott.from_average(parse_percent(loss), _number(mean, "a mean burst length"))
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def parse_blackout(text: str) -> tuple[int, int]:
    """`START:LENGTH` in seconds as (start, stop) in ns."""
    start_text, colon, length_text = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"expected START:LENGTH in seconds such as 5:10, not '{text}'")
    start, length = parse_seconds(start_text), parse_seconds(length_text)
    if length == 0:
        raise argparse.ArgumentTypeError(f"a blackout must last longer than 0 s: '{text}'")
    return start, start + length


class _PathOption(NamedTuple):
    name: str
    parse: Callable[[str], Any]
    metavar: str
    help: str
    action: str = "store"


_PATH_OPTIONS = (
    _PathOption("loss", parse_percent, "PCT", "datagrams lost, independently of each other"),
    _PathOption("burst", parse_burst, "LOSS:MEAN", "loss in bursts: average percent lost, mean datagrams in a row"),
    _PathOption("duplicate", parse_percent, "PCT", "datagrams that arrive twice"),
    _PathOption("corrupt", parse_percent, "PCT", "datagrams with 1 to 3 bits flipped"),
    _PathOption("reorder", parse_percent, "PCT", "datagrams that skip the delay (without delay: 10 ms late)"),
    _PathOption("delay", parse_milliseconds, "MS", "one-way delay in milliseconds"),
    _PathOption("jitter", parse_milliseconds, "MS", "the delay varies by up to +-MS, which reorders"),
    _PathOption("rate", parse_rate, "BITS", "bottleneck in bits a second (k, M, G: powers of 1000), or none"),
    _PathOption(
        "queue",
        parse_size,
        "BYTES",
        f"bytes that may wait for the bottleneck (k, M, G: powers of 1024), default {_DEFAULT_QUEUE // 1024}k",
    ),
    _PathOption(
        "blackout",
        parse_blackout,
        "START:LENGTH",
        "lose everything for LENGTH seconds, START seconds after the first datagram; may be repeated",
        "append",
    ),
)


def add_path_arguments(parser: argparse.ArgumentParser) -> None:
    """Add every option of the path, for both directions and for each."""
    _add_group(parser, "the path, both directions", "", "")
    for prefix, direction in DIRECTIONS:
        title = f"the path from {direction} only (overrides the option for both)"
        _add_group(parser, title, f"{prefix}-", direction)


def link_config(args: argparse.Namespace, prefix: str) -> LinkConfig:
    """What the parsed options say about one direction, `prefix` being "up" or "down".

    Raises:
        ConfigError: they contradict each other.
    """

    def chosen(name: str, default: Any) -> Any:
        for value in (getattr(args, f"{prefix}_{name}"), getattr(args, name)):
            if value is not None:
                return value
        return default

    return LinkConfig(
        loss=chosen("loss", 0.0),
        bursts=chosen("burst", None),
        duplicate=chosen("duplicate", 0.0),
        corrupt=chosen("corrupt", 0.0),
        reorder=chosen("reorder", 0.0),
        delay=chosen("delay", 0),
        jitter=chosen("jitter", 0),
        rate=chosen("rate", _UNLIMITED) or None,
        queue=chosen("queue", _DEFAULT_QUEUE),
        blackouts=tuple(chosen("blackout", ())),
    )


def _add_group(parser: argparse.ArgumentParser, title: str, prefix: str, direction: str) -> None:
    group = parser.add_argument_group(title)
    for option in _PATH_OPTIONS:
        text = f"as --{option.name}, {direction}" if direction else option.help
        name = f"--{prefix}{option.name}"
        group.add_argument(name, type=option.parse, metavar=option.metavar, help=text, action=option.action)


def _number(text: str, what: str) -> float:
    """A finite number, at least 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"expected {what}, at least 0, not '{text}'")
    return value


def _scaled(text: str, base: int, what: str) -> int:
    factors = {"k": base, "m": base * base, "g": base * base * base}
    factor = factors.get(text[-1:].lower())
    return round(_number(text, what)) if factor is None else round(_number(text[:-1], what) * factor)
