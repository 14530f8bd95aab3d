"""What a written quantity means: texts and numbers with the units that options, TOML files and keywords share.

Each function takes what a person wrote, a text or a number, and gives what the configurations take: probabilities,
ns, bits a second, bytes. Arithmetic is decimal, so '0.1' is the float nearest to it and 1.1 ms are 1,100,000 ns.
Booleans are no numbers here.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from surewire.errors import ConfigError

NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000

_LONGEST = 1_000_000_000 * NS_PER_S
"""Thirty years, in ns: beyond, times fit neither the clocks nor the timers of a host."""


def parse_percent(value: object) -> float:
    """A percentage as a probability: '10', '10%' and 10 are 0.1.

    Raises:
        ConfigError: it is none from 0 to 100.
    """
    text = value.removesuffix("%") if isinstance(value, str) else value
    number = _number(text, "a percentage", shown=value)
    if number > 100:
        raise ConfigError(f"expected a percentage from 0 to 100, not {_shown(value)}")
    return float(number / 100)


def parse_milliseconds(value: object) -> int:
    """Milliseconds, fractions allowed, as ns; at least 0, at most thirty years (ConfigError)."""
    return _time(value, "milliseconds", _NS_PER_MS)


def parse_seconds(value: object) -> int:
    """Seconds, fractions allowed, as ns; at least 0, at most thirty years (ConfigError)."""
    return _time(value, "seconds", NS_PER_S)


def parse_rate(value: object) -> int:
    """Bits a second with an optional k, M or G (powers of 1000).

    Raises:
        ConfigError: it is no rate, or less than a bit a second.
    """
    what = "a rate in bits a second such as 20M"
    rate = _scaled(value, 1000, what)
    if rate == 0:
        raise ConfigError("a rate must be at least 1 bit a second")
    return rate


def parse_size(value: object) -> int:
    """Bytes with an optional k, M or G (powers of 1024); at least 0 (ConfigError)."""
    return _scaled(value, 1024, "a size in bytes such as 64k")


def parse_count(value: object) -> int:
    """A whole number, at least 0 (ConfigError)."""
    number = _number(value, "a whole number")
    if number != int(number):
        raise ConfigError(f"expected a whole number, at least 0, not {_shown(value)}")
    return int(number)


def parse_number(value: object, what: str) -> float:
    """A finite number, at least 0; `what` names it in the ConfigError."""
    return float(_number(value, what))


def parse_text(value: object) -> str:
    """A text, and nothing that would have to be turned into one (ConfigError)."""
    if not isinstance(value, str):
        raise ConfigError(f"expected a text, not {_shown(value)}")
    return value


def parse_truth(value: object) -> bool:
    """True or false as such (ConfigError otherwise)."""
    if not isinstance(value, bool):
        raise ConfigError(f"expected true or false, not {_shown(value)}")
    return value


def show_percent(probability: float) -> str:
    """The text that `parse_percent` reads as this probability."""
    return _plain(Decimal(repr(probability)).scaleb(2))


def show_milliseconds(time: int) -> str:
    """The text that `parse_milliseconds` reads as this time (ns)."""
    return _plain(Decimal(time).scaleb(-6))


def show_seconds(time: int) -> str:
    """The text that `parse_seconds` reads as this time (ns)."""
    return _plain(Decimal(time).scaleb(-9))


def show_rate(rate: int) -> str:
    """The text that `parse_rate` reads as this rate, in the largest unit that leaves it whole."""
    return _in_units(rate, 1000)


def show_size(size: int) -> str:
    """The text that `parse_size` reads as this size, in the largest unit that leaves it whole."""
    return _in_units(size, 1024)


def _plain(number: Decimal) -> str:
    """Without an exponent and without zeros at the end."""
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def _in_units(value: int, base: int) -> str:
    for exponent, unit in ((3, "G"), (2, "M"), (1, "k")):
        if value and value % base**exponent == 0:
            return f"{value // base**exponent}{unit}"
    return str(value)


def _number(value: object, what: str, *, shown: object = None) -> Decimal:
    """A finite number, at least 0, as it was written."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("nan")
        # As a float: what is beyond its range would make whole numbers of millions of digits.
        if number.is_finite() and 0 <= float(number) < float("inf"):
            return number
    raise ConfigError(f"expected {what}, at least 0, not {_shown(value if shown is None else shown)}")


def _time(value: object, what: str, unit: int) -> int:
    time = round(_number(value, what) * unit)
    if time > _LONGEST:
        raise ConfigError(f"expected {what}, at most {_LONGEST // unit}, not {_shown(value)}")
    return time


def _scaled(value: object, base: int, what: str) -> int:
    factors = {"k": base, "m": base * base, "g": base * base * base}
    factor = factors.get(value[-1:].lower()) if isinstance(value, str) else None
    if factor is None or not isinstance(value, str):
        return round(_number(value, what))
    return round(_number(value[:-1], what, shown=value) * factor)


def _shown(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else repr(value)
