"""The one table of what can be said about a direction of a path, and how it is written.

Command-line options (`--corrupt-bits 1`), keys of scenario files (`corrupt-bits = 1`), keyword arguments
(`corrupt_bits=1`) and the axes of sweeps all come from `PATH_OPTIONS`; each row leads to one field of `LinkConfig`.
`link_config` reads written values, `written` goes the other way. Percent, milliseconds, bits a second
(k, M, G: powers of 1000), bytes (k, M, G: powers of 1024), seconds for what happens at a time of the run.

Invariant: link_config(written(config)) == config.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from surewire.errors import ConfigError
from surewire.impair.config import LinkConfig
from surewire.impair.path_texts import (
    parse_blackout,
    parse_burst,
    parse_change,
    parse_codel,
    parse_drops,
    parse_policer,
    show_blackout,
    show_burst,
    show_change,
    show_codel,
    show_drops,
    show_policer,
)
from surewire.impair.quantities import (
    parse_count,
    parse_milliseconds,
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

NONE = "none"
"""What switches off an option whose default is off; for one that may be repeated, all its values."""

_DEFAULT = LinkConfig()


@dataclass(frozen=True, slots=True)
class PathOption:
    """One row of the table.

    Attributes:
        name: as an option without dashes in front, or a TOML key; a keyword has `_` for `-`.
        field: the field of `LinkConfig` it sets.
        parse: makes one value of the field out of what was written; raises ConfigError.
        show: the inverse, as text.
        metavar: what stands for the value in help texts.
        help: one line; times are meant for one direction.
        repeatable: several values make up the field, a tuple.
    """

    name: str
    field: str
    parse: Callable[[object], Any]
    show: Callable[[Any], str]
    metavar: str
    help: str
    repeatable: bool = False

    @property
    def can_be_none(self) -> bool:
        """Whether 'none' may be written."""
        return getattr(_DEFAULT, self.field) in (None, ())

    def check(self, value: object) -> None:
        """Raises ConfigError, without the option's name, unless `value` can stand for this option (once)."""
        if not (value == NONE and self.can_be_none):
            self.parse(value)

    def read(self, value: object) -> Any:
        """The field's value.

        Args:
            value: as written; a list or tuple of such if repeatable.

        Raises:
            ConfigError: the text begins with the option's name.
        """
        try:
            if value == NONE and self.can_be_none:
                return getattr(_DEFAULT, self.field)
            if not self.repeatable:
                return self.parse(value)
            each = value if isinstance(value, list | tuple) else [value]
            return tuple(self.parse(one) for one in each if one != NONE)
        except ConfigError as error:
            raise ConfigError(f"{self.name}: {error}") from error


PATH_OPTIONS = (
    PathOption("loss", "loss", parse_percent, show_percent, "PCT", "datagrams lost, independently of each other"),
    PathOption(
        "burst",
        "bursts",
        parse_burst,
        show_burst,
        "LOSS:MEAN",
        "loss in bursts: average percent lost, mean datagrams in a row; or P:R:BAD:GOOD, percent each, "
        "of a Gilbert-Elliott chain",
    ),
    PathOption(
        "drop", "drops", parse_drops, show_drops, "N,...", "lose these datagrams, numbered from 1, such as 2-7,12"
    ),
    PathOption("max-loss-run", "max_loss_run", parse_count, str, "N", "never more than N datagrams lost in a row"),
    PathOption("duplicate", "duplicate", parse_percent, show_percent, "PCT", "datagrams that arrive twice"),
    PathOption("corrupt", "corrupt", parse_percent, show_percent, "PCT", "datagrams with bits flipped"),
    PathOption(
        "corrupt-bits",
        "corrupt_bits",
        parse_count,
        str,
        "N",
        f"1 to N bits are flipped in these, default {_DEFAULT.corrupt_bits}",
    ),
    PathOption(
        "max-corrupt-run", "max_corrupt_run", parse_count, str, "N", "never more than N datagrams corrupted in a row"
    ),
    PathOption(
        "reorder",
        "reorder",
        parse_percent,
        show_percent,
        "PCT",
        "datagrams that skip the delay (without delay: 10 ms late)",
    ),
    PathOption(
        "reorder-gap", "reorder_gap", parse_count, str, "N", "only each Nth datagram at most does so, default 1"
    ),
    PathOption("delay", "delay", parse_milliseconds, show_milliseconds, "MS", "one-way delay in milliseconds"),
    PathOption(
        "jitter",
        "jitter",
        parse_milliseconds,
        show_milliseconds,
        "MS",
        "the delay varies by up to +-MS, which reorders",
    ),
    PathOption(
        "rate", "rate", parse_rate, show_rate, "BITS", "bottleneck in bits a second (k, M, G: powers of 1000), or none"
    ),
    PathOption(
        "queue",
        "queue",
        parse_size,
        show_size,
        "BYTES",
        f"bytes that may wait for the bottleneck (k, M, G: powers of 1024), default {_DEFAULT.queue // 1024}k",
    ),
    PathOption(
        "queue-packets", "queue_packets", parse_count, str, "N", "datagrams that may wait for it, beside the bytes"
    ),
    PathOption(
        "codel",
        "codel",
        parse_codel,
        show_codel,
        "TARGET:INTERVAL",
        "the queue drops early as CoDel does (RFC 8289); milliseconds, usually 5:100",
    ),
    PathOption(
        "policer",
        "policer",
        parse_policer,
        show_policer,
        "BITS:BYTES",
        "drop what is faster than BITS a second for more than BYTES, such as 10M:64k",
    ),
    PathOption(
        "mtu", "mtu", parse_size, show_size, "BYTES", "longer datagrams, headers included, vanish (a black hole)"
    ),
    PathOption(
        "overhead",
        "overhead",
        parse_size,
        show_size,
        "BYTES",
        f"headers counted with each datagram, default {_DEFAULT.overhead}",
    ),
    PathOption(
        "blackout",
        "blackouts",
        parse_blackout,
        show_blackout,
        "START:LENGTH",
        "lose everything for LENGTH seconds, START seconds after the first datagram; may be repeated",
        repeatable=True,
    ),
    PathOption(
        "blackout-period",
        "blackout_period",
        parse_seconds,
        show_seconds,
        "S",
        "the blackouts come again each S seconds",
    ),
    PathOption(
        "change",
        "changes",
        parse_change,
        show_change,
        "AT:WHAT=VALUE",
        "from AT seconds on other values, such as 10:rate=2M:delay=80:loss=1; may be repeated",
        repeatable=True,
    ),
)
"""Every option of a path, in the order of help texts."""

_BY_NAME = {option.name: option for option in PATH_OPTIONS}


def link_config(values: Mapping[str, object], *, base: LinkConfig = _DEFAULT) -> LinkConfig:
    """Read written values.

    Args:
        values: by option name, `-` or `_`; None counts as not given.
        base: what holds where nothing is given.

    Raises:
        ConfigError: a name is unknown, or a value makes no sense; the text names it.
    """
    chosen: dict[str, Any] = {}
    for name, value in values.items():
        option = _BY_NAME.get(name.replace("_", "-"))
        if option is None:
            raise ConfigError(f"there is no option '{name}' of a path, only {', '.join(_BY_NAME)}")
        if value is not None:
            chosen[option.field] = option.read(value)
    return replace(base, **chosen)


def written(config: LinkConfig, *, base: LinkConfig = _DEFAULT) -> dict[str, str | list[str]]:
    """The values, as texts by option name, that `link_config` with this `base` reads as `config`."""
    texts: dict[str, str | list[str]] = {}
    for option in PATH_OPTIONS:
        value = getattr(config, option.field)
        if value == getattr(base, option.field):
            continue
        if value in (None, ()):
            texts[option.name] = NONE
        else:
            texts[option.name] = [option.show(one) for one in value] if option.repeatable else option.show(value)
    return texts
