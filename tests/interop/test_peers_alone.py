"""The foreign peers against each other and themselves: they must be right before they may judge anything else."""

from __future__ import annotations

import random
import socket
from pathlib import Path

import pytest

from tests.interop.peerproc import Outcome, start_receiver, start_sender
from tests.interop.relay import Fate, LossyRelay, random_fate

# (sender, its options, receiver, its options). Strict and sloppy cannot talk: see the tests of what strict refuses.
PAIRS: list[tuple[str, list[str], str, list[str]]] = [
    ("strict", [], "strict", []),
    ("strict", [], "minimal", []),
    ("minimal", [], "strict", []),
    ("minimal", [], "minimal", []),
    ("minimal", [], "sloppy", []),
    ("sloppy", [], "minimal", []),
    ("sloppy", [], "sloppy", []),
]
# The same with options that change what the peer does, on a shorter file.
VARIANTS: list[tuple[str, list[str], str, list[str]]] = [
    ("strict", ["--magic", "UVicCSc361"], "strict", ["--magic", "UVicCSc361"]),
    ("strict", ["--payload", "965"], "strict", ["--window", "2000", "--drain-ms", "30"]),
    ("minimal", [], "strict", ["--drain-ms", "30", "--window", "8000"]),
    ("sloppy", ["--crlf"], "sloppy", ["--crlf"]),
    ("sloppy", [], "sloppy", ["--no-window", "--window", "70000"]),
    ("minimal", [], "sloppy", ["--no-window"]),
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """40,000 bytes in which line ends and empty lines are frequent, as a header parser would like least."""
    path = tmp_path / "source.bin"
    dice = random.Random(361)
    path.write_bytes(bytes(dice.choice((10, 13, dice.randrange(256))) for _ in range(40_000)))
    return path


def transfer(
    source: Path, sender: str, send_options: list[str], receiver: str, receive_options: list[str], fate: Fate
) -> tuple[Outcome, Outcome]:
    """Both outcomes of one transfer through a relay, into `target.bin` beside `source`."""
    target = source.with_name("target.bin")
    with (
        start_receiver(receiver, target, *receive_options) as receiving,
        LossyRelay(receiving.port, fate) as relay,
        start_sender(sender, relay.port, source, *send_options) as sending,
    ):
        return sending.wait(), receiving.wait()


@pytest.mark.parametrize(("sender", "send_options", "receiver", "receive_options"), PAIRS + VARIANTS)
def test_file_arrives(
    source: Path, sender: str, send_options: list[str], receiver: str, receive_options: list[str]
) -> None:
    target = source.with_name("target.bin")
    if (sender, send_options, receiver, receive_options) in VARIANTS:
        source.write_bytes(source.read_bytes()[:12_000])
    with start_receiver(receiver, target, *receive_options) as receiving:
        with start_sender(sender, receiving.port, source, *send_options) as sending:
            sent = sending.wait()
        received = receiving.wait()
    assert (sent.code, sent.stderr) == (0, "")
    assert (received.code, received.stderr) == (0, "")
    assert target.read_bytes() == source.read_bytes()
    assert received.stats["rejected"] == sent.stats["rejected"] == 0


@pytest.mark.parametrize(("sender", "send_options", "receiver", "receive_options"), PAIRS)
def test_file_arrives_over_a_lossy_path(
    source: Path, sender: str, send_options: list[str], receiver: str, receive_options: list[str]
) -> None:
    source.write_bytes(source.read_bytes()[:15_000])
    fate = random_fate(7, 0.1, 0.1)
    sent, received = transfer(source, sender, send_options, receiver, receive_options, fate)
    assert (sent.code, received.code) == (0, 0), (sent.stderr, received.stderr)
    assert source.with_name("target.bin").read_bytes() == source.read_bytes()


@pytest.mark.parametrize(("sender", "send_options", "receiver", "receive_options"), PAIRS)
def test_silence_after_the_last_ack_is_no_failure(
    source: Path, sender: str, send_options: list[str], receiver: str, receive_options: list[str]
) -> None:
    finished = False
    source.write_bytes(source.read_bytes()[:5_000])

    def lose_answers_to_fin(packet: bytes, forward: bool) -> int:
        nonlocal finished
        finished = finished or (forward and b"\nType: FIN\n" in packet[:40])
        return 0 if finished and not forward else 1

    if sender == "sloppy":
        send_options = ["--silence", "2"]
    sent, received = transfer(source, sender, send_options, receiver, receive_options, lose_answers_to_fin)
    assert (sent.code, received.code) == (0, 0), (sent.stderr, received.stderr)
    assert source.with_name("target.bin").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("peer", ["strict", "sloppy", "minimal"])
def test_empty_file(source: Path, peer: str) -> None:
    source.write_bytes(b"")
    with start_receiver(peer, source.with_name("target.bin")) as receiving:
        with start_sender(peer, receiving.port, source) as sending:
            assert sending.wait().code == 0
        assert receiving.wait().code == 0
    assert source.with_name("target.bin").read_bytes() == b""


@pytest.mark.parametrize("receiver", ["sloppy", "minimal"])
def test_sender_without_fin(source: Path, receiver: str) -> None:
    target = source.with_name("target.bin")
    with start_receiver(receiver, target) as receiving:
        with start_sender("sloppy", receiving.port, source, "--no-fin") as sending:
            assert sending.wait().code == 0
        assert target.read_bytes() == source.read_bytes()
        assert receiving.kill().code < 0


@pytest.mark.parametrize(("sender", "magic"), [("sloppy", "CSC361"), ("minimal", "CSc361"), ("strict", "CSc361")])
def test_strict_receiver_gives_no_answer_to_what_differs(source: Path, sender: str, magic: str) -> None:
    target = source.with_name("target.bin")
    with start_receiver("strict", target) as receiving:
        with start_sender(sender, receiving.port, source, "--magic", magic, "--deadline", "0.7") as sending:
            sent = sending.wait()
        assert receiving.kill().code < 0
    assert (sent.code, sent.stderr) == (3, f"{sender}: deadline passed\n")
    assert sent.stats["received"] == 0
    assert sent.stats["sent"] > 0


def test_strict_sender_takes_no_answer_that_differs(source: Path) -> None:
    with (
        start_receiver("sloppy", source.with_name("target.bin"), "--magic", "CSC361") as receiving,
        start_sender("strict", receiving.port, source, "--deadline", "3") as sending,
    ):
        sent = sending.wait()
    assert (sent.code, sent.stats["received"]) == (3, 0)
    assert sent.stats["rejected"] > 0


BAD_PACKETS = [
    b"",
    b"Magic: CSC361\nType: SYN\nSequence: 0\n",
    b"Magic: CSC361\r\nType: SYN\r\nSequence: 0\r\n\r\n",
    b"Magic: CSc361\nType: SYN\nSequence: 0\n\n",
    b"Type: SYN\nMagic: CSC361\nSequence: 0\n\n",
    b"Magic: CSC361\nType: SYN\n\n",
    b"Magic: CSC361\nType: SYN\nSequence: 0\nPayload: 0\n\n",
    b"Magic: CSC361\nType: SYN\nSequence: -1\n\n",
    b"Magic: CSC361\nType: SYN\nSequence:0\n\n",
    b"Magic: CSC361\nType: SYN\nsequence: 0\n\n",
    b"Magic: CSC361\nType: NEW\nSequence: 0\n\n",
    b"Magic: CSC361\nType: SYN\nSequence: 0\n\n" + bytes(1024),
]
BAD_DATA = [
    b"Magic: CSC361\nType: DAT\nSequence: 1\nPayload: 0\n\n",
    b"Magic: CSC361\nType: DAT\nSequence: 1\nPayload 3\n\nabc",
    b"Magic: CSC361\nType: DAT\nPayload: 3\nSequence: 1\n\nabc",
    b"Magic: CSC361\nType: DAT\nSequence: 1\nPayload: 3\n\nab",
    b"Magic: CSC361\nType: DAT\nSequence: 1\nPayload: 3\n\nabcd",
    b"Magic: CSC361\nType: FIN\nSequence: 1\n\nx",
]


def test_strict_counts_each_malformed_packet(tmp_path: Path) -> None:
    target = tmp_path / "target.bin"
    good = b"Magic: CSC361\nType: DAT\nSequence: 1\nPayload: 3\n\nabc"
    with (
        start_receiver("strict", target) as receiving,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sock.settimeout(20)
        sock.connect(("127.0.0.1", receiving.port))
        opening = b"Magic: CSC361\nType: SYN\nSequence: 0\n\nanything: here\n\n"
        closing = b"Magic: CSC361\nType: FIN\nSequence: 4\n\n"
        for packet in [*BAD_PACKETS, opening, *BAD_DATA, good, closing]:
            sock.send(packet)
        answers = [sock.recv(2048) for _ in range(3)]
        outcome = receiving.wait()
    assert answers == [b"Magic: CSC361\nType: ACK\nAcknowledgment: %d\nWindow: 736\n\n" % n for n in (1, 4, 5)]
    assert (outcome.code, outcome.stats["rejected"]) == (0, len(BAD_PACKETS) + len(BAD_DATA))
    assert target.read_bytes() == b"abc"


def test_sloppy_packets_have_all_their_faults(source: Path) -> None:
    seen: list[bytes] = []

    def record(packet: bytes, forward: bool) -> int:
        seen.append(packet)
        return 1

    source.write_bytes(b"abc")
    transfer(source, "sloppy", [], "sloppy", ["--no-window"], record)
    head = b"Magic: CSc361\nType: %s\nSequence: %d\nAcknowledgement: %d\nPayload %d\n"
    tail = b"Window: 0\nX-Term: spring\n\n"
    assert seen[0] == head % (b"SYN", 361, 0, 0) + tail + b"\x00\n\nZz"
    assert head % (b"ACK", 0, 362, 0) + b"X-Term: spring\n\n" in seen
    assert head % (b"DAT", 362, 0, 3) + tail + b"abc\x00\n\nZz" in seen
    assert seen[-1] == head % (b"ACK", 0, 366, 0) + b"X-Term: spring\n\n"


def test_sloppy_sender_gives_up_with_a_reset(source: Path) -> None:
    kinds: list[bytes] = []

    def lose_all(packet: bytes, forward: bool) -> int:
        kinds.append(packet.split(b"\n")[1])
        return 0

    with (
        start_receiver("minimal", source.with_name("target.bin")) as receiving,
        LossyRelay(receiving.port, lose_all) as relay,
        start_sender("sloppy", relay.port, source, "--silence", "0.6") as sending,
    ):
        outcome = sending.wait()
    assert (outcome.code, outcome.stderr) == (4, "sloppy: no answer\n")
    assert kinds[0] == b"Type: SYN"
    assert kinds[-1] == b"Type: RST"


@pytest.mark.parametrize(
    ("sender", "receiver", "option"),
    [
        ("strict", "strict", ["--refuse"]),
        ("minimal", "strict", ["--refuse"]),
        ("minimal", "sloppy", ["--reset-after", "5000"]),
        ("sloppy", "sloppy", ["--reset-after", "5000"]),
    ],
)
def test_reset_by_the_receiver_ends_the_sender(source: Path, sender: str, receiver: str, option: list[str]) -> None:
    with start_receiver(receiver, source.with_name("target.bin"), *option) as receiving:
        with start_sender(sender, receiving.port, source) as sending:
            outcome = sending.wait()
        assert receiving.wait().code == 1
    assert (outcome.code, outcome.stderr) == (1, f"{sender}: reset by peer\n")


def test_packets_fill_what_is_allowed_and_no_more(source: Path) -> None:
    sizes: list[int] = []

    def measure(packet: bytes, forward: bool) -> int:
        sizes.append(len(packet))
        return 1

    source.write_bytes(source.read_bytes()[:5_000])
    for sender in ("minimal", "sloppy"):
        sizes.clear()
        sent, received = transfer(source, sender, [], "sloppy", [], measure)
        assert (sent.code, received.code, max(sizes)) == (0, 0, 1024)


def test_a_taken_port_is_one_line_on_stderr(source: Path) -> None:
    with (
        start_receiver("minimal", source.with_name("target.bin")) as receiving,
        pytest.raises(RuntimeError, match=r"not ready: exit 1, strict: .*in use"),
    ):
        start_receiver("strict", source.with_name("other.bin"), port=receiving.port)
