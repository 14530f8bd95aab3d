"""`surewire send` to `surewire recv`: what arrives, what both say, and whom they trust."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from surewire.apps import exit_codes
from tests.commands.rdp_tools import Tool, router
from tests.commands.transfer_tools import SUREWIRE, Home, Receiving, Sending, records, run

CONTENT = random.Random(5).randbytes(3_000_001)
SHORT = CONTENT[:777]
KEY = "42" * 32
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_file_arrives_sealed_from_a_server_that_is_then_remembered(home: Home) -> None:
    with Receiving(home) as receiver:
        first = home.send(home.file(CONTENT), receiver.port)
        again = home.send(home.file(SHORT), receiver.port)
        receiver.process.terminate()
        done = receiver.wait()

    sha = hashlib.sha256(CONTENT).hexdigest()
    assert (first.code, again.code, done.code) == (exit_codes.OK, exit_codes.OK, exit_codes.OK)
    note = f"127.0.0.1:{receiver.port} is new; its fingerprint is {receiver.fingerprint}, remembered now"
    assert (first.err, again.err) == (f"surewire send: note: {note}\n", "")
    assert first.out.startswith("sent sent.bin: 3.0 MB in ") and f"SHA-256 {sha}\n" in first.out
    figures = (
        r"loss \d+\.\d\d%, total/unique bytes 1\.\d{4}, 1/\(1-p\) 1\.\d{4}; round trip [\d.]+ ms, datagrams of \d+"
    )
    assert re.fullmatch(f"{figures} bytes", first.out.splitlines()[2])
    assert "\nlimited by: " in first.out and first.out.count("\n") == 4
    lines = done.out.splitlines()
    assert [line.split(" from ")[0] for line in lines] == ["received sent.bin"] * 2
    assert lines[0].endswith(f"SHA-256 {sha}")
    assert home.received == {"sent.bin": SHORT}
    assert f"127.0.0.1:{receiver.port} " in home.known_servers.read_text()


def test_a_server_whose_key_has_changed_gets_nothing_until_it_is_trusted(home: Home) -> None:
    with Receiving(home, "--once") as receiver:
        home.known_servers.parent.mkdir(parents=True, exist_ok=True)
        home.known_servers.write_text(f"127.0.0.1:{receiver.port} {'77' * 32}\n")
        path = home.file(SHORT)
        changed = home.send(path, receiver.port, "--json")
        wrong = home.send(path, receiver.port, "--trust", "sw1:aaaa-aaaa-aaaa-aaaa-aaaa-aaaa")
        assert home.received == {}
        trusted = home.send(path, receiver.port, "--trust", receiver.fingerprint)
        assert receiver.wait().code == exit_codes.OK

    assert (changed.code, wrong.code, trusted.code) == (exit_codes.UNTRUSTED, exit_codes.UNTRUSTED, exit_codes.OK)
    assert str(receiver.fingerprint) in changed.err and changed.err.count("\n") == 1
    assert changed.err.endswith("connect with the new one as trust\n")  # not the API's trust=
    assert records(changed.out) == [{"error": changed.err.removeprefix("surewire send: ")[:-1], "exit": 8}]
    assert home.received == {"sent.bin": SHORT}
    assert "77" * 32 not in home.known_servers.read_text()


def test_a_server_known_by_its_public_key(home: Home) -> None:
    pytest.importorskip("cryptography")
    from surewire.crypto.sealed import public_key

    private = home.path / "server.key"
    private.write_text(KEY + "\n")
    private.chmod(0o600)
    with Receiving(home, "--once", "--server-key", private) as receiver:
        other = home.send(home.file(SHORT), receiver.port, "--server-key", "77" * 32)
        right = home.send(home.file(SHORT), receiver.port, "--server-key", public_key(bytes.fromhex(KEY)).hex())
        assert receiver.wait().code == exit_codes.OK
    assert (other.code, right.code) == (exit_codes.UNTRUSTED, exit_codes.OK)
    assert right.err == "" and home.received == {"sent.bin": SHORT}
    assert not home.known_servers.exists()


def test_a_shared_key(home: Home) -> None:
    psk, other = home.file(KEY.encode(), "psk"), home.file(b"43" * 32 + b"\n", "other")
    psk.chmod(0o600)
    other.chmod(0o644)
    with Receiving(home, "--once", "--psk", psk) as receiver:
        assert receiver.fingerprint is None
        stranger = home.send(home.file(SHORT), receiver.port, "--psk", other, "--timeout", "0.5")
        friend = home.send(home.file(CONTENT), receiver.port, "--psk", psk)
        assert receiver.wait().code == exit_codes.OK
    assert stranger.code in (exit_codes.NO_ANSWER, exit_codes.UNTRUSTED)
    assert f"note: others can read the key in {other} (chmod 600 {other})\n" in stranger.err
    assert (friend.code, friend.err) == (exit_codes.OK, "")
    assert home.received == {"sent.bin": CONTENT}


@pytest.mark.parametrize(
    ("receiver_options", "sender_options"),
    [(["--plain"], []), ([], ["--plain"])],
    ids=["plain recv", "plain send"],
)
def test_sealed_and_plain_do_not_mix(
    home: Home, receiver_options: Sequence[str], sender_options: Sequence[str]
) -> None:
    with Receiving(home, *receiver_options) as receiver:
        done = home.send(home.file(SHORT), receiver.port, "--timeout", "1", *sender_options)
    assert done.code in (exit_codes.NO_ANSWER, exit_codes.UNTRUSTED)
    assert done.err.count("\n") == 1 and home.received == {}


@pytest.mark.parametrize("content", [b"", SHORT, CONTENT], ids=len)
def test_the_objects_for_programs(home: Home, content: bytes) -> None:
    with Receiving(home, "--once", "--plain", "--json") as receiver:
        sent = home.send(home.file(content), receiver.port, "--plain", "--json", "--name", "other name")
        received = receiver.wait()
    assert (sent.code, received.code, sent.err) == (exit_codes.OK, exit_codes.OK, "")
    (ours,), (theirs,) = records(sent.out), records(received.out)
    sha = hashlib.sha256(content).hexdigest()
    for record in (ours, theirs):
        assert (record["name"], record["bytes"], record["sha256"]) == ("other name", len(content), sha)
        assert record["sealed"] is False
        assert record["seconds"] > 0 and record["rate"] == pytest.approx(
            len(content) / record["seconds"], rel=0.01, abs=1
        )
    assert ours["rtt"] > 0 and 0.0 <= ours["loss"] < 1.0 and ours["retransmitted"] >= 0
    assert ours["sent_bytes"] > len(content) and ours["sent_bytes"] >= theirs["received_bytes"] - 1_200
    assert ours["to"] == f"127.0.0.1:{receiver.port}" and ours["fingerprint"] is None
    assert theirs["path"] == str(home.into / "other name")
    assert home.received == {"other name": content}


def test_the_folder_is_made(home: Home) -> None:
    home.into.rmdir()
    with Receiving(home, "--once", "--plain") as receiver:
        assert home.send(home.file(SHORT), receiver.port, "--plain").code == exit_codes.OK
        receiver.wait()
    assert home.received == {"sent.bin": SHORT}


def test_quiet_means_nothing_but_errors(home: Home) -> None:
    with Receiving(home, "--once", "--quiet") as receiver:
        sent = home.send(home.file(SHORT), receiver.port, "-q")
        received = receiver.wait()
    assert (sent.code, sent.out, sent.err) == (exit_codes.OK, "", "")
    assert (received.code, received.out, received.err.count("\n")) == (exit_codes.OK, "", 1)


def test_a_name_that_the_output_cannot_show(home: Home) -> None:
    home.env = {**home.env, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1"}  # as with a terminal of another language
    with Receiving(home, "--once", "--plain") as receiver:
        sent = home.send(home.file(SHORT), receiver.port, "--plain", "--name", "日本")
        received = receiver.wait()
    assert (sent.code, received.code) == (exit_codes.OK, exit_codes.OK)
    assert received.out.startswith("received \\u65e5\\u672c from ") and sent.out.startswith("sent \\u65e5\\u672c: ")
    assert home.received == {"日本": SHORT}


def test_datagrams_of_one_length_without_offload(home: Home) -> None:
    with Receiving(home, "--once", "--plain", "--no-offload", "--mtu", "1300") as receiver:
        sent = home.send(home.file(CONTENT), receiver.port, "--plain", "--no-offload", "--mtu", "1300", "--json")
        assert receiver.wait().code == exit_codes.OK
    (record,) = records(sent.out)
    assert record["path_mtu"] == 1300
    assert record["datagrams"] > len(CONTENT) / 1300
    assert home.received == {"sent.bin": CONTENT}


def test_a_path_that_loses_is_told(home: Home) -> None:
    with Receiving(home, "--once", "--plain") as receiver, router(receiver.port, "--up-loss", "20") as port:
        sent = home.send(home.file(CONTENT), port, "--plain", "--json", "--mtu", "1400")
        assert receiver.wait().code == exit_codes.OK
    (record,) = records(sent.out)
    assert 0.05 < record["loss"] < 0.9  # a router that is overloaded loses more than it was told to
    assert record["stream_bytes"] == pytest.approx(record["bytes"] + record["retransmitted"], abs=1_000)
    assert record["retransmitted"] > 0.1 * len(CONTENT)
    assert home.received == {"sent.bin": CONTENT}


def test_several_senders_at_the_same_time(home: Home) -> None:
    contents = {f"file {number}": CONTENT[number:] for number in range(4)}
    with Receiving(home, "--json", "--plain") as receiver:
        senders = [
            Sending(home, home.file(content, name), receiver.port, "--plain") for name, content in contents.items()
        ]
        assert [sender.wait().code for sender in senders] == [exit_codes.OK] * 4
        receiver.process.terminate()
        done = receiver.wait()
    assert done.code == exit_codes.OK
    assert sorted(record["name"] for record in records(done.out)) == sorted(contents)
    assert home.received == contents


def test_a_file_that_is_to_stay(home: Home) -> None:
    (home.into / "sent.bin").write_bytes(b"old")
    with Receiving(home, "--once", "--plain", "--no-overwrite", "--json") as receiver:
        sent = home.send(home.file(CONTENT), receiver.port, "--plain", "--json")
        received = receiver.wait()
    assert (sent.code, received.code) == (exit_codes.LOST, exit_codes.FILE)
    assert sent.err == "surewire send: the receiver: there is a file of that name already\n"
    assert records(sent.out) == [{"error": "the receiver: there is a file of that name already", "exit": 6}]
    (record,) = records(received.out)
    assert (record["name"], record["exit"]) == ("sent.bin", exit_codes.FILE)
    assert home.received == {"sent.bin": b"old"}


def test_a_listener_that_is_stopped_while_nothing_happens(home: Home) -> None:
    with Receiving(home, "--plain") as receiver:
        receiver.process.terminate()
        done = receiver.wait()
    assert (done.code, done.out, done.err.count("\n")) == (exit_codes.OK, "", 1)
    with Receiving(home, "--plain", "--once", "--json") as receiver:
        receiver.process.terminate()
        done = receiver.wait()
    assert done.code == exit_codes.INTERRUPTED
    assert records(done.out) == [{"error": "interrupted", "exit": 130}]


def test_no_more_is_loaded_than_is_needed(home: Home) -> None:
    """Starting up is most of what a small file costs."""
    program = (
        "import sys; from surewire.apps import cli; sys.stdout.flush()\n"
        "try: cli.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "sys.stderr.write(' '.join(sys.modules))"
    )
    with Tool("python", "send", "--help", command=[SUREWIRE[0], "-c", program], env=home.env) as tool:
        done = tool.wait()
    assert done.out.startswith("usage: surewire send ")
    loaded = set(done.err.split())
    heavy = {"rich", "cryptography", "asyncio", "surewire.lab", "surewire.apps.router"}
    assert "surewire.apps.send" in loaded and loaded & heavy == set()


def test_all_commands_are_listed_without_being_loaded(home: Home) -> None:
    done = run(home, "--help")
    assert done.code == 0
    for command, text in [
        ("send", "send a file, sealed"),
        ("recv", "receive files"),
        ("lab", "real hosts"),
        ("sim", "virtual"),
    ]:
        assert f"\n    {command} " in done.out and text in done.out


@pytest.mark.parametrize("command", ["send", "recv"])
def test_every_option_is_in_the_manual(home: Home, command: str) -> None:
    options = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", run(home, command, "--help").out)) - {"-h", "--help"}
    assert {"--psk", "--plain", "--mtu", "--no-offload", "--timeout", "--json", "-q"} <= options
    manual = (ROOT / "docs" / "send-recv.md").read_text()
    assert [option for option in sorted(options) if f"`{option}" not in manual] == []


def test_every_figure_is_in_the_manual(home: Home) -> None:
    with Receiving(home, "--once", "--plain", "--json") as receiver:
        sent = home.send(home.file(SHORT), receiver.port, "--plain", "--json")
        received = receiver.wait()
    manual = (ROOT / "docs" / "send-recv.md").read_text()
    keys = {key for record in [*records(sent.out), *records(received.out)] for key in record}
    assert len(keys) > 20 and [key for key in sorted(keys) if f"`{key}`" not in manual] == []
