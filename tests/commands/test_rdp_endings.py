"""Transfers that end early: by a signal, by a peer that dies, by a full disk, by a source that changes."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.rdp_tools import (
    ENVIRONMENT,
    HOST,
    MODULES,
    Line,
    Receiver,
    Tool,
    recount,
    router,
    send,
    split_output,
)

FILE, LOST, INTERRUPTED = 3, 6, 130
SIZE = 3_000_000
SLOW = ("--rate", "4M", "--delay", "5")  # six seconds for all of it
OLD = b"what stood here before"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "sent.bin"
    path.write_bytes(os.urandom(1 << 16) * (SIZE >> 16))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "received"
    folder.mkdir()
    path = folder / "file.bin"
    path.write_bytes(OLD)
    return path


@contextlib.contextmanager
def hangups(disposition: signal.Handlers) -> Iterator[None]:
    """The tools that start here inherit this: under nohup, where the tests may run themselves, SIGHUP is ignored."""
    before = signal.signal(signal.SIGHUP, disposition)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@contextlib.contextmanager
def slow_transfer(source: Path, target: Path, *options: str) -> Iterator[tuple[Tool, Receiver]]:
    """A sender and a receiver in the midst of a transfer that still takes seconds."""
    with (
        Receiver(target, *options) as receiver,
        router(receiver.port, *SLOW) as port,
        Tool("rdps", HOST, 0, HOST, port, source, "--timeout", "2") as sender,
    ):
        for _ in range(50):  # lines of either side
            sender.read_line()
            receiver.read_line()
        yield sender, receiver


def check_kept(target: Path, source: Path, messages: str) -> None:
    """The bytes stand under the temporary name, the message tells which, and the old file is as it was."""
    found = re.search(r"^rdpr: kept the first (\d+).* bytes.* in (.+)$", messages, re.MULTILINE)
    assert found is not None, messages
    count, kept = int(found[1]), Path(found[2])
    assert count > 0
    assert sorted(path.name for path in target.parent.iterdir()) == sorted([target.name, kept.name])
    assert kept.name.startswith(f".{target.name}.")
    assert kept.name.endswith(".part")
    assert kept.read_bytes()[:count] == source.read_bytes()[:count]
    assert target.read_bytes() == OLD


def check_counts(out: str, verb: str) -> list[Line]:
    """Summary and lines agree, though some lines have been read already; the rest of the lines."""
    lines, summary = split_output(out)
    seen = recount(lines, verb)
    for name in ("RST packets sent", f"FIN packets {verb}"):
        assert summary[name] == seen[name]
    return lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_sender_resets_the_receiver(source: Path, target: Path, number: int) -> None:
    with hangups(signal.SIG_DFL), slow_transfer(source, target) as (sender, receiver):
        sender.signal(number)
        sent, received = sender.wait(), receiver.wait()
    assert (sent.code, sent.err) == (INTERRUPTED, "rdps: interrupted\n")
    lines = check_counts(sent.out, "sent")
    assert [line.event for line in lines if line.type == "RST"] == ["s", "S", "S"]
    assert received.code == LOST
    assert "rdpr: the sender ended the transfer: interrupted\n" in received.err
    check_counts(received.out, "received")
    check_kept(target, source, received.err)


def test_a_hangup_stops_nothing_under_nohup(source: Path, target: Path) -> None:
    source.write_bytes(source.read_bytes()[: SIZE // 3])
    with hangups(signal.SIG_IGN), slow_transfer(source, target) as (sender, receiver):
        sender.signal(signal.SIGHUP)
        receiver.signal(signal.SIGHUP)
        sent, received = sender.wait(), receiver.wait()
    assert (sent.code, received.code) == (0, 0)
    assert target.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_receiver_resets_the_sender(source: Path, target: Path, number: int) -> None:
    with slow_transfer(source, target) as (sender, receiver):
        receiver.signal(number)
        sent, received = sender.wait(), receiver.wait()
    assert received.code == INTERRUPTED
    assert received.err.splitlines()[1] == "rdpr: interrupted"
    check_counts(received.out, "received")
    check_kept(target, source, received.err)
    assert (sent.code, sent.err) == (LOST, "rdps: the receiver ended the transfer: interrupted\n")
    check_counts(sent.out, "sent")


def test_a_receiver_stopped_while_it_waits(target: Path) -> None:
    with Receiver(target) as receiver:
        receiver.signal(signal.SIGINT)
        outcome = receiver.wait()
    assert outcome.code == INTERRUPTED
    assert outcome.err.splitlines()[1:] == ["rdpr: interrupted"]
    assert split_output(outcome.out)[0] == []
    assert os.listdir(target.parent) == [target.name]


def test_a_stop_after_the_last_byte_only_ends_the_lingering(source: Path, target: Path) -> None:
    source.write_bytes(b"all of it")
    with Receiver(target, "--linger", "600") as receiver:
        sent = send(source, receiver.port, "--plain")
        receiver.signal(signal.SIGINT)
        received = receiver.wait()
    assert (sent.code, received.code) == (0, 0)
    assert received.err.splitlines()[1:] == []
    check_counts(received.out, "received")
    assert target.read_bytes() == b"all of it"


@pytest.mark.parametrize("tool", ["rdps", "rdpr"])
def test_an_interrupt_before_anything_began(tmp_path: Path, tool: str) -> None:
    """While Python still imports, as a module in argparse's place shows."""
    (tmp_path / "argparse.py").write_text("import signal; signal.raise_signal(signal.SIGINT); print('not ended')")
    search_path = os.pathsep.join([str(tmp_path), ENVIRONMENT["PYTHONPATH"]])
    with Tool(tool, env={**ENVIRONMENT, "PYTHONPATH": search_path}) as running:
        outcome = running.wait()
    assert outcome == (-signal.SIGINT, "", "")


def test_a_second_signal_ends_it_although_nobody_reads_the_screen(source: Path, target: Path) -> None:
    source.write_bytes(bytes(2_000_000))  # the log of its packets overfills any pipe
    read, write = os.pipe()
    with open(read, "rb"), open(write, "wb") as screen, Receiver(target, "--linger", "600", stdout=screen) as receiver:
        assert send(source, receiver.port, "--plain", "--quiet").code == 0
        code = None
        while code is None:  # signals that come at once are one
            receiver.signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = receiver.process.wait(0.2)
    assert code == -signal.SIGINT
    assert target.read_bytes() == bytes(2_000_000)


def test_a_killed_sender(source: Path, target: Path) -> None:
    with slow_transfer(source, target, "--timeout", "1") as (sender, receiver):
        sender.signal(signal.SIGKILL)
        received = receiver.wait()
    assert received.code == LOST
    assert "rdpr: the sender has been silent for 1 s\n" in received.err
    check_kept(target, source, received.err)


def test_a_killed_receiver(source: Path, target: Path) -> None:
    with slow_transfer(source, target) as (sender, receiver):
        receiver.signal(signal.SIGKILL)
        sent = sender.wait()
    assert sent.code == LOST
    assert sent.err == "rdps: the receiver has been silent for 2 s\n"
    check_counts(sent.out, "sent")
    assert target.read_bytes() == OLD


def test_a_killed_receiver_without_a_router_between(source: Path, target: Path) -> None:
    source.write_bytes(bytes(50_000_000))
    with Receiver(target, "--quiet") as receiver, Tool("rdps", HOST, 0, HOST, receiver.port, source) as sender:
        for _ in range(50):
            sender.read_line()
        receiver.signal(signal.SIGKILL)
        sent = sender.wait()
    assert (sent.code, sent.err) == (LOST, "rdps: the receiver is gone: its port is closed\n")


def test_a_disk_that_is_full(source: Path, target: Path) -> None:
    limit = SIZE // 3
    setting = f"import os, resource, sys; resource.setrlimit({resource.RLIMIT_FSIZE}, ({limit}, {limit}))"
    command = [sys.executable, "-c", f"{setting}; os.execv(sys.argv[1], sys.argv[1:])", *MODULES["rdpr"]]
    with Receiver(target, command=command) as receiver:
        sent, received = send(source, receiver.port), receiver.wait()
    assert received.code == FILE
    assert f"rdpr: cannot write {target}: File too large\n" in received.err
    check_counts(received.out, "received")
    check_kept(target, source, received.err)
    assert sent.code == LOST
    assert sent.err == f"rdps: the receiver ended the transfer: cannot write {target}: File too large\n"


def test_a_folder_that_disappears(source: Path, target: Path) -> None:
    with Receiver(target) as receiver:
        target.unlink()
        target.parent.rmdir()
        sent, received = send(source, receiver.port), receiver.wait()
    assert (sent.code, received.code) == (LOST, FILE)
    assert f"rdpr: cannot write {target}: No such file or directory\n" in received.err
    assert "No such file or directory\n" in sent.err


def test_a_source_that_changes(source: Path, target: Path) -> None:
    with slow_transfer(source, target) as (sender, receiver):
        os.truncate(source, SIZE // 2)
        sent, received = sender.wait(), receiver.wait()
    assert sent.code == FILE
    assert "changed while it was sent" in sent.err
    assert sent.err.count("\n") == 1
    assert received.code == LOST
    assert "rdpr: the sender ended the transfer: the file changed while it was sent\n" in received.err
    assert target.read_bytes() == OLD
