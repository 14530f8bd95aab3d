"""The path's options on a command line: all there, for each direction, over a scenario, and refused in one line."""

from __future__ import annotations

import argparse

import pytest

from surewire.apps import router_options
from surewire.impair import PATH_OPTIONS, LinkConfig, Policer

MS = 1_000_000


def parsed(text: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    router_options.add_path_arguments(parser)
    return parser.parse_args(text.split())


def test_every_option_of_the_table_is_there_three_times(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--help")
    text = capsys.readouterr().out
    for option in PATH_OPTIONS:
        for prefix in ("", "up-", "down-"):
            assert f"--{prefix}{option.name} {option.metavar}" in " ".join(text.split())


def test_options_go_over_a_base_and_a_direction_over_both() -> None:
    base = LinkConfig(loss=0.5, rate=1_000, mtu=500, policer=Policer(rate=1, burst=1), delay=MS)
    args = parsed("--loss 1 --up-loss 2 --down-mtu none --policer none --up-policer 8:9")
    up, down = (router_options.link_config(args, prefix, base=base) for prefix in ("up", "down"))
    assert up == LinkConfig(loss=0.02, rate=1_000, mtu=500, policer=Policer(rate=8, burst=9), delay=MS)
    assert down == LinkConfig(loss=0.01, rate=1_000, delay=MS)


@pytest.mark.parametrize(
    "text", ["--loss 101", "--up-codel 5", "--down-drop 0", "--change 5:x=1", "--queue none", "--mtu -1", "--burst x"]
)
def test_a_bad_value_is_refused_with_the_option_s_name(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(text)
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"argument {text.split()[0]}: expected" in last
