"""`--congestion` and `--rate`: what the words mean, and what is said of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from surewire.apps import exit_codes
from surewire.apps.arguments import ToolParser
from surewire.apps.sending_options import add_sending, parse_congestion
from surewire.core.congestion import NAMES, Congestion
from surewire.errors import ConfigError


@pytest.mark.parametrize("name", [name for name in NAMES if name != "fixed"])
def test_a_name_is_a_controller(name: str) -> None:
    assert parse_congestion(name) == Congestion(name)


@pytest.mark.parametrize(
    ("text", "rate", "window"),
    [
        ("fixed:20M", 2_500_000, None),
        ("fixed:1.5k", 187, None),
        ("fixed:64KiB", None, 65_536),
        ("fixed:64kiB", None, 65_536),
        ("fixed:1.5MiB", None, 1_572_864),
        ("fixed:1GiB", None, 1 << 30),
        ("fixed:5000B", None, 5_000),
        ("fixed:20M,64KiB", 2_500_000, 65_536),
        ("fixed:5000B,8k", 1_000, 5_000),
    ],
)
def test_fixed_takes_a_rate_in_bits_a_window_in_bytes_or_both(text: str, rate: int | None, window: int | None) -> None:
    assert parse_congestion(text) == Congestion("fixed", rate=rate, window=window)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("reno", "not 'reno'"),
        ("", "not ''"),
        ("cubic:20M", "cubic takes no values"),
        ("cubic:", "cubic takes no values"),
        ("pigeon:20M", "not 'pigeon'"),
        ("fixed", "needs a rate or a window"),
        ("fixed:", "rate in bits a second"),
        ("fixed:fast", "rate in bits a second"),
        ("fixed:0", "at least 1 bit"),
        ("fixed:7", "at least 8 bits"),
        ("fixed:0B", "must be positive"),
        ("fixed:64kB", "such as 64KiB"),
        ("fixed:B", "such as 64KiB"),
        ("fixed:KiB", "such as 64KiB"),
        ("fixed:-1B", "at least 0"),
        ("fixed:20M,30M", "two of a rate"),
        ("fixed:1B,2B", "two of a window"),
        ("fixed:20M,", "rate in bits a second"),
        ("fixed:1M,1KiB,1B", "two of a window"),
    ],
)
def test_what_means_nothing_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_congestion(text)


def parser() -> ToolParser:
    made = ToolParser(prog="tool")
    add_sending(made)
    return made


def test_without_them_the_model_decides_and_nothing_limits_it() -> None:
    args = parser().parse_args([])
    assert (args.congestion, args.rate) == (Congestion(), None)


def test_they_are_read() -> None:
    args = parser().parse_args(["--congestion", "cubic", "--rate", "20M"])
    assert (args.congestion, args.rate.rate) == (Congestion("cubic"), 2_500_000)


@pytest.mark.parametrize("option", ["--congestion", "--rate"])
def test_a_mistake_ends_the_tool_in_one_line(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([option, "pigeon"])
    said = capsys.readouterr().err
    assert ended.value.code == exit_codes.USAGE
    assert said.startswith(f"tool: argument {option}: ") and said.endswith(" (see tool --help)\n")
    assert said.count("\n") == 1 and "'pigeon'" in said


def test_the_help_tells_every_controller() -> None:
    text = " ".join(parser().format_help().split())
    assert all(name in text for name in NAMES)


@pytest.mark.parametrize("page", ["send-recv.md", "rdp.md"])
def test_the_manuals_tell_every_controller(page: str) -> None:
    manual = (Path(__file__).resolve().parents[3] / "docs" / page).read_text(encoding="utf-8")
    assert [name for name in NAMES if f"`{name}" not in manual] == []
