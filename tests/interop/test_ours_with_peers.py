"""rdps and rdpr, as processes, with the three foreign peers: both directions, clean and lossy, and each peer's ways."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.commands import rdp_tools
from tests.commands.rdp_tools import HOST, Receiver, Tool, recount, split_output
from tests.interop.peerproc import Outcome as PeerOutcome
from tests.interop.peerproc import start_receiver, start_sender
from tests.interop.relay import Fate, LossyRelay, random_fate

LOST, NO_ANSWER = 6, 5
PEERS = ["strict", "sloppy", "minimal"]
MAGIC = {"strict": "CSC361", "sloppy": "CSc361", "minimal": "CSC361"}
LOSSY = (0.1, 0.1)  # loss and duplication, each way

Pair = tuple[rdp_tools.Outcome, PeerOutcome]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """40,000 bytes in which line ends and empty lines are frequent, as a header parser would like least."""
    path = tmp_path / "source.bin"
    dice = random.Random(361)
    path.write_bytes(bytes(dice.choice((10, 13, dice.randrange(256))) for _ in range(40_000)))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "received").mkdir()
    return tmp_path / "received" / "target.bin"


def deliver(packet: bytes, forward: bool) -> int:
    return 1


class Recorder:
    """A fate that keeps what passes."""

    def __init__(self, fate: Fate = deliver) -> None:
        self.fate = fate
        self.forward: list[bytes] = []
        self.backward: list[bytes] = []

    def __call__(self, packet: bytes, forward: bool) -> int:
        (self.forward if forward else self.backward).append(packet)
        return self.fate(packet, forward)


def send_to(
    peer: str,
    source: Path,
    target: Path,
    *,
    fate: Fate = deliver,
    peer_options: Sequence[str] = (),
    options: Sequence[str] = (),
) -> Pair:
    """Our sender, the peer's receiver, a relay between."""
    with (
        start_receiver(peer, target, *peer_options) as receiving,
        LossyRelay(receiving.port, fate) as relay,
        Tool("rdps", HOST, 0, HOST, relay.port, source, "--timeout", "10", *options) as sending,
    ):
        return sending.wait(), receiving.wait()


def receive_from(
    peer: str,
    source: Path,
    target: Path,
    *,
    fate: Fate = deliver,
    peer_options: Sequence[str] = (),
    options: Sequence[str] = (),
) -> Pair:
    """The peer's sender, our receiver, a relay between."""
    with (
        Receiver(target, *options) as receiving,
        LossyRelay(receiving.port, fate) as relay,
        start_sender(peer, relay.port, source, *peer_options) as sending,
    ):
        sent = sending.wait()
        return receiving.wait(), sent


def check_success(ours: rdp_tools.Outcome, theirs: PeerOutcome, source: Path, target: Path, verb: str) -> None:
    assert (ours.code, theirs.code) == (0, 0), ours.err + theirs.stderr
    assert theirs.stats["rejected"] == 0
    assert target.read_bytes() == source.read_bytes()
    lines, summary = split_output(ours.out)
    assert recount(lines, verb).items() <= summary.items()
    assert summary[f"unique data bytes {verb}"] == str(source.stat().st_size)


@pytest.mark.parametrize("peer", PEERS)
def test_sending_on_a_clean_path(source: Path, target: Path, peer: str) -> None:
    seen = Recorder()
    ours, theirs = send_to(peer, source, target, fate=seen)
    check_success(ours, theirs, source, target, "sent")
    # Nothing but the assignment's minimal packets, no payload over 959 bytes, the file's order on the first pass.
    dats = [packet for packet in seen.forward if b"\nType: DAT\n" in packet[:30]]
    heads = [packet.partition(b"\n\n")[0] for packet in dats]
    assert all(re.fullmatch(rb"Magic: CSC361\nType: DAT\nSequence: \d+\nPayload: \d+", head) for head in heads)
    assert max(int(head.rpartition(b" ")[2]) for head in heads) <= 959
    assert max(map(len, seen.forward)) <= 1024


@pytest.mark.parametrize("peer", PEERS)
def test_sending_on_a_lossy_path(source: Path, target: Path, peer: str) -> None:
    source.write_bytes(source.read_bytes()[:15_000])
    ours, theirs = send_to(peer, source, target, fate=random_fate(7, *LOSSY))
    check_success(ours, theirs, source, target, "sent")


@pytest.mark.parametrize("peer", PEERS)
def test_receiving_on_a_clean_path(source: Path, target: Path, peer: str) -> None:
    seen = Recorder()
    ours, theirs = receive_from(peer, source, target, fate=seen)
    check_success(ours, theirs, source, target, "received")
    spelling = b"Acknowledgement" if peer == "sloppy" else b"Acknowledgment"
    form = re.compile(rb"Magic: %b\nType: ACK\n%b: \d+\nWindow: \d+\n\n" % (MAGIC[peer].encode(), spelling))
    assert [packet for packet in seen.backward if not form.fullmatch(packet)] == []


@pytest.mark.parametrize("peer", PEERS)
def test_receiving_on_a_lossy_path(source: Path, target: Path, peer: str) -> None:
    source.write_bytes(source.read_bytes()[:15_000])
    ours, theirs = receive_from(peer, source, target, fate=random_fate(7, *LOSSY), options=["--linger", "1.5"])
    check_success(ours, theirs, source, target, "received")


@pytest.mark.parametrize(
    ("peer", "peer_options", "lossy"),
    [
        ("strict", ["--window", "736"], False),
        ("strict", ["--window", "2000", "--drain-ms", "30"], False),
        ("strict", ["--window", "2000", "--drain-ms", "30"], True),
        ("strict", ["--window", "65000"], False),
        ("sloppy", ["--no-window"], False),
        ("sloppy", ["--no-window"], True),
        ("sloppy", ["--window", "736", "--crlf"], False),
        ("sloppy", ["--window", "70000", "--crlf"], True),
    ],
)
def test_windows_of_receivers(source: Path, target: Path, peer: str, peer_options: list[str], lossy: bool) -> None:
    source.write_bytes(source.read_bytes()[: 8_000 if lossy else 16_000])
    fate = random_fate(3, *LOSSY) if lossy else deliver
    # Not the usual ten seconds, which are waited for in full when the receiver's last ACK is lost.
    ours, theirs = send_to(peer, source, target, fate=fate, peer_options=peer_options, options=["--timeout", "3"])
    check_success(ours, theirs, source, target, "sent")


@pytest.mark.parametrize("magic", ["CSc361", "UVicCSc361"])
def test_the_magic_of_another_term(source: Path, target: Path, magic: str) -> None:
    seen = Recorder()
    ours, theirs = receive_from("strict", source, target, fate=seen, peer_options=["--magic", magic])
    check_success(ours, theirs, source, target, "received")
    assert {packet.partition(b"\n")[0] for packet in seen.backward} == {b"Magic: " + magic.encode()}
    target.unlink()
    ours, theirs = send_to("strict", source, target, peer_options=["--magic", magic], options=["--magic", magic])
    check_success(ours, theirs, source, target, "sent")


@pytest.mark.parametrize("options", [["--payload", "959"], ["--payload", "100", "--timeout", "0.1"]])
def test_other_habits_of_a_strict_sender(source: Path, target: Path, options: list[str]) -> None:
    ours, theirs = receive_from("strict", source, target, peer_options=options)
    check_success(ours, theirs, source, target, "received")


def test_a_sender_that_ends_lines_by_cr_lf(source: Path, target: Path) -> None:
    ours, theirs = receive_from("sloppy", source, target, peer_options=["--crlf"])
    check_success(ours, theirs, source, target, "received")


def test_an_empty_file(source: Path, target: Path) -> None:
    source.write_bytes(b"")
    for peer in PEERS:
        check_success(*receive_from(peer, source, target), source, target, "received")
        target.unlink()
    check_success(*send_to("strict", source, target), source, target, "sent")


# The end


class LoseAnswersToFin:
    """A fate that loses all that comes back after the first FIN."""

    def __init__(self) -> None:
        self.is_finished = False

    def __call__(self, packet: bytes, forward: bool) -> int:
        self.is_finished = self.is_finished or (forward and b"\nType: FIN\n" in packet[:40])
        return 0 if self.is_finished and not forward else 1


@pytest.mark.parametrize("peer", PEERS)
def test_silence_after_the_fin_is_success(source: Path, target: Path, peer: str) -> None:
    ours, theirs = send_to(peer, source, target, fate=LoseAnswersToFin(), options=["--timeout", "1"])
    check_success(ours, theirs, source, target, "sent")
    assert ours.err == "rdps: note: the receiver never acknowledged the FIN; all data were acknowledged\n"


@pytest.mark.parametrize("peer", ["strict", "minimal"])
def test_a_sender_that_never_hears_of_the_end(source: Path, target: Path, peer: str) -> None:
    """It repeats its FIN, gives up in the end, and our file stands all the same."""
    ours, theirs = receive_from(peer, source, target, fate=LoseAnswersToFin())
    assert (ours.code, theirs.code) == (0, 0)
    assert target.read_bytes() == source.read_bytes()


def test_a_sender_that_never_sends_fin(source: Path, target: Path) -> None:
    target.write_bytes(b"old")
    ours, theirs = receive_from("sloppy", source, target, peer_options=["--no-fin"], options=["--timeout", "0.7"])
    assert (ours.code, theirs.code) == (LOST, 0)
    assert "rdpr: the sender has been silent for 0.7 s\n" in ours.err
    found = re.search(r"^rdpr: kept the first 40000 bytes in (.+)$", ours.err, re.MULTILINE)
    assert found is not None
    assert Path(found[1]).read_bytes() == source.read_bytes()
    assert target.read_bytes() == b"old"


# Resets


def test_a_receiver_that_refuses(source: Path, target: Path) -> None:
    ours, theirs = send_to("strict", source, target, peer_options=["--refuse"])
    assert theirs.code == 1
    assert (ours.code, ours.err) == (NO_ANSWER, "rdps: the receiver refused the transfer\n")
    assert split_output(ours.out)[1]["RST packets received"] == "1"


def test_a_receiver_that_gives_up(source: Path, target: Path) -> None:
    ours, theirs = send_to("sloppy", source, target, peer_options=["--reset-after", "5000"])
    assert theirs.code == 1
    assert (ours.code, ours.err) == (LOST, "rdps: the receiver ended the transfer\n")
    assert split_output(ours.out)[1]["RST packets received"] == "1"


def test_a_sender_that_loses_patience(source: Path, target: Path) -> None:
    answers = 0

    def lose_later_answers(packet: bytes, forward: bool) -> int:
        nonlocal answers
        answers += not forward
        return 1 if forward or answers <= 5 else 0

    ours, theirs = receive_from("sloppy", source, target, fate=lose_later_answers, peer_options=["--silence", "0.6"])
    assert (theirs.code, theirs.stderr) == (4, "sloppy: no answer\n")
    assert ours.code == LOST
    assert "rdpr: the sender ended the transfer\n" in ours.err
    found = re.search(r"^rdpr: kept the first (\d+) bytes in (.+)$", ours.err, re.MULTILINE)
    assert found is not None
    assert Path(found[2]).read_bytes() == source.read_bytes()[: int(found[1])]
    assert not target.exists()


@pytest.mark.parametrize("peer", PEERS)
def test_a_receiver_that_is_stopped_resets_them(source: Path, target: Path, peer: str) -> None:
    """The only word a foreign sender gets is a plain RST, and it must understand it."""
    source.write_bytes(bytes(3_000_000))
    with Receiver(target) as receiving, start_sender(peer, receiving.port, source) as sending:
        for _ in range(20):
            receiving.read_line()
        receiving.signal(2)
        ours, theirs = receiving.wait(), sending.wait()
    assert ours.code == 130
    assert (theirs.code, theirs.stderr) == (1, f"{peer}: reset by peer\n")
