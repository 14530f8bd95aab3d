"""Written quantities: what each means, what is refused, and that what is shown reads as the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from surewire.errors import ConfigError
from surewire.impair import Change, CoDel, GilbertElliott, Policer, path_texts, quantities

MS = 1_000_000
S = 1_000_000_000


@pytest.mark.parametrize(
    ("parse", "written", "value"),
    [
        (quantities.parse_percent, "10", 0.1),
        (quantities.parse_percent, "10%", 0.1),
        (quantities.parse_percent, 10, 0.1),
        (quantities.parse_percent, 0.1, 0.001),
        (quantities.parse_percent, "100", 1.0),
        (quantities.parse_milliseconds, 1.1, 1_100_000),
        (quantities.parse_milliseconds, "0.000001", 1),
        (quantities.parse_seconds, "0.25", S // 4),
        (quantities.parse_seconds, 600, 600 * S),
        (quantities.parse_rate, "20M", 20_000_000),
        (quantities.parse_rate, "1.5g", 1_500_000_000),
        (quantities.parse_rate, 9600, 9600),
        (quantities.parse_size, "64k", 65_536),
        (quantities.parse_size, 0, 0),
        (quantities.parse_size, 500_000, 500_000),
        (quantities.parse_count, "7", 7),
        (quantities.parse_count, 7.0, 7),
        (path_texts.parse_burst, "10:5", GilbertElliott.from_average(0.1, 5)),
        (path_texts.parse_burst, "1:30:70:2", GilbertElliott(p=0.01, r=0.3, loss_bad=0.7, loss_good=0.02)),
        (path_texts.parse_codel, "5:100", CoDel()),
        (path_texts.parse_policer, "10M:64k", Policer(rate=10_000_000, burst=65_536)),
        (path_texts.parse_drops, "2-4,12,3", (2, 3, 4, 12)),
        (path_texts.parse_drops, 5, (5,)),
        (path_texts.parse_blackout, "5:0.5", (5 * S, 5 * S + S // 2)),
        (path_texts.parse_change, "10:rate=2M", Change(at=10 * S, rate=2_000_000)),
        (path_texts.parse_change, "0:loss=1:delay=80", Change(at=0, delay=80 * MS, loss=0.01)),
    ],
)
def test_what_is_understood(parse: Callable[[object], object], written: object, value: object) -> None:
    assert parse(written) == value


NO_NUMBERS = ["", "x", "-1", "nan", "inf", "1e999", -1, float("nan"), float("inf"), True, None, [], "sNaN"]


@pytest.mark.parametrize(
    ("parse", "refused"),
    [
        (quantities.parse_percent, [*NO_NUMBERS, "100.1", 101, "10%%"]),
        (quantities.parse_milliseconds, [*NO_NUMBERS, "5ms", "1e305", "1000000000001"]),
        (quantities.parse_seconds, [*NO_NUMBERS, "1e300", 1_000_000_001]),
        (quantities.parse_rate, [*NO_NUMBERS, "0", "0.2", "M", "20X", "infM", "-1M", 0]),
        (quantities.parse_size, [*NO_NUMBERS, "k", "unlimited"]),
        (quantities.parse_count, [*NO_NUMBERS, "1.5", 1.5]),
        (quantities.parse_text, [1, None, True]),
        (quantities.parse_truth, [1, 0, "true", None]),
        (path_texts.parse_burst, ["", "10", "10:", ":5", "10:0.5", "100:5", "90:2", "x:5", "1:2:3", "1:2:3:400", 10]),
        (path_texts.parse_codel, ["", "5", "5:x", "100:5", "0:5", "5:100:1", 5]),
        (path_texts.parse_policer, ["", "10M", "10M:", "0:1", "1:0", "10M:64k:1", 5]),
        (path_texts.parse_drops, ["", "0", "5-2", "1,,2", "1-", "-1", "1.5", "1-9000000", True, 0, None]),
        (path_texts.parse_blackout, ["", "5", "5:", "5:0", "-1:5", "a:b", 5]),
        (
            path_texts.parse_change,
            ["", "5", "5:", "5:rate", "5:rate=", "5:queue=1", "5:loss=1:loss=2", "x:loss=1", "5:rate=0", 5],
        ),
    ],
)
def test_what_is_refused(parse: Callable[[object], object], refused: list[object]) -> None:
    for written in refused:
        with pytest.raises(ConfigError):
            parse(written)


def test_an_error_shows_what_was_written() -> None:
    with pytest.raises(ConfigError, match=r"expected a percentage from 0 to 100, not '101%'"):
        quantities.parse_percent("101%")
    with pytest.raises(ConfigError, match=r"a rate in bits a second such as 20M, at least 0, not 'xM'"):
        quantities.parse_rate("xM")


@pytest.mark.parametrize(
    ("show", "value", "text"),
    [
        (quantities.show_percent, 0.1, "10"),
        (quantities.show_percent, 0.07, "7"),
        (quantities.show_percent, 1, "100"),
        (quantities.show_percent, 1e-7, "0.00001"),
        (quantities.show_milliseconds, 1, "0.000001"),
        (quantities.show_milliseconds, 750 * MS, "750"),
        (quantities.show_seconds, 0, "0"),
        (quantities.show_seconds, 600 * S, "600"),
        (quantities.show_rate, 10_000_000, "10M"),
        (quantities.show_rate, 1_500_000, "1500k"),
        (quantities.show_rate, 1_234, "1234"),
        (quantities.show_size, 500_000, "500000"),
        (quantities.show_size, 1_048_576, "1M"),
        (quantities.show_size, 0, "0"),
        (path_texts.show_burst, GilbertElliott.from_average(0.05, 5), "5:5"),
        (path_texts.show_burst, GilbertElliott(p=0.01, r=0, loss_bad=1), "1:0:100:0"),
        (path_texts.show_drops, (1, 2, 3, 5, 7, 8), "1-3,5,7-8"),
        (path_texts.show_change, Change(at=S, rate=5_000_000, loss=0.5), "1:rate=5M:loss=50"),
    ],
)
def test_what_is_shown(show: Callable[[object], str], value: object, text: str) -> None:
    assert show(value) == text
