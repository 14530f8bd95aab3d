"""The packet log and the summary of rdps and rdpr: format, counts, addresses, and what they say of a real transfer."""

from __future__ import annotations

import os
import random
from itertools import pairwise
from pathlib import Path

import pytest

from tests.commands.rdp_tools import (
    HOST,
    Line,
    Receiver,
    Tool,
    duration_seconds,
    parse_lines,
    parse_summary,
    recount,
    router,
    send,
    split_output,
)

SIZE = 200_000
DAY = 86_400_000_000  # microseconds


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source file.bin"
    path.write_bytes(random.Random(361).randbytes(SIZE))
    return path


def check_output(lines: list[Line], summary: dict[str, str], verb: str) -> None:
    """What must hold of any transfer that succeeded: `verb` is sent for rdps, received for rdpr."""
    figures = recount(lines, verb)
    assert list(summary) == [*figures, "total time duration (second)"]
    assert {name: summary[name] for name in figures} == figures
    assert summary[f"unique data bytes {verb}"] == str(SIZE)
    duration = summary["total time duration (second)"]
    assert len(duration.partition(".")[2]) == 3
    assert float(duration) == pytest.approx(duration_seconds(lines, verb), abs=0.25)


def covered(lines: list[Line], event: str) -> list[tuple[int, int]]:
    """Byte ranges of the DATs of an event, relative to the first data byte, joined and in order."""
    first = min(line.number for line in lines if line.type == "SYN") + 1
    ranges = sorted((x.number - first, x.number - first + x.size) for x in lines if (x.type, x.event) == ("DAT", event))
    joined: list[tuple[int, int]] = []
    for start, stop in ranges:
        if joined and start == joined[-1][1]:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


def test_a_clean_transfer_is_logged_packet_by_packet(source: Path, tmp_path: Path) -> None:
    with Receiver(tmp_path / "received.bin") as receiver:
        sent, received = send(source, receiver.port), receiver.wait()
    assert (sent.code, sent.err) == (0, "")
    assert (received.code, received.err) == (0, f"rdpr: listening at {HOST}:{receiver.port}\n")
    assert (tmp_path / "received.bin").read_bytes() == source.read_bytes()
    (ours, our_summary), (theirs, their_summary) = split_output(sent.out), split_output(received.out)
    check_output(ours, our_summary, "sent")
    check_output(theirs, their_summary, "received")

    syn, ack = ours[0], ours[1]
    assert (syn.event, syn.type, syn.size) == ("s", "SYN", 0)
    assert (ack.event, ack.type, ack.number) == ("r", "ACK", syn.number + 1)
    fin = next(line for line in ours if line.type == "FIN")
    assert (fin.event, fin.number, fin.size) == ("s", syn.number + 1 + SIZE, 0)
    assert (ours[-1].type, ours[-1].number) == ("ACK", fin.number + 1)
    assert covered(ours, "s") == covered(theirs, "r") == [(0, SIZE)]
    assert all((after.microseconds - before.microseconds) % DAY < DAY // 2 for before, after in pairwise(ours))
    # Every packet that one side sent is on the other side's list under the same addresses.
    assert {("r", *x[2:]) for x in ours if x.event in "sS"} == {("r", *x[2:]) for x in theirs if x.event in "rR"}
    receiving = f"{HOST}:{receiver.port}"
    assert {line.destination for line in ours if line.event in "sS"} == {receiving}
    assert {line.source for line in theirs if line.event in "sS"} == {receiving}


@pytest.mark.parametrize("options", [[], ["--plain"]], ids=["ours", "plain"])
def test_counts_are_right_across_a_bad_path(source: Path, tmp_path: Path, options: list[str]) -> None:
    path = ["--loss", "10", "--duplicate", "5", "--delay", "2", "--jitter", "1"]
    # Against chance: if the last ACK is lost, a short stay after the end would leave the sender unsure.
    with Receiver(tmp_path / "received.bin", "--linger", "2") as receiver, router(receiver.port, *path) as port:
        sent = send(source, port, *options)
        received = receiver.wait()
    assert (sent.code, received.code) == (0, 0), sent.err + received.err
    assert (tmp_path / "received.bin").read_bytes() == source.read_bytes()
    (ours, our_summary), (theirs, their_summary) = split_output(sent.out), split_output(received.out)
    check_output(ours, our_summary, "sent")
    check_output(theirs, their_summary, "received")
    # There was loss and duplication, so both kinds of everything occur.
    assert {(x.event, x.type) for x in ours} >= {("s", "DAT"), ("S", "DAT"), ("r", "ACK")}
    assert {(x.event, x.type) for x in theirs} >= {("r", "DAT"), ("R", "DAT"), ("s", "ACK")}
    assert covered(ours, "s") == [(0, SIZE)]
    assert all(1 <= line.size <= 959 for line in ours if line.type == "DAT")


def test_the_receiver_logs_and_answers_the_address_a_nat_shows(source: Path, tmp_path: Path) -> None:
    with Receiver(tmp_path / "received.bin") as receiver, router(receiver.port) as port:
        sent = send(source, port)
        received = receiver.wait()
    assert (sent.code, received.code) == (0, 0)
    ours, theirs = split_output(sent.out)[0], split_output(received.out)[0]
    own = ours[0].source
    (shown,) = {line.source for line in theirs if line.event in "rR"}
    assert shown not in (own, f"{HOST}:{port}")
    assert {line.destination for line in theirs if line.event in "sS"} == {shown}
    assert {line.destination for line in ours if line.event in "sS"} == {f"{HOST}:{port}"}
    assert {line.source for line in ours if line.event in "rR"} == {f"{HOST}:{port}"}


@pytest.mark.parametrize("size", [0, 1, 933, 40_000])
def test_files_of_any_size(tmp_path: Path, size: int) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(os.urandom(size))
    with Receiver(target) as receiver:
        sent, received = send(source, receiver.port), receiver.wait()
    assert (sent.code, received.code) == (0, 0)
    assert target.read_bytes() == source.read_bytes()
    assert split_output(sent.out)[1]["unique data bytes sent"] == str(size)
    assert split_output(received.out)[1]["unique data bytes received"] == str(size)


@pytest.mark.parametrize(("at", "to"), [("0.0.0.0", HOST), ("::1", "::1"), ("::", "::1"), ("localhost", "localhost")])
def test_addresses_to_listen_at(source: Path, tmp_path: Path, at: str, to: str) -> None:
    if ":" in to and not Path("/proc/net/if_inet6").exists():
        pytest.skip("this system has no IPv6")
    with Tool("rdpr", at, 0, tmp_path / "b", "--linger", "0.1") as receiver:
        port = int(receiver.read_error_line().rpartition(":")[2])
        sent, received = send(source, port, at=to, to=to), receiver.wait()
    assert (sent.code, received.code) == (0, 0)
    assert (tmp_path / "b").read_bytes() == source.read_bytes()
    host = HOST if ":" not in to else f"[{to}]"
    theirs = split_output(received.out)[0]
    # Never the wildcard: the address the sender used.
    assert {line.source for line in theirs if line.event in "sS"} == {f"{host}:{port}"}


def test_log_quiet_stats_and_progress(source: Path, tmp_path: Path) -> None:
    log, stats = tmp_path / "lines.log", tmp_path / "stats.json"
    with Receiver(tmp_path / "b", "--quiet", "--progress") as receiver:
        sent = send(source, receiver.port, "--log", log, "--stats", stats)
        received = receiver.wait()
    assert (sent.code, received.code) == (0, 0)
    lines = parse_lines(log.read_text())
    check_output(lines, parse_summary(sent.out), "sent")
    assert parse_summary(received.out)["unique data bytes received"] == str(SIZE)
    assert f"rdpr: listening at {HOST}:{receiver.port}\n" in received.err
    assert "received 200.0 kB (100%), " in received.err.splitlines()[-1]
    assert f'"acked_bytes": {SIZE}' in stats.read_text()
    assert '"error": null' in stats.read_text()
