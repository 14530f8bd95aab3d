"""`surewire scenarios`: the list, one scenario as a file and as values, and what is refused."""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path

import pytest

from surewire.apps import exit_codes, scenarios
from surewire.impair import LinkConfig, parse_scenario
from surewire.lab.scenario_files import load_scenario, scenario_names


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser(description=scenarios.DESCRIPTION, epilog=scenarios.EPILOG)
    scenarios.add_arguments(parser)
    return scenarios.run(parser.parse_args(arguments))


def test_the_list_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == exit_codes.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == scenario_names()
    assert all(len(line) <= 110 for line in lines)
    assert any(line.split() == ["codel", "4M", *load_scenario("codel").description.split()] for line in lines)


def test_the_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--json") == exit_codes.OK
    listed = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in listed] == scenario_names()
    assert all(one["description"] and one["size"] > 0 for one in listed)


def test_one_is_shown_as_a_file_that_means_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lte") == exit_codes.OK
    assert parse_scenario("lte", tomllib.loads(capsys.readouterr().out)) == load_scenario("lte")


def test_one_is_shown_with_all_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("rebind-addr", "--json") == exit_codes.OK
    shown = json.loads(capsys.readouterr().out)
    assert shown["rebinding"] == {"first": 1_000_000_000, "every": 5_000_000_000, "address": True}
    assert shown["up"]["rate"] == 10_000_000
    assert shown["up"]["overhead"] == LinkConfig().overhead


def test_a_file_of_ones_own_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('description = "mine"\n[down]\nloss = 7\n')
    assert run(str(file)) == exit_codes.OK
    assert "[down]\nloss = 7\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["nothing", "missing.toml"])
def test_what_is_not_there_is_one_line_and_code_2(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(name) == exit_codes.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("surewire scenarios: ")
    assert name in err
