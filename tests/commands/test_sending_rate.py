"""`--congestion` and `--rate` of rdps and `surewire send`, over loopback: what they do, and what is said of mistakes.

Only what takes too little time fails; a slow machine is never at fault.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any, Protocol

import pytest

from surewire.apps import exit_codes
from tests.commands.rdp_tools import HOST, PATIENCE_S, Outcome, Receiver, Tool
from tests.commands.transfer_tools import Home, Receiving, Sending, records

CONTENT = random.Random(6).randbytes(60_000)
BURST = 15_000  # bytes that may leave at once, at the beginning


class Pair(Protocol):
    """A receiver that runs, and a sender for it; `into` is the folder where the file arrives."""

    into: Path

    def sender(self, *options: object) -> Tool: ...

    def end(self, outcome: Outcome) -> dict[str, Any]:
        """The sender's figures; what it sent has arrived."""


class RdpPair:
    def __init__(self, folder: Path) -> None:
        self.into = folder / "into"
        self.into.mkdir()
        self.receiver = Receiver(self.into / "received")
        self.file = folder / "sent"
        self.file.write_bytes(CONTENT)
        self.stats = folder / "stats"

    def sender(self, *options: object) -> Tool:
        return Tool("rdps", HOST, 0, HOST, self.receiver.port, self.file, "--quiet", "--stats", self.stats, *options)

    def end(self, outcome: Outcome) -> dict[str, Any]:
        assert (outcome.code, self.receiver.wait().code) == (0, 0), outcome
        assert (self.into / "received").read_bytes() == CONTENT
        figures: dict[str, Any] = json.loads(self.stats.read_text())
        return figures


class NativePair:
    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        self.into = self.home.into
        self.receiver = Receiving(self.home, "--once", "--plain")

    def sender(self, *options: object) -> Tool:
        return Sending(self.home, self.home.file(CONTENT), self.receiver.port, "--plain", "--json", *options)

    def end(self, outcome: Outcome) -> dict[str, Any]:
        assert (outcome.code, self.receiver.wait().code) == (0, 0), outcome
        assert self.home.received == {"sent.bin": CONTENT}
        return records(outcome.out)[0]


def await_arrivals(folder: Path) -> None:
    """Wait until a file has begun to arrive there: whoever sends it has read its arguments."""
    deadline = time.monotonic() + PATIENCE_S
    while not any(folder.iterdir()):
        assert time.monotonic() < deadline, "nothing arrives"
        time.sleep(0.01)


@pytest.fixture(params=[RdpPair, NativePair], ids=["rdps", "send"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made = request.param(tmp_path)
    with made.receiver:
        yield made


@pytest.mark.parametrize("congestion", ["cubic", "newreno", "fixed:64KiB", "fixed:20M,1MiB"])
def test_a_file_arrives_by_any_controller(pair: Pair, congestion: str) -> None:
    with pair.sender("--congestion", congestion) as sender:
        figures = pair.end(sender.wait())
    assert (figures["congestion"], figures["max_rate"]) == (congestion.partition(":")[0], None)


@pytest.mark.parametrize("options", [("--rate", "240k"), ("--congestion", "fixed:240k")])
def test_a_rate_is_not_exceeded(pair: Pair, options: tuple[str, ...]) -> None:
    with pair.sender(*options) as sender:
        figures = pair.end(sender.wait())
    assert figures["seconds"] >= (len(CONTENT) - BURST) / 30_000
    assert figures["max_rate"] == (30_000 if "--rate" in options else None)
    assert figures.get("limited_by", "limit") in ("limit", "start") or "--rate" not in options


def test_a_limit_in_a_file_changes_while_it_is_sent(pair: Pair, tmp_path: Path) -> None:
    """At 800 bytes a second it would take a minute, which is more than a tool here is waited for."""
    limit = tmp_path / "limit"
    limit.write_text("6400\n")
    with pair.sender("--rate", f"@{limit}") as sender:
        await_arrivals(pair.into)
        limit.write_text("soon\n")
        line = sender.read_error_line()
        limit.write_text("80M\n")
        figures = pair.end(sender.wait())
    name = line.partition(":")[0]
    words = "expected a rate in bits a second such as 20M, at least 0, not 'soon'"
    assert line == f"{name}: note: {limit} holds no limit of the rate: {words}; the limit stays as it was\n"
    assert figures["max_rate"] == 10_000_000
    assert figures["seconds"] >= 1


@pytest.mark.parametrize("tool", ["rdps", "surewire send"])
@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--congestion", "reno", "congestion control is model, "),
        ("--congestion", "fixed", "fixed needs a rate or a window, as in fixed:20M or fixed:64KiB"),
        ("--congestion", "fixed:0", "a rate must be at least 1 bit a second"),
        ("--rate", "fast", "expected a rate in bits a second such as 20M"),
        ("--rate", "@missing/file", "cannot read the limit of the rate in missing/file: No such file or directory"),
    ],
)
def test_a_mistake_is_told_before_anything_is_sent(
    tmp_path: Path, tool: str, option: str, value: str, words: str
) -> None:
    home = Home(tmp_path)
    file = home.file(CONTENT)
    made = (
        Tool("rdps", HOST, 0, HOST, 9, file, option, value)
        if tool == "rdps"
        else Sending(home, file, 9, "--plain", option, value)
    )
    with made as sender:
        outcome = sender.wait()
    assert (outcome.code, outcome.out) == (exit_codes.USAGE, "")
    assert outcome.err.startswith(f"{tool}: argument {option}: ") and words in outcome.err
    assert outcome.err.count("\n") == 1
