"""The table of path options: complete, consistent, and what `link_config` makes of written values."""

from __future__ import annotations

import dataclasses

import pytest

from surewire.errors import ConfigError
from surewire.impair import PATH_OPTIONS, Change, CoDel, GilbertElliott, LinkConfig, Policer, link_config
from surewire.impair.path_options import PathOption, written

MS = 1_000_000
S = 1_000_000_000

# One value for each option that is not its default, as a person writes it.
WRITTEN: dict[str, object] = {
    "loss": 10,
    "burst": "5:4",
    "drop": "2-7",
    "max-loss-run": 3,
    "duplicate": "1%",
    "corrupt": 0.5,
    "corrupt-bits": 8,
    "max-corrupt-run": 2,
    "reorder": 25,
    "reorder-gap": 5,
    "delay": 20,
    "jitter": "0.5",
    "rate": "20M",
    "queue": "64k",
    "queue-packets": 25,
    "codel": "10:200",
    "policer": "10M:64k",
    "mtu": 1280,
    "overhead": 48,
    "blackout": ["5:1", "7:0.5"],
    "blackout-period": 10,
    "change": ["3:rate=2M", "4:delay=80:loss=1"],
}
MEANT = LinkConfig(
    loss=0.1,
    bursts=GilbertElliott.from_average(0.05, 4),
    drops=(2, 3, 4, 5, 6, 7),
    max_loss_run=3,
    duplicate=0.01,
    corrupt=0.005,
    corrupt_bits=8,
    max_corrupt_run=2,
    reorder=0.25,
    reorder_gap=5,
    delay=20 * MS,
    jitter=MS // 2,
    rate=20_000_000,
    queue=65_536,
    queue_packets=25,
    codel=CoDel(target=10 * MS, interval=200 * MS),
    policer=Policer(rate=10_000_000, burst=65_536),
    mtu=1280,
    overhead=48,
    blackouts=((5 * S, 6 * S), (7 * S, 7 * S + S // 2)),
    blackout_period=10 * S,
    changes=(Change(at=3 * S, rate=2_000_000), Change(at=4 * S, delay=80 * MS, loss=0.01)),
)


def test_each_field_has_one_option() -> None:
    fields = sorted(field.name for field in dataclasses.fields(LinkConfig))
    assert sorted(option.field for option in PATH_OPTIONS) == fields
    assert len({option.name for option in PATH_OPTIONS}) == len(PATH_OPTIONS)


def test_every_option_is_read() -> None:
    assert set(WRITTEN) == {option.name for option in PATH_OPTIONS}
    assert link_config(WRITTEN) == MEANT


def test_a_keyword_has_underscores() -> None:
    assert link_config({name.replace("-", "_"): value for name, value in WRITTEN.items()}) == MEANT


def test_what_is_written_reads_as_the_same() -> None:
    texts = written(MEANT)
    assert set(texts) == set(WRITTEN)
    assert link_config(texts) == MEANT
    assert written(LinkConfig()) == {}


def test_nothing_given_leaves_the_base() -> None:
    assert link_config({}) == LinkConfig()
    assert link_config(dict.fromkeys(WRITTEN), base=MEANT) == MEANT
    assert link_config({"loss": 0}, base=MEANT) == dataclasses.replace(MEANT, loss=0)


def test_none_switches_off_what_is_off_by_default() -> None:
    can = {option.name: "none" for option in PATH_OPTIONS if option.can_be_none}
    assert set(can) == {
        "burst",
        "drop",
        "max-loss-run",
        "max-corrupt-run",
        "rate",
        "queue-packets",
        "codel",
        "policer",
        "mtu",
        "blackout",
        "blackout-period",
        "change",
    }
    off = link_config(can, base=MEANT)
    assert all(getattr(off, option.field) in (None, ()) for option in PATH_OPTIONS if option.can_be_none)
    assert link_config(written(off, base=MEANT), base=MEANT) == off


def option_by_name(name: str) -> PathOption:
    return next(option for option in PATH_OPTIONS if option.name == name)


def test_none_is_refused_where_zero_says_it() -> None:
    with pytest.raises(ConfigError, match=r"^loss: .*'none'"):
        link_config({"loss": "none"})
    with pytest.raises(ConfigError, match="'none'"):
        option_by_name("queue").check("none")
    option_by_name("codel").check("none")


def test_a_repeatable_option_takes_one_value_or_several() -> None:
    assert link_config({"blackout": "1:1"}) == link_config({"blackout": ["1:1"]}) == link_config({"blackout": ("1:1",)})
    assert link_config({"change": []}) == LinkConfig()
    with pytest.raises(ConfigError, match="loss"):
        link_config({"loss": [1, 2]})


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_a_bad_value_is_refused_by_name(name: str) -> None:
    bad_values: tuple[object, ...] = ("", "x", True, {}, -1)
    for bad in bad_values:
        with pytest.raises(ConfigError, match=f"^{name}: "):
            link_config({name: bad})


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no option 'losss' of a path, only loss, burst, "):
        link_config({"losss": 1})


def test_values_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match="change of rate"):
        link_config({"change": "1:rate=5M"})
