"""`surewire send` and `recv` when something goes wrong: one clear line, the documented status, no partial file."""

from __future__ import annotations

import contextlib
import os
import pty
import random
import resource
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from surewire.apps import exit_codes
from tests.commands.rdp_tools import PATIENCE_S, Outcome, router
from tests.commands.transfer_tools import Home, Receiving, Sending, records, run

CONTENT = random.Random(6).randbytes(3_000_000)
SLOW = ("--rate", "8M")  # a megabyte a second: time enough for anything to happen in between
IDLE = ("--timeout", "1")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def wait_for_a_part(home: Home) -> None:
    """Until some of a file is in the folder, under its temporary name."""
    deadline = time.monotonic() + PATIENCE_S
    while not any(content for content in home.received.values()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (name,) = home.received
    assert name.startswith(".sent.bin.") and name.endswith(".part")


@contextlib.contextmanager
def under_way(home: Home, *options: str) -> Iterator[tuple[Receiving, Sending]]:
    """Both sides in the middle of a file; `options` are the receiver's."""
    with (
        Receiving(home, "--plain", *options) as receiver,
        router(receiver.port, *SLOW) as port,
        Sending(home, home.file(CONTENT), port, "--plain", *IDLE) as sender,
    ):
        wait_for_a_part(home)
        yield receiver, sender


def one_line(outcome: Outcome, *, last: str = "") -> str:
    """What stands on standard error, but for the line that tells the port."""
    lines = [line for line in outcome.err.splitlines() if "listening on" not in line]
    assert "Traceback" not in outcome.err and len(lines) == 1, outcome.err
    return lines[0]


def test_an_interrupted_sender(home: Home) -> None:
    with under_way(home, "--once", "--json") as (receiver, sender):
        sender.signal(signal.SIGINT)
        sent, received = sender.wait(), receiver.wait()
    assert (sent.code, one_line(sent)) == (exit_codes.INTERRUPTED, "surewire send: interrupted")
    assert received.code == exit_codes.LOST
    line = one_line(received)
    assert line.startswith("surewire recv: sent.bin from 127.0.0.1:")
    assert line.endswith(": the sender was interrupted; nothing is kept of it")
    (record,) = records(received.out)
    assert (record["name"], record["error"], record["exit"]) == ("sent.bin", "the sender was interrupted", 6)
    assert home.received == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_receiver_that_is_stopped(home: Home, number: signal.Signals) -> None:
    with under_way(home) as (receiver, sender):
        receiver.signal(number)
        received, sent = receiver.wait(), sender.wait()
    assert received.code == exit_codes.INTERRUPTED
    assert received.err.endswith("surewire recv: interrupted\n") and "Traceback" not in received.err
    assert (sent.code, one_line(sent)) == (exit_codes.LOST, "surewire send: the receiver was stopped")
    assert home.received == {}


def test_a_receiver_that_is_killed(home: Home) -> None:
    with under_way(home) as (receiver, sender):
        receiver.process.kill()
        sent = sender.wait()
    assert sent.code == exit_codes.LOST
    assert "nothing heard from the peer" in one_line(sent) or "the peer is gone" in one_line(sent)
    assert "sent.bin" not in home.received


def test_a_sender_that_is_killed(home: Home) -> None:
    with under_way(home, "--once", *IDLE) as (receiver, sender):
        sender.process.kill()
        received = receiver.wait()
    assert received.code == exit_codes.LOST
    assert "nothing is kept of it" in one_line(received)
    assert home.received == {}


def test_a_listener_goes_on_after_a_sender_that_failed(home: Home) -> None:
    with under_way(home) as (receiver, sender):
        sender.signal(signal.SIGINT)
        assert sender.wait().code == exit_codes.INTERRUPTED
        again = home.send(home.file(CONTENT[:1000]), receiver.port, "--plain")
        receiver.process.terminate()
        assert receiver.wait().code == exit_codes.OK
    assert again.code == exit_codes.OK
    assert home.received == {"sent.bin": CONTENT[:1000]}


def test_a_file_that_changes_while_it_is_sent(home: Home) -> None:
    with under_way(home, "--once") as (receiver, sender):
        home.file(CONTENT[:-1])
        sent, received = sender.wait(), receiver.wait()
    assert sent.code == exit_codes.FILE
    assert one_line(sent).startswith(f"surewire send: {home.path / 'sent.bin'} ")
    assert received.code == exit_codes.LOST
    assert str(home.path) not in one_line(received)
    assert home.received == {}


def test_a_disk_that_is_full(home: Home) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        receiver = Receiving(home, "--once", "--plain")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with receiver:
        sent = home.send(home.file(CONTENT), receiver.port, "--plain")
        received = receiver.wait()
    assert (sent.code, received.code) == (exit_codes.LOST, exit_codes.FILE)
    assert one_line(sent) == "surewire send: the receiver: the file cannot be stored: the disk failed or is full"
    assert "File too large; nothing is kept of it" in one_line(received)
    assert home.received == {}


def test_nobody_is_there(home: Home) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        unanswered = home.send(home.file(CONTENT), port, "--plain", "--timeout", "0.3", "--json")
    refused = home.send(home.file(CONTENT), port, "--plain")
    for done, reason in [(unanswered, "no answer in 0.3 s"), (refused, "the port is closed")]:
        assert done.code == exit_codes.NO_ANSWER
        assert reason in one_line(done)
    assert records(unanswered.out) == [{"error": "no answer in 0.3 s", "exit": 5}]


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (["send", "{home}/absent", "127.0.0.1:9"], exit_codes.FILE, "No such file"),
        (["send", "{home}", "127.0.0.1:9"], exit_codes.FILE, "it is a directory"),
        (["send", "{home}/sent.bin", "127.0.0.1:0"], exit_codes.USAGE, "port 0"),
        (["send", "{home}/sent.bin", "host.invalid:9", "--plain"], exit_codes.ADDRESS, "cannot send to host.invalid:9"),
        (["send", "{home}/sent.bin", "127.0.0.1:9", "--name", "../x"], exit_codes.USAGE, "--name"),
        (["send", "{home}/sent.bin", "127.0.0.1:9", "--psk", "{home}/absent"], exit_codes.USAGE, "No such file"),
        (["send", "{home}/sent.bin", "127.0.0.1:9", "--psk", "{home}/sent.bin"], exit_codes.USAGE, "holds no key"),
        (["send", "{home}/sent.bin", "127.0.0.1:9", "--psk", "x", "--plain"], exit_codes.USAGE, "not allowed with"),
        (["send", "{home}/sent.bin", "127.0.0.1:9", "--trust", "x"], exit_codes.USAGE, "fingerprint"),
        (["send", "{home}/sent.bin", "127.0.0.1:9", "--server-key", "x"], exit_codes.USAGE, "public key"),
        (["send", "{home}/sent.bin", "127.0.0.1:9", "--mtu", "100"], exit_codes.USAGE, "1200 to 65507"),
        (["send", "{home}/sent.bin", "127.0.0.1:9", "--timeout", "-1"], exit_codes.USAGE, "seconds"),
        (["recv", "--listen", "127.0.0.1:0"], exit_codes.USAGE, "--into"),
        (["recv", "--listen", "127.0.0.1:0", "--into", "{home}/no/no"], exit_codes.FILE, "No such file"),
        (["recv", "--listen", "127.0.0.1:0", "--into", "{home}/sent.bin"], exit_codes.FILE, "not a folder"),
        (["recv", "--listen", "192.0.2.1:9", "--into", "{home}"], exit_codes.ADDRESS, "cannot listen on 192.0.2.1:9"),
        (
            ["recv", "--listen", "127.0.0.1:0", "--into", "{home}", "--psk", "{home}/no"],
            exit_codes.USAGE,
            "No such file",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_done(home: Home, words: list[str], status: int, reason: str) -> None:
    home.file(CONTENT[:50])
    done = run(home, *(word.format(home=home.path) for word in words))
    assert done.code == status
    assert reason in one_line(done) and done.out == ""


def test_a_port_that_is_taken(home: Home) -> None:
    with Receiving(home, "--plain") as receiver:
        done = run(home, "recv", "--plain", "--listen", f"127.0.0.1:{receiver.port}", "--into", home.into, "--json")
    assert done.code == exit_codes.ADDRESS
    assert "Address already in use" in one_line(done)
    assert records(done.out)[0]["exit"] == exit_codes.ADDRESS


def test_progress_is_told_in_lines_where_nothing_can_be_written_over(home: Home) -> None:
    with under_way(home) as (_, sender):
        line = sender.read_error_line()
        sender.signal(signal.SIGINT)
        sender.wait()
    assert line.startswith("sent.bin: ") and " of 3.0 MB  " in line
    assert "%  " in line and "RTT " in line and "loss " in line and line.endswith(" left\n")


def test_progress_is_a_bar_at_a_terminal(home: Home) -> None:
    pytest.importorskip("rich")
    ours, theirs = pty.openpty()
    with (
        os.fdopen(ours, "rb", buffering=0) as screen,
        os.fdopen(theirs, "wb"),
        Receiving(home, "--plain") as receiver,
        router(receiver.port, *SLOW) as port,
        Sending(home, home.file(CONTENT), port, "--plain", terminal=os.ttyname(theirs)) as sender,
    ):
        shown = ""
        while " left" not in shown:
            shown += screen.read(4096).decode(errors="replace")
        sender.signal(signal.SIGINT)
        assert sender.wait().code == exit_codes.INTERRUPTED
    assert "sent.bin" in shown and "━" in shown and "%" in shown
