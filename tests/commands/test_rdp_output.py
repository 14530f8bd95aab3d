"""Where rdps and rdpr print to: readers that leave or stall, full devices, closed descriptors. A transfer goes on."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from tests.commands.rdp_tools import ENVIRONMENT, HOST, LINGER, MODULES, Receiver, Tool, recount, send, split_output

SIZE = 3_000_000  # more lines than any pipe holds


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "sent.bin"
    path.write_bytes(random.Random(361).randbytes(SIZE))
    return path


def through_shell(name: str, redirection: str) -> list[str]:
    """The command of a tool with its output redirected by a shell."""
    return ["sh", "-c", f'exec "$@" {redirection}', "sh", *MODULES[name]]


@pytest.mark.parametrize("leaver", ["sender", "receiver"])
def test_a_reader_that_leaves(source: Path, tmp_path: Path, leaver: str) -> None:
    with (
        Receiver(tmp_path / "b") as receiver,
        Tool("rdps", HOST, 0, HOST, receiver.port, source) as sender,
    ):
        tool = sender if leaver == "sender" else receiver
        tool.read_line()
        assert tool.process.stdout is not None
        tool.process.stdout.close()
        tool.process.stdout = None
        sent, received = sender.wait(), receiver.wait()
    assert (sent.code, sent.err) == (0, "")
    assert (received.code, len(received.err.splitlines())) == (0, 1)
    assert (tmp_path / "b").read_bytes() == source.read_bytes()


def test_a_stalled_reader_of_the_sender(source: Path, tmp_path: Path) -> None:
    with (
        Receiver(tmp_path / "b", "--log", tmp_path / "log") as receiver,
        Tool("rdps", HOST, 0, HOST, receiver.port, source) as sender,
    ):
        received = receiver.wait()
        assert received.code == 0
        assert (tmp_path / "b").read_bytes() == source.read_bytes()
        # Still waiting for its reader; nothing of the log is lost.
        assert sender.process.poll() is None
        sent = sender.wait()
    lines, summary = split_output(sent.out)
    assert recount(lines, "sent").items() <= summary.items()


def test_a_stalled_reader_of_the_receiver(source: Path, tmp_path: Path) -> None:
    with Receiver(tmp_path / "b") as receiver:
        assert send(source, receiver.port, "--quiet").code == 0
        assert (tmp_path / "b").read_bytes() == source.read_bytes()
        received = receiver.wait()
    lines, summary = split_output(received.out)
    assert recount(lines, "received").items() <= summary.items()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_screen_that_takes_nothing_is_said(source: Path, tmp_path: Path) -> None:
    full = through_shell("rdpr", ">/dev/full")
    log = tmp_path / "log"
    with Receiver(tmp_path / "b", command=full) as receiver:
        command = through_shell("rdps", ">/dev/full")
        with Tool("rdps", HOST, 0, HOST, receiver.port, source, "--log", log, command=command) as sender:
            sent = sender.wait()
        received = receiver.wait()
    note = "note: the log is not complete: cannot write to the screen: No space left on device"
    assert (sent.code, sent.err) == (0, f"rdps: {note}\n")
    assert (received.code, received.err.splitlines()[1:]) == (0, [f"rdpr: {note}"])
    assert log.read_text().count(" DAT ") >= SIZE // 1024
    assert (tmp_path / "b").read_bytes() == source.read_bytes()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_log_or_figures_that_cannot_be_stored(source: Path, tmp_path: Path) -> None:
    with Receiver(tmp_path / "b") as receiver:
        sent = send(source, receiver.port, "--log", "/dev/full", "--stats", "/dev/full")
        assert receiver.wait().code == 0
    assert sent.code == 0
    assert sent.err.splitlines() == [
        "rdps: note: the log is not complete: cannot write to /dev/full: No space left on device",
        "rdps: cannot write /dev/full: No space left on device",
    ]
    assert split_output(sent.out)[1]["unique data bytes sent"] == str(SIZE)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors(source: Path, tmp_path: Path, closed: str) -> None:
    """The descriptor of a closed screen must not become that of the file, or the log would be written into it."""
    with Receiver(tmp_path / "a") as unused:
        port = unused.port  # free, once that one is gone
    receiving = subprocess.Popen(
        [*through_shell("rdpr", closed), HOST, str(port), str(tmp_path / "b"), *LINGER],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    with receiving, Tool("rdps", HOST, 0, HOST, port, source, command=through_shell("rdps", closed)) as sender:
        sent = sender.wait()
        receiving.wait(20)
    assert (sent.code, receiving.returncode) == (0, 0)
    assert sent.err == ""
    assert (tmp_path / "b").read_bytes() == source.read_bytes()
    assert source.read_bytes() == random.Random(361).randbytes(SIZE)


def test_complaints_without_standard_error(tmp_path: Path) -> None:
    for arguments in ([], [HOST, 0, HOST, 9, tmp_path / "missing"]):
        with Tool("rdps", *arguments, command=through_shell("rdps", "2>&-")) as tool:
            outcome = tool.wait()
        assert outcome.code in (2, 3)
        assert (outcome.out, outcome.err) == ("", "")
