"""What rdps and rdpr refuse or give up: one line on standard error, the documented exit status, no traceback."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.rdp_tools import HOST, Outcome, Receiver, Tool, parse_summary, run, send, split_output

USAGE, FILE, ADDRESS, NO_ANSWER = 2, 3, 4, 5
NOWHERE = "192.0.2.1"  # RFC 5737: nobody's


def check_refusal(outcome: Outcome, tool: str, code: int, *words: str) -> None:
    """It ended at once: nothing on the screen, one line about why."""
    assert outcome.code == code, outcome
    assert outcome.out == ""
    assert outcome.err.startswith(f"{tool}: ")
    assert outcome.err.count("\n") == 1
    for word in words:
        assert word in outcome.err


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.bin"
    path.write_bytes(b"x" * 5000)
    return path


@pytest.mark.parametrize("tool", ["rdps", "rdpr"])
def test_without_arguments_the_usage(tool: str) -> None:
    check_refusal(run(tool), tool, USAGE, f"usage: {tool} ", "_ip ", "_port ", "_file_name")


@pytest.mark.parametrize(
    ("tool", "arguments", "word"),
    [
        ("rdps", [HOST, "0", HOST, "9"], "sender_file_name"),
        ("rdps", [HOST, "65536", HOST, "9", "FILE"], "65536"),
        ("rdps", [HOST, "-1", HOST, "9", "FILE"], "-1"),
        ("rdps", [HOST, "0", HOST, "0", "FILE"], "port 0"),
        ("rdps", [HOST, "0", HOST, "http", "FILE"], "http"),
        ("rdps", [HOST, "0", HOST, "9", "FILE", "--timeout", "0"], "seconds"),
        ("rdps", [HOST, "0", HOST, "9", "FILE", "--magic", "a b"], "magic"),
        ("rdps", [HOST, "0", HOST, "9", "FILE", "--magic", "ö"], "magic"),
        ("rdps", [HOST, "0", HOST, "9", "FILE", "--magic", ""], "magic"),
        ("rdps", [HOST, "0", HOST, "9", "FILE", "--qui"], "--qui"),
        ("rdpr", [HOST, "٣", "b"], "port"),
        ("rdpr", [HOST, "0", "b", "--wait", "nan"], "nan"),
        ("rdpr", [HOST, "0", "b", "c"], "c"),
    ],
)
def test_bad_arguments(source: Path, tool: str, arguments: list[str], word: str) -> None:
    check_refusal(run(tool, *(source if part == "FILE" else part for part in arguments)), tool, USAGE, word)


# Files


def missing(folder: Path) -> Path:
    return folder / "missing"


def a_directory(folder: Path) -> Path:
    return folder


def a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def a_device(folder: Path) -> Path:
    return Path(os.devnull)


def in_no_folder(folder: Path) -> Path:
    return folder / "missing" / "b"


def below_a_file(folder: Path) -> Path:
    return folder / "source.bin" / "b"


def a_strange_name(folder: Path) -> Path:
    return folder / "two\nlines\x1b[31m"


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (missing, "No such file"),
        (a_directory, "a directory"),
        (a_pipe, "a named pipe"),
        (a_device, "a device"),
        (below_a_file, "Not a directory"),
        (a_strange_name, "two\\nlines\\x1b[31m: No such file"),
    ],
)
def test_a_source_that_is_no_file(source: Path, make: Callable[[Path], Path], word: str) -> None:
    outcome = run("rdps", HOST, 0, HOST, 9, make(source.parent))
    check_refusal(outcome, "rdps", FILE, "cannot read ", word)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_source_without_permission(source: Path) -> None:
    source.chmod(0)
    check_refusal(run("rdps", HOST, 0, HOST, 9, source), "rdps", FILE, "cannot read ", "Permission denied")


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (in_no_folder, "No such file"),
        (below_a_file, "is not a directory"),
        (a_directory, "a directory"),
        (a_pipe, "a named pipe"),
        (a_device, "a device"),
    ],
)
def test_a_destination_that_cannot_be(source: Path, make: Callable[[Path], Path], word: str) -> None:
    outcome = run("rdpr", HOST, 0, make(source.parent))
    check_refusal(outcome, "rdpr", FILE, "cannot write ", word)


@pytest.mark.parametrize("option", ["--log", "--stats"])
def test_the_file_itself_is_not_overwritten_by_an_option(source: Path, option: str) -> None:
    link = source.with_name("link")
    link.symlink_to(source)
    check_refusal(run("rdps", HOST, 0, HOST, 9, source, option, link), "rdps", USAGE, option, "same file")
    check_refusal(run("rdpr", HOST, 0, source, option, link), "rdpr", USAGE, option, "same file")
    new = source.with_name("new")
    check_refusal(run("rdpr", HOST, 0, new, option, f"{new.parent}/./new"), "rdpr", USAGE, option, "same file")
    assert source.read_bytes() == b"x" * 5000


def test_log_and_stats_in_one_file(source: Path) -> None:
    both = source.with_name("both")
    outcome = run("rdps", HOST, 0, HOST, 9, source, "--log", both, "--stats", both)
    check_refusal(outcome, "rdps", USAGE, "--log", "--stats")


def test_a_log_that_cannot_be_written(source: Path) -> None:
    outcome = run("rdps", HOST, 0, HOST, 9, source, "--log", in_no_folder(source.parent))
    check_refusal(outcome, "rdps", FILE, "cannot write ", "No such file")
    outcome = run("rdpr", HOST, 0, source, "--log", source.parent)
    check_refusal(outcome, "rdpr", FILE, "cannot write ", "Is a directory")


# Addresses


def test_a_port_that_is_taken(source: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, 0))
        port = other.getsockname()[1]
        outcome = run("rdpr", HOST, port, source.with_name("b"))
        check_refusal(outcome, "rdpr", ADDRESS, f"cannot listen at {HOST}:{port}: ", "in use")
        outcome = run("rdps", HOST, port, HOST, 9, source)
        check_refusal(outcome, "rdps", ADDRESS, f"cannot send from {HOST}:{port} to {HOST}:9: ", "in use")


@pytest.mark.parametrize("host", [NOWHERE, "..", "x" * 100])
def test_an_address_that_is_not_of_this_host(source: Path, host: str) -> None:
    check_refusal(run("rdpr", host, 0, source.with_name("b")), "rdpr", ADDRESS, f"cannot listen at {host}:0: ")
    check_refusal(run("rdps", host, 0, HOST, 9, source), "rdps", ADDRESS, "cannot send from ")


def test_both_ends_of_different_kinds(source: Path) -> None:
    check_refusal(run("rdps", HOST, 0, "::1", 9, source), "rdps", ADDRESS, "family", "[::1]:9")


@pytest.mark.parametrize("at", [HOST, "0.0.0.0"])
def test_sending_to_itself(source: Path, at: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, 0))
        port = other.getsockname()[1]
    outcome = run("rdps", at, port, HOST, port, source)
    check_refusal(outcome, "rdps", ADDRESS, f"to {HOST}:{port}: ", "the same address")


# Nobody there


def test_silence_is_no_answer(source: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HOST, 0))
        outcome = send(source, silent.getsockname()[1], "--timeout", "0.8")
    lines, summary = split_output(outcome.out)
    assert outcome.code == NO_ANSWER
    assert outcome.err.startswith("rdps: no answer after ")
    assert outcome.err.count("\n") == 1
    assert [(line.event, line.type) for line in lines] == [
        ("s", "SYN"),
        *[("S", "SYN")] * (len(lines) - 2),
        ("s", "RST"),
    ]
    assert int(summary["SYN packets sent"]) == len(lines) - 1 > 1
    assert summary["total time duration (second)"] == "0.000"


def test_a_closed_port_is_named(source: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, 0))
        port = other.getsockname()[1]
    outcome = send(source, port, "--timeout", "0.8")
    assert outcome.code == NO_ANSWER
    assert outcome.err.startswith("rdps: ")
    assert "port is closed" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_receiver_may_come_late(source: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, 0))
        port = other.getsockname()[1]
    with Tool("rdps", HOST, 0, HOST, port, source) as sender:
        assert " SYN " in sender.read_line()
        with Tool("rdpr", HOST, port, source.with_name("b"), "--linger", "0.1") as receiver:
            assert (sender.wait().code, receiver.wait().code) == (0, 0)
    assert source.with_name("b").read_bytes() == source.read_bytes()


def test_no_sender_within_the_time_to_wait(tmp_path: Path) -> None:
    with Receiver(tmp_path / "b", "--wait", "0.3") as receiver:
        outcome = receiver.wait()
    assert outcome.code == NO_ANSWER
    assert outcome.err.splitlines()[1:] == ["rdpr: no transfer began within 0.3 s"]
    assert set(parse_summary(outcome.out).values()) == {"0", "0.000"}
    assert os.listdir(tmp_path) == []
