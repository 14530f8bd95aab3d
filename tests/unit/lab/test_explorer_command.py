"""`surewire sim explore`: arguments, table, JSON, replays and exit statuses."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence

import pytest

from surewire.apps import exit_codes, sim_explore
from surewire.lab.proof.explorer import World
from tests.unit.lab.explorer_toys import word_world


def run(*words: str, worlds: Mapping[str, Sequence[World]] = sim_explore.WORLDS) -> int:
    parser = argparse.ArgumentParser()
    sim_explore.add_arguments(parser)
    return sim_explore.run(parser.parse_args(words), worlds)


def test_the_table_has_a_row_for_each_world(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--packets", "1", "--faults", "0", "--waits", "0") == exit_codes.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 packets, 0 faults, 0 waits, 1 swaps"
    names = [line.split()[:2] for line in lines[3:]]
    assert names == [[protocol, world.name] for protocol, worlds in sim_explore.WORLDS.items() for world in worlds]
    assert all(line.endswith("  yes") for line in lines[3:])


def test_json_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--protocol", "rdp", "--world", "byte", "--packets", "2", "--swaps", "0", "--json") == exit_codes.OK
    record = json.loads(capsys.readouterr().out)
    assert record["budget"] == {"packets": 2, "faults": 1, "waits": 1, "swaps": 0}
    (world,) = record["worlds"]
    assert (world["protocol"], world["world"], world["complete"], world["violation"]) == ("rdp", "byte", True, None)
    assert sum(world["outcomes"].values()) == world["ends"] > 0


def test_choices_are_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--protocol", "streamer", "--world", "both", "--choices", "x0,x0,t") == exit_codes.OK
    lines = capsys.readouterr().out.splitlines()
    assert "x0   0 -> 1 SYN+number+data+FIN (17 bytes) is lost" in lines[1] or "is lost" in lines[0]
    assert lines[-1].endswith("both sides have closed: side 0 well; side 1 well")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--world", "nowhere"], "there is no world 'nowhere'"),
        (["--protocol", "rdp", "--world", "late"], "there is no world 'late' of rdp"),
        (["--choices", "t"], "--choices needs one world"),
        (["--protocol", "rdp", "--world", "byte", "--choices", "x9"], "'x9' is not possible"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == exit_codes.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("surewire sim explore: ") and message in line


@pytest.mark.parametrize("words", [["--packets", "-1"], ["--faults", "x"], ["--seconds", "0"], ["--protocol", "tcp"]])
def test_wrong_values_are_refused_by_the_parser(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*words)
    assert caught.value.code == exit_codes.USAGE


def test_what_is_wrong_is_told_with_the_command_that_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    worlds = {"toy": [word_world(bits=False)]}
    assert run("--packets", "7", worlds=worlds) == exit_codes.LOST
    out, err = capsys.readouterr()
    assert out.splitlines()[-1].endswith("  WRONG")
    first, second = err.splitlines()
    assert first == "surewire sim explore: toy words: received [b'one', b'two', b'two']"
    choices = second.split("--choices ")[1]
    assert second.startswith("surewire sim explore: to see it: surewire sim explore --protocol toy --world words ")
    assert run("--choices", choices, worlds=worlds) == exit_codes.LOST
    assert "received [b'one', b'two', b'two']" in capsys.readouterr().err


def test_every_world_is_in_the_help() -> None:
    for worlds in sim_explore.WORLDS.values():
        assert all(f"  {world.name:<15}{world.description}\n" in sim_explore.EPILOG for world in worlds)
