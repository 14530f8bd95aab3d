"""How the compound parts of a path are written: values joined by colons, one text each.

    burst     LOSS:MEAN or P:R:BAD:GOOD     percent, datagrams
    codel     TARGET:INTERVAL               ms
    policer   RATE:BURST                    bits a second, bytes
    drop      N,N-N,...                     datagrams, counted from 1
    blackout  START:LENGTH                  s
    change    AT:rate=BITS:delay=MS:loss=PCT    s; any of the three

For each, `parse_*` makes the value and raises ConfigError, and `show_*` gives a text that parses to the same value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from surewire.errors import ConfigError
from surewire.impair.config import Change, CoDel, GilbertElliott, Policer
from surewire.impair.quantities import (
    parse_count,
    parse_milliseconds,
    parse_number,
    parse_percent,
    parse_rate,
    parse_seconds,
    parse_size,
    show_milliseconds,
    show_percent,
    show_rate,
    show_seconds,
    show_size,
)

_MAX_DROP = 1_000_000

_CHANGEABLE: dict[str, tuple[Callable[[object], Any], Callable[[Any], str]]] = {
    "rate": (parse_rate, show_rate),
    "delay": (parse_milliseconds, show_milliseconds),
    "loss": (parse_percent, show_percent),
}


def parse_burst(value: object) -> GilbertElliott:
    """Average loss and mean run, or the four probabilities of the chain in tc-netem's order."""
    parts = _parts(value, "LOSS:MEAN such as 10:5")
    if len(parts) == 4:
        p, r, loss_bad, loss_good = (parse_percent(part) for part in parts)
        return GilbertElliott(p=p, r=r, loss_bad=loss_bad, loss_good=loss_good)
    if len(parts) != 2:
        raise _unexpected("LOSS:MEAN such as 10:5", value)
    return GilbertElliott.from_average(parse_percent(parts[0]), parse_number(parts[1], "a mean burst length"))


def show_burst(chain: GilbertElliott) -> str:
    """The short form if it gives the very same chain."""
    if chain.r and chain.loss_bad == 1 and chain.loss_good == 0:
        # Rounded, because the way back from p and r does not end at the very number it began with.
        short = f"{round(100 * chain.p / (chain.p + chain.r), 9):.12g}:{round(1 / chain.r, 9):.12g}"
        if _reads_as(short, chain):
            return short
    return ":".join(show_percent(each) for each in (chain.p, chain.r, chain.loss_bad, chain.loss_good))


def parse_codel(value: object) -> CoDel:
    """Target and interval in ms."""
    target, interval = _two_parts(value, "TARGET:INTERVAL in milliseconds such as 5:100")
    return CoDel(target=parse_milliseconds(target), interval=parse_milliseconds(interval))


def show_codel(codel: CoDel) -> str:
    """Target and interval in ms."""
    return f"{show_milliseconds(codel.target)}:{show_milliseconds(codel.interval)}"


def parse_policer(value: object) -> Policer:
    """Bits a second and bytes."""
    rate, burst = _two_parts(value, "RATE:BURST such as 10M:64k")
    return Policer(rate=parse_rate(rate), burst=parse_size(burst))


def show_policer(policer: Policer) -> str:
    """Bits a second and bytes."""
    return f"{show_rate(policer.rate)}:{show_size(policer.burst)}"


def parse_drops(value: object) -> tuple[int, ...]:
    """Numbers and ranges with commas between; in any order, each once."""
    what = "numbers of datagrams such as 2-7,12"
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise _unexpected(what, value)
    numbers: set[int] = set()
    for part in value.split(","):
        first_text, dash, last_text = part.partition("-")
        first = parse_count(first_text)
        last = parse_count(last_text) if dash else first
        # The bound keeps a slip of the pen from filling the memory.
        if not 1 <= first <= last <= _MAX_DROP:
            raise ConfigError(f"expected {what}, from 1 to {_MAX_DROP}, not '{value}'")
        numbers.update(range(first, last + 1))
    return tuple(sorted(numbers))


def show_drops(numbers: tuple[int, ...]) -> str:
    """Numbers and ranges with commas between."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def parse_blackout(value: object) -> tuple[int, int]:
    """Start and length in seconds, as (start, stop) in ns."""
    start_text, length_text = _two_parts(value, "START:LENGTH in seconds such as 5:10")
    start, length = parse_seconds(start_text), parse_seconds(length_text)
    if length == 0:
        raise ConfigError(f"a blackout must last longer than 0 s: '{value}'")
    return start, start + length


def show_blackout(blackout: tuple[int, int]) -> str:
    """Start and length in seconds."""
    start, stop = blackout
    return f"{show_seconds(start)}:{show_seconds(stop - start)}"


def parse_change(value: object) -> Change:
    """When, in seconds, and what from then on."""
    what = "AT:WHAT=VALUE such as 10:rate=2M:delay=80:loss=1"
    at, *settings = _parts(value, what)
    chosen: dict[str, Any] = {}
    for setting in settings:
        name, sign, text = setting.partition("=")
        if not sign or name not in _CHANGEABLE or name in chosen:
            raise _unexpected(what, value)
        chosen[name] = _CHANGEABLE[name][0](text)
    if not chosen:
        raise _unexpected(what, value)
    return Change(at=parse_seconds(at), **chosen)


def show_change(change: Change) -> str:
    """When, in seconds, and what from then on."""
    texts = [show_seconds(change.at)]
    for name, (_, show) in _CHANGEABLE.items():
        value = getattr(change, name)
        if value is not None:
            texts.append(f"{name}={show(value)}")
    return ":".join(texts)


def _reads_as(text: str, chain: GilbertElliott) -> bool:
    try:
        return parse_burst(text) == chain
    except ConfigError:
        return False


def _parts(value: object, what: str) -> list[str]:
    if not isinstance(value, str):
        raise _unexpected(what, value)
    return value.split(":")


def _two_parts(value: object, what: str) -> list[str]:
    parts = _parts(value, what)
    if len(parts) != 2:
        raise _unexpected(what, value)
    return parts


def _unexpected(what: str, value: object) -> ConfigError:
    return ConfigError(f"expected {what}, not {value!r}")
