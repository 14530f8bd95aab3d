"""`surewire sim run`: what it prints, how it ends, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from surewire.apps import exit_codes
from surewire.apps.sim_options import PLAIN
from surewire.lab.scenario_files import load_scenario
from surewire.lab.simulated.runs import RunSpec, simulate
from tests.commands.sim_tools import sim_here


def test_a_run_is_told_in_a_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert sim_here("run", "--size", "100k") == exit_codes.OK
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[:2] == ["plain: a clean path: 20 Mbit/s, 40 ms round trip", "rdp, 102,400 bytes, seed 1"]
    figures = dict(line.split(maxsplit=1) for line in lines[3:])
    result = simulate(RunSpec(protocol="rdp", scenario=PLAIN, size=102_400, seed=1, traced=True))
    assert figures["result"] == "delivered"
    assert figures["seconds"] == f"{result.seconds:.3f}"
    assert figures["goodput"].startswith(f"{result.goodput / 1e6:.3f} Mbit/s, ")
    assert figures["goodput"].endswith("% of C(1 - p)")
    assert figures["trace"] == result.trace_hash
    assert max(map(len, lines)) <= 79


def test_a_scenario_has_its_own_size_and_options_change_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert sim_here("run", "--scenario", "handshakeloss", "--protocol", "streamer", "--json") == exit_codes.OK
    record = json.loads(capsys.readouterr().out)
    assert (record["scenario"], record["size"]) == ("handshakeloss", load_scenario("handshakeloss").size)
    assert record["ok"] is True and record["lost"] > 0
    assert sim_here("run", "--scenario", "handshakeloss", "--loss", "0", "--protocol", "streamer", "--json") == 0
    assert json.loads(capsys.readouterr().out)["lost"] == 0


def test_a_scenario_may_be_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('description = "mine"\nsize = 5000\n[path]\ndelay = 7\n')
    assert sim_here("run", "--scenario", path, "--up-delay", "8", "--json") == exit_codes.OK
    record = json.loads(capsys.readouterr().out)
    assert (record["scenario"], record["size"], record["utilisation"]) == ("mine", 5000, None)
    assert record["seconds"] >= 0.03  # twice there and back again: opening and confirmation


def test_a_failed_run_is_told_and_has_a_status_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert sim_here("run", "--loss", "100", "--size", "1k") == exit_codes.LOST
    out, err = capsys.readouterr()
    assert "result      failed" in out
    assert err.startswith("surewire sim run: HandshakeTimeout: ") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--scenario", "transferlos"], "transferloss"),
        (["--scenario", "no/such.toml"], "no/such.toml"),
        (["--loss", "101"], "--loss"),
        (["--size", "0"], "at least 1 byte"),
        (["--seed", "-1"], "--seed"),
        (["--protocol", "tcp"], "--protocol"),
        (["--change", "5:rate=1M", "--rate", "none"], "rate"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = sim_here("run", *arguments)
    except SystemExit as end:
        status = int(str(end.code))
    assert status == exit_codes.USAGE
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1) and why in err
